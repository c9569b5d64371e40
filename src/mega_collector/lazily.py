"""Modules that are imported when something of them is used: libraries import what is not needed of them here."""

import importlib
import sys
from types import ModuleType
from typing import Any


def import_lazily(*names: str) -> None:
    """Have these modules imported when something of them is used, not before; what is imported already stays so.

    Whoever imports one meanwhile has what stands in its place, and is led on from there.
    """
    for name in names:
        sys.modules.setdefault(name, _Awaited(name))


class _Awaited(ModuleType):
    # importlib's own LazyLoader imports at the second `import` already, as that asks for the module's spec.
    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
