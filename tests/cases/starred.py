"""The most telling of the hundred hard cases: where all is there that tests need, none of theirs is skipped."""

import pytest

STARRED = {15, 18, 19, 24, 27, 30, 31, 33, 34, 38, 39, 40, 44, 49, 50, 55, 56, 60, 66, 69, 71, 75, 80, 94, 95}


def fail_if_skipped(item: pytest.Item, report: pytest.TestReport, why: object) -> None:
    numbers = {number for mark in item.iter_markers("case") for number in mark.args} & STARRED
    if report.skipped and numbers:
        report.outcome = "failed"
        report.longrepr = f"a test of a starred case, {min(numbers)}, was skipped: {why}"
