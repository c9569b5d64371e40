"""Where something listens: a host and a port, or a Unix socket."""

import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import quote

MAX_SOCKET_PATH = 107
"""Bytes of a Unix socket's path that the kernel takes: unix(7), `sun_path` less its closing NUL."""

_HOST_AND_PORT = re.compile(r"(\[(?P<v6>[^\]]*)\]|(?P<name>[^:\[\]]*)):(?P<port>[0-9]{1,5})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?", re.ASCII)
_LIKE_IPV4 = re.compile(r"[0-9.]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port (0: any free one), or else the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host:port`, `[v6]:port` or `unix:PATH`.

        Raises:
            ValueError: it is none of them; the text says why without repeating it.
        """
        if text.startswith("unix:"):
            return cls(path=_socket_path(text.removeprefix("unix:")))
        match = _HOST_AND_PORT.fullmatch(text)
        if match is None:
            raise ValueError("is no host and port")
        port = int(match["port"])
        if port > 65535:
            raise ValueError("has a port above 65535")
        return cls(host=_host(match["name"], match["v6"]), port=port)

    @property
    def target(self) -> str:
        """The address as gRPC wants it, which takes `unix:` for a URI and decodes its percent signs."""
        return str(self) if self.path is None else f"unix:{quote(os.fsencode(self.path))}"

    @property
    def is_local(self) -> bool:
        """Whether what is sent there stays on this machine by its address alone: loopback, or a Unix socket."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            address = ip_address(self.host)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _socket_path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("has no path after unix:")
    if len(os.fsencode(text)) > MAX_SOCKET_PATH:
        raise ValueError(f"has a path longer than the {MAX_SOCKET_PATH} bytes that a Unix socket's may have")
    return Path(text)


def _host(name: str | None, v6: str | None) -> str:
    if v6 is not None:
        return _known_by(IPv6Address, v6)
    if not name:
        raise ValueError("has no host (0.0.0.0 is every IPv4 address of this machine, [::] every address)")
    if _LIKE_IPV4.fullmatch(name):
        return _known_by(IPv4Address, name)
    if not _NAME.fullmatch(name):
        raise ValueError("has a host that is no name")
    return name


def _known_by(kind: type[IPv4Address | IPv6Address], text: str) -> str:
    try:
        kind(text)
    except ValueError:
        raise ValueError("has a host that is no IP address") from None
    return text
