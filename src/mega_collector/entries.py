"""Finding the borders of entries inside a block without looping over its lines."""

from mega_collector.block import NEWLINE

try:
    from stringzilla import count as _count
except ImportError:
    _count = bytes.count

_FEW = 1 << 10
"""Bytes that are looked at sooner than a decision is made how to."""

_DENSE = 20
"""Bytes between newlines below which `bytes.count` is faster, which takes as long for each byte, newline or not."""

_NEAR = 32
"""Newlines that are found one by one once the guess is this close."""


def newlines(data: bytes, start: int = 0, end: int | None = None) -> int:
    """How many newlines there are between two offsets.

    StringZilla goes from one to the next with vector instructions: six times as fast as `bytes.count`, where lines are
    as long as those of logs.
    """
    end = len(data) if end is None else end
    few = start + _FEW
    if few >= end:
        return data.count(NEWLINE, start, end)
    first = data.count(NEWLINE, start, few)
    count = bytes.count if first * _DENSE > _FEW else _count
    return first + count(data, NEWLINE, few, end)


def end_of_entries(data: bytes, offset: int, count: int, total: int) -> int:
    """The offset after the `count`-th newline at or behind `offset`, where `total` newlines are known to be there.

    Guesses by the average length and counts what the guess is wrong by: about one pass over the bytes up to the answer,
    in C. Where the lines are nothing like the average the guess is halved or doubled, so that it always comes nearer.
    `0 < count <= total`, or the answer is wrong.
    """
    position, left = offset, count
    per_entry = (len(data) - offset) / total
    while left > _NEAR:
        guess = min(position + max(int(left * per_entry), 1), len(data))
        passed = newlines(data, position, guess)
        if passed > left + _NEAR:
            per_entry /= 2
        elif passed >= left:
            return _back(data, guess, passed - left)
        else:
            per_entry *= 1 if passed else 2
            position, left = guess, left - passed
    for _ in range(left):
        position = data.find(NEWLINE, position) + 1
    return position


def end_within(data: bytes, offset: int, limit: int) -> int:
    """The last border of entries behind `offset` that is at most `limit` bytes away; the first if none is."""
    border = data.rfind(NEWLINE, offset, offset + limit) + 1
    if border:
        return border
    return data.find(NEWLINE, offset + limit) + 1 or len(data)


def _back(data: bytes, end: int, count: int) -> int:
    """The offset after the last newline before `end`, not counting the last `count` of them."""
    for _ in range(count):
        end = data.rfind(NEWLINE, 0, end)
    return data.rfind(NEWLINE, 0, end) + 1
