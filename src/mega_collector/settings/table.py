"""The documentation of the settings, out of their declaration: `scripts/generate` writes it."""

from collections.abc import Iterator
from pathlib import Path

from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.settings.declaration import Setting, Settings, declared

_HEAD = """\
# Settings

<!-- Made by `scripts/generate`: change the declaration, not this page. -->

Everything can be set by an environment variable or by a flag; the flag wins. A variable that is set to nothing counts
as not set, unless its line says otherwise. A value that cannot be used, a missing one and an unknown variable with one
of these prefixes stop the start with one line on stderr and exit code 2, before anything is opened or written.
`mega-collector check collector` and `mega-collector check aggregator` show what is in effect and where it comes from.

Durations are written as in Go: `300ms`, `1m30s`, `1h`. Sizes are bytes: `1024`, `1MB` (a million), `64MiB`.
"""


_FORMATS = """
## Formats

What an entry looks like in the file or on stdout, by the `format` of `AGGREGATOR_FILE_CONFIGURATION` or
`AGGREGATOR_TEXT_CONFIGURATION`:

- `raw`: as it was, byte for byte. So it is if nothing is said.
- `prefix`: as it was, behind `host path: `.
- `json`: an object on a line, with these fields in this order. `message` is the entry without its newline; a CR stays.
  `path`, `host` and `tags` (an object of strings: those of `COLLECTOR_TAGS`, and host) are what the collector says of
  the file. `time` is when the aggregator received the entry: RFC 3339, UTC, with six digits of a second. At the end
  stands `"replaced":true` if bytes of the message were no UTF-8 and are replaced by U+FFFD. (A line that is longer than
  `COLLECTOR_MAX_LINE_SIZE` may be divided amid a character.)

A line of JSON is valid whatever was in the entry. Of a path that is no UTF-8, the bytes that are none are shown as
`\\xff`; in a prefix, so are control characters and what turns the direction of writing.
"""

_HALVES: list[tuple[str, type[Settings]]] = [("Aggregator", AggregatorSettings), ("Collector", CollectorSettings)]


def page() -> str:
    """All that is to be said of each setting, as Markdown: docs/settings.md."""
    return _HEAD + "".join("\n".join(["", *_section(title, half), ""]) for title, half in _HALVES) + _FORMATS


def _section(title: str, half: type[Settings]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| variable | flag | default | allowed | meaning |"
    yield "|---|---|---|---|---|"
    yield from (_row(_cells(setting)) for setting in declared(half))


def _cells(setting: Setting) -> list[str]:
    return [f"`{setting.variable}`", f"`{setting.flag}`", _default(setting), setting.kind.allowed, setting.help]


def _default(setting: Setting) -> str:
    return f"`{setting.text}`" if setting.text else setting.shown_default


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("**", "`**`") for cell in cells) + " |"


def write(root: Path) -> None:
    """Bring the page of a checkout up to date."""
    (root / "docs" / "settings.md").write_text(page())


if __name__ == "__main__":
    write(Path.cwd())
