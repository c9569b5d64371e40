"""Plays random histories with real files and real processes, and judges what was delivered.

Without --minutes: the history of that one seed. With it: that one and the next ones, for so long. A failure prints the
seed, what was done, and what is wrong; it keeps the directory, and the exit code is 1. The same seed plays the same
history again, as closely as two processes and a disk let it: how they meet in time differs.
"""

import argparse
import itertools
import json
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from torture.history import History, random_history
from torture.stage import Stage


@dataclass(slots=True)
class Totals:
    histories: int = 0
    operations: int = 0
    lines: int = 0
    bytes: int = 0
    kills: int = 0

    def __str__(self) -> str:
        return (
            f"{self.histories} histories, {self.operations} operations, {self.kills} ends of processes, "
            f"{self.lines} lines, {self.bytes / 1e6:.1f} MB"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first history (else one by the clock)")
    parser.add_argument("--minutes", type=float, default=0, help="go on with the next seeds for so long")
    parser.add_argument("--times", type=int, default=1, help="play each history so often")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure")
    parser.add_argument(
        "--collector", action="append", default=[], metavar="NAME=VALUE", help="one of its settings for all histories"
    )
    parser.add_argument("--replay", type=Path, help="a history.json, whole or with operations left out")
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    end, totals, failures = time.monotonic() + arguments.minutes * 60, Totals(), 0
    for number in itertools.count(seed):
        history = random_history(number) if arguments.replay is None else _read(arguments.replay)
        history = replace(
            history, collector=history.collector | dict(each.split("=", 1) for each in arguments.collector)
        )
        for _ in range(arguments.times):
            _say(f"seed {history.seed}: {len(history.operations)} operations", last=False)
            failures += not play(history, totals)
            if failures and not arguments.keep_going:
                break
        if time.monotonic() >= end or (failures and not arguments.keep_going):
            break
    _say(f"{totals}; {failures} failed" if failures else f"{totals}; all was kept", last=True)
    return min(failures, 1)


def play(history: History, totals: Totals) -> bool:
    """One history in a directory of its own; whether it went well."""
    directory, began = Path(tempfile.mkdtemp(prefix="torture-")), time.monotonic()
    (directory / "history.json").write_text(
        json.dumps([history.seed, history.operations, history.collector, history.aggregator])
    )
    stage = Stage(directory, history)
    try:
        with stage:
            stage.play()
    except Exception:  # noqa: BLE001 - whatever it is, it is told with its history
        _tell(history, directory)
        return False
    finally:
        totals.histories += 1
        totals.operations += len(history.operations)
        totals.lines += stage.logs.lines_written
        totals.bytes += stage.logs.bytes_written
        totals.kills += stage.kills
    must, may = stage.model.counts()
    _say(
        f"seed {history.seed}: {len(history.operations)} operations, {must} entries must come and {may} may, "
        f"{time.monotonic() - began:.1f} s",
        last=not sys.stdout.isatty(),
    )
    shutil.rmtree(directory)
    return True


def _tell(history: History, directory: Path) -> None:
    operations = "\n".join(f"  {' '.join(map(str, operation))}" for operation in history.operations)
    sys.stdout.write(
        f"\nseed {history.seed} FAILED; collector {history.collector}, aggregator {history.aggregator}\n{operations}\n"
        f"{traceback.format_exc(limit=-3)}\n"
        f"Everything is in {directory}. Again: scripts/torture --seed {history.seed}\n"
    )
    sys.stdout.flush()


def _read(path: Path) -> History:
    seed, operations, collector, aggregator = json.loads(path.read_text())
    return History(seed, tuple(tuple(each) for each in operations), collector, aggregator)


def _say(text: str, *, last: bool) -> None:
    """A line of its own; on a terminal, where it is not the last, the next one takes its place."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K{text}" + "\n" * last)
    elif last:
        sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
