"""`mega-collector audit`, as somebody runs it beside the logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.site import Site, environ
from harness.until import until
from starting.attempt import Attempt, attempt


@dataclass(frozen=True, slots=True)
class Audited:
    """What it said, with `--json`."""

    code: int
    said: dict[str, Any]

    @property
    def total(self) -> dict[str, Any]:
        total: dict[str, Any] = self.said["total"]
        return total

    def states(self) -> dict[str, str]:
        """What is said of each file, by its name."""
        return {Path(each["path"]).name: each["state"] for each in self.said["files"]}

    def file(self, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.said["files"] if Path(each["path"]).name == name]
        file: dict[str, Any] = found
        return file


def run_audit(site: Site, *arguments: str, wrapper: Sequence[str] = (), **settings: str | None) -> Attempt:
    """Run it with the settings of the collector that `site.collector()` starts, to its end."""
    usual = {
        "paths": str(site.logs / "*.log"),
        "remote_address": site.address,
        "state_directory": str(site.directory / "collector"),
        "host": "test",
    }
    variables = environ("COLLECTOR", usual, settings)
    return attempt("audit", *arguments, cwd=site.directory, environ=variables, wrapper=wrapper)


def audited(site: Site, **settings: str | None) -> Audited:
    return understood(run_audit(site, "--json", wrapper=(), **settings))


def understood(ended: Attempt) -> Audited:
    """What a run with `--json` said."""
    assert ended.code in {0, 1}, ended
    assert ended.stderr == "", ended
    return Audited(ended.code, json.loads(ended.stdout))


def settled(site: Site, **settings: str | None) -> Audited:
    """Wait until nothing is behind, and return what is said then."""

    def look() -> Audited | None:
        found = audited(site, **settings)
        return None if found.total["behind"] else found

    found = until(look, lambda: f"nothing should be behind: {audited(site, **settings)}")
    assert found is not None
    return found
