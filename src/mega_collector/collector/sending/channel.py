"""How a collector connects to its aggregator."""

import grpc

from mega_collector import wire

Options = tuple[tuple[str, int | str], ...]

_OPTIONS: Options = (
    ("grpc.max_receive_message_length", wire.MAX_MESSAGE_SIZE),
    ("grpc.max_send_message_length", wire.MAX_MESSAGE_SIZE),
    # A peer that hangs is found by these pings, never by the age of an acknowledgement.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Of a ping in a stream this is the time; without it gRPC waits a minute.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A channel lives for one stream: the backoff is ours, and certificates are read anew.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    # A proxy that the environment names is meant for the web.
    ("grpc.enable_http_proxy", 0),
)


def channel_options(server_name: str | None) -> Options:
    """What gRPC is told. `server_name`: the one in the aggregator's certificate, where its address differs."""
    return (*_OPTIONS, ("grpc.ssl_target_name_override", server_name)) if server_name is not None else _OPTIONS


def open_channel(target: str, credentials: grpc.ChannelCredentials | None, options: Options) -> grpc.Channel:
    """A channel that is not connected yet; without `credentials` it will be plaintext."""
    if credentials is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials, options=options)
