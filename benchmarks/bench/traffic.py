"""Bytes on the wire: the kernel counts them for each connection, which costs the contenders nothing."""

import shutil
import subprocess


class Traffic:
    """What connections to a port have received and sent, as iproute2's `ss` tells. None where there is no `ss`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._seen: dict[str, int] = {}

    def look(self) -> None:
        """Note what has flown so far: a connection that ends later is counted as it was at the last look."""
        if shutil.which("ss") is None:
            return
        filter_ = ["state", "established", f"( sport = :{self._port} )"]
        told = subprocess.run(["ss", "-tinHO", *filter_], capture_output=True, text=True, check=False)
        for line in told.stdout.splitlines():
            words = line.split()
            peer, counted = words[3], dict(word.split(":", 1) for word in words[4:] if ":" in word)
            # What is 0 is not told.
            both = int(counted.get("bytes_received", 0)) + int(counted.get("bytes_acked", 0))
            self._seen[peer] = max(both, self._seen.get(peer, 0))

    def total(self) -> int | None:
        return sum(self._seen.values()) or None
