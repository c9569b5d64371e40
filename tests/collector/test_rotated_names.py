"""What the names of rotated files tell of each other."""

import pytest

from mega_collector.collector.finding.rotated_names import is_named_after, unnumbered, unrotated


@pytest.mark.parametrize(
    ("path", "original"),
    [
        (b"/logs/a.log.1", b"/logs/a.log"),
        (b"/logs/a.1.log.gz", b"/logs/a.log"),
        (b"/logs/a.log.2.gz", b"/logs/a.log.1"),
        (b"/logs/a-20261128.log.gz", b"/logs/a-20261128.log"),
        (b"/logs/old/a.log.gz", b"/logs/a.log"),
    ],
)
def test_what_a_rotation_calls_it_next_is_named_after_it(path: bytes, original: bytes) -> None:
    assert is_named_after(path, original)


@pytest.mark.parametrize(
    ("path", "original"),
    [
        (b"/logs/apple.log.gz", b"/logs/a.log"),
        (b"/logs/a.err.1.gz", b"/logs/a.log.1"),
        (b"/logs/worker-2.log.gz", b"/logs/worker-1.log"),
        (b"/logs/a1.log.gz", b"/logs/a.1.log"),
        (b"/other/a.2.log.gz", b"/logs/a.log"),
    ],
)
def test_another_log_is_not_named_after_it(path: bytes, original: bytes) -> None:
    assert not is_named_after(path, original)


@pytest.mark.parametrize(
    ("path", "log"),
    [
        (b"/logs/a.1.log", b"/logs/a.log"),
        (b"/logs/a.12.log", b"/logs/a.log"),
        (b"/logs/a.log.1", None),
        (b"/logs/a.log.1.gz", None),
        (b"/logs/a-1.log", None),
        (b"/logs/a1.log", None),
        (b"/logs/.1.log", None),
        (b"/logs.1/a.log", None),
    ],
)
def test_what_was_rotated_before_its_extension_had_the_name_without_the_number(path: bytes, log: bytes | None) -> None:
    assert unrotated(path) == log


@pytest.mark.parametrize(
    ("path", "log"),
    [
        (b"/logs/app.log.1", b"/logs/app.log"),
        (b"/logs/app.12.log", b"/logs/app.log"),
        (b"/logs/app.log", None),
        (b"/logs/app.log-20261123", None),
        (b"/logs/app.log.1.gz", None),
        (b"/logs/.1", None),
    ],
)
def test_what_is_counted_is_told_from_what_is_not(path: bytes, log: bytes | None) -> None:
    assert unnumbered(path) == log
