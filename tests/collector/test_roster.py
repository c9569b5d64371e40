"""Which file is which, from one scan to the next."""

import tracemalloc
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, strategies as st

from mega_collector.collector.finding.roster import Appeared, Identity, Renamed, Roster

SECOND = 1_000_000_000
NOW = 1_000_000 * SECOND


@dataclass(frozen=True)
class File:
    """What a scan tells of a file."""

    inode: int
    size: int = 10
    mtime_ns: int = NOW
    device: int = 1
    changed_ns: int = NOW

    @property
    def identity(self) -> Identity:
        return self.device, self.inode


class Followed:
    """A roster whose every file is followed as soon as it appears, as a tailer does it.

    Where a scan leaves a doubt the next one comes at once, and finds the same.
    """

    def __init__(self, *, ignore_older: float | None = None) -> None:
        self.roster = Roster(ignore_older=ignore_older)

    def scan(
        self, files: Mapping[bytes, File], unobservable: Collection[bytes] = (), now: int = NOW
    ) -> list[Appeared | Renamed]:
        changes = self.scan_once(files, unobservable, now)
        return changes + self.scan_once(files, unobservable, now) if self.roster.doubtful else changes

    def scan_once(
        self, files: Mapping[bytes, File], unobservable: Collection[bytes] = (), now: int = NOW
    ) -> list[Appeared | Renamed]:
        changes = self.roster.update(files, unobservable, now)
        for change in changes:
            path = change.path if isinstance(change, Appeared) else change.name
            self.roster.follow(change.identity, path)
        return changes


A, B = File(1), File(2)


def test_a_file_appears_once() -> None:
    followed = Followed()
    assert followed.scan({b"/a": A}) == [Appeared(A.identity, b"/a")]
    assert followed.scan({b"/a": A}) == []


def test_a_file_that_could_not_be_followed_appears_again() -> None:
    roster = Roster()
    for _ in range(2):
        assert roster.update({b"/a": A}, (), NOW) == [Appeared(A.identity, b"/a")]


def test_a_file_that_is_renamed_is_the_same_file() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert followed.scan({b"/a.1": A}) == [Renamed(A.identity, b"/a.1")]
    assert followed.scan({b"/a.1": A}) == []


def test_a_file_that_is_replaced_loses_its_name_to_the_new_one() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert followed.scan({b"/a": B}) == [Appeared(B.identity, b"/a"), Renamed(A.identity, None)]


def test_a_rotation_inside_the_pattern_is_a_rename_and_a_new_file() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert followed.scan({b"/a": B, b"/a.1": A}) == [Renamed(A.identity, b"/a.1"), Appeared(B.identity, b"/a")]


def test_a_cascade_of_renames_moves_every_name() -> None:
    followed = Followed()
    followed.scan({b"/a": A, b"/a.1": B})
    new = File(3)
    assert followed.scan({b"/a": new, b"/a.1": A, b"/a.2": B}) == [
        Renamed(A.identity, b"/a.1"),
        Renamed(B.identity, b"/a.2"),
        Appeared(new.identity, b"/a"),
    ]


def test_a_name_that_is_gone_is_told_once_and_its_return_too() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert followed.scan({}) == [Renamed(A.identity, None)]
    assert followed.scan({}) == []
    assert followed.scan({b"/a.1": A}) == [Renamed(A.identity, b"/a.1")]


def test_a_file_that_is_not_followed_any_more_appears_anew() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    followed.roster.forget(A.identity)
    assert followed.scan({b"/a": A}) == [Appeared(A.identity, b"/a")]


def test_the_same_inode_on_another_device_is_another_file() -> None:
    followed = Followed()
    other = File(1, device=2)
    assert followed.scan({b"/a": A, b"/mnt/a": other}) == [
        Appeared(A.identity, b"/a"),
        Appeared(other.identity, b"/mnt/a"),
    ]


def test_many_names_of_one_file_are_the_one_that_sorts_first() -> None:
    followed = Followed()
    assert followed.scan({b"/c": A, b"/a": A, b"/b": A}) == [Appeared(A.identity, b"/a")]
    assert followed.scan({b"/c": A, b"/b": A}) == [Renamed(A.identity, b"/b")]
    assert followed.scan({}) == [Renamed(A.identity, None)]


