"""Kills each half before, amid and after every step by which it changes files, and judges what was delivered.

One short life for each death. A failure keeps its directory, and the exit code is 1.
"""

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.template import Template
from steps.library import Death, Library, Moment
from steps.lives import LIVES, NotReached, die, record

_TRIES = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/torture --steps", description=__doc__)
    parser.add_argument("--life", choices=LIVES, action="append", help="only this one")
    parser.add_argument("--step", help="only steps whose name and number begin so: 'fdatasync:out.log'")
    parser.add_argument("--moment", type=Moment, choices=list(Moment), help="only then")
    parser.add_argument("--first", action="store_true", help="only the first step of each name")
    parser.add_argument("--beside", type=int, default=3, help="how many lives at a time")
    arguments = parser.parse_args()
    began, directory = time.monotonic(), Path(tempfile.mkdtemp(prefix="steps-"))
    library = Library(directory)
    with Template(library.variables) as template, ThreadPoolExecutor(arguments.beside) as pool:
        deaths = [
            (life, Death(step, moment))
            for life in arguments.life or LIVES
            for step in record(LIVES[life], _within(directory), library, template)
            if str(step).startswith(arguments.step or "") and not (arguments.first and step.number > 1)
            for moment in step.moments
            if arguments.moment in {None, moment}
        ]
        ends = list(pool.map(lambda each: _die(each, directory, library, template), deaths))
    failures, missed, seconds = ends.count(False), ends.count(None), time.monotonic() - began
    sys.stdout.write(
        f"{len(deaths)} deaths in {seconds:.0f} s, {missed} at steps that were not come to again, {failures} failed\n"
    )
    if not failures:
        shutil.rmtree(directory)
    return min(failures, 1)


def _die(each: tuple[str, Death], directory: Path, library: Library, template: Template) -> bool | None:
    """Whether all went well; None if it never came to that step again."""
    life, death = each
    for _ in range(_TRIES):
        own = _within(directory)
        try:
            die(LIVES[life], own, library, death, template)
        except NotReached:
            shutil.rmtree(own)
        except Exception:  # noqa: BLE001 - whatever it is, it is told with its death
            sys.stdout.write(f"{life}, {death}: FAILED\n{traceback.format_exc(limit=-3)}\nEverything is in {own}\n")
            sys.stdout.flush()
            return False
        else:
            shutil.rmtree(own)
            return True
    return None


def _within(directory: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=directory))


if __name__ == "__main__":
    sys.exit(main())
