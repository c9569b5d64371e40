"""Finding the borders of entries inside a block without looping over its lines."""

from mega_collector.block import NEWLINE

_NEAR = 16
"""Newlines that are found one by one once the guess is this close."""


def end_of_entries(data: bytes, offset: int, count: int, total: int) -> int:
    """The offset after the `count`-th newline at or behind `offset`, where `total` newlines are known to be there.

    Guesses by the average length, counts what the guess is wrong by, and guesses again: about one pass over the bytes
    up to the answer, in C. `0 < count <= total`, or the answer is wrong.
    """
    position, left = offset, count
    per_entry = (len(data) - offset) / total
    while left > _NEAR:
        guess = min(position + max(int(left * per_entry), 1), len(data))
        passed = data.count(NEWLINE, position, guess)
        while passed > left:
            # Beyond it: come back by the excess, counting only what lies between.
            nearer = max(guess - max(int((passed - left) * per_entry), 1), position)
            passed -= data.count(NEWLINE, nearer, guess)
            guess = nearer
        position, left = guess, left - passed
        if left == 0:
            return data.rfind(NEWLINE, offset, position) + 1
    for _ in range(left):
        position = data.find(NEWLINE, position) + 1
    return position


def end_within(data: bytes, offset: int, limit: int) -> int:
    """The last border of entries behind `offset` that is at most `limit` bytes away; the first if none is."""
    border = data.rfind(NEWLINE, offset, offset + limit) + 1
    if border:
        return border
    return data.find(NEWLINE, offset + limit) + 1 or len(data)
