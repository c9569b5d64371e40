"""A marker recognises the bytes that it was made of, and no others."""

from hypothesis import given, strategies as st

from mega_collector.marker import Heads, Marker


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_data_that_begins_with_the_marked_bytes_matches(marked: bytes, more: bytes) -> None:
    assert Marker.of(marked).matches_head(marked + more)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_data_that_ends_with_the_marked_bytes_matches(marked: bytes, before: bytes) -> None:
    assert Marker.of(marked).matches_tail(before + marked)


@given(st.binary(min_size=1, max_size=100), st.data())
def test_one_flipped_bit_is_another_head_and_tail(marked: bytes, data: st.DataObject) -> None:
    other = bytearray(marked)
    other[data.draw(st.integers(0, len(marked) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not Marker.of(marked).matches_head(bytes(other))
    assert not Marker.of(marked).matches_tail(bytes(other))


@given(st.binary(min_size=1, max_size=100))
def test_fewer_bytes_than_were_marked_never_match(marked: bytes) -> None:
    assert not Marker.of(marked).matches_head(marked[:-1])
    assert not Marker.of(marked).matches_tail(marked[1:])


@given(st.binary(max_size=100))
def test_the_empty_marker_matches_everything(data: bytes) -> None:
    assert Marker.of(b"") == Marker()
    assert Marker().matches_head(data)
    assert Marker().matches_tail(data)


@given(st.binary(max_size=100))
def test_a_view_is_marked_like_its_bytes(data: bytes) -> None:
    assert Marker.of(memoryview(data)) == Marker.of(data)


@given(st.binary(max_size=100), st.lists(st.binary(max_size=100)), st.lists(st.integers(0, 100)))
def test_many_markers_are_held_against_a_head_as_each_by_itself(
    head: bytes, others: list[bytes], lengths: list[int]
) -> None:
    heads = Heads(head)
    for marked in (*others, *(head[:length] for length in lengths), head + b"more"):
        marker = Marker.of(marked)
        assert (heads[marker.length] == marker.digest) is marker.matches_head(head)
