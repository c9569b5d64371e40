"""What the product says of itself in the end."""

import json

from harness.site import Site, environ

AUDITED = True
"""Whether there is a command that can be asked."""


def assert_complete(site: Site, settings: dict[str, str]) -> None:
    """That `mega-collector audit` finds every file complete. `settings` are the collector's."""
    if not AUDITED:
        return
    usual = {"state_directory": str(site.directory / "collector"), **settings}
    process = site.start("audit", "--json", environ("COLLECTOR", usual, {}))
    code = process.wait()
    said = process.stdout.read_text()
    assert code == 0, f"audit ended with {code}: {said}{process.said()}"
    states = {row["path"]: row["state"] for row in json.loads(said)["files"]}
    assert set(states.values()) == {"complete"}, states
