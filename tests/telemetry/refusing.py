"""Refuses clients for each reason, and logs it: run in a process of its own, since it takes descriptor 2."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc

from certificates import Authority
from mega_collector.telemetry import logs
from mega_collector.telemetry.native import Native
from mega_collector.tls import client_credentials, server_credentials

AUTHORITY = Authority()
GOOD = AUTHORITY.material()


def call(channel: grpc.Channel) -> None:
    with channel, suppress(grpc.RpcError):
        channel.unary_unary("/test/Echo", bytes, bytes)(b"line", timeout=10)


def main() -> None:
    native = Native()
    logs.configure("info", "json", native.stderr)
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", server_credentials(GOOD.ca, GOOD.certificate, GOOD.key))
    server.start()
    target = f"127.0.0.1:{port}"
    for refused in (AUTHORITY.expired(), AUTHORITY.expired(), Authority().material(trusts=AUTHORITY)):
        call(grpc.secure_channel(target, client_credentials(refused.ca, refused.certificate, refused.key)))
    call(grpc.secure_channel(target, grpc.ssl_channel_credentials(GOOD.ca)))
    call(grpc.insecure_channel(target))
    server.stop(None).wait()
    os.write(2, b"not of gRPC\n")
    native.close()
    os.write(2, b"after the end\n")
    sys.exit(0)


if __name__ == "__main__":
    main()
