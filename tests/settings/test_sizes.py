from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from mega_collector.settings.kinds import size

UNITS = {
    "": 1,
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
    "mib": 1024**2,
}


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str, space: str) -> None:
    assert size(f"{number}{space if unit else ''}{unit}") == number * UNITS[unit]


@pytest.mark.parametrize("text", ["", "MiB", "-1", "0", "0MiB", "1.5MiB", "1M", "1 000", "1_000", "1e6", "1MiBs", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        size(text)


@pytest.mark.parametrize("text", ["999999999999999TiB", "9" * 5000])
def test_a_size_beyond_all_disks_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        size(text)


@given(st.text(max_size=10))
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert size(text) >= 1
