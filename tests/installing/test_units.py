"""The units for systemd: it takes them as they are, and they leave a service little to do harm with."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "packaging" / "systemd"

HALVES = ["collector", "aggregator"]

Analyze = Callable[..., str]


@pytest.fixture
def analyze(tmp_path: Path) -> Analyze:
    """Runs systemd-analyze on one half's unit, whose program is another that every machine has."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze to verify the units with")

    def run(half: str, *command: str) -> str:
        unit = tmp_path / f"mega-{half}.service"
        unit.write_text((SYSTEMD / unit.name).read_text().replace("/usr/local/bin/mega-collector", "/bin/true"))
        words = [program, *command, str(unit)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False, env={"SYSTEMD_COLORS": "0"})
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stderr

    return run


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("half", HALVES)
def test_systemd_takes_it_without_a_word(analyze: Analyze, tmp_path: Path, half: str, tls: bool) -> None:
    if tls:
        drop_ins = tmp_path / f"mega-{half}.service.d"
        drop_ins.mkdir()
        shutil.copy(SYSTEMD / f"{half}-tls.conf", drop_ins / "tls.conf")
    assert analyze(half, "verify", "--man=no") == ""


@pytest.mark.parametrize("half", HALVES)
def test_it_is_hardened(analyze: Analyze, half: str) -> None:
    analyze(half, "security", "--offline=yes", "--threshold=20")  # of 100; above, it fails


def test_the_aggregators_user_is_made(tmp_path: Path) -> None:
    program = shutil.which("systemd-sysusers")
    if program is None:
        pytest.skip("there is no systemd-sysusers to make users with")
    (tmp_path / "etc").mkdir()
    command = [program, f"--root={tmp_path}", str(SYSTEMD / "mega-collector.conf")]
    subprocess.run(command, check=True, capture_output=True)
    made = [line.split(":")[0] for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    unit = (SYSTEMD / "mega-aggregator.service").read_text()
    assert [f"User={name}\n" in unit for name in made] == [True]
