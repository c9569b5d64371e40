"""What a process says at /metrics."""

import socket
import urllib.request
from urllib.error import URLError


def unused_port() -> int:
    """A port of the loopback that nobody has at present."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def metric(address: str, name: str) -> float | None:
    """The value of a sample without labels; None if nobody answers yet, or there is no such sample."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except URLError:
        return None
    return next((float(line.split()[1]) for line in lines if line.split()[0] == name), None)
