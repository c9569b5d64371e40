"""What a directory names, durably."""

import errno
import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in a directory survive a power cut: fsync(2) says how.

    Raises:
        OSError: it cannot.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a filesystem that has no such thing
            raise
    finally:
        os.close(fd)
