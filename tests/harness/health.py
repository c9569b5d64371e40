"""What an aggregator answers to gRPC health checks."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from certificates import Material

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health(address: str, material: Material | None = None) -> int | None:
    """SERVING, NOT_SERVING, or None if nobody answers. `address` is as in the settings; with `material` by TLS."""
    with _connect(address, material) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        except grpc.RpcError:
            return None
        return int(answer.status)


def _connect(address: str, material: Material | None) -> grpc.Channel:
    if material is None:
        return grpc.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(material.ca, material.key, material.certificate)
    return grpc.secure_channel(address, credentials)
