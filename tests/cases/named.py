"""Lines in files of any name: a writer's name is that of its file, which not every name can be."""

from pathlib import Path

from harness.lines import make_line
from harness.site import Site


def append(site: Site, path: Path, name: str, count: int = 10, *, padding: int = 60) -> None:
    """Append so many lines of `name` to the file, with one write; they are among what the site has written."""
    lines = site.written.setdefault((name, 0), [])
    fresh = [make_line(name, 0, len(lines) + each, padding) for each in range(count)]
    lines.extend(fresh)
    with path.open("ab", buffering=0) as file:
        file.write(b"".join(fresh))
