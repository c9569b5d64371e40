"""What both halves stand on: TLS material, directories and ports."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from mega_collector.address import Address
from mega_collector.check.finding import Finding
from mega_collector.errors import SettingError, StartError
from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.tls import verify

DEADLINE = 3.0
"""Seconds for a connection, and for the answer on it."""


def check_tls(settings: AggregatorSettings | CollectorSettings) -> Iterator[Finding]:
    """Look whether certificate and key can be used."""
    certificate, key, ca = settings.tls_certificate, settings.tls_key, settings.tls_ca_certificate
    if not settings.tls or certificate is None or key is None or ca is None:
        return
    try:
        warnings = verify(ca, certificate, key, prefix=settings.prefix.rstrip("_"))
    except SettingError as error:
        yield Finding(False, f"TLS: {error}")
        return
    yield from (Finding(False, f"TLS: {warning}") for warning in warnings)
    if not warnings:
        yield Finding(True, "TLS: the certificate and the key fit")


def check_directory(what: str, path: Path) -> Finding:
    """Look whether something can be written there, or the directory be made where its nearest ancestor is."""
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if os.path.lexists(each))
    if not os.path.isdir(nearest):  # noqa: PTH112 - Path.is_dir raises where it may not look
        return Finding(False, f"{what}: {nearest} is no directory")
    ok = os.access(nearest, os.W_OK | os.X_OK)
    if nearest == path.absolute():
        return Finding(ok, f"{what}: {path}, {writable(nearest)}")
    return Finding(ok, f"{what}: {path}, to be made in {nearest}, {writable(nearest)}")


def check_state(directory: Path, look: Callable[[Path], None]) -> Finding:
    """Look whether the state directory can be written, and what is in it be used, by the half's own `look`."""
    finding = check_directory("state directory", directory)
    if not finding.ok or not directory.exists():
        return finding
    try:
        look(directory)
    except StartError as error:
        return Finding(False, f"state directory: {error}")
    return finding


def writable(path: Path) -> str:
    """Say whether something can be written there."""
    return "writable" if os.access(path, os.W_OK) else "not writable; change its owner or mode"


def check_metrics(address: Address | None) -> Iterator[Finding]:
    """Look whether the metrics can be served, if they are wanted."""
    if address is not None:
        yield check_listening("metrics", address)


def check_listening(what: str, address: Address) -> Finding:
    """Look whether the address can be had. Nothing stays behind: a Unix socket is not made for it."""
    try:
        if address.path is None:
            _bind(address)
        elif _answers(address.path):
            return Finding(False, f"{what}: {address} is in use")
    except OSError as error:
        return Finding(False, f"{what}: {address} cannot be had: {error.strerror}")
    if address.path is not None and not os.path.lexists(address.path):
        return check_directory(f"{what}: {address}", address.path.absolute().parent)
    return Finding(True, f"{what}: {address} is free")


def _bind(address: Address) -> None:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, where = found[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers in TIME_WAIT is free to a server
        listener.bind(where)


def _answers(path: Path) -> bool:
    """Whether somebody listens on this socket: one that was left behind refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE)
        try:
            client.connect(os.fsencode(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True
