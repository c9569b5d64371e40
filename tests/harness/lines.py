"""Lines that say of themselves what they are, and the judgement of what came of them.

    access:2:17:......:1c0ffee5     the 18th line of the third generation of `access`, its padding, its CRC-32

A generation is what a file is between two truncations or replacements: the source, in this product's words.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from zlib import crc32

Generation = tuple[str, int]


def make_line(name: str, generation: int, sequence: int, padding: int = 60) -> bytes:
    """One line, with its newline. The name holds neither colon nor newline."""
    said = b"%s:%d:%d:" % (name.encode(), generation, sequence) + b"." * padding
    return b"%s:%08x\n" % (said, crc32(said))


def make_long_line(name: str, generation: int, sequence: int, size: int) -> bytes:
    """One line of so many bytes and eight more, which says everywhere what it is: its pieces are told from others'."""
    head = b"%s:%d:%d:" % (name.encode(), generation, sequence)
    said = b"".join(b"%s%d:" % (head, at) for at in range(size // len(head) + 1))[:size]
    return b"%s%08x\n" % (said, crc32(said))


def pieces(line: bytes, longest: int) -> list[bytes]:
    """What comes of a line, with its newline, where an entry has `longest` bytes at most, without it."""
    said = line.removesuffix(b"\n")
    return [said[start : start + longest] + b"\n" for start in range(0, max(len(said), 1), longest)]


def read_line(line: bytes) -> Generation:
    """Whose line that is.

    Raises:
        AssertionError: it is torn, or glued to another.
    """
    said, _, checksum = line.rstrip(b"\n").rpartition(b":")
    assert line.endswith(b"\n"), f"a line without its end: {line!r}"
    assert checksum == b"%08x" % crc32(said), f"not a line that was written: {line!r}"
    name, generation, _ = said.split(b":", 2)
    return name.decode(), int(generation)


def sorted_out(data: bytes) -> dict[Generation, list[bytes]]:
    """The lines of a destination by generation, in the order in which they stand there."""
    found: dict[Generation, list[bytes]] = {}
    for line in data.splitlines(keepends=True):
        found.setdefault(read_line(line), []).append(line)
    return found


def assert_exactly(data: bytes, written: Mapping[Generation, Sequence[bytes]]) -> None:
    """Every line once, whole, in the order of its generation, and nothing else."""
    wanted = {generation: list(lines) for generation, lines in written.items() if lines}
    if len(wanted) == 1 and data == b"".join(*wanted.values()):
        return  # as below, sooner
    found = sorted_out(data)
    if found != wanted:
        raise AssertionError(_difference(found, wanted))


def assert_at_least(data: bytes, written: Mapping[Generation, Sequence[bytes]]) -> None:
    """Every line at least once; the first time in the order of its generation."""
    assert_exactly(b"".join(dict.fromkeys(data.splitlines(keepends=True))), written)


def _difference(found: Mapping[Generation, list[bytes]], wanted: Mapping[Generation, list[bytes]]) -> str:
    said = []
    for generation in sorted({*found, *wanted}):
        here, there = Counter(found.get(generation, ())), Counter(wanted.get(generation, ()))
        missing, extra = list((there - here).elements()), list((here - there).elements())
        if missing or extra:
            said.append(
                f"{generation}: {len(missing)} lines are missing, from {_heads(missing)}; "
                f"{len(extra)} are too many, from {_heads(extra)}"
            )
        elif found.get(generation) != wanted.get(generation):
            said.append(f"{generation}: all lines are there, in another order")
    return "\n".join(said)


def _heads(lines: Sequence[bytes]) -> list[bytes]:
    return [line[:40] for line in lines[:3]]
