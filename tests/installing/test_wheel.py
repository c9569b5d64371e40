"""What is installed is what is needed, and it runs."""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

from mega_collector import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = directory.iterdir()
    return built


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _sources() -> Iterator[str]:
    for path in (ROOT / "src").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(ROOT / "src"))


def test_it_holds_the_package_and_the_manual_and_nothing_else(wheel: Path) -> None:
    info, data = (f"mega_collector-{__version__}.{kind}/" for kind in ("dist-info", "data"))
    others = [name for name in _names(wheel) if not name.startswith(info)]
    assert sorted(others) == sorted([*_sources(), data + "data/share/man/man1/mega-collector.1"])
    assert {"mega_collector/py.typed", "mega_collector/api/api_pb2.py"} < set(others)
    assert {info + "entry_points.txt", info + "licenses/LICENSE"} < set(_names(wheel))


def test_its_metadata_say_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"mega_collector-{__version__}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(text)
    assert (metadata["Name"], metadata["Version"]) == ("mega-collector", __version__)
    assert (metadata["Requires-Python"], metadata["License-Expression"]) == (">=3.11", "MIT")
    assert not [each for each in metadata.get_all("Requires-Dist", []) if "pytest" in each and "extra" not in each]


def test_it_installs_and_runs(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install], check=True)
    libraries = next(path for path in map(Path, sys.path) if (path / "click").is_dir())
    run = subprocess.run(
        [tmp_path / "venv" / "bin" / "mega-collector", "--version"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(libraries)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"mega-collector {__version__}\n"
    assert (tmp_path / "venv" / "share" / "man" / "man1" / "mega-collector.1").is_file()
    assert list((tmp_path / "venv").glob("lib/*/site-packages/mega_collector/cli/__init__.py"))
