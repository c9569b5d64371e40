"""The peers, as benchmarks/peers/ configures them.

A configuration is a template: `@port@` and the like are replaced, and a line that begins with `@if FEATURE@` or
`@unless FEATURE@` is there only with, or without, that feature. A peer can do what its templates speak of, but not two
things of which they say `@not FEATURE with FEATURE@`.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.contenders.contender import Job
from bench.process import ROOT, Process

DIRECTORY = ROOT / "benchmarks" / "peers"
_CONDITION = re.compile(r"@(if|unless) ([a-z]+)@")
_NOT_BOTH = re.compile(r"@not ([a-z]+) with ([a-z]+)@")
_ALWAYS = frozenset({"latency"})
"""What asks for no ability."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program with a configuration for each of its halves."""

    name: str
    program: str
    suffix: str
    """Of its configurations: some programs tell their format by it."""
    arguments: tuple[str, ...]
    """`@configuration@` is where the configuration is."""
    tell_version: str

    def version(self) -> str:
        told = subprocess.run([self._path(), self.tell_version], capture_output=True, text=True, check=False)
        lines = (told.stdout or told.stderr).splitlines()
        return lines[0].strip() if lines else "unknown"

    def unfit(self, job: Job) -> str | None:
        words = "".join(path.read_text() for path in (DIRECTORY / self.name).iterdir())
        for feature in sorted(job.features - _ALWAYS):
            if f"@if {feature}@" not in words:
                return f"it has no {feature}"
        for both in _NOT_BOTH.findall(words):
            if job.features.issuperset(both):
                return f"it has no {' with '.join(both)}"
        return None

    def receiver(self, job: Job) -> Process:
        return self._start("receiver", job, 0)

    def sender(self, job: Job, number: int) -> Process:
        return self._start("sender", job, number)

    def _start(self, half: str, job: Job, number: int) -> Process:
        state = job.work / f"{half}-{number}"
        state.mkdir()
        configuration = state / f"{half}{self.suffix}"
        configuration.write_text(self.fill(half, job, number, state))
        places = {"@configuration@": str(configuration), "@state@": str(state)}
        arguments = [_replace(argument, places) for argument in self.arguments]
        return Process(half, [self._path(), *arguments], job.work / f"{half}-{number}.log")

    def fill(self, half: str, job: Job, number: int, state: Path) -> str:
        """The configuration of one half for a job."""
        pattern = job.patterns[number]
        directory, _, name = pattern.rpartition("/")
        places = {
            "@port@": str(job.port),
            "@pattern@": pattern,
            "@pattern-directory@": directory,
            "@pattern-name@": name,
            "@output@": str(job.output),
            "@output-directory@": str(job.output.parent),
            "@output-name@": job.output.name,
            "@state@": str(state),
            "@certificates@": str(job.certificates),
            "@flush@": "0.001" if "latency" in job.features else "0.2",
        }
        template = (DIRECTORY / self.name / f"{half}{self.suffix}").read_text()
        return _replace("".join(_chosen(template, job.features)), places)

    def _path(self) -> str:
        return find(self.program) or self.program


def _chosen(template: str, features: frozenset[str]) -> list[str]:
    lines = []
    for line in template.splitlines(keepends=True):
        condition = _CONDITION.match(line)
        if condition is None:
            lines.append(line)
        elif (condition[2] in features) == (condition[1] == "if"):
            lines.append(line[condition.end() :])
    return lines


def _replace(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(name, value)
    return text


def find(program: str) -> str | None:
    """Where it is, on PATH or where Debian has daemons."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


_RSYSLOG = ("-n", "-f", "@configuration@", "-i", "@state@/pid")

PEERS = (
    Peer("fluent-bit", "fluent-bit", ".conf", ("-c", "@configuration@"), "--version"),
    Peer("rsyslog", "rsyslogd", ".conf", _RSYSLOG, "-v"),
    Peer("rsyslog-relp", "rsyslogd", ".conf", _RSYSLOG, "-v"),
    Peer(
        "syslog-ng",
        "syslog-ng",
        ".conf",
        (
            "-F",
            "--no-caps",
            "-f",
            "@configuration@",
            "-p",
            "@state@/pid",
            "-c",
            "@state@/control",
            "-R",
            "@state@/persist",
        ),
        "--version",
    ),
    Peer("vector", "vector", ".yaml", ("-q", "-c", "@configuration@"), "--version"),
    Peer("otelcol", "otelcol-contrib", ".yaml", ("--config", "@configuration@"), "--version"),
)
