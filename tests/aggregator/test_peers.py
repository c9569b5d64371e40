"""The collectors: what each stream may have in flight, and whom a commit is told."""

from blocks import make_block, make_source
from mega_collector.aggregator.outbox import Outbox
from mega_collector.aggregator.peers import Peers
from mega_collector.protocol import Ack, FromAggregator, Grant

MIB = 1 << 20


def _said(outbox: Outbox) -> list[FromAggregator]:
    outbox.close()
    return list(outbox.drain())


def test_one_stream_may_have_the_whole_buffer_in_flight() -> None:
    assert Peers(64 * MIB).join("a", Outbox())[1] == 64 * MIB


def test_the_buffer_is_shared_out_among_the_streams_and_each_is_told() -> None:
    peers = Peers(64 * MIB)
    outboxes = [Outbox() for _ in range(4)]
    windows = [peers.join(name, outbox)[1] for name, outbox in zip("aabc", outboxes, strict=True)]
    assert windows == [64 * MIB, 32 * MIB, 64 * MIB // 3, 16 * MIB]
    assert (peers.streams, len(peers)) == (4, 3)
    assert _said(outboxes[0]) == [Grant(32 * MIB), Grant(64 * MIB // 3), Grant(16 * MIB)]
    assert _said(outboxes[3]) == []


def test_what_a_stream_leaves_is_shared_out_again() -> None:
    peers = Peers(64 * MIB)
    staying, leaving = Outbox(), Outbox()
    peers.join("a", staying)
    peers.join("b", leaving)
    peers.leave("b", leaving)
    assert peers.streams == 1
    assert _said(staying) == [Grant(32 * MIB), Grant(64 * MIB)]
    assert _said(leaving) == []


def test_nobody_is_left_without_anything() -> None:
    peers = Peers(MIB)
    windows = [peers.join("a", Outbox())[1] for _ in range(100)]
    assert min(windows) == 256 << 10


def test_a_commit_is_told_to_every_stream_of_its_collector_and_to_no_other() -> None:
    peers = Peers(MIB)
    one, two, other = Outbox(), Outbox(), Outbox()
    for name, outbox in (("a", one), ("a", two), ("b", other)):
        peers.join(name, outbox)
    peers.commit({"a": {b"1": 10, b"2": 20}}, {})
    acks = [[each for each in _said(outbox) if isinstance(each, Ack)] for outbox in (one, two, other)]
    assert acks == [[Ack({b"1": 10, b"2": 20})], [Ack({b"1": 10, b"2": 20})], []]


def test_a_commit_for_a_collector_that_has_gone_is_kept_for_its_return() -> None:
    peers = Peers(MIB)
    outbox, source = Outbox(), make_source("a")
    peer, _ = peers.join("me", outbox)
    peer.admission.open(source, 0, None)
    peer.admission.admit(make_block(b"a line\n", 0, source))
    peers.leave("me", outbox)
    peers.commit({"me": {source.id: 7}}, {})
    again, _ = peers.join("me", Outbox())
    assert again.admission.expected(source.id) == 7


def test_a_source_that_has_ended_is_forgotten_with_the_next_sweep() -> None:
    peers = Peers(MIB)
    source = make_source("a")
    peer, _ = peers.join("me", Outbox())
    peer.admission.open(source, 7, None)
    peers.commit({"me": {source.id: 7}}, {"me": {source.id}})
    assert peer.admission.expected(source.id) == 7
    peer.sweep()
    assert peer.admission.expected(source.id) is None
