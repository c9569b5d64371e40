"""The open files: at most so many, and never one closed that is still needed."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mega_collector.collector.reading.file import NONE_LEFT, File, Filesystem
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.siblings import Siblings


class TooManyOpenFiles(OSError):
    """Every open file is still needed: the limit is too low for what has to be held open."""


class OpenFiles:
    """Opens followed files for reading, and closes them again by least recent use.

    `expendable(follower)` says whether a file can be closed and found again later: it has a name, all that was read
    of it is acknowledged, and nothing of it waits to be read.
    """

    def __init__(
        self, *, limit: int, expendable: Callable[[Follower], bool], disk: Filesystem, siblings: Siblings
    ) -> None:
        self._limit = limit
        self._expendable = expendable
        self._disk = disk
        self._siblings = siblings
        self._open: dict[Follower, File] = {}
        """What was used last is the last."""
        self._held = 0
        """Open files that nobody follows yet."""
        self.give_up: Callable[[], bool] = lambda: False
        """Closes one of these, which can be opened again: whether there was one."""

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, follower: Follower) -> bool:
        return follower in self._open

    def get(self, follower: Follower) -> File | None:
        """The file of a follower, if it is open."""
        file = self._open.pop(follower, None)
        if file is not None:
            self._open[follower] = file
        return file

    def of(self, follower: Follower) -> File:
        """The file of a follower, opened again if it was closed.

        Raises:
            TooManyOpenFiles: none of the open files can be closed.
            FileNotFoundError: it has no name any more, or another file has it.
            OSError: it cannot be opened.
        """
        file = self._open.pop(follower, None)
        if file is not None:
            self._open[follower] = file
            return file
        if follower.path is None or follower.complete:
            raise FileNotFoundError(errno.ENOENT, "it has no name any more")
        return self._reopen(follower, follower.path)

    def of_any(self, follower: Follower) -> File:
        """The file of a follower that is open, whatever its name."""
        return self._open[follower]

    def find(self, follower: Follower, near: bytes) -> bool:
        """Open the file of a follower under another name in the directory of `near`, where it has just lost one.

        Raises:
            TooManyOpenFiles: none of the open files can be closed, or the system opens no more.
            OSError: it cannot be looked for or opened now.
        """
        path = self._find_name(follower, near)
        if path is None:
            return False
        try:
            self._reopen(follower, path)
        except (FileNotFoundError, PermissionError):
            return False
        return True

    def open(self, path: bytes) -> File:
        """Open a file, closing another one if there are too many; not yet kept: see `keep`.

        Raises:
            TooManyOpenFiles: none of the open files can be closed.
            OSError: the file cannot be opened.
        """
        self.make_room()
        return self._open_on_disk(self._disk.open, path)

    @contextmanager
    def looking(self, path: bytes) -> Iterator[File]:
        """Have a file open for a moment, however many are.

        Raises:
            TooManyOpenFiles: the system opens no more, and none of the open files can be closed.
            OSError: it cannot be opened.
        """
        file = self._open_on_disk(self._disk.glance, path)
        try:
            yield file
        finally:
            file.close()

    @contextmanager
    def looking_at(self, follower: Follower, path: bytes) -> Iterator[File]:
        """Likewise the file of a follower that is called so.

        Raises:
            FileNotFoundError: there is none, or another file is.
            TooManyOpenFiles, OSError: as `looking`.
        """
        with self.looking(path) as file:
            self._see_that_it_is(follower, path, file)
            yield file

    @contextmanager
    def glance(self, follower: Follower) -> Iterator[File]:
        """Have a follower's file for a moment, opened if it was closed, however many are open.

        It may have been renamed, and that is not told yet: then it is under another name in the same directory.

        Raises:
            FileNotFoundError: it has no name any more, or another file has it.
            TooManyOpenFiles, OSError: as `looking`.
        """
        file = self._open.get(follower)
        if file is not None:
            yield file
            return
        path = None if follower.vanished or follower.complete else self._name_now(follower)
        if path is None:
            raise FileNotFoundError(errno.ENOENT, "it has no name any more")
        with self.looking_at(follower, path) as file:
            yield file

    def hold(self) -> bool:
        """Whether another file that nobody follows yet may stay open: that has to leave half of the room."""
        free = self._held < self._limit // 2
        self._held += free
        return free

    def release(self) -> None:
        """Such a file is closed, or about to be kept."""
        self._held -= 1

    def keep(self, follower: Follower, file: File) -> None:
        """The file is the follower's."""
        self._open[follower] = file

    def hand_over(self, follower: Follower) -> File:
        """The file of a follower: it is the caller's now.

        Raises:
            OSError: it was closed, and cannot be opened again.
        """
        file = self.of(follower)
        del self._open[follower]
        return file

    def make_room(self) -> None:
        """See that another file may be opened.

        Raises:
            TooManyOpenFiles: none of the open files can be closed.
        """
        if len(self._open) + self._held >= self._limit:
            self._close_one(f"{self._limit} files are open and all are needed (COLLECTOR_MAX_OPEN_FILES)")

    def close(self, follower: Follower) -> None:
        """Close a follower's file, if it is open."""
        file = self._open.pop(follower, None)
        if file is not None:
            file.close()

    def close_quiet(self, since: float) -> None:
        """Close the files that have not grown since then, as far as they are expendable."""
        # In no order of that: what is refused or held up grows, and is not used.
        quiet = [follower for follower in self._open if follower.quiet_since <= since and self._can_be_closed(follower)]
        for follower in quiet:
            self.close(follower)

    def close_all(self) -> None:
        for follower in list(self._open):
            self.close(follower)

    def _open_on_disk(self, open_it: Callable[[bytes], File], path: bytes) -> File:
        try:
            return open_it(path)
        except OSError as error:
            if error.errno not in NONE_LEFT:
                raise
            # The system's limit comes before ours.
            if not (self._held and self.give_up()):
                self._close_one(f"the system opens no more than {len(self._open)} files: {error.strerror}")
            return self._open_on_disk(open_it, path)

    def _reopen(self, follower: Follower, path: bytes) -> File:
        file = self.open(path)
        try:
            self._see_that_it_is(follower, path, file)
        except OSError:
            file.close()
            raise
        self.keep(follower, file)
        return file

    def _name_now(self, follower: Follower) -> bytes | None:
        """By which its file can be opened: that which it had, or another.

        Raises:
            TooManyOpenFiles, OSError: as `_find_name`.
        """
        path = follower.path or follower.source.path
        if self._disk.inode(path) == follower.source.inode:
            return path
        return self._find_name(follower, follower.home or path)

    def _find_name(self, follower: Follower, near: bytes) -> bytes | None:
        """The name that its file has now, in the directory of `near` or in one below.

        Raises:
            TooManyOpenFiles: the system opens no more.
            OSError: it cannot be looked for now.
        """
        try:
            return self._siblings.find(near, follower.source.inode, changed_ns=_changed_ns(follower))
        except OSError as error:
            if error.errno in NONE_LEFT:
                raise TooManyOpenFiles(error.errno, error.strerror) from error
            raise

    def _can_be_closed(self, follower: Follower) -> bool:
        """By what was seen last, and by what is there now: it may have been written to or lost its name since."""
        if not self._expendable(follower):
            return False
        try:
            facts = self._open[follower].facts()
        except OSError:
            return False
        return facts is not None and facts.links > 0 and follower.is_as_seen(facts.size, facts.changed_ns)

    def _close_one(self, why_not: str) -> None:
        for follower in self._open:
            if self._can_be_closed(follower):
                self.close(follower)
                return
        raise TooManyOpenFiles(errno.EMFILE, why_not)

    def _see_that_it_is(self, follower: Follower, path: bytes, file: File) -> None:
        facts = file.facts()
        same = facts is not None and (facts.device, facts.inode) == follower.identity
        if not same or self._siblings.is_another(path, follower.source.inode, _changed_ns(follower)):
            raise FileNotFoundError(errno.ENOENT, "another file has its name")


def _changed_ns(follower: Follower) -> int:
    """What is made later is another file; 0: what was read tells that better.

    An overlay copies a file when it is written to, and then that has its inode.
    """
    return 0 if follower.position else follower.changed_ns
