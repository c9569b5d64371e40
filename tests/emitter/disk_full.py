"""Run as a program, with a directory and a format: fills what it is given, frees it, and says what the emitter did.

`limit` is RLIMIT_FSIZE, which makes writes short; `tmpfs` a small filesystem, mounted in a namespace of its own.
"""

import resource
import subprocess
import sys
from pathlib import Path

from emitter.batches import make_batch
from emitter.formats import in_format
from emitter.ledger import Ledger
from mega_collector.emitter.configuration import Format
from mega_collector.emitter.file import FileEmitter
from mega_collector.errors import EmitError

LIMIT = 64 * 1024
BATCHES = [make_batch(b"%d" % number * 9999 + b"\n", b"end of %d" % number) for number in range(9)]


def main(how: str, directory: Path, form: Format) -> None:
    logs, state = directory / "logs", directory / "state"
    logs.mkdir()
    state.mkdir()
    if how == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LIMIT}", "tmpfs", logs], check=True)
    else:
        _limit(LIMIT)
    ledger = Ledger(logs / "out.log", state, form)
    emitter = ledger.start()
    ballast = logs / "ballast"
    if how == "tmpfs":
        ballast.write_bytes(bytes(8192))
    taken = emitter.emit(BATCHES)
    ledger.commit(taken)
    assert 0 < taken.count < len(BATCHES), taken
    assert isinstance(taken.cause, EmitError)
    for _ in range(3):
        _refuses(ledger, emitter, taken.count)
    ballast.unlink(missing_ok=True)
    _free(how, logs)
    ledger.commit(emitter.emit(BATCHES[taken.count :]))
    emitter.close()
    assert emitter.settled
    assert ledger.path.read_bytes() == in_format(form, BATCHES)
    sys.stdout.write(str(taken.cause))


def _refuses(ledger: Ledger, emitter: FileEmitter, count: int) -> None:
    try:
        emitter.emit(BATCHES[count:])
    except EmitError:
        assert ledger.path.read_bytes() == in_format(ledger.form, BATCHES[:count])
    else:
        raise AssertionError("it was taken")


def _free(how: str, logs: Path) -> None:
    if how == "tmpfs":
        subprocess.run(["mount", "-o", "remount,size=1m", logs], check=True)
    else:
        _limit(resource.RLIM_INFINITY)


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Format(sys.argv[3]))
