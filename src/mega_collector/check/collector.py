"""What a collector needs."""

import os
import socket
from collections.abc import Iterator

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mega_collector.address import Address
from mega_collector.check.finding import Finding
from mega_collector.check.ground import DEADLINE, check_metrics, check_state, check_tls
from mega_collector.collector.checkpoint import look
from mega_collector.collector.discovery import Discovery
from mega_collector.settings import CollectorSettings
from mega_collector.tls import client_credentials
from mega_collector.unavailable import explain


def check_collector(settings: CollectorSettings) -> Iterator[Finding]:
    """Try what a collector with these settings will need."""
    yield from check_tls(settings)
    yield from _files(settings)
    yield check_state(settings.state_directory, look)
    yield from check_metrics(settings.metrics_address)
    yield _connection(settings)


def _files(settings: CollectorSettings) -> Iterator[Finding]:
    scan = Discovery(settings.paths, settings.exclude).scan()
    yield Finding(True, f"files: {len(scan.files)} matched now")
    yield from (Finding(True, f"file: {_name(path)}") for path in sorted(scan.files))
    yield from (Finding(True, f"passed over: {_name(path)}: {why}") for path, why in sorted(scan.odd.items()))
    for path, error in sorted(scan.unobservable.items()):
        yield Finding(False, f"file: {_name(path)} cannot be looked at: {error.strerror}")


def _name(path: bytes) -> str:
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else repr(text)


def _connection(settings: CollectorSettings) -> Finding:
    address = settings.remote_address
    try:
        _connect(address)
    except OSError as error:
        return Finding(False, f"aggregator: no connection to {address}: {error.strerror or error}")
    wrong = _unwell(settings)
    return Finding(wrong is None, f"aggregator: {address} {wrong or 'is connected and takes lines'}")


def _connect(address: Address) -> None:
    if address.path is None:
        socket.create_connection((address.host, address.port), timeout=DEADLINE).close()
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE)
        client.connect(os.fsencode(address.path))


def _unwell(settings: CollectorSettings) -> str | None:
    """What is wrong with the aggregator by its own account or by its silence; None if nothing is."""
    with _channel(settings) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        except grpc.RpcError as error:
            details, code = str(error.details()), error.code()
            return f"does not answer: {explain(details, code, tls=settings.tls) or details}"
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return "answers, but its destination takes nothing at present"
    return None


def _channel(settings: CollectorSettings) -> grpc.Channel:
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    certificate, key, ca = settings.tls_certificate, settings.tls_key, settings.tls_ca_certificate
    if not settings.tls or certificate is None or key is None or ca is None:
        return grpc.insecure_channel(settings.remote_address.target, options)
    if settings.tls_server_name is not None:
        options.append(("grpc.ssl_target_name_override", settings.tls_server_name))
    return grpc.secure_channel(settings.remote_address.target, client_credentials(ca, certificate, key), options)
