from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from hostile.client import Stream, connect
from hostile.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path) as served:
        yield served


@pytest.fixture
def channel(served: Served) -> Iterator[grpc.Channel]:
    with connect(served.target) as channel:
        yield channel


@pytest.fixture
def stream(channel: grpc.Channel) -> Iterator[Stream]:
    with Stream(channel) as stream:
        yield stream
