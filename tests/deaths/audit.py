"""What the product says of itself in the end."""

import json

from harness.site import Site, environ


def assert_complete(site: Site, settings: dict[str, str], *, forgotten: bool = False) -> None:
    """That `mega-collector audit` finds every file complete. `settings` are the collector's.

    `forgotten`: the ledger was lost, and may say of what came before that it does not know.
    """
    usual = {"state_directory": str(site.directory / "collector"), **settings}
    process = site.start("audit", "--json", environ("COLLECTOR", usual, {}))
    code = process.wait()
    said = process.stdout.read_text()
    assert code == 0, f"audit ended with {code}: {said}{process.said()}"
    states = {row["path"]: row["state"] for row in json.loads(said)["files"]}
    allowed = ("complete", "unknown before") if forgotten else ("complete",)
    assert states, said
    assert all(state.startswith(allowed) for state in states.values()), states
