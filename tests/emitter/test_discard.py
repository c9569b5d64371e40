from pathlib import Path

import pytest
from structlog.testing import capture_logs

from emitter.batches import make_batch, make_source, written
from emitter.scripted import Pauses, ScriptedEmitter
from mega_collector.batch import Batch
from mega_collector.emitter.dead_letter import read
from mega_collector.emitter.dead_letters import DeadLetters
from mega_collector.emitter.discard import DiscardEmitter
from mega_collector.emitter.emitted import Emitted
from mega_collector.emitter.retry import RetryEmitter
from mega_collector.errors import EmitError

HEAD, OTHER = make_batch(b"head\n"), make_batch(b"other\n", start=5)
FULL = EmitError("/x: No space left on device")


def failing(failures: int) -> RetryEmitter:
    return RetryEmitter(ScriptedEmitter([FULL] * failures), count=0, delay=1, pause=Pauses())


def test_gives_up_the_first_batch_only(tmp_path: Path) -> None:
    emitter = DiscardEmitter(failing(1), DeadLetters(tmp_path, 10_000))
    taken = emitter.emit([HEAD, OTHER])
    assert (taken.count, taken.discarded) == (1, True)
    assert emitter.statistics() == Emitted(1, 1, 5)
    later = emitter.emit([OTHER])
    assert (later.count, later.discarded) == (1, False)


def test_lays_what_it_gives_up_in_the_dead_letters(tmp_path: Path) -> None:
    DiscardEmitter(failing(1), DeadLetters(tmp_path, 10_000)).emit([HEAD, OTHER])
    (letter,) = tmp_path.iterdir()
    assert written([read(letter)]) == b"head\n"


def test_does_not_give_up_what_cannot_be_laid(tmp_path: Path) -> None:
    emitter = DiscardEmitter(failing(2), DeadLetters(tmp_path / "letters", 10_000))
    (tmp_path / "letters").rmdir()
    with pytest.raises(EmitError, match="letters: No such file"):
        emitter.emit([HEAD])
    assert emitter.statistics() == Emitted()
    (tmp_path / "letters").mkdir()
    assert emitter.emit([HEAD]).discarded


def test_gives_up_without_dead_letters_where_none_are_kept() -> None:
    assert DiscardEmitter(failing(1), None).emit([HEAD]).discarded


def test_logs_one_line_for_each_range_of_each_source(tmp_path: Path) -> None:
    a, b = make_source("a.log"), make_source("b.log")
    blocks = (
        *make_batch(b"1\n", b"22\n", source=a, start=10).blocks,
        *make_batch(b"b\n", source=b).blocks,
        *make_batch(b"3\n", source=a, start=15).blocks,
        *make_batch(b"4\n", source=a, start=90).blocks,
    )
    with capture_logs() as logs:
        DiscardEmitter(failing(1), None).emit([Batch(blocks, 5, 11)])
    told = [(log["path"], log["start"], log["end"]) for log in logs if log["event"] == "batch_discarded"]
    assert sorted(told) == [("/logs/a.log", 10, 17), ("/logs/a.log", 90, 92), ("/logs/b.log", 0, 2)]
