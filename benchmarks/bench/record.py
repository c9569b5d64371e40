"""What was measured, as JSON: one file a scenario, from which the report is made."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.process import Usage


@dataclass(frozen=True, slots=True)
class Run:
    """One contender once."""

    contender: str
    round: int
    verdict: str
    """What the check of the output said."""
    figures: dict[str, float]
    """In seconds, bytes and lines, by names that say it."""
    usage: dict[str, Usage] = field(default_factory=dict)
    """By half: of one of a kind or, of CPU time, of all."""
    series: dict[str, list[float]] = field(default_factory=dict)
    """What was looked at again and again."""
    x: float = 0
    """Where a scenario goes through sizes or numbers: which."""


@dataclass(slots=True)
class Record:
    """All runs of a scenario."""

    scenario: str
    machine: dict[str, str]
    runs: list[Run] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Why a contender was left out, or has not gone on."""

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.scenario}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


def load(path: Path) -> Record:
    read = json.loads(path.read_text())
    runs = [
        Run(**{**run, "usage": {half: Usage(**usage) for half, usage in run["usage"].items()}}) for run in read["runs"]
    ]
    return Record(read["scenario"], read["machine"], runs, read["skipped"])
