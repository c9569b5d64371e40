"""What services there are, for tools that ask: served to few at once."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

NAME: str = reflection.SERVICE_NAME

_MOST_CALLS = 4
"""Calls at once. Each keeps one of the server's threads for as long as the caller likes, and those are for others."""


class Reflection:
    """Passes calls on to gRPC's own servicer, as long as they are few."""

    def __init__(self, services: Sequence[str]) -> None:
        self._servicer = reflection.ReflectionServicer(services)
        self._slots = threading.Semaphore(_MOST_CALLS)

    def add_to(self, server: grpc.Server) -> None:
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(self, server)

    def ServerReflectionInfo(  # noqa: N802 - the name in gRPC's reflection.proto
        self, request_iterator: Iterator[Any], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        if not self._slots.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"reflection is served to {_MOST_CALLS} at once")
        try:
            yield from self._servicer.ServerReflectionInfo(request_iterator, context)
        finally:
            self._slots.release()
