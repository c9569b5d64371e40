"""Durations are Go's: the table is from the tests of Go's own time.ParseDuration."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from mega_collector.settings.kinds import duration

UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

GO_TAKES = {
    "0": 0,
    "5s": 5,
    "30s": 30,
    "1478s": 1478,
    "-5s": -5,
    "+5s": 5,
    "-0": 0,
    "+0": 0,
    "5.0s": 5,
    "5.6s": 5.6,
    "5.s": 5,
    ".5s": 0.5,
    "1.0s": 1,
    "1.00s": 1,
    "1.004s": 1.004,
    "1.0040s": 1.004,
    "100.00100s": 100.001,
    "11us": 11e-6,
    "12µs": 12e-6,
    "12μs": 12e-6,
    "13ms": 13e-3,
    "14s": 14,
    "15m": 15 * 60,
    "16h": 16 * 3600,
    "3h30m": 3.5 * 3600,
    "10.5s4m": 4 * 60 + 10.5,
    "-2m3.4s": -(2 * 60 + 3.4),
    "1h2m3s4ms5us": 3723.004005,
    "39h9m14.425s": 39 * 3600 + 9 * 60 + 14.425,
}
GO_REFUSES = ["", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "\x85\x85", "\xffff", "hello \xffff world", "3000000h"]
DURATIONPY_WOULD_TAKE = ["1y", "1w2d", "1mm", "1h 30m", "1h,30m", "1hx30m", "٣s", "1s\n"]


@pytest.mark.parametrize(("text", "seconds"), GO_TAKES.items())
def test_what_go_takes_is_taken_for_the_same(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", [*GO_REFUSES, *DURATIONPY_WOULD_TAKE, "9" * 400 + "h"])
def test_what_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        duration(text)


_numbers = st.from_regex(r"[0-9]{1,5}(\.[0-9]{0,6})?|\.[0-9]{1,6}", fullmatch=True, alphabet="0123456789.")


@given(st.lists(st.tuples(_numbers, st.sampled_from(sorted(UNITS))), min_size=1, max_size=6))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[str, str]]) -> None:
    exact = sum(Fraction("0" + number.rstrip(".")) * UNITS[unit] for number, unit in parts) / 10**9
    text = "".join(number + unit for number, unit in parts)
    assert duration(text) == pytest.approx(float(exact), abs=1e-6)  # a microsecond is the finest that is kept


@given(st.text(max_size=12) | st.text(alphabet="0123456789.+-nuµmsh ", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(duration(text), float)