def test_a_symbolic_link_that_is_retargeted_leaves_one_file_for_another() -> None:
    # Scans stat what a link leads to: to the roster it is a name of that file.
    followed = Followed()
    followed.scan({b"/link": A})
    assert followed.scan({b"/link": B}) == [Appeared(B.identity, b"/link"), Renamed(A.identity, None)]


@pytest.mark.case(7)
@pytest.mark.parametrize("hidden", [b"/d/a", b"/d", b"/d/", b"/"])
def test_a_name_that_could_not_be_looked_at_is_not_gone(hidden: bytes) -> None:
    followed = Followed()
    followed.scan({b"/d/a": A})
    assert followed.scan({}, [hidden]) == []
    assert followed.scan({b"/d/a": A}) == []


@pytest.mark.parametrize("hidden", [b"/d/b", b"/e", b"/d/a/b", b"/d/a.1"])
def test_what_hides_others_hides_nothing_of_this_one(hidden: bytes) -> None:
    followed = Followed()
    followed.scan({b"/d/a": A})
    assert followed.scan({}, [hidden]) == [Renamed(A.identity, None)]


def test_a_file_found_elsewhere_has_moved_even_if_its_old_place_is_hidden() -> None:
    followed = Followed()
    followed.scan({b"/d/a": A})
    assert followed.scan({b"/e/a": A}, [b"/d"]) == [Renamed(A.identity, b"/e/a")]


# Scans that run beside a rename may find neither name


@pytest.mark.case(31)
def test_a_file_that_one_scan_missed_is_not_gone() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert followed.scan_once({}) == []
    assert followed.roster.doubtful
    assert followed.scan_once({b"/a.1": A}) == [Renamed(A.identity, b"/a.1")]
    assert not followed.roster.doubtful


def test_a_file_that_two_scans_in_a_row_missed_is_gone() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert [followed.scan_once({}), followed.scan_once({})] == [[], [Renamed(A.identity, None)]]
    assert not followed.roster.doubtful


def test_only_scans_in_a_row_count() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert [followed.scan_once({}), followed.scan_once({b"/a": A}), followed.scan_once({})] == [[], [], []]


def test_a_scan_that_could_not_look_leaves_no_doubt() -> None:
    followed = Followed()
    followed.scan({b"/d/a": A})
    assert followed.scan_once({}, [b"/d"]) == []
    assert not followed.roster.doubtful


def test_a_file_that_is_let_go_leaves_no_doubt() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    followed.scan_once({})
    followed.roster.forget(A.identity)
    assert not followed.roster.doubtful


# Files that are too old


def _old(inode: int, size: int = 10, age: float = 100) -> File:
    return File(inode, size, NOW - int(age * SECOND))


def test_an_old_file_is_passed_over_until_it_changes() -> None:
    followed = Followed(ignore_older=60)
    assert followed.scan({b"/a": _old(1)}) == []
    assert _old(1).identity in followed.roster
    assert not followed.roster.follows(_old(1).identity)
    assert followed.scan({b"/a": _old(1)}, now=NOW + 5 * SECOND) == []
    assert followed.scan({b"/a": File(1, 20)}) == [Appeared((1, 1), b"/a")]
    assert followed.roster.follows((1, 1))


@pytest.mark.parametrize("changed", [_old(1, size=11), _old(1, size=0), _old(1, age=99), _old(1, age=5000)])
def test_any_change_wakes_it_whatever_its_time_says(changed: File) -> None:
    followed = Followed(ignore_older=60)
    followed.scan({b"/a": _old(1)})
    assert followed.scan({b"/a": changed}) == [Appeared((1, 1), b"/a")]


def test_it_is_passed_over_by_any_name() -> None:
    followed = Followed(ignore_older=60)
    followed.scan({b"/a": _old(1)})
    assert followed.scan({b"/b": _old(1)}) == []


@pytest.mark.parametrize("age", [60, 59, 0, -3600])
def test_a_file_that_is_young_enough_or_of_the_future_is_followed(age: float) -> None:
    assert len(Followed(ignore_older=60).scan({b"/a": _old(1, age=age)})) == 1


