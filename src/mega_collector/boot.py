"""Which boot of which kernel this is: numbers of devices mean nothing anywhere else."""

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # random(4)


def boot_id() -> bytes:
    """The same in every container of a machine until it starts again; empty if it cannot be known."""
    try:
        return _BOOT_ID.read_bytes().strip()
    except OSError:
        return b""
