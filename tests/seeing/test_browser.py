"""A real browser, where there is one: what is served is what it shows, under the policy, and it goes on by itself."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from mega_collector.telemetry.endpoint import serve
from telemetry.part import Part

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=20000"),
]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_the_script_keeps_it_up_to_date_and_what_a_peer_says_does_nothing(tmp_path: Path) -> None:
    part = Part("<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>")
    with closing(serve(("127.0.0.1", 0), part)) as endpoint:
        url = f"http://127.0.0.1:{endpoint.port}/"
        profile = f"--user-data-dir={tmp_path}"
        shown = subprocess.run(
            [str(CHROMIUM), *FLAGS, profile, "--dump-dom", url], capture_output=True, text=True, timeout=90, check=True
        )
    assert part.looks >= 3
    assert f"look {part.looks}." in shown.stdout or f"look {part.looks - 1}." in shown.stdout
    assert "look 1." not in shown.stdout
    assert "<title>harmed" not in shown.stdout
    assert "<img" not in shown.stdout
