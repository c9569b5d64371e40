"""Which of a collector's records may be of a file: a machine."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from mega_collector.collector.finding.rotated_names import is_named_after, originals, places
from mega_collector.marker import Marker
from mega_collector.protocol import Record

_BORDERS = b".-"
"""What stands between a name and what a rotation puts before the extension: app.1.log, app-20261123.log."""


class Candidates:
    """Finds them by inode, by name and by head, so that no file has to be held against all records."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._by_inode: defaultdict[int, list[Record]] = defaultdict(list)
        self._by_path: defaultdict[bytes, list[Record]] = defaultdict(list)
        self._by_stem: defaultdict[bytes, list[Record]] = defaultdict(list)
        self._by_head: defaultdict[Marker, list[Record]] = defaultdict(list)
        for record in records:
            self._by_inode[record.source.inode].append(record)
            if record.position > 0:
                self._add(record)
        self._lengths = sorted({head.length for head in self._by_head})

    def _add(self, record: Record) -> None:
        path, head = record.source.path, record.source.head
        self._by_path[path].append(record)
        stem, dot, _ = path.rpartition(b".")
        if dot:
            self._by_stem[stem].append(record)
        if head.length:
            self._by_head[head].append(record)

    def of_inode(self, inode: int) -> list[Record]:
        """Those of files that had this inode."""
        return self._by_inode.get(inode, [])

    def of_copy(self, path: bytes) -> Iterator[Record]:
        """Those of files that the name is an extension of, as that of a copy is."""
        for name in originals(path):
            yield from self._by_path.get(name, ())

    def of_archive(self, path: bytes, head: bytes) -> Iterator[Record]:
        """Those of files that an archive may have been made of, by its name or by its first bytes."""
        found = {record.source.id: record for record in self._named_alike(path)}
        for length in self._lengths:
            if length > len(head):
                break
            found.update((record.source.id, record) for record in self._by_head.get(Marker.of(head[:length]), ()))
        return (record for record in found.values() if record.source.head.matches_head(head))

    def _named_alike(self, path: bytes) -> Iterator[Record]:
        for place in places(path):
            begin = place.rfind(b"/") + 2
            for end in range(begin, len(place) + 1):
                yield from self._by_path.get(place[:end], ())
            for end in range(begin, len(place)):
                if place[end] in _BORDERS:
                    alike = self._by_stem.get(place[:end], ())
                    yield from (record for record in alike if is_named_after(place, record.source.path))
