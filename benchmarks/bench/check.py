"""Whether what arrived is what was written."""

import subprocess
from collections import Counter
from pathlib import Path

from bench.workload import TAG_LENGTH

IDENTICAL = "identical"
IN_ORDER = "every line once, in order"
REORDERED = "every line once, reordered"
ONCE = "every line once"


def good(verdict: str) -> bool:
    return verdict in {IDENTICAL, IN_ORDER, REORDERED, ONCE}


def compare(source: Path, output: Path) -> str:
    """One log with what came of it, byte for byte; if that fails, line for line."""
    if subprocess.run(["cmp", "-s", source, output], check=False).returncode == 0:
        return IDENTICAL
    return _difference(Counter(source.read_bytes().splitlines()), Counter(output.read_bytes().splitlines()))


def compare_many(sources: list[Path], output: Path, size: int | None = None) -> str:
    """Logs whose lines are tagged with what came of all, of which only the first `size` bytes count."""
    found: dict[bytes, list[bytes]] = {}
    with output.open("rb") as lines:
        for line in lines:
            found.setdefault(line[:TAG_LENGTH], []).append(line)
    if size is not None and output.stat().st_size != size:
        return f"{output.stat().st_size} bytes instead of {size}"
    verdict = IN_ORDER
    for source in sources:
        written = source.read_bytes()
        came = found.pop(written[:TAG_LENGTH], [])
        if b"".join(came) != written:
            verdict = _difference(Counter(written.splitlines(keepends=True)), Counter(came))
            if not good(verdict):
                return f"{source.name}: {verdict}"
    return f"lines of nobody: {list(found)[:3]}" if found else verdict


def _difference(wanted: "Counter[bytes]", came: "Counter[bytes]") -> str:
    missing, extra = (wanted - came).total(), (came - wanted).total()
    if missing or extra:
        return f"{missing} lines missing, {extra} too many"
    return REORDERED
