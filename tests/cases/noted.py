"""What a collector's checkpoint holds, as its next start would find it."""

from pathlib import Path

from mega_collector.collector.state.checkpoint_file import read
from mega_collector.collector.state.record import Entry


def entries(state: Path) -> list[Entry]:
    """Every entry. The collector is not running: what it writes at this instant may be seen in part."""
    found: dict[bytes, Entry] = {}
    file = read(state / "checkpoint", found)
    assert file is not None, "there is no checkpoint"
    assert file.damage is None, file.damage
    return list(found.values())


def positions(state: Path) -> dict[str, int]:
    """Of the files that are followed: their positions, by name."""
    return {Path(entry.path.decode()).name: entry.position for entry in entries(state) if not _ended(entry)}


def acknowledged(state: Path) -> int:
    """How many bytes it says that are acknowledged, of all files together; it may be written meanwhile."""
    found: dict[bytes, Entry] = {}
    read(state / "checkpoint", found)
    return sum(entry.position for entry in found.values())


def _ended(entry: Entry) -> bool:
    return bool(getattr(entry, "ended", False))
