"""Who a collector is when nobody says."""

from pathlib import Path

from mega_collector.digest import blake2b

MACHINE_ID = Path("/etc/machine-id")

_UNSET = {b"", b"uninitialized"}
"""What machine-id(5) holds in the image of a container or before the first boot."""


def machine_based_id(machine_id: Path) -> str | None:
    """An id made from the machine's, so that it survives the loss of the state; None where the machine has none."""
    try:
        machine = machine_id.read_bytes().strip()
    except OSError:
        return None
    if machine in _UNSET:
        return None
    # The machine's own id is not to be given away: machine-id(5).
    return blake2b(machine, digest_size=16, person=b"mega-collector").hexdigest()
