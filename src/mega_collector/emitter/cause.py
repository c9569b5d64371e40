"""What the system said, in words for a person."""

import os


def cause(name: str | os.PathLike[str], error: OSError) -> str:
    """The failure of what has this name or path, such as `/var/log/all.log: No space left on device`."""
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    return f"{shown}: {error.strerror or error}"
