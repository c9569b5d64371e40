"""Calls that run beside the test."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")


class Aside(Protocol):
    """Calls a function in a thread of its own; its result, or what it raised, comes with the future."""

    def __call__(self, call: Callable[[], T], /) -> Future[T]: ...
