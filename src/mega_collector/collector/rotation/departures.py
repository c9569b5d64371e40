"""Files that have lost their name: read to their end, let go of, and told of where they cannot be read any more."""

from collections.abc import Iterator, Sequence

import structlog

from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.rotated_names import is_named_after
from mega_collector.collector.reading.file import File
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.gzip_file import is_archive
from mega_collector.collector.reading.open_files import OpenFiles, TooManyOpenFiles
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.identity import agrees, head_of, is_still
from mega_collector.collector.rotation.left_copies import LeftCopies
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.turns import Turns
from mega_collector.collector.state.checkpoint import Entry
from mega_collector.marker import Marker

_log = structlog.get_logger(__name__)


class Departures:
    """Owns the followers whose file no pattern finds any more."""

    def __init__(
        self,
        *,
        finder: Finder,
        files: OpenFiles,
        siblings: Siblings,
        shipper: Shipper,
        sources: Sources,
        endings: Endings,
        turns: Turns,
        left_copies: LeftCopies,
    ) -> None:
        self._finder = finder
        self._files = files
        self._siblings = siblings
        self._shipper = shipper
        self._sources = sources
        self._endings = endings
        self._turns = turns
        self._left_copies = left_copies
        self._leaving: dict[Follower, tuple[bytes, ...]] = {}
        """With the names that each had, near which it may be found again if it is not open."""
        self._reasons: dict[Follower, str] = {}
        """Why something was lost of those that vanished before they could be opened."""
        self._missed: set[Follower] = set()
        """Those that were looked for in vain: a listing beside a rename may miss a file, and the next poll tells."""

    def __iter__(self) -> Iterator[Follower]:
        """Those that can still be read."""
        return iter([follower for follower in self._leaving if not follower.vanished])

    def name(self, follower: Follower) -> bytes:
        """That which it has, or had last."""
        return follower.path or self._leaving.get(follower, (follower.source.path,))[-1]

    def renamed(self, follower: Follower, name: bytes | None, now: float) -> None:
        """A followed file is found by another name now, or by none."""
        old = follower.path
        follower.rename(name, now)
        self._finder.follow(follower.identity, name)
        if name is not None:
            self._leaving.pop(follower, None)
            self._missed.discard(follower)
            follower.vanished = False
            follower.home = self._siblings.home_of(follower.source.inode, name, before=follower.home)
            return
        _log.info("file_gone", path=follower.source.name, unread=follower.lag)
        path = old or follower.source.path
        self.add(follower, *([path] if follower.home is None else [follower.home, path]))

    def add(self, follower: Follower, *near: bytes) -> None:
        """Its file has no name any more, or only one in the directory of one of these that no pattern matches."""
        self._leaving[follower] = near
        self._find(follower)

    def poll(self, now: float, *, undecided: bool) -> None:
        """Let go of what is done. While it is `undecided` what archives hold, nothing is said to be lost."""
        done = []
        for follower in list(self._leaving):
            self._endings.keep(follower)
            if follower.complete:
                # An archive holds what could not be read of it any more.
                self._leaving.pop(follower, None)
            elif follower.vanished:
                if not undecided and self._is_gone(follower):
                    self._bury(follower)
            elif follower not in self._files:
                self._find(follower)
            elif self._is_done(follower, now):
                done.append(follower)
        self._retire(done)

    def retire(self, now: float) -> None:
        """Let go of those that, as they were seen last, gave all that they had; nothing else is looked for."""
        for follower in self._leaving:
            self._endings.keep(follower)
        self._retire([each for each in self._leaving if each in self._files and self._is_done(each, now)])

    def lost(self, follower: Follower, reason: str) -> None:
        """It vanished before it could be opened: what it held, if anything, cannot be had any more."""
        follower.vanished = True
        self._leaving[follower] = (follower.source.path,)
        self._reasons[follower] = reason
        self._sources.begin(follower, found=False)

    def come_back(self, inode: int, file: File) -> Entry | None:
        """What is remembered of a file that is found though it had vanished: then nothing is lost of it.

        Raises:
            OSError: it cannot be read.
        """
        for follower in self._reasons:
            entry = self._sources.expected(follower)
            if entry is None or entry.inode != inode:
                continue
            if agrees(file, position=entry.position, head=entry.head, tail=entry.before):
                self.let_go(follower)
                return entry
        return None

    def let_go(self, follower: Follower) -> None:
        """It is not followed any more."""
        self._leaving.pop(follower, None)
        self._reasons.pop(follower, None)
        self._missed.discard(follower)
        self._turns.drop(follower)
        self._files.close(follower)
        if self._sources.is_found(follower):
            self._finder.forget(follower.identity)
        self._sources.remove(follower)

    def _is_done(self, follower: Follower, now: float) -> bool:
        return follower.finished(now) and self._shipper.acknowledged(follower.source)

    def _find(self, follower: Follower) -> None:
        """See that its file is open, by whatever name; if it has none, it has vanished."""
        if follower in self._files:
            return
        try:
            found = any(self._files.find(follower, each) for each in self._leaving[follower])
            follower.vanished = not (found and self._is_still(follower))
        except TooManyOpenFiles:
            # Tried again at the next poll.
            return
        except OSError as error:
            # The same.
            self._files.close(follower)
            if follower.fails(error.errno):
                _log.warning("cannot_read", path=follower.source.name, error=error.strerror or str(error))
            return
        if follower.vanished:
            # If anything was opened, it is another file that has its inode by now.
            self._files.close(follower)

    def _is_gone(self, follower: Follower) -> bool:
        """Whether one that has vanished was looked for twice, at two polls."""
        if follower in self._reasons:
            return True
        if follower not in self._missed:
            self._missed.add(follower)
            return False
        # What fails now is tried again: it is not gone for that.
        follower.vanished = False
        self._find(follower)
        return follower.vanished

    def _is_still(self, follower: Follower) -> bool:
        """Whether the file that was found holds what was read of it, or what it began with when it was described."""
        file = self._files.of_any(follower)
        if follower.position or follower.source.head.length:
            return is_still(follower, file)
        # It was empty when it was seen last, and its inode may be another's by now; but not under such a name.
        names = (self._siblings.find(each, follower.source.inode) for each in self._leaving[follower])
        rotated = (each for each in names if each is not None and is_named_after(each, follower.source.path))
        return any(not is_archive(each, file) for each in rotated)

    def _bury(self, follower: Follower) -> None:
        reason = self._reasons.get(follower)
        if reason is None and follower.lag and not self._left_copies.lies_copy_of(follower):
            reason = "it was deleted before it could be read"
        unmounted = self._siblings.is_unmounted(self._leaving[follower][0], follower.identity[0])
        self._endings.end(follower, lost=reason, linked=unmounted and reason is None)
        self.let_go(follower)

    def _retire(self, done: Sequence[Follower]) -> None:
        """They gave all that they had."""
        kept, any_linked = set(), False
        for follower in done:
            head, linked = self._look_at_last(follower)
            any_linked = any_linked or linked
            if self._endings.remember_end(follower, head, linked=linked):
                kept.add(follower)
        if any_linked:
            # Before the aggregator hears of the end: from then on only this tells the file from a new one.
            self._shipper.save(now=True)
        for follower in done:
            _log.info("file_retired", path=follower.source.name, position=follower.position)
            self._shipper.end(follower.source, keep=follower in kept)
            self.let_go(follower)

    def _look_at_last(self, follower: Follower) -> tuple[Marker | None, bool]:
        """Its head, and whether it still has a name anywhere."""
        file = self._files.get(follower)
        try:
            facts = None if file is None else file.facts()
            return (None, False) if file is None or facts is None else (head_of(file, ended=True), facts.links > 0)
        except OSError:
            return None, False
