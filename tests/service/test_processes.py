"""Both halves as services: what they tell while they serve, hang and end."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.pipe import Pipe
from harness.site import Site
from harness.until import until
from service.conftest import WATCHDOG
from service.heard import Heard

HANGING = Path(__file__).parent / "hanging.c"


class Hang:
    """A system call on files of that name, by a process under `wrapper`, hangs between `begin` and `end`."""

    def __init__(self, directory: Path, call: str, name: str) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no compiler for the library that lets files hang")
        self._flag, library = directory / "hangs", directory / "hanging.so"
        defines = [f'-DCALL="{call}"', f'-DNAME="{name}"', f'-DFLAG="{self._flag}"']
        subprocess.run([compiler, "-shared", "-fPIC", *defines, "-o", library, HANGING, "-ldl"], check=True)
        self.wrapper = ("env", f"LD_PRELOAD={library}")

    def begin(self) -> None:
        self._flag.touch()

    def end(self) -> None:
        self._flag.unlink()


def told(heard: Heard, wrapper: Sequence[str] = ()) -> Sequence[str]:
    """A wrapper that makes a process one of this manager's services."""
    return (*wrapper, "env", *(f"{name}={text}" for name, text in heard.environ.items()))


def test_an_aggregator_is_ready_when_it_listens(site: Site, heard: Heard) -> None:
    process = site.aggregator(wrapper=told(heard), wait=False)
    heard.wait_for("READY=1")
    assert process.events("listening")
    assert "STATUS=0 connected, 0 B delivered" in heard.wait_for("WATCHDOG=1")
    assert process.stop() == 0
    heard.wait_for("STOPPING=1")


def test_an_aggregator_that_cannot_start_is_never_ready(site: Site, heard: Heard) -> None:
    site.aggregator()
    other = site.aggregator(wrapper=told(heard), wait=False)
    assert other.wait() == 2
    assert heard.messages == []


def test_a_collector_tells_how_far_it_is(site: Site, heard: Heard) -> None:
    site.writer().write(10)
    process = site.collector(wrapper=told(heard))
    heard.wait_for("READY=1")
    heard.wait_for(f"STATUS=1 file, {site.bytes_written} B behind, ")
    site.aggregator()
    site.assert_delivered()
    assert "WATCHDOG=1" in heard.wait_for("STATUS=1 file, up to date")
    assert process.stop() == 0
    heard.wait_for("STOPPING=1")


def test_who_has_nothing_to_do_lives(site: Site, tmp_path: Path) -> None:
    with Heard(tmp_path / "a", watchdog=WATCHDOG) as aggregator, Heard(tmp_path / "b", watchdog=WATCHDOG) as collector:
        site.aggregator(wrapper=told(aggregator))
        site.collector(wrapper=told(collector), poll_interval="1h")
        for heard in (aggregator, collector):
            until(lambda heard=heard: len(heard.messages) >= 5, "it is silent")  # type: ignore[misc]
            assert {message[0] for message in heard.messages} == {"READY=1", "WATCHDOG=1"}


def test_a_collector_whose_file_hangs_lets_the_watchdog_end_it(site: Site, heard: Heard) -> None:
    hang = Hang(site.directory, "pread64", "a.log")
    site.collector(wrapper=told(heard, hang.wrapper))
    heard.wait_for("WATCHDOG=1")
    hang.begin()
    site.aggregator()
    site.writer().write(10)
    _assert_no_life(heard)
    hang.end()
    heard.wait_for("WATCHDOG=1", after=len(heard.messages))
    site.assert_delivered()


def test_an_aggregator_whose_ledger_hangs_lets_the_watchdog_end_it(site: Site, heard: Heard) -> None:
    hang = Hang(site.directory, "fdatasync", "ledger.sqlite3")
    wrapper = told(heard, hang.wrapper)
    site.aggregator(wrapper=wrapper, file_configuration=None, blackhole_configuration="1")
    site.collector()
    writer = site.writer()
    writer.write(1)
    heard.wait_for(f"STATUS=1 connected, {site.bytes_written} B delivered")
    hang.begin()
    writer.write(10)
    _assert_no_life(heard)
    hang.end()
    heard.wait_for(f"STATUS=1 connected, {site.bytes_written} B delivered", after=len(heard.messages))


def test_an_aggregator_whose_destination_hangs_lives(site: Site, heard: Heard) -> None:
    with Pipe() as pipe:
        process = site.aggregator(
            wrapper=told(heard),
            stdout=pipe.writing,
            file_configuration=None,
            text_configuration="1",
        )
        pipe.close_writing()
        site.writer().write(10_000)
        site.collector()
        message = heard.wait_for("STATUS=1 connected, 0 B delivered, the destination takes nothing")
        assert "WATCHDOG=1" in message
        pipe.drain()
        until(lambda: pipe.size == site.bytes_written, "not everything arrived")
        assert process.stop() == 0


def _assert_no_life(heard: Heard) -> None:
    """From when it hangs on, for longer than systemd would wait."""
    heard.wait_for("STATUS=hangs: ")
    before = len(heard.messages)
    until(lambda: len(heard.messages) >= before + 3, f"it is silent within {3 * WATCHDOG} s")
    assert all(message[0].startswith("STATUS=hangs: ") for message in heard.messages[before:])
