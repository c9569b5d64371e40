"""What every contender is asked: to ship logs from where they are to one output."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.process import Process, Processes, Unfit, await_port


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be shipped, and how."""

    patterns: tuple[str, ...]
    """Globs of the logs; each is followed by a sender of its own."""
    output: Path
    work: Path
    """A directory for state, sockets and logs."""
    port: int
    features: frozenset[str] = frozenset()
    """Of tls, zstd, sync (to a disk), latency (as soon as possible) and json."""
    certificates: Path = Path()
    """Where ca.pem, aggregator.pem, aggregator.key, collector.pem and collector.key are."""
    settings: dict[str, str] = field(default_factory=dict)
    """More of this project's own."""


class Contender(Protocol):
    """Two processes, of which one sends and one receives; or one that does both, whose receiver is None."""

    @property
    def name(self) -> str: ...

    def version(self) -> str:
        """As it tells itself."""

    def unfit(self, job: Job) -> str | None:
        """Why it cannot do that, if it cannot."""

    def receiver(self, job: Job) -> Process | None:
        """Start what receives."""

    def sender(self, job: Job, number: int) -> Process:
        """Start what sends, for the pattern of that number."""


def start(contender: Contender, job: Job, processes: Processes) -> None:
    """Start all: the receiver first, and the senders when it listens.

    Raises:
        Unfit: it does not come to listen.
    """
    start_receiver(contender, job, processes)
    for number in range(len(job.patterns)):
        processes.add(contender.sender(job, number))


def start_receiver(contender: Contender, job: Job, processes: Processes) -> None:
    receiver = contender.receiver(job)
    if receiver is not None:
        processes.add(receiver)
        await_port(job.port, receiver)


def require_fit(contender: Contender, job: Job) -> None:
    """Raise Unfit if it cannot do that."""
    reason = contender.unfit(job)
    if reason is not None:
        raise Unfit(reason)
