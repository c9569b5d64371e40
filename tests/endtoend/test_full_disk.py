"""The destination's disk is full, and freed again: an incident is opened and resolved, nothing is lost or doubled."""

import json
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.health import NOT_SERVING, SERVING, health
from harness.process import Process
from harness.site import Site
from harness.until import quiet, rests, until
from mega_collector.emitter.dead_letter import read
from pagerduty_server import PagerDutyServer

MIB = 1 << 20
LINES, PADDING = 3000, 1000
"""Three megabytes: more than the disk holds."""

LIMITED = ("prlimit", f"--fsize={6 * MIB + 777}:unlimited")
"""No file may be larger: the write that would pass it is short, and the next one fails."""


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyServer]:
    with PagerDutyServer() as server:
        yield server


class Disk:
    """A small disk in a namespace of its own, mounted where the destination is: seen through the process on it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._process: Process | None = None

    @property
    def wrapper(self) -> Sequence[str]:
        mount = f'mount -t tmpfs -o size=2m tmpfs {self._site.out.parent} && exec "$@"'
        return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")

    def used_by(self, process: Process) -> None:
        """From now on the site's destination is the one that the process sees."""
        self._process = process
        self._site.out = Path(f"/proc/{process.pid}/root{self._site.out}")

    def free(self) -> None:
        assert self._process is not None
        directory = str(self._site.out.parent).removeprefix(f"/proc/{self._process.pid}/root")
        enter = ["nsenter", f"--target={self._process.pid}", "--user", "--mount", "--preserve-credentials"]
        subprocess.run([*enter, "mount", "-o", "remount,size=64m", directory], check=True)


@pytest.fixture
def disk(site: Site) -> Disk:
    if shutil.which("nsenter") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0:
        pytest.skip("this machine allows no user namespaces, in which a small disk could be mounted")
    return Disk(site)


@pytest.mark.case(73, 95)
def test_waiting_holds_up_the_collectors_until_there_is_room_again(site: Site, pagerduty: PagerDutyServer) -> None:
    writer = site.writer()
    writer.write(10_000, padding=PADDING)
    aggregator = site.aggregator(wrapper=LIMITED, **_alerting(pagerduty, after_retries="wait"))
    collector = site.collector()
    pagerduty.wait(lambda: pagerduty.open == 1, within=30)
    until(lambda: health(site.address) == NOT_SERVING, "health should follow the destination")
    _wait_for_whole_lines(site)
    rests(site.size, "a full disk")
    writer.write(10)
    _lift_limit(aggregator)
    # The slowest pace is slower than a test: being asked to end, it tries once more.
    assert aggregator.stop() == 0
    assert aggregator.events("stopped", complete=True)
    pagerduty.wait(lambda: pagerduty.open == 0, within=30)
    assert pagerduty.opened == 1
    site.aggregator(**_alerting(pagerduty, after_retries="wait"))
    site.assert_delivered()
    until(lambda: health(site.address) == SERVING, "health should follow the destination")
    assert pagerduty.opened == 1
    assert collector.stop() == 0
    assert collector.events("stopped", acknowledged=site.bytes_written)


@pytest.mark.case(95)
def test_discarding_lays_dead_letters_and_acknowledges(site: Site, disk: Disk, pagerduty: PagerDutyServer) -> None:
    site.writer().write(LINES, padding=PADDING)
    aggregator = site.aggregator(wrapper=disk.wrapper, **_alerting(pagerduty, after_retries="discard"))
    disk.used_by(aggregator)
    collector = site.collector()
    pagerduty.wait(lambda: pagerduty.open == 1, within=30)
    letters = site.directory / "aggregator" / "dead-letters"
    until(lambda: site.size() + _size_of_letters(letters) >= site.bytes_written, aggregator.said)
    quiet(site.size, "the destination")
    before = site.size()
    # What is published for its age may be small enough to fit behind what was given up.
    assert set(site.output().splitlines(keepends=True)) <= set(site.written["a", 0])
    disk.free()
    writer = site.writer("later.log")
    writer.write(100)
    site.wait_for_bytes(before + sum(len(line) for line in writer.lines))
    pagerduty.wait(lambda: pagerduty.open == 0, within=30)
    assert pagerduty.opened == 1
    discarded = b"".join(bytes(block.data) for path in sorted(letters.iterdir()) for block in read(path).blocks)
    # Each line is either there or there, and nothing is in both.
    everything = (site.output() + discarded).splitlines(keepends=True)
    assert sorted(everything) == sorted(line for lines in site.written.values() for line in lines)
    assert len(aggregator.events("batch_discarded")) == len(list(letters.iterdir()))
    # All of it is acknowledged: nothing comes again.
    assert collector.stop() == 0
    assert collector.events("stopped", acknowledged=site.bytes_written)
    site.collector()
    quiet(site.size, "the destination")
    # And all of it can come back.
    replay = site.start("replay", {"AGGREGATOR_STATE_DIRECTORY": str(letters.parent)})
    assert replay.wait() == 0, replay.said()
    assert sorted(site.output().splitlines(keepends=True)) == sorted(everything)
    assert list(letters.iterdir()) == []


@pytest.mark.case(67, 95)
def test_short_writes_leave_no_torn_line(site: Site) -> None:
    site.writer().write(10_000, padding=PADDING)
    aggregator = site.aggregator(wrapper=LIMITED, max_batch_size="700")
    site.collector()
    aggregator.wait_for("emit_failed")
    _wait_for_whole_lines(site)
    _lift_limit(aggregator)
    site.assert_delivered()


@pytest.mark.case(95)
def test_the_end_comes_while_the_disk_is_full_and_the_rest_later(site: Site) -> None:
    site.writer().write(10_000, padding=PADDING)
    collector = site.collector()
    for end in ("stop", "kill"):
        aggregator = site.aggregator(wrapper=LIMITED, max_batch_size="700", shutdown_timeout="300ms")
        aggregator.wait_for("emit_failed")
        if end == "stop":
            assert aggregator.stop() == 0
            _wait_for_whole_lines(site)
        else:
            # What it was about to cut away is cut by the next one.
            aggregator.kill()
    site.aggregator()
    site.assert_delivered()
    assert collector.running


def _alerting(pagerduty: PagerDutyServer, *, after_retries: str) -> dict[str, Any]:
    configuration = {
        "integration_key": "0123456789abcdef0123456789abcdef",
        "incident_key": "stack/log_drain/1/notify",
        "identifier": "Log Drain #1 (test)",
        "url": pagerduty.url,
    }
    return {
        "notify_configuration": json.dumps(configuration),
        "after_retries": after_retries,
        "retry_count": "1",
        "max_batch_size": "100",
    }


def _lift_limit(process: Process) -> None:
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _wait_for_whole_lines(site: Site) -> None:
    """What is there is a beginning of what was written, and ends with a whole line: but for moments, while it tries."""
    written = b"".join(site.written["a", 0])
    until(lambda: written.startswith(data := site.output()) and data.endswith(b"\n"), "a line should not stay torn")


def _size_of_letters(directory: Path) -> int:
    return sum(block.end - block.start for path in directory.glob("*.dead") for block in read(path).blocks)
