"""Dead letters come back: each is handed to the running aggregator, and removed when all of it is delivered."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from mega_collector.api import api_pb2 as pb, api_pb2_grpc
from mega_collector.emitter.dead_letter import content
from mega_collector.errors import MegaCollectorError
from mega_collector.operator_client import broken, operator_of, unheard

_SUFFIX = ".dead"

_LAID = {_SUFFIX, ".unfinished"}
"""What an aggregator leaves in its directory of dead letters."""

_NOT_NOW = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@dataclass(slots=True)
class Replayed:
    """Of all dead letters so far."""

    letters: int = 0
    kept: int = 0
    entries: int = 0
    size: int = 0
    known: int = 0
    unknown: int = 0

    def add(self, answer: pb.ReplayResponse) -> None:
        self.entries += answer.entries
        self.size += answer.bytes
        self.known += answer.bytes_known
        self.unknown += answer.bytes_unknown


class Replaying:
    """Hands dead letters over, the oldest first. Iterating gives a line for each; `total` is the last one.

    `named` says that a person has named the paths: then one that holds nothing but other files is a mistake.

    Raises:
        MegaCollectorError: nothing was handed over, or nothing more: why, and what to do.
    """

    def __init__(self, paths: Sequence[Path], state_directory: Path, *, named: bool) -> None:
        self._letters = _letters(paths, named=named)
        self._state_directory = state_directory
        self._so_far = Replayed()

    @property
    def complete(self) -> bool:
        """Whether all of it is delivered, and nothing is left."""
        return not self._so_far.kept

    @property
    def total(self) -> str:
        done = self._so_far
        kept = f", {done.kept} kept" if done.kept else ""
        return f"{_count(done.letters, 'dead letter')}{kept}: {_told(done)}"

    def __iter__(self) -> Iterator[str]:
        if not self._letters:
            return
        with operator_of(self._state_directory, "aggregator") as operator:
            for path in self._letters:
                self._so_far.letters += 1
                yield f"{path}: {self._hand_over(path, operator)}"

    def _hand_over(self, path: Path, operator: api_pb2_grpc.OperatorStub) -> str:
        try:
            answer: pb.ReplayResponse = operator.Replay(pb.ReplayRequest(dead_letter=content(path)))
        except FileNotFoundError:
            if path.is_symlink():
                return self._keep("it is a link that leads nowhere")
            return "gone: it was replayed by somebody else, or has made room for later ones"
        except OSError as error:
            return self._keep(f"it cannot be read: {error.strerror}")
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise MegaCollectorError(f"{path}: {_why(error)}") from error
            return self._keep(str(error.details()))
        self._so_far.add(answer)
        told = _told(Replayed(0, 0, answer.entries, answer.bytes, answer.bytes_known, answer.bytes_unknown))
        if answer.bytes_unknown:
            return self._keep(told)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            return self._keep(f"{told}, but it cannot be removed: {error.strerror}")
        return told

    def _keep(self, why: str) -> str:
        self._so_far.kept += 1
        return f"kept: {why}"


def _letters(paths: Sequence[Path], *, named: bool) -> list[Path]:
    """The files at the paths, and those in directories, sorted by their names, which say when they were laid."""
    found: list[Path] = []
    for path in paths:
        try:
            path.stat()
            found += _letters_in(path, named=named) if path.is_dir() else [path]
        except OSError as error:
            raise MegaCollectorError(f"{path}: {error.strerror}: name a directory of dead letters, or one") from error
    for directory in {path.parent for path in found}:
        if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
            raise MegaCollectorError(f"{directory}: what is delivered could not be removed: change its owner or mode")
    return sorted(set(found), key=lambda path: (path.name, path))


def _letters_in(directory: Path, *, named: bool) -> list[Path]:
    there = list(directory.iterdir())
    if named and not any(path.suffix in _LAID for path in there) and any(map(_is_somebody_s, there)):
        raise MegaCollectorError(
            f"{directory}: it holds no dead letter, but other files: name a directory of dead letters, by default"
            " dead-letters in the aggregator's state directory"
        )
    return [path for path in there if path.suffix == _SUFFIX]


def _is_somebody_s(path: Path) -> bool:
    """Not what filesystems leave in empty directories."""
    return not path.name.startswith(".") and path.name != "lost+found"


def _why(error: grpc.RpcError) -> str:
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return "this aggregator cannot replay: it is of another version than this command"
    if code not in _NOT_NOW:
        return f"the aggregator failed: {details}"
    if (why := unheard(error)) is None and broken(error):
        return "the aggregator has ended meanwhile: when it runs, try again; what is delivered is not delivered twice"
    return f"not delivered: {why or details}"


def _told(replayed: Replayed) -> str:
    told = f"{_count(replayed.entries, 'line')}, {_count(replayed.size, 'byte')} delivered"
    if replayed.known:
        told += f", {_count(replayed.known, 'byte')} delivered before"
    if replayed.unknown:
        told += f", {_count(replayed.unknown, 'byte')} that the ledger does not know as discarded"
    return told


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
