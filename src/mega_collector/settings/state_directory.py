"""Where state is kept when nobody says."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mega_collector.settings.declaration import Derive

SHOWN = "/var/lib/mega-collector/{half} for root, else $XDG_STATE_HOME (or ~/.local/state)/mega-collector/{half}"


def state_directory(half: str, environ: Mapping[str, str], *, user: int) -> Path:
    """Find the directory for one half's state, by the XDG base directory specification.

    Root's is the machine's, whatever the environment says: sudo may have kept somebody's.

    Raises:
        ValueError: the environment does not say where the user's home is.
    """
    if user == 0:
        return Path("/var/lib/mega-collector") / half
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117 - by the specification, a relative one is to be passed over
        home = environ.get("HOME", "")
        if not home:
            raise ValueError("is not set, and neither is HOME")
        base = os.path.join(home, ".local/state")  # noqa: PTH118
    return Path(base) / "mega-collector" / half


def default_state_directory(half: str) -> Derive[Path]:
    """Make the default of a half's state directory."""

    def derive(environ: Mapping[str, str], _values: Mapping[str, Any]) -> Path:
        return state_directory(half, environ, user=os.geteuid())

    return derive
