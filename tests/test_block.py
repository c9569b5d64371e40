"""Blocks and sources."""

import pytest

from blocks import make_block, make_source
from mega_collector.block import Source
from mega_collector.marker import Marker


def test_a_block_ends_after_its_last_byte() -> None:
    assert make_block(b"a\nb\n", 10).end == 14


def test_sources_are_compared_by_identity() -> None:
    first, second = make_source("same"), make_source("same")
    assert first != second
    assert len({first, second}) == 2


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/var/log/plain.log", "/var/log/plain.log"),
        ("/var/log/\N{SNOWMAN}.log".encode(), "/var/log/\N{SNOWMAN}.log"),
        (b"/var/log/\xff\xfe.log", "/var/log/\\xff\\xfe.log"),
    ],
)
def test_a_name_can_be_shown_whatever_its_bytes(path: bytes, name: str) -> None:
    source = Source(id=b"1", path=path, device=1, inode=2, head=Marker())
    assert source.name == name
    assert source.name.encode()
