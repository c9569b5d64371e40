import pytest

from mega_collector.errors import WireError
from mega_collector.telemetry.view import age, bar, count, decode
from telemetry.part import Part


def test_a_view_goes_over_a_wire_and_comes_back() -> None:
    view = Part().view()
    assert decode(view.encode()) == view


def test_words_from_anywhere_can_be_sent() -> None:
    assert decode(Part("\udcff\x1b").view().encode()).host == "\\xff\\x1b"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"half": 1}', b"null"])
def test_what_is_no_view_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match="another version"):
        decode(data)


def test_numbers_for_people() -> None:
    assert [age(each) for each in (None, 0, 59, 90, 7200, 200_000)] == ["", "0 s", "59 s", "2 min", "2 h", "2 d"]
    assert [count(each) for each in (0, 12_345, 1_234_567)] == ["0", "12,345", "1.2 M"]
    assert bar([0, 1, 8]) == " ▂█"
    assert bar([0, 0]) == "  "
