"""What a command answers: its exit code, and what it writes to stdout."""

import os

import click

from mega_collector.errors import MegaCollectorError

CLEAN = 0
FAILED = 1
BAD_SETTINGS = 2


def say(what: str | bytes) -> None:
    """Write to stdout; click takes the colour out again where it goes into a pipe."""
    try:
        click.echo(what)
    except OSError as error:
        # Python would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # Else whoever reads has seen enough: what was begun is done all the same.
        if not isinstance(error, BrokenPipeError):
            raise MegaCollectorError(f"what was found cannot be written to stdout: {error.strerror}") from error
