"""How many calls a line takes where many files grow by one each: there it is the line that costs, not the block."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from mega_collector.block import Block
from mega_collector.collector.finding.discovery import Discovery
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.roster import Roster
from mega_collector.collector.finding.watch import Watch
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.sending.inbox import Answered, Connected, Inbox
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sending.window import Window
from mega_collector.collector.state.checkpoint import Checkpoint
from mega_collector.collector.tailer import Tailer
from mega_collector.collector.tailer_options import TailerOptions
from mega_collector.protocol import Ack, Describe, FromCollector, Hello, Resume, Welcome

_FILES = 200
_LINE = b"a line of a log\n"


class Rig:
    """A tailer of real files without its thread, and who acknowledges at once what it says."""

    def __init__(self, directory: Path) -> None:
        logs = directory / "logs"
        logs.mkdir()
        self._files = [os.open(logs / f"{number}.log", os.O_CREAT | os.O_WRONLY) for number in range(_FILES)]
        self._now = 1000.0
        self._said: list[FromCollector] = []
        self._inbox = Inbox()
        checkpoint = Checkpoint(directory / "state")
        remembered = Remembered(checkpoint)
        self._finder = Finder(
            discovery=Discovery([bytes(logs / "*.log")]),
            watch=Watch(),
            roster=Roster(remembers=remembered.remembers),
            poll_interval=3600.0,
            clock=self._clock,
        )
        shipper = Shipper(
            window=Window(limit=1 << 20),
            publisher=self,  # type: ignore[arg-type]
            checkpoint=checkpoint,
            inbox=self._inbox,
            clock=self._clock,
        )
        self._tailer = Tailer(
            options=TailerOptions(
                poll_interval=3600.0, rotate_wait=5.0, close_inactive=3600.0, max_line_size=1 << 20, max_open_files=999
            ),
            hello=Hello("collector", "host"),
            finder=self._finder,
            shipper=shipper,
            inbox=self._inbox,
            remembered=remembered,
            clock=self._clock,
        )
        self.shipped = 0
        self._inbox.put(Connected(1, Welcome(1 << 20, 1 << 20, batch_age=1.0)))

    def send(self, session: int, *messages: FromCollector) -> None:
        """As a publisher."""
        assert session == 1
        self._said += messages

    def step(self) -> None:
        self._now += 0.1
        self._tailer.step()
        self._answer()

    def until_shipped(self) -> None:
        """Each file has lines to be shipped, and all of them are."""
        before = self.shipped
        for _ in range(20):
            self.step()
        assert self.shipped == before + _FILES

    def grow(self) -> None:
        """A line more in each file."""
        for file in self._files:
            os.write(file, _LINE)

    def close(self) -> None:
        self._tailer.close()
        self._finder.close()
        self._inbox.close()
        for file in self._files:
            os.close(file)

    def _answer(self) -> None:
        said, self._said = self._said, []
        positions = {}
        for message in said:
            match message:
                case Describe(source):
                    self._inbox.put(Answered(1, Resume(source.id, ())))
                case Block():
                    self.shipped += 1
                    positions[message.source.id] = message.end
                case _:
                    pass
        self._inbox.put(Answered(1, Ack(positions)))

    def _clock(self) -> float:
        return self._now


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_a_line_of_a_file_that_grows_slowly_takes_few_calls(rig: Rig) -> None:
    for _ in range(2):
        rig.grow()
        rig.until_shipped()
    calls, shipped = 0, rig.shipped

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and "/mega_collector/" in frame.f_code.co_filename

    rig.grow()
    sys.setprofile(count)
    try:
        for _ in range(3):
            rig.step()
    finally:
        sys.setprofile(None)
    assert rig.shipped == shipped + _FILES
    # Counted: 55, with all that is done for each; it was 82 once.
    assert calls / _FILES < 65
