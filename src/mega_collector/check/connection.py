"""Whether the aggregator can be reached, answers, takes lines, and lets this collector in."""

import os
import socket

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mega_collector import __version__, wire
from mega_collector.address import Address
from mega_collector.check.finding import Finding
from mega_collector.check.ground import DEADLINE
from mega_collector.collector.sending.channel import channel_options, open_channel
from mega_collector.protocol import Hello
from mega_collector.settings import CollectorSettings
from mega_collector.tls import client_credentials
from mega_collector.unavailable import explain


def check_connection(settings: CollectorSettings, collector: str | None) -> Finding:
    """Connect as the collector does; `collector` is its id, None if it has none yet."""
    address = settings.remote_address
    try:
        _connect(address)
    except OSError as error:
        return Finding(False, f"aggregator: no connection to {address}: {_refusal(error)}")
    wrong = _unwell(settings, collector)
    return Finding(wrong is None, f"aggregator: {address} {wrong or 'is connected and takes lines'}")


def _connect(address: Address) -> None:
    if address.path is None:
        socket.create_connection((address.host, address.port), timeout=DEADLINE).close()
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE)
        client.connect(os.fsencode(address.path))


def _refusal(error: OSError) -> str:
    """What the system says, and what to do about it."""
    if isinstance(error, socket.gaierror):
        return f"{error.strerror}: mend the name in COLLECTOR_REMOTE_ADDRESS, or check the DNS"
    if isinstance(error, TimeoutError):
        return f"nothing answers within {DEADLINE:g} s: look whether that machine is up, and at routes and firewalls"
    said = error.strerror or str(error)
    advice = explain(said, grpc.StatusCode.UNAVAILABLE)
    return f"{said}: {advice}" if advice else said


def _unwell(settings: CollectorSettings, collector: str | None) -> str | None:
    """What is wrong with the aggregator by its own account or by its silence; None if nothing is."""
    target, options = settings.remote_address.target, channel_options(settings.tls_server_name)
    with open_channel(target, _credentials(settings), options) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        except grpc.RpcError as error:
            return f"does not answer: {_cause(error, tls=settings.tls)}"
        refused = _refused(channel, settings, collector)
    if refused is not None:
        return refused
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return (
            "answers, but its destination takes nothing at present (a full disk, or one that is slow or hangs): "
            "`mega-collector check aggregator` there, or its log, says why"
        )
    return None


def _cause(error: grpc.RpcError, *, tls: bool) -> str:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return (
            f"nothing was said within {DEADLINE:g} s: look whether the aggregator hangs, "
            "and whether what listens there is one"
        )
    details = str(error.details())
    return explain(details, error.code(), tls=tls) or details


def _refused(channel: grpc.Channel, settings: CollectorSettings, collector: str | None) -> str | None:
    """Whether this collector's id is another's, which TLS alone can tell."""
    name = settings.id or collector
    if not settings.tls or name is None:
        return None
    hello = Hello(name, settings.host, settings.tags, __version__)
    call = channel.unary_stream(wire.AUDIT, request_serializer=bytes, response_deserializer=bytes)(
        wire.serialize_audit_request(hello, whose=True), timeout=DEADLINE
    )
    try:
        next(call, None)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return explain(error.details(), error.code())
    finally:
        call.cancel()
    return None


def _credentials(settings: CollectorSettings) -> grpc.ChannelCredentials | None:
    certificate, key, ca = settings.tls_certificate, settings.tls_key, settings.tls_ca_certificate
    if not settings.tls or certificate is None or key is None or ca is None:
        return None
    return client_credentials(ca, certificate, key)