@pytest.mark.case(8)
def test_a_file_that_is_followed_may_grow_old() -> None:
    followed = Followed(ignore_older=60)
    followed.scan({b"/a": File(1)})
    assert followed.scan({b"/a": File(1)}, now=NOW + 3600 * SECOND) == []
    assert followed.roster.follows((1, 1))


@pytest.mark.case(8)
def test_an_old_file_that_grew_while_it_could_not_be_looked_at_is_followed() -> None:
    followed = Followed(ignore_older=60)
    followed.scan({b"/d/a": _old(1)})
    assert followed.scan({}, [b"/d"]) == []
    # Long ago by now, but it is not as it was passed over.
    assert followed.scan({b"/d/a": _old(1, size=20, age=90)}, now=NOW + 3600 * SECOND) == [Appeared((1, 1), b"/d/a")]


def test_an_old_file_that_is_gone_is_forgotten_and_its_inode_may_be_another_file() -> None:
    followed = Followed(ignore_older=60)
    followed.scan({b"/a": _old(1)})
    followed.scan({})
    assert _old(1).identity not in followed.roster


SCANS = st.lists(
    st.dictionaries(st.sampled_from([b"/a", b"/b", b"/d/a", b"/d/b"]), st.integers(1, 4).map(File)), max_size=8
)


@given(SCANS)
def test_after_every_scan_each_file_there_is_followed_by_its_first_name_and_no_other_has_one(
    scans: list[dict[bytes, File]],
) -> None:
    followed = Followed()
    names: dict[Identity, bytes | None] = {}
    for files in scans:
        for change in followed.scan(files):
            assert isinstance(change, Renamed) == (change.identity in names)
            names[change.identity] = change.path if isinstance(change, Appeared) else change.name
        expected = {
            file.identity: min(path for path, other in files.items() if other == file) for file in files.values()
        }
        assert {identity: name for identity, name in names.items() if name is not None} == expected


def test_old_files_that_are_sieved_before_they_are_told_are_known_all_the_same() -> None:
    roster = Roster(ignore_older=60)
    assert roster.passes_over(_old(1), NOW)
    assert roster.update({}, [], NOW) == []
    assert _old(1).identity in roster
    assert roster.passes_over(_old(1), NOW)
    assert not roster.passes_over(_old(1, size=11), NOW)


def test_a_file_that_is_followed_is_never_sieved() -> None:
    roster = Roster(ignore_older=60)
    roster.follow((1, 1), b"/a")
    assert not roster.passes_over(_old(1), NOW)


def test_a_million_old_files_cost_eight_bytes_each() -> None:
    roster, count = Roster(ignore_older=60), 20_000
    tracemalloc.start()
    for _ in range(2):
        for inode in range(count):
            assert roster.passes_over(_old(inode), NOW)
        roster.update({}, [], NOW)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < count * 8 + 50_000


# Names that are looked at alone


def test_a_rename_told_in_one_is_a_rename() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert followed.roster.amend({b"/a": None, b"/a.1": A}, NOW) == [Renamed(A.identity, b"/a.1")]
    assert not followed.roster.unsettled


@pytest.mark.case(31)
def test_a_name_that_goes_leaves_its_file_unsettled_until_it_is_found_or_given_up() -> None:
    followed = Followed()
    followed.scan({b"/a": A})
    assert followed.roster.amend({b"/a": None}, NOW) == []
    assert followed.roster.unsettled
    assert followed.roster.amend({b"/a": A}, NOW) == []
    assert not followed.roster.unsettled
    followed.roster.amend({b"/a": None}, NOW)
    assert followed.roster.settle() == [Renamed(A.identity, None)]
    assert not followed.roster.unsettled


def test_of_two_names_the_first_that_is_left_counts() -> None:
    followed = Followed()
    followed.scan({b"/a": A, b"/b": A})
    assert followed.roster.amend({b"/a": None}, NOW) == [Renamed(A.identity, b"/b")]


def test_an_old_file_looked_at_alone_is_passed_over_until_it_changes() -> None:
    followed = Followed(ignore_older=60)
    followed.scan({})
    assert followed.roster.amend({b"/a": _old(1)}, NOW) == []
    assert followed.roster.amend({b"/a": _old(1)}, NOW) == []
    assert followed.roster.amend({b"/a": _old(1, size=11)}, NOW) == [Appeared((1, 1), b"/a")]
