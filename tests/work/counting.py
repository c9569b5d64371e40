"""Ships a log in this one process, and counts the lines of this project's code that are executed meanwhile.

    python counting.py LOG OUTPUT [SECONDS]

With SECONDS it writes the log meanwhile, a hundred lines each 10 ms; without, it ships what is there. Prints what was
counted as JSON: `lines` of code in all, and `calls` by function.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from mega_collector.both import run

_lines = 0
_calls: Counter[str] = Counter()


def _called(frame: FrameType, event: str, _: object) -> Any:
    code = frame.f_code
    if event != "call" or "/mega_collector/" not in code.co_filename:
        return None
    _calls[f"{Path(code.co_filename).stem}.{code.co_name}"] += 1
    return _executed


def _executed(_: FrameType, event: str, __: object) -> Any:
    global _lines  # noqa: PLW0603 - what is counted is of the whole process
    _lines += event == "line"
    return _executed


def _write(log: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    with log.open("ab", buffering=0) as file:
        while time.monotonic() < end:
            file.write(b"x\n" * 100)
            time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)


def main(log: str, output: str, seconds: str = "") -> None:
    threading.settrace(_called)
    sys.settrace(_called)
    if seconds:
        threading.Thread(target=_write, args=(Path(log), float(seconds)), daemon=True).start()
    code = run((log.encode(),), Path(output), once=not seconds)
    sys.settrace(None)
    sys.stdout.write(json.dumps({"lines": _lines, "calls": _calls}))
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
