"""Plays random histories in memory on every core: millions of steps a minute. A failure prints the seed and ends it.

scripts/torture --memory --seed 1 --minutes 5

With --rotations, of logs that are only rotated and compressed: then nothing may be missing.
"""

import argparse
import itertools
import os
import sys
import time
import traceback
from functools import partial
from multiprocessing import Pool
from multiprocessing.pool import AsyncResult  # noqa: TC003 - it is a list of these

import structlog

from histories.rotations import play_some
from histories.world import play

_LENGTH = 60
_SHARE = 50
"""Histories that are given to a process at once."""

Outcome = tuple[int, int | None, str]
"""Steps; the seed that failed; and why."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/torture --memory", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first history")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rotations", action="store_true", help="of logs that are only rotated and compressed")
    arguments = parser.parse_args()
    end, steps = time.monotonic() + arguments.minutes * 60, 0
    some = partial(_play, rotations=arguments.rotations)
    seeds = itertools.count(arguments.seed, _SHARE)
    with Pool(initializer=_quiet) as pool:
        waiting: list[AsyncResult[Outcome]] = [pool.apply_async(some, (next(seeds),)) for _ in range(2 * _cores())]
        while waiting:
            played, failed, reason = waiting.pop(0).get()
            steps += played
            if failed is not None:
                sys.stdout.write(f"seed {failed} of {_LENGTH} operations FAILED after {steps} steps\n{reason}\n")
                return 1
            if time.monotonic() < end:
                waiting.append(pool.apply_async(some, (next(seeds),)))
    sys.stdout.write(f"{steps} steps from seed {arguments.seed} on: all was kept\n")
    return 0


def _play(first: int, *, rotations: bool) -> Outcome:
    steps = 0
    for seed in range(first, first + _SHARE):
        try:
            steps += play_some(seed, _LENGTH) if rotations else len(play(seed, _LENGTH))
        except Exception:  # noqa: BLE001 - whatever it is, it is told with its seed
            return steps, seed, traceback.format_exc(limit=-3)
    return steps, None, ""


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def _cores() -> int:
    return os.cpu_count() or 1


if __name__ == "__main__":
    raise SystemExit(main())
