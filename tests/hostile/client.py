"""A client that says what it is told to, over the generated stub: sound or not."""

import zlib
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self

import grpc

from certificates import Material
from harness.until import DEADLINE
from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.tls import client_credentials

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_retries", 0),
)


def connect(target: str, material: Material | None = None, options: Sequence[tuple[str, int]] = ()) -> grpc.Channel:
    """A connection of its own, without limits of its own."""
    every = (*OPTIONS, *options)
    if material is None:
        return grpc.insecure_channel(target, every)
    return grpc.secure_channel(target, client_credentials(material.ca, material.certificate, material.key), every)


class Stream:
    """One call of PublishStream. A context manager, at whose end it is cancelled."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._unsaid: SimpleQueue[pb.CollectorMessage | None] = SimpleQueue()
        self._heard: SimpleQueue[pb.AggregatorMessage | grpc.RpcError | None] = SimpleQueue()
        self.call = api_pb2_grpc.AggregatorStub(channel).PublishStream(self._messages())
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call.cancel()
        self._unsaid.put(None)
        self._thread.join()

    def say(self, **kind: Any) -> None:
        """Say a message of the kind that is given by name: `say(hello=pb.Hello(...))`."""
        self._unsaid.put(pb.CollectorMessage(**kind))

    def hang_up(self) -> None:
        """Nothing more will be said."""
        self._unsaid.put(None)

    def hear(self, kind: str) -> Any:
        """The next answer, which must be of that kind. Grants and states come when they like: passed over."""
        while True:
            answer = self._next()
            assert isinstance(answer, pb.AggregatorMessage), f"the stream ended before {kind}: {answer!r}"
            found = answer.WhichOneof("kind")
            if found == kind:
                return getattr(answer, kind)
            assert found in {"grant", "status"}, f"{kind} should have come, not {answer}"

    def hear_any(self) -> pb.AggregatorMessage:
        """The next answer."""
        answer = self._next()
        assert isinstance(answer, pb.AggregatorMessage), f"the stream ended: {answer!r}"
        return answer

    def hear_all(self, *kinds: str) -> dict[str, Any]:
        """The next answers, which must be of these kinds, in any order. Grants are passed over, unless asked for."""
        heard: dict[str, Any] = {}
        while len(heard) < len(kinds):
            answer = self._next()
            assert isinstance(answer, pb.AggregatorMessage), f"the stream ended before all of {kinds}: {answer!r}"
            kind = answer.WhichOneof("kind")
            assert kind in {*kinds, "grant"}, f"one of {kinds} should have come, not {answer}"
            if kind in kinds:
                heard[kind] = getattr(answer, kind)
        return heard

    def hear_position(self, source: bytes, position: int) -> None:
        """Wait until everything of a source before that position is acknowledged."""
        while True:
            positions = {each.source: each.position for each in self.hear("ack").positions}
            assert positions.keys() == {source}
            if positions[source] == position:
                return
            assert positions[source] < position

    def hear_end(self) -> grpc.RpcError | None:
        """Wait for the end of the stream, whatever comes before: how it failed, or None."""
        while isinstance(answer := self._next(), pb.AggregatorMessage):
            pass
        return answer

    def greet(self, collector: str = "scripted", life: bytes = b"") -> Any:
        """Say hello; the welcome."""
        self.say(hello=pb.Hello(collector=collector, host="test", version="1", life=life))
        return self.hear("welcome")

    def open(self, source: bytes, position: int = 0) -> None:
        self.say(open=pb.Open(source=describe(source), position=position))

    def _next(self) -> pb.AggregatorMessage | grpc.RpcError | None:
        try:
            return self._heard.get(timeout=DEADLINE)
        except Empty:
            raise AssertionError("nothing was answered") from None

    def _messages(self) -> Iterator[pb.CollectorMessage]:
        yield from iter(self._unsaid.get, None)

    def _listen(self) -> None:
        try:
            for answer in self.call:
                for each in answer.group.messages if answer.HasField("group") else [answer]:
                    self._heard.put(each)
        except grpc.RpcError as error:
            self._heard.put(error)
        else:
            self._heard.put(None)


def describe(source: bytes, **fields: Any) -> pb.Description:
    return pb.Description(**{"source": source, "path": b"/var/log/x", "device": 1, "inode": 2, **fields})


def block(source: bytes, start: int, data: bytes, **lies: Any) -> pb.Block:
    """A block of whole lines that is sound but for the `lies`."""
    truth = {"size": len(data), "entries": data.count(b"\n"), "crc32": zlib.crc32(data), "payload": data}
    return pb.Block(source=source, start=start, **{**truth, **lies})
