"""The files that the aggregator writes to, among those that are found."""

from collections.abc import Iterable

from mega_collector.collector.finding.discovery import FileFacts
from mega_collector.collector.finding.outputs import Outputs


def files(**inodes: int) -> dict[bytes, FileFacts]:
    return {name.encode(): FileFacts(1, inode, 0, 0) for name, inode in inodes.items()}


def named(inodes: Iterable[int]) -> Outputs:
    outputs = Outputs()
    outputs.name((1, inode) for inode in inodes)
    return outputs


def test_what_the_aggregator_names_is_an_output_and_nothing_else_is() -> None:
    assert named([7]).among(files(a=6, b=7, c=8)) == [b"b"]
    assert named([]).among(files(a=6)) == []


def test_it_is_one_by_whatever_name() -> None:
    outputs = named([7])
    assert outputs.among(files(out=7)) == [b"out"]
    assert outputs.among(files(old=7)) == [b"old"]


def test_what_is_made_anew_under_its_name_is_one_too_and_stays_one() -> None:
    outputs = named([7])
    outputs.among(files(out=7))
    assert outputs.among(files(old=7, out=8)) == [b"old", b"out"]
    assert outputs.among(files(older=7, old2=8)) == [b"older", b"old2"]


def test_a_name_counts_until_the_aggregator_says_again_what_it_writes_to() -> None:
    outputs = named([7])
    outputs.among(files(out=7))
    outputs.name([(1, 9)])
    assert outputs.among(files(out=8)) == []


def test_an_earlier_output_is_one_for_as_long_as_it_is_there() -> None:
    outputs = named([7])
    outputs.among(files(out=7))
    outputs.name([(1, 9)])
    for _ in range(3):
        assert outputs.among(files(old=7)) == [b"old"]
        outputs.forget_missing(files(old=7))


def test_what_two_scans_in_a_row_did_not_find_is_forgotten_since_its_inode_may_be_given_again() -> None:
    outputs = named([7])
    for found in (files(out=7), files(), files(out=7), files()):
        outputs.forget_missing(found)
    assert outputs.among(files(other=7)) == [b"other"]
    outputs = named([7])
    for _ in range(2):
        outputs.forget_missing(files())
    assert outputs.among(files(other=7)) == []
