from dataclasses import replace

import pytest

from mega_collector.emitter.protocol import OutputState
from mega_collector.emitter.recognition import Found, Verdict, recognise
from mega_collector.marker import TAIL_SIZE, Marker

BEFORE = b"t" * TAIL_SIZE
KNOWN = OutputState("/out.log", device=1, inode=2, length=100, before=Marker.of(BEFORE))
SAME = Found(device=1, inode=2, size=100, before=BEFORE)


@pytest.mark.parametrize(
    ("found", "clean", "verdict"),
    [
        (SAME, True, Verdict.COMMITTED),
        (SAME, False, Verdict.COMMITTED),
        (replace(SAME, size=101), False, Verdict.UNCOMMITTED),
        (replace(SAME, size=101), True, Verdict.GROWN),
        (replace(SAME, size=101, stamp=100), False, Verdict.UNCOMMITTED),
        (replace(SAME, size=101, stamp=101), False, Verdict.AHEAD),
        (replace(SAME, size=101, stamp=101), True, Verdict.AHEAD),
        (replace(SAME, stamp=101), False, Verdict.COMMITTED),
        (replace(SAME, size=99, before=BEFORE[1:]), False, Verdict.SHORTER),
        (replace(SAME, size=101, before=b"u" * TAIL_SIZE), False, Verdict.CHANGED),
        (replace(SAME, inode=3, size=101), False, Verdict.REPLACED),
        (replace(SAME, device=9, size=101), False, Verdict.UNCOMMITTED),
        (replace(SAME, device=9, size=101, before=b"u" * TAIL_SIZE), False, Verdict.REPLACED),
    ],
)
def test_what_is_found_is_judged_by_identity_length_and_bytes(found: Found, clean: bool, verdict: Verdict) -> None:
    assert recognise(KNOWN, found, clean=clean) is verdict


def test_nothing_is_recognised_without_a_record() -> None:
    assert recognise(None, SAME, clean=False) is Verdict.UNKNOWN


def test_another_device_is_not_believed_on_few_bytes() -> None:
    known = replace(KNOWN, length=3, before=Marker.of(b"abc"))
    found = Found(device=9, inode=2, size=5, before=b"abc")
    assert recognise(known, found, clean=False) is Verdict.REPLACED
    assert recognise(known, replace(found, device=1), clean=False) is Verdict.UNCOMMITTED
