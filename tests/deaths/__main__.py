"""Kills, stops and freezes both halves again and again while logs are written, and judges what was delivered.

Plays the plan of one seed, then those of the next ones, for so many minutes or deaths, whichever comes last. A failure
prints the seed and what is wrong; it keeps the directory, and the exit code is 1. The same seed plays the same plan
again, as closely as processes and a disk let it: how they meet in time differs.
"""

import argparse
import dataclasses
import itertools
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from deaths.ordeal import Ordeal
from deaths.plan import Mode, Plan, random_plan
from harness.template import Template


@dataclass(slots=True)
class Totals:
    plans: int = 0
    deaths: int = 0
    lines: int = 0
    bytes: int = 0
    failures: int = 0
    began: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        minutes = (time.monotonic() - self.began) / 60
        return (
            f"{self.plans} plans, {self.deaths} deaths ({self.deaths / minutes:.0f} a minute), "
            f"{self.lines} lines, {self.bytes / 1e6:.1f} MB; "
            + (f"{self.failures} failed" if self.failures else "nothing lost, nothing twice")
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/torture --deaths", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first plan (else one by the clock)")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), help="only plans of this kind")
    parser.add_argument("--acts", type=int, default=25, help="how many a plan has")
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--deaths", type=int, default=0)
    parser.add_argument("--beside", type=int, default=2, help="how many are played at a time")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure")
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    totals, lock, numbers = Totals(), threading.Lock(), itertools.count(seed)

    def wanted() -> bool:
        if totals.failures and not arguments.keep_going:
            return False
        minutes = (time.monotonic() - totals.began) / 60
        return not totals.plans or minutes < arguments.minutes or totals.deaths < arguments.deaths

    def seeds() -> Iterator[int]:
        while True:
            with lock:
                if not wanted():
                    return
                number = next(numbers)
            yield number

    def work(_: int) -> None:
        for number in seeds():
            _play(random_plan(number, arguments.mode, arguments.acts), template, totals, lock)

    one = not (arguments.minutes or arguments.deaths)
    with Template() as template, ThreadPoolExecutor(1 if one else arguments.beside) as pool:
        list(pool.map(work, range(1 if one else arguments.beside)))
    sys.stdout.write(f"{totals}\n")
    return min(totals.failures, 1)


def _play(plan: Plan, template: Template, totals: Totals, lock: threading.Lock) -> None:
    directory, began = Path(tempfile.mkdtemp(prefix="deaths-")), time.monotonic()
    (directory / "plan").write_text(_told(plan))
    ordeal, failure = Ordeal(directory, plan, template), ""
    try:
        with ordeal:
            ordeal.play()
    except Exception:  # noqa: BLE001 - whatever it is, it is told with its seed
        failure = traceback.format_exc(limit=-3)
    with lock:
        totals.plans += 1
        totals.deaths += ordeal.deaths
        totals.lines += ordeal.site.lines_written
        totals.bytes += ordeal.site.bytes_written
        totals.failures += bool(failure)
    again = f"scripts/torture --deaths --seed {plan.seed} --mode {plan.mode} --acts {len(plan.acts)}"
    if failure:
        _say(f"seed {plan.seed} FAILED\n{failure}\nEverything is in {directory}. Again: {again}")
    else:
        lines, seconds = ordeal.site.lines_written, time.monotonic() - began
        _say(f"seed {plan.seed} {plan.mode}: {ordeal.deaths} deaths, {lines} lines, {seconds:.1f} s")
        shutil.rmtree(directory)


def _told(plan: Plan) -> str:
    return "".join(f"{each.name}: {getattr(plan, each.name)}\n" for each in dataclasses.fields(plan))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
