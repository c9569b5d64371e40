"""What both halves stand on: TLS material, directories, room on disks, and ports."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from mega_collector import operator_client
from mega_collector.address import Address
from mega_collector.check.finding import Finding
from mega_collector.check.leave import who
from mega_collector.errors import MegaCollectorError, SettingError, StartError
from mega_collector.operator_client import Half
from mega_collector.settings import AggregatorSettings, CollectorSettings, refuse_collectors
from mega_collector.state_lock import InUse, StateLock
from mega_collector.telemetry.live import readable
from mega_collector.telemetry.printable import text
from mega_collector.tls import verify

DEADLINE = 3.0
"""Seconds for a connection, and for the answer on it."""

_MOST_ROWS = 5
"""Of what a half shows as bad: `top` has the others."""

_LITTLE = 1 << 20
"""Bytes with which nothing can be done."""


def check_user(half: str) -> Finding:
    """Say as whom all that follows was tried."""
    return Finding(True, f"user: {who()}; what follows holds for this user, so run check as the {half} runs")


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


def check_operators(settings: AggregatorSettings) -> Finding:
    """Look whether the list of operators can be used, and lets in nobody else."""
    operators, certificate, key = settings.operator_certificates, settings.tls_certificate, settings.tls_key
    assert operators is not None
    assert certificate is not None
    assert key is not None
    try:
        warnings = verify(operators, certificate, key, prefix="AGGREGATOR", ca_name="AGGREGATOR_OPERATOR_CERTIFICATES")
        refuse_collectors(operators, settings.tls_ca_certificate)
    except SettingError as error:
        return Finding(False, f"operators: {error}")
    if warnings:
        return Finding(False, f"operators: {warnings[0]}")
    return Finding(True, "operators: their certificates can be used, and let no collector in")


def runs(state: Path, half: str) -> bool:
    """Whether a process has this state directory, which is then the very half that is looked at."""
    try:
        StateLock(state, holder=half).look()
    except InUse:
        return True
    except OSError:
        return False
    return False


def check_directory(what: str, path: Path) -> Finding:
    """Look whether something can be written there, or the directory be made where its nearest ancestor is."""
    nearest = _nearest(path)
    if not os.path.isdir(nearest):  # noqa: PTH112 - Path.is_dir raises where it may not look
        return Finding(False, f"{what}: {nearest} is no directory")
    ok = os.access(nearest, os.W_OK | os.X_OK)
    if nearest == path.absolute():
        return Finding(ok, f"{what}: {path}, {writable(nearest)}")
    return Finding(ok, f"{what}: {path}, to be made in {nearest}, {writable(nearest)}")


def check_state(directory: Path, look: Callable[[Path], None], *, half: str, running: bool) -> Finding:
    """Look whether the state directory can be written, and what is in it be used, by the half's own `look`."""
    if running:
        return Finding(True, f"state directory: {directory}, in use by the {half} that runs with it now")
    finding = check_directory("state directory", directory)
    if not finding.ok or not directory.exists():
        return finding
    try:
        look(directory)
    except StartError as error:
        return Finding(False, f"state directory: {error}")
    return finding


def check_room(what: str, path: Path, *, wanted: int = 0) -> Finding:
    """Say how much can be written there: statvfs(3). `wanted` bytes may come to lie there."""
    nearest = _nearest(path)
    try:
        facts = os.statvfs(nearest)
    except OSError as error:
        return Finding(False, f"{what}: {nearest} cannot be looked at: {error.strerror}")
    return room(f"{what}: on the disk of {nearest}", facts, wanted=wanted)


def room(where: str, facts: os.statvfs_result, *, wanted: int = 0) -> Finding:
    """Judge what a filesystem says of itself. One that counts no inodes (`f_files` is 0) has no end of them."""
    free, total = facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    known = {"free": free, "total": total}
    if free < _LITTLE:
        return Finding(
            False, f"{where} {readable(free)} of {readable(total)} are free: it is full; make room", facts=known
        )
    if facts.f_files and not facts.f_favail:
        return Finding(False, f"{where} no inode is free: remove files", facts=known)
    text = f"{where} {readable(free)} of {readable(total)} are free"
    if free < wanted:
        return Finding(True, f"{text}, and up to {readable(wanted)} may come to lie there", look=True, facts=known)
    return Finding(True, text, facts=known)


def writable(path: Path) -> str:
    """Say whether something can be written there."""
    return "writable" if os.access(path, os.W_OK) else f"not writable by {who()}; change its owner or mode"


def check_running(state: Path, *, half: Half) -> Iterator[Finding]:
    """What the half that runs with this state directory says of itself: the one thing to know, and what is bad."""
    try:
        with operator_client.operator_of(state, half) as operator:
            view = operator_client.look(operator)
    except MegaCollectorError as error:
        yield Finding(True, f"running: the {half} cannot be asked how it fares: {error}", look=True)
        return
    yield Finding(view.ready, f"running: the {half} says: {text(view.state)}")
    rows = [(table, row) for table in view.tables for row in table.rows if row.bad]
    for table, row in rows[:_MOST_ROWS]:
        told = ", ".join(f"{name} {cell}" for name, cell in zip(table.columns, row.cells, strict=True) if cell)
        yield Finding(False, f"running: {text(told)}")
    for group in view.groups:
        for fact in group.facts:
            if fact.bad and fact.value not in view.state:
                yield Finding(True, text(f"running: {group.title}: {fact.name}: {fact.value}"), look=True)


def check_listening(what: str, address: Address, *, half: str = "", running: bool = False) -> Finding:
    """Look whether the address can be had. Nothing stays behind: a Unix socket is not made for it.

    `running`: the half that is looked at runs, and has it already.
    """
    ours = f"{what}: {address} is in use by the {half} that runs with this state directory"
    try:
        if address.path is None:
            _bind(address)
        elif _answers(address.path):
            return Finding(True, ours) if running else Finding(False, f"{what}: {address} is in use")
    except OSError as error:
        if running and error.errno == errno.EADDRINUSE:
            return Finding(True, ours)
        return Finding(False, f"{what}: {address} cannot be had: {error.strerror}{_taken(error)}")
    if running:
        other = f"though the {half} runs with this state directory: it was started with another address"
        return Finding(True, f"{what}: {address} is free, {other}", look=address.port != 0)
    if address.path is not None and not os.path.lexists(address.path):
        return check_directory(f"{what}: {address}", address.path.absolute().parent)
    return Finding(True, f"{what}: {address} is free")


def _taken(error: OSError) -> str:
    return " (end what has it, or set another; `ss -ltnp` names it)" if error.errno == errno.EADDRINUSE else ""


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


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest directory above that is there."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if os.path.lexists(each))
