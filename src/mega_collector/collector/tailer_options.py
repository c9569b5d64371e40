"""How a tailer goes about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TailerOptions:
    """Plain values from the settings; times in seconds, sizes in bytes."""

    poll_interval: float
    rotate_wait: float
    close_inactive: float
    max_line_size: int
    max_open_files: int
    start_at_end: bool = False
    """Of the files that the first scan finds, ship only what is written from then on."""
    once: bool = False
    """End at the end of the files."""
