"""Logs as Python's own handlers write and rotate them: whatever they keep arrives once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler

import pytest

from harness.lines import make_line
from harness.site import Site
from harness.until import until


@pytest.mark.case(32)
def test_rotating_by_size(site: Site) -> None:
    """Faster than anyone looks: the names move, and the pattern takes them all in."""
    site.aggregator()
    site.collector(paths=str(site.logs / "a.log*"))
    handler = RotatingFileHandler(site.logs / "a.log", maxBytes=20_000, backupCount=100)
    with _logger(handler) as logger:
        _log(site, logger, 3000)
    assert len(list(site.logs.iterdir())) > 10
    site.assert_delivered()


@pytest.mark.case(27, 33)
def test_rotating_by_size_and_removing_the_oldest_while_the_destination_hangs(site: Site) -> None:
    aggregator, collector = site.aggregator(), site.collector(paths=str(site.logs / "a.log*"))
    handler = RotatingFileHandler(site.logs / "a.log", maxBytes=20_000, backupCount=2)
    with _logger(handler) as logger:
        _log(site, logger, 1)
        site.assert_delivered()
        aggregator.freeze()
        for _ in range(6):
            _log(site, logger, 150)
            handler.doRollover()
            _log(site, logger, 1)
            until(lambda: collector.holds(site.logs / "a.log"), "a new file should be opened as soon as it is seen")
        aggregator.thaw()
        site.assert_delivered()


@pytest.mark.case(25)
def test_rotating_by_time(site: Site) -> None:
    _, collector = site.both()
    handler = TimedRotatingFileHandler(site.logs / "a.log", when="H", backupCount=100, delay=True)
    with _logger(handler) as logger:
        for number in range(4):
            _log(site, logger, 100)
            collector.wait_for("file_followed", count=number + 1)
            # Time is up, whatever it is; the archives' names differ, as they would in other seconds.
            handler.suffix = f"2024-01-01_00-00-0{number}"
            handler.rolloverAt = 0
        _log(site, logger, 100)
    assert len(list(site.logs.iterdir())) == 5
    site.assert_delivered()


@contextmanager
def _logger(handler: logging.Handler) -> Iterator[logging.Logger]:
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.Logger("tested")  # noqa: LOG001 - it must not be anyone else's
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


def _log(site: Site, logger: logging.Logger, count: int) -> None:
    """One logical log in many files: lines of one source are in order, and so here is each part."""
    for _ in range(count):
        number = sum(1 for key in site.written if key[0] == "a")
        line = make_line("a", number, 0)
        site.written["a", number] = [line]
        logger.info("%s", line.decode().rstrip("\n"))
