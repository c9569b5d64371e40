"""As what a file is described to the aggregator."""

from mega_collector.block import Source
from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import Marker
from mega_collector.protocol import Hello


def describe(hello: Hello, source_id: bytes, path: bytes, file: FileFacts | Entry, head: Marker) -> Source:
    """The source of that id, by how this collector has said who it is."""
    return Source(
        id=source_id,
        path=path,
        device=file.device,
        inode=file.inode,
        head=head,
        collector=hello.collector,
        host=hello.host,
        tags=hello.tags,
    )
