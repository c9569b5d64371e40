"""What the machine gives at this moment, to measure all others against."""

import sys

from bench.contenders.contender import Job
from bench.process import Process


class _Floor:
    name = ""

    def version(self) -> str:
        return ""

    def unfit(self, job: Job) -> str | None:  # noqa: ARG002
        return None

    def receiver(self, job: Job) -> Process | None:  # noqa: ARG002
        return None


class Copy(_Floor):
    """The same bytes by one `cp`."""

    name = "cp"
    _script = 'cp "$1" "$2"'

    def sender(self, job: Job, number: int) -> Process:
        script = f"{self._script} && exec sleep 1000"
        command = ["sh", "-c", script, "sh", job.patterns[number], str(job.output)]
        return Process(self.name, command, job.work / "copy.log")


class Dd(Copy):
    """The same bytes by `dd conv=fdatasync`. The bytes are there before they are safe: `done` says when they are."""

    name = "dd"
    _script = 'dd if="$1" of="$2" bs=1M conv=fdatasync && touch "$2.done"'


class BareStream(_Floor):
    """Blocks of 1 MiB over one gRPC stream between two Python processes, and into a file: no other work."""

    name = "bare gRPC stream"

    def receiver(self, job: Job) -> Process:
        command = [sys.executable, "-m", "bench.bare_stream", "receive", str(job.port), str(job.output)]
        return Process("receiver", command, job.work / "receiver.log")

    def sender(self, job: Job, number: int) -> Process:
        command = [sys.executable, "-m", "bench.bare_stream", "send", str(job.port), job.patterns[number]]
        return Process("sender", command, job.work / "sender.log")
