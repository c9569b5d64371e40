"""Commands that are made when they are asked for."""

# ruff: noqa: PLC0415 - imported when it is asked for: see the package

import sys
from collections.abc import Callable, Mapping

import click

from mega_collector.lazily import import_lazily


class Lazy(click.Group):
    """A group whose commands are made when one of them is asked for."""

    def __init__(self, name: str, *, makers: Mapping[str, Callable[[], click.Command]], help: str) -> None:  # noqa: A002
        super().__init__(name, help=help)
        self._makers = makers

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self._makers)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._makers:
            return None
        # Before anything else is: the settings log too.
        _import_sparingly()
        return self._makers[cmd_name]()


def _import_sparingly() -> None:
    """Keep structlog from importing rich, for tracebacks that are not shown here: 6 MB, and a fifth of the start-up.

    And it and gRPC from importing asyncio, which neither uses here: 4 MB, and another tenth.
    """
    import_lazily("asyncio", "grpc.aio", "grpc.experimental.aio", "grpc_health.v1._async")
    import_lazily("grpc_reflection.v1alpha._async")
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]
        import structlog  # noqa: F401

        del sys.modules["rich"]
