"""The followed files are found by what a rotation makes of their names."""

from dataclasses import replace
from random import Random

import pytest

from blocks import make_source
from mega_collector.collector.finding.rotated_names import is_named_after, unrotated
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower

_NAMES = [
    b"/logs/%s" % name
    for name in (b"a.log", b"a.1.log", b"a.2.log", b"a.log.1", b"a", b"ab", b"ab.log", b".a", b"a.", b"old/a.log")
]
_MADE = [name + end for name in _NAMES for end in (b"", b".gz", b".1.gz", b"-20261128.gz", b".1.log.gz")]


def _follower(name: bytes, number: int) -> Follower:
    source = replace(make_source(str(number)), path=name, inode=number)
    return Follower(source, path=name, size=0, changed_ns=0, now=0, rotate_wait=0)


def _is_of(made: bytes, follower: Follower) -> bool:
    original = follower.source.path
    log = unrotated(original)
    return is_named_after(made, original) or (log is not None and is_named_after(made, log))


@pytest.mark.parametrize("asked_first", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_what_a_rotation_may_have_made_an_archive_of_is_found_in_the_order_of_all(seed: int, asked_first: bool) -> None:
    random, followed, there = Random(seed), Followed(), list[Follower]()
    if asked_first:
        assert followed.rotated_to(b"/logs/a.log.1.gz") == []
    for number in range(60):
        match random.choice("aaarrs"):
            case "a":
                there.append(_follower(random.choice(_NAMES), number))
                followed.add(there[-1], found=random.random() < 0.8)
            case "r" if there:
                followed.remove(there.pop(random.randrange(len(there))))
            case "s" if there:
                follower = random.choice(there)
                old = follower.source
                follower.source = replace(old, id=b"%d again" % number, path=random.choice(_NAMES))
                followed.replace(old, follower)
    for made in _MADE:
        found = [each for each in followed.rotated_to(made) if _is_of(made, each)]
        assert found == [each for each in followed if _is_of(made, each)]


def test_others_are_not_looked_through() -> None:
    followed = Followed()
    for number in range(100):
        followed.add(_follower(b"/logs/app%05d.log" % number, number))
    assert [each.source.path for each in followed.rotated_to(b"/logs/app00007.log.1.gz")] == [b"/logs/app00007.log"]


def test_of_what_is_followed_no_more_nothing_is_kept() -> None:
    followed = Followed()
    assert followed.rotated_to(b"/logs/a.log.1.gz") == []
    follower = _follower(b"/logs/a.log", 1)
    followed.add(follower)
    followed.remove(follower)
    assert followed.rotated_to(b"/logs/a.log.1.gz") == []
    assert not followed._by_root
