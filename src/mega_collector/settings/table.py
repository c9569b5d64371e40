"""The documentation of the settings, out of their declaration: `scripts/generate` writes it."""

from collections.abc import Iterator
from pathlib import Path

from mega_collector.settings import AggregatorSettings, CollectorSettings, OperatorSettings
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

_FILES = """
## Files

`AGGREGATOR_FILE_CONFIGURATION` is a path, or a JSON object with these keys, of which only `path` is needed:

- `path`: a file, or a template of paths such as `/logs/{host}/{path}/%Y-%m-%d.log`.
- `format`: `raw`, `json` or `prefix`: see below.
- `mode`: three octal digits, such as `"0640"`: the mode of files as they are made, whatever the umask; directories
  can be searched by whoever can read the files.
- `rotate_size`: a size: a file that has it is rotated before anything more is appended. It may grow beyond it by one
  batch.
- `rotate_every`: a duration, or `hourly`, `daily`, `weekly`: a file is rotated before the first line of a new period
  is appended. Periods begin at multiples of it since 1970, UTC; a file that nothing comes for stays as it is.
- `keep`: how many rotated files are kept of each; needed with the two before. The last one is `NAME.1`; beyond `keep`
  they are removed.
- `compress`: `gzip` or `zstd`: rotated files are compressed, in a thread that gives way to all else, and so are files
  of a template whose time is over (a minute later, when something else arrives).

In a template stand `{host}`, `{path}`, `{collector}` and `{tag:NAME}` for what a collector says of a file, and `%Y`,
`%m`, `%d` and `%H` for when the aggregator received the lines, in UTC. `{{`, `}}` and `%%` are a brace and a percent
sign, in every path. The directory before the first of them, the root, must be there; what is missing below it is
made.

- Nothing leaves the root, whatever a collector says. The directories of `{path}` stay directories; any other `/`,
  `%`, `\\`, control characters and bytes that are no UTF-8 become `%XX`, as do the dots of `.` and `..`. What is
  empty becomes `_`. What is too long (a name of 200 bytes, a path of 2000) is cut and ends with a digest. So
  different files go to different files; those whose fields are all the same go to one. Where files are rotated or
  compressed, a name that ends like a rotated one's (`.1`, `.gz`) has `%2E` for that dot.
- A path or a template that may lead into the aggregator's own files (its ledger, its dead letters) is refused at the
  start: lines in the ledger would be its end.
- `{path}` is the name by which the collector knows a file. One that is rotated keeps it, unless the collector is
  started anew meanwhile: then the rest of the file goes where its new name leads.
- No symbolic link is followed below the root, neither to a directory nor to a file.
- At most 256 files are open at once. There are as many as the collectors' words make: their number is not bounded.
- An output that cannot be written holds up only what is for it: see [delivery.md](delivery.md#many-files).
- What comes late for a file that is compressed already begins the plain file anew, which then stays plain.
"""

_HALVES: list[tuple[str, type[Settings]]] = [
    ("Aggregator", AggregatorSettings),
    ("Collector", CollectorSettings),
    ("`top` and `tap` from another machine", OperatorSettings),
]


def page() -> str:
    """All that is to be said of each setting, as Markdown: docs/settings.md."""
    return _HEAD + "".join("\n".join(["", *_section(title, half), ""]) for title, half in _HALVES) + _FILES + _FORMATS


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
