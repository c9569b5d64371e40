"""Files that hold something else than was read of them: truncated, rewritten, or another that has the inode by now."""

from contextlib import suppress

from mega_collector.block import Source
from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.finding.rotated_names import is_moved, originals
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower, Sight
from mega_collector.collector.reading.gzip_file import is_archive
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.identity import holds
from mega_collector.collector.rotation.departures import Departures
from mega_collector.collector.rotation.failures import Failures
from mega_collector.collector.rotation.held_copies import HeldCopies
from mega_collector.collector.rotation.left_copies import LeftCopies
from mega_collector.collector.rotation.newcomers import Newcomers
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.turns import Turns
from mega_collector.marker import HEAD_SIZE


class Rewrites:
    """Begins anew what was rewritten, and has judged anew what may be another file."""

    def __init__(
        self,
        *,
        finder: Finder,
        followed: Followed,
        files: OpenFiles,
        siblings: Siblings,
        sources: Sources,
        endings: Endings,
        turns: Turns,
        departures: Departures,
        left_copies: LeftCopies,
        held_copies: HeldCopies,
        newcomers: Newcomers,
        failures: Failures,
    ) -> None:
        self._finder = finder
        self._followed = followed
        self._files = files
        self._siblings = siblings
        self._sources = sources
        self._endings = endings
        self._turns = turns
        self._departures = departures
        self._left_copies = left_copies
        self._held_copies = held_copies
        self._newcomers = newcomers
        self._failures = failures
        self._suspects: dict[Follower, None] = {}
        """Files that may have been rewritten, and could not be looked at."""

    # How it is noticed

    def observe(self, follower: Follower, size: int, changed_ns: int, now: float) -> bool:
        """A look at a file: whether it found nothing but what can wait until its turn comes."""
        left = self._has_left(follower, size, changed_ns)
        if left is None:
            # Under which name it was seen, or another that has its inode, is told next.
            return True
        if left:
            self._let_go_of_what_was(follower, lost=self._unread(follower))
            return False
        empty = not follower.size
        sight = follower.observe(size, changed_ns, now)
        if sight is Sight.GREW:
            if empty and follower.settled and self._has_become_copy(follower):
                # Another has its inode, and its name, perhaps.
                self._endings.end(follower)
                self._judge_anew(follower, now)
                return False
            quiet = self._turns.grew(follower, now)
            self._note_head(follower)
            return quiet
        if sight is Sight.TRUNCATED:
            self._restart(follower, now)
            return False
        if sight is Sight.SUSPECT and follower.settled:
            self._inspect(follower, now)
            return False
        return True

    def _note_head(self, follower: Follower) -> None:
        """What was empty, and cannot be opened at present, is known by its head: that tells its copy from others."""
        if follower.source.head.length or follower.position or follower.path is None or follower in self._files:
            return
        with suppress(OSError), self._files.looking_at(follower, follower.path) as file:
            follower.begins(file.read(HEAD_SIZE, 0).rstrip(b"\0"))

    def renamed(self, follower: Follower, name: bytes | None, *, closed: bool) -> None:
        """It has another name now, or none; it was `closed` before."""
        another = name is not None and closed and self._is_another_now(follower, name)
        # Of an archive: nothing was read of what had the inode, by which it could be told from this.
        archive = not follower.position and self._is_archive_now(follower)
        if another or archive:
            self._let_go_of_what_was(follower, lost=None if archive else self._unread(follower))

    def settled(self, follower: Follower, described: Source, now: float) -> bool:
        """Its handshake is done: whether it goes on as that was `described`."""
        if not self._may_be_other(follower, described):
            return True
        if self._is_archive_now(follower):
            self._let_go_of_what_was(follower)
            return False
        if self._has_become_copy(follower):
            self._endings.end(follower)
            self._judge_anew(follower, now)
            return False
        return True

    def found(self, follower: Follower, now: float) -> None:
        """A read has found it rewritten: if it is shorter than it was seen, what was not read is gone."""
        with suppress(OSError):
            facts = self._files.of(follower).facts()
            if facts is not None:
                follower.observe(facts.size, facts.changed_ns, now)
        self._restart(follower, now)

    def poll(self, now: float) -> None:
        """Look again at what could not be looked at."""
        for follower in list(self._suspects):
            if self._followed.of(follower.source.id) is follower and follower.settled:
                self._inspect(follower, now)
            else:
                self._suspects.pop(follower, None)

    def _inspect(self, follower: Follower, now: float) -> None:
        """It was written to and did not grow: are the bytes before the position still those that were read?"""
        self._suspects.pop(follower, None)
        try:
            file = self._files.of(follower)
            same = holds(file, follower)
        except OSError as error:
            self._suspects[follower] = None
            self._failures.warn(follower, error)
            return
        if not same:
            self._restart(follower, now)
            return
        follower.look_again()
        self._turns.mark(follower, now)

    # What it is now

    def _may_be_other(self, follower: Follower, described: Source) -> bool:
        """Whether it holds something, and not what it was described by: another file has its inode, perhaps."""
        if follower.complete or not self._sources.is_found(follower):
            return False
        other = follower.source.id != described.id or not described.head.length
        return other and follower.size > follower.position == 0

    def _is_another_now(self, follower: Follower, path: bytes) -> bool:
        """Whether what was closed, all of it read, was deleted, and another file has its inode: a copy, perhaps.

        Nor can what was empty be told from any other; nor what nothing was read of, but by its name.
        """
        if self._is_reborn(follower, path):
            return True
        if follower.lag and (follower.position or is_moved(follower.source.path, path)):
            return False
        try:
            with self._files.looking_at(follower, path) as file:
                return not self._sources.is_still(follower, file)
        except OSError:
            return False

    def _has_left(self, follower: Follower, size: int, changed_ns: int) -> bool | None:
        """Whether what was closed was deleted, and another file has its inode and its name, as a look at that tells.

        None: nothing has both now.
        """
        if follower.path is None or follower.complete or follower in self._files:
            return False
        changed = (size, changed_ns) != (follower.size, follower.changed_ns)
        return False if not changed else self._is_reborn(follower, follower.path)

    def _is_reborn(self, follower: Follower, path: bytes) -> bool | None:
        """Whether what has its inode was made after it was seen last, and has not what was read of it; or None."""
        another = self._siblings.is_another(path, follower.source.inode, follower.changed_ns)
        if not another:
            return another
        if not follower.position:
            return True
        try:
            with self._files.looking_at(follower, path) as file:
                return not self._sources.is_still(follower, file)
        except OSError:
            return False

    def _has_become_copy(self, follower: Follower) -> bool:
        """Whether what was empty may be a copy of another: not if it was renamed while it was open, and as it is."""
        as_it_is = self._is_renamed(follower) and follower.left_its_name_as_it_is and follower in self._files
        return not as_it_is and self._is_copy_now(follower)

    def _is_copy_now(self, follower: Follower) -> bool:
        """Whether it may be a copy of another: of one, perhaps, that nobody has opened yet."""
        name = self._departures.name(follower)
        # What was renamed is none, whatever its name may tell.
        renamed = follower.path is None or self._is_renamed(follower)
        lacks_original = not renamed and self._newcomers.lacks_original(name, follower.identity)
        return lacks_original or self._held_copies.is_copy_now(follower, name)

    def _is_renamed(self, follower: Follower) -> bool:
        return follower.source.path in originals(self._departures.name(follower))

    def _is_archive_now(self, follower: Follower) -> bool:
        """Whether an archive has the inode by now: that is not shipped as it is."""
        path = follower.path
        if path is None:
            return False
        try:
            with self._files.glance(follower) as file:
                return is_archive(path, file)
        except OSError:
            return False

    # What becomes of it

    def _unread(self, follower: Follower) -> str | None:
        """Why something is lost of what is gone, if anything is."""
        unread = follower.lag and not self._left_copies.lies_copy_of(follower)
        return "it was deleted before it could be read" if unread else None

    def _restart(self, follower: Follower, now: float) -> None:
        if self._is_archive_now(follower):
            self._let_go_of_what_was(follower)
            return
        copied = self._left_copies.holds_copy_of(follower)
        if self._is_copy_now(follower):
            self._sources.cut(follower, copied=copied)
            self._judge_anew(follower, now)
        else:
            self._sources.restart(follower, now, copied=copied)

    def _let_go_of_what_was(self, follower: Follower, *, lost: str | None = None) -> None:
        """Another file has its inode: the next scan finds it."""
        self._endings.end(follower, lost=lost)
        self._departures.let_go(follower)
        self._finder.hurry()

    def _judge_anew(self, follower: Follower, now: float) -> None:
        """As if it had just appeared; but it stays open."""
        name = self._departures.name(follower)
        try:
            file = self._files.hand_over(follower)
        except OSError:
            # Others had to be opened to look at it.
            self._departures.let_go(follower)
            self._finder.hurry()
            return
        self._departures.let_go(follower)
        self._newcomers.take_over(follower.identity, name, file, now)
