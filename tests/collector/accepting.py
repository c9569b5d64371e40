"""An aggregator that takes what it is given, as a stream of `ScriptedAggregator`, and refuses what a test names."""

from collections.abc import Iterable, Iterator

import grpc

from collector.scripted_aggregator import Call, said
from mega_collector import wire
from mega_collector.marker import Marker
from mega_collector.protocol import Ack, Holdings, Known, Refusal, RefusalReason, Resume, Welcome


class Accepting:
    """Has `taken` by path, and insists that each block begins where the one before ended. Blocks of `refused` paths
    are refused for good. While there are `failures`, each block is answered by ending its stream with the next of them.
    """

    def __init__(
        self, *, refused: bytes = b"", failures: Iterable[grpc.StatusCode] = (), max_message_size: int = 1 << 22
    ) -> None:
        self.taken: dict[bytes, bytes] = {}
        self.claims: list[Holdings] = []
        """What is answered to whoever asks what it holds, one after the other; nothing: nobody can ask."""
        self.largest = 0
        """Bytes of the largest block."""
        self.refusals = 0
        self._paths: dict[bytes, bytes] = {}
        self._refused = refused
        self._failures = iter(failures)
        self._max_message_size = max_message_size

    def __call__(self, call: Call) -> Iterator[bytes]:
        call.hear()
        yield from said(Welcome(self._max_message_size, 1 << 22, inventory=bool(self.claims)))
        try:
            while True:
                yield from self._answer(call, call.hear())
        except (StopIteration, grpc.RpcError):
            return

    def _answer(self, call: Call, heard: wire.Heard) -> list[bytes]:
        match heard.message.WhichOneof("kind"):
            case "describe":
                return self._resume(heard.message.describe.source.source, heard.message.describe.source.path)
            case "inventory":
                return said(self.claims.pop(0) if self.claims else Holdings())
            case "block":
                failure = next(self._failures, None)
                if failure is not None:
                    call.abort(failure)
                return self._take(heard)
        return []

    def _resume(self, source: bytes, path: bytes) -> list[bytes]:
        self._paths[source] = path
        taken = self.taken.get(path)
        if taken is None:
            return said(Resume(source, ()))
        return said(Resume(source, (Known(source, len(taken), Marker.of(taken[-64:]), Marker(0, b"")),)))

    def _take(self, heard: wire.Heard) -> list[bytes]:
        block = heard.message.block
        path = self._paths[block.source]
        taken = self.taken.get(path, b"")
        if path == self._refused:
            self.refusals += 1
            refusal = Refusal(block.source, block.start, 0, RefusalReason.MALFORMED, retry=False, message="as wanted")
            return said(refusal)
        assert block.start == len(taken), f"{path!r} is at {len(taken)}, and {block.start} came"
        self.largest = max(self.largest, len(heard.payload))
        self.taken[path] = taken + heard.payload
        return said(Ack({block.source: len(self.taken[path])}))
