"""What the ledger of a site holds."""

import json
from pathlib import Path

from harness.site import Site
from harness.until import until
from starting.attempt import attempt


def held(site: Site) -> dict[str, str]:
    """The names and states of the sources that `mega-collector ledger` shows."""
    return dict(sources(site))


def sources(site: Site) -> list[tuple[str, str]]:
    """Likewise, where several have one name."""
    environ = {"AGGREGATOR_STATE_DIRECTORY": str(site.directory / "aggregator")}
    shown = attempt("ledger", "--json", cwd=site.directory, environ=environ)
    return sorted((Path(each["path"]).name, each["state"]) for each in json.loads(shown.stdout)["sources"])


def wait_until_held(site: Site, expected: dict[str, str]) -> None:
    until(lambda: held(site) == expected, lambda: f"the ledger should have {expected}, not {held(site)}")
