"""`mega-collector top` beside real processes: what is wrong is on the screen, and nothing moves the cursor."""

import codecs
import os
import pty
import re
import select
from pathlib import Path

import pytest

from harness.process import Process
from harness.site import environ
from harness.until import until
from seeing.looking import Seen

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def top(seen: Seen, half: str, *arguments: str) -> Process:
    where = {f"{half.upper()}_STATE_DIRECTORY": str(seen.site.directory / half)}
    return seen.site.start("top", *arguments, where)


def shown(seen: Seen, half: str, *arguments: str) -> str:
    process = top(seen, half, *arguments)
    assert process.wait() == 0, process.said()
    return process.stdout.read_text()


def test_either_half_is_shown_without_any_setting(seen: Seen) -> None:
    seen.site.both()
    seen.site.writer().write(1000)
    seen.site.assert_delivered()
    text = shown(seen, "aggregator", "aggregator")
    assert text.startswith("aggregator ")
    assert f"{seen.site.bytes_written / 1000:.1f} kB so far" in text
    assert "connected for" in text
    text = shown(seen, "collector", "collector")
    assert text.startswith("collector  test")
    assert "1,000 lines so far" in text


def test_without_saying_which_the_one_that_runs_is_shown(seen: Seen) -> None:
    seen.site.both()
    until((seen.site.directory / "collector" / "operator.sock").exists, "the collector's socket")
    assert shown(seen, "collector").startswith("collector")
    assert shown(seen, "aggregator").startswith("aggregator")


def test_what_is_wrong_is_told_with_the_file_and_the_cause(seen: Seen) -> None:
    seen.site.both()
    writer = seen.site.writer("slow.log")
    writer.write(1)
    seen.site.assert_delivered()
    seen.break_destination()
    writer.write(5000)
    text = until(lambda: said if "slow.log" in (said := shown(seen, "aggregator")) else "", "the file")
    assert "✕ the destination takes nothing" in text
    assert "No such file or directory" in text
    seen.mend_destination()
    seen.site.assert_delivered()


def test_where_nothing_runs_that_is_said_in_one_line(seen: Seen) -> None:
    process = top(seen, "aggregator", "aggregator")
    assert process.wait() == 1
    assert re.fullmatch(r"mega-collector: no aggregator runs in \S+ \(.*\): start it, or .*\n", process.said())


def test_names_that_mean_harm_move_no_cursor(seen: Seen) -> None:
    seen.site.aggregator()
    seen.site.collector(host="web", tags="k=[bold]v")
    path = Path(os.fsdecode(os.fsencode(seen.site.logs) + b"/\x1b[2J\x07[red]\xff.log"))
    path.write_bytes(b"a line\n")
    until(seen.site.output, "the line")
    seen.break_destination()
    with path.open("ab") as log:
        log.write(b"a line\n" * 1000)
    text = until(lambda: said if "\\x1b[2J" in (said := shown(seen, "aggregator")) else "", "the file")
    assert "\\x1b[2J\\x07[red]\\xff.log" in text
    assert "k=[bold]v" in text
    assert not CONTROL.search(text)
    seen.mend_destination()


@pytest.mark.parametrize("half", ["aggregator", "collector"])
def test_its_socket_is_its_owners_alone_and_is_gone_with_it(seen: Seen, half: str) -> None:
    aggregator, collector = seen.site.both()
    socket = seen.site.directory / half / "operator.sock"
    until(socket.exists, "the socket")
    assert socket.stat().st_mode & 0o777 == 0o600
    assert collector.stop() == 0
    assert aggregator.stop() == 0
    assert not socket.exists()


def test_on_a_terminal_it_goes_on_and_ends_when_interrupted(seen: Seen) -> None:
    seen.site.both()
    leader, follower = pty.openpty()
    try:
        where = environ("AGGREGATOR", {"state_directory": str(seen.site.directory / "aggregator")}, {})
        process = seen.site.start("top", where | {"TERM": "xterm", "COLUMNS": "120", "LINES": "60"}, stdout=follower)
        screen = Screen(leader)
        until(lambda: screen.read() and "measuring" in screen.text, "the first look")
        until(lambda: screen.read() and "0 B/s" in screen.text, "the second")
        process.signal(2)
        assert until(lambda: not screen.read() and not process.running, "the end") is True
        assert process.wait() == 0
        assert "\x1b[?1049l" in screen.text
    finally:
        os.close(leader)
        os.close(follower)


class Screen:
    """What comes to a terminal, all of it so far."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._readable = select.poll()
        self._readable.register(descriptor, select.POLLIN)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""

    def read(self) -> str:
        """What has come since."""
        new = ""
        # Not select(2): other tests may have left more descriptors open than it takes.
        while self._readable.poll(0):
            # What is read may end within a character.
            new += self._decoder.decode(os.read(self._descriptor, 65536))
        self.text += new
        return new
