"""The documentation of the settings, out of their declaration: `python -m mega_collector.settings.table`."""

import sys
from collections.abc import Iterator

from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.settings.declaration import Setting, Settings, declared

_HEAD = """\
# Settings

<!-- Made by `python -m mega_collector.settings.table > docs/settings.md`: change the declaration, not this page. -->

Everything can be set by an environment variable or by a flag; the flag wins. A variable that is set to nothing counts
as not set, unless its line says otherwise. A value that cannot be used, a missing one and an unknown variable with one
of these prefixes stop the start with one line on stderr and exit code 2, before anything is opened or written.
`mega-collector check collector` and `mega-collector check aggregator` show what is in effect and where it comes from.

Durations are written as in Go: `300ms`, `1m30s`, `1h`. Sizes are bytes: `1024`, `1MB` (a million), `64MiB`.
"""


def table() -> str:
    """Write the page, as Markdown."""
    halves: list[tuple[str, type[Settings]]] = [("Collector", CollectorSettings), ("Aggregator", AggregatorSettings)]
    return _HEAD + "".join("\n".join(["", *_section(title, half), ""]) for title, half in halves)


def _section(title: str, half: type[Settings]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| variable | flag | default | allowed | meaning |"
    yield "|---|---|---|---|---|"
    yield from (_row(setting) for setting in declared(half))


def _row(setting: Setting) -> str:
    default = f"`{setting.text}`" if setting.text else setting.shown_default
    cells = [f"`{setting.variable}`", f"`{setting.flag}`", default, setting.kind.allowed, setting.help]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("**", "`**`") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(table())
