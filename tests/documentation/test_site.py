import re
import subprocess
from pathlib import Path

import pytest

from documentation.page import PAGES, ROOT

OUTSIDE = re.compile(r"""(?:\bsrc=|<link[^>]*\bhref=|url\(|@import\s)["']?(?:https?:)?//[^"')\s>]+""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".venv" / "installed-dev").exists():
        pytest.skip("scripts/setup has not been run in this checkout")
    directory = tmp_path_factory.mktemp("site")
    made = subprocess.run([ROOT / "scripts" / "docs", directory], check=False, capture_output=True, text=True)
    assert (made.returncode, made.stderr) == (0, "")
    return directory


def test_every_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    first = (site / "README.html").read_text()
    for page in PAGES[1:]:
        assert f'href="docs/{page.stem}.html"' in first


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    files = [file for kind in ("html", "css") for file in site.rglob(f"*.{kind}")]
    assert files
    assert [found for file in files for found in OUTSIDE.findall(file.read_text())] == []
