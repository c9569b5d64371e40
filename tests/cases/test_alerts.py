"""A PagerDuty that hangs, drips or talks nonsense changes nothing of what becomes of the lines."""

import json
import math
import time

import pytest

from harness.lines import assert_exactly
from harness.site import Site
from harness.until import until
from mega_collector.emitter.dead_letter import read
from pagerduty_server import Fault, PagerDutyServer

KEY = "R0UT1NGK3Y5s3cr3t0123456789abcde"
LINES, BATCH = 5000, 50


@pytest.mark.case(75)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(hang=True),
        Fault(status=500, body=b"<html>\xff\x00"),
    ],
    ids=["hangs", "fails"],
)
def test_a_service_that_misbehaves_holds_up_neither_lines_nor_the_end(site: Site, fault: Fault) -> None:
    """The destination takes nothing: each of a hundred batches fails at once, is told, and laid aside."""
    writer = site.writer()
    writer.write(LINES)
    begun = time.monotonic()
    with PagerDutyServer(usual=fault) as service, open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        notify = {"integration_key": KEY, "incident_key": "drain/1", "identifier": "Drain #1", "url": service.url}
        aggregator = site.aggregator(
            file_configuration=None,
            text_configuration="1",
            stdout=full,
            notify_configuration=json.dumps(notify),
            after_retries="discard",
            retry_count="0",
            max_batch_size=str(BATCH),
            shutdown_timeout="1s",
            log_level="debug",
        )
        collector = site.collector()
        until(lambda: len(aggregator.events("batch_discarded")) >= LINES // BATCH, aggregator.said)
        until(lambda: service.requests, "nobody was told")
        assert collector.stop() == 0
        assert collector.events("stopped", acknowledged=site.bytes_written)
        assert aggregator.stop() == 0
        # One trigger a minute, and a few attempts to tell it: each waits for twice as long as the one before.
        assert len(service.requests) <= 3 + math.log2(1 + 2 * (time.monotonic() - begun))
    letters = sorted((site.directory / "aggregator" / "dead-letters").iterdir())
    assert_exactly(b"".join(bytes(block.data) for path in letters for block in read(path).blocks), site.written)
    assert KEY not in aggregator.said()
