"""An attempt to start that must fail, and what it may leave behind: nothing."""

import contextlib
import hashlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

import structlog

from harness.process import SOURCE
from mega_collector.cli import execute


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def attempt(*arguments: str, cwd: Path, environ: dict[str, str] | None = None, wrapper: Sequence[str] = ()) -> Attempt:
    """Run a command to its end, in an environment that holds nothing but what is given.

    In this process, since most of the time of another would go into starting Python; if it is wrapped, in its own.
    """
    own = {"PATH": os.environ["PATH"], "HOME": str(cwd), "XDG_STATE_HOME": str(cwd / "home-state"), **(environ or {})}
    return _in_another(arguments, cwd, own, wrapper) if wrapper else _in_this(arguments, cwd, own)


def tree(directory: Path) -> dict[str, str]:
    """Everything below a directory: its kind and mode, and the digest of what it holds."""
    return {str(path.relative_to(directory)): _look(path) for path in sorted(directory.rglob("*"))}


def assert_refused(
    *arguments: str,
    cwd: Path,
    environ: dict[str, str],
    says: Sequence[str],
    wrapper: Sequence[str] = (),
) -> None:
    """It ends with 2 and one line on stderr that says all this, and everything is as it was before."""
    before = tree(cwd)
    ended = attempt(*arguments, cwd=cwd, environ=environ, wrapper=wrapper)
    assert ended.code == 2, ended
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("mega-collector: ")
    for words in says:
        assert words in line
    assert tree(cwd) == before


def unprivileged() -> tuple[str, ...]:
    """What a command is wrapped in to run as nobody: root may write everywhere."""
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ("env",)


def give_away(directory: Path) -> None:
    """Let the directory belong to whom an unprivileged command runs as; its parents may be passed through."""
    if os.geteuid() == 0:
        os.chown(directory, 65534, 65534)
        for parent in (directory, *directory.parents[:3]):
            parent.chmod(parent.stat().st_mode | 0o011)


def _look(path: Path) -> str:
    mode = f"{path.lstat().st_mode:o}"
    return f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else mode


def _in_another(arguments: Sequence[str], cwd: Path, environ: dict[str, str], wrapper: Sequence[str]) -> Attempt:
    ended = subprocess.run(
        [*wrapper, sys.executable, "-W", "error", "-B", "-m", "mega_collector", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(SOURCE), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Attempt(ended.returncode, ended.stdout, ended.stderr)


def _in_this(arguments: Sequence[str], cwd: Path, environ: dict[str, str]) -> Attempt:
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        with _settled(), _surrounded(cwd, environ), _written_to(1, stdout), _written_to(2, stderr):
            code = execute(arguments)
        for file in (stdout, stderr):
            file.seek(0)
        return Attempt(code, stdout.read(), stderr.read())


@contextlib.contextmanager
def _settled() -> Iterator[None]:
    """What a command sets for the whole process is taken back."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        structlog.reset_defaults()
        logging.root.handlers.clear()


@contextlib.contextmanager
def _surrounded(cwd: Path, environ: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    try:
        with contextlib.chdir(cwd):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _written_to(descriptor: int, file: TextIO) -> Iterator[None]:
    """What is written to this descriptor, by Python or past it, goes to the file."""
    kept = os.dup(descriptor)
    redirect = contextlib.redirect_stdout if descriptor == 1 else contextlib.redirect_stderr
    os.dup2(file.fileno(), descriptor)
    try:
        with open(os.dup(descriptor), "w", buffering=1) as written, redirect(written):  # noqa: PTH123 - a descriptor
            yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
