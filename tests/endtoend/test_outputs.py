"""Many output files, rotated and compressed, in real processes."""

import json
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from harness.lines import assert_exactly, sorted_out
from harness.outputs import held_by
from harness.process import Process
from harness.site import Site
from harness.until import until
from harness.writer import Writer


def configuration(site: Site, name: str, **more: object) -> str:
    return json.dumps({"path": f"{site.out.parent}/{name}", **more})


def await_delivered(site: Site) -> None:
    """Looked at again while it differs: files that are rotated meanwhile are seen under both names, or none."""
    seen = b""

    def is_delivered() -> bool:
        nonlocal seen
        seen = held_by(site.out.parent)
        return len(seen) == site.bytes_written and sorted_out(seen) == {k: v for k, v in site.written.items() if v}

    try:
        until(is_delivered, "everything should be delivered")
    except AssertionError:
        assert_exactly(seen, site.written)
        raise


@pytest.mark.parametrize("cause", ["directory", "link"])
def test_an_output_that_cannot_be_written_holds_up_only_what_is_for_it(site: Site, cause: str) -> None:
    stuck, free = site.writer("stuck.log"), site.writer("free.log")
    files = configuration(site, "{path}")
    aggregator = site.aggregator(file_configuration=files, retry_count="1", max_batch_size="100")
    site.collector(window_size="64KiB", max_line_size="4KiB")
    stuck.write(3)
    free.write(3)
    await_delivered(site)
    output = next(site.out.parent.rglob("stuck.log"))
    _spoil(output, cause)
    # Far more than the window holds: whatever is for the other file would be stuck behind it.
    stuck.write(5000)
    for _ in range(20):
        free.write(200)
    free_output = output.with_name("free.log")
    until(lambda: free_output.stat().st_size == sum(map(len, site.written["free", 0])), "the other should arrive")
    assert [event["event"] for event in aggregator.events() if event["event"] == "output_recovered"] == []
    _mend(output, cause)
    aggregator.kill()
    aggregator = site.aggregator(file_configuration=files)
    await_delivered(site)


def test_it_goes_on_by_itself_when_the_output_can_be_written_again(site: Site) -> None:
    writers = [site.writer(name) for name in ("stuck.log", "free.log")]
    aggregator = site.aggregator(file_configuration=configuration(site, "{path}"), retry_delay="10ms")
    collector = site.collector()
    for writer in writers:
        writer.write(3)
    await_delivered(site)
    output = next(site.out.parent.rglob("stuck.log"))
    _spoil(output, "directory")
    for writer in writers:
        writer.write(100)
    aggregator.wait_for("output_failing")
    _mend(output, "directory")
    await_delivered(site)
    aggregator.wait_for("output_recovered")
    assert collector.stop() == 0
    assert aggregator.stop() == 0
    assert aggregator.events("stopped")[0]["complete"]


def _spoil(output: Path, cause: str) -> None:
    output.parent.joinpath("kept").mkdir()
    output.rename(output.parent / "kept" / output.name)
    if cause == "link":
        output.symlink_to("/dev/full")
    else:
        output.mkdir()


def _mend(output: Path, cause: str) -> None:
    if cause == "link":
        output.unlink()
    else:
        output.rmdir()
    (output.parent / "kept" / output.name).rename(output)
    (output.parent / "kept").rmdir()


@pytest.mark.parametrize("name", ["out.log", "{host}/{path}/%Y.log"])
def test_killed_amid_rotation_and_compression_it_delivers_each_line_once(site: Site, name: str) -> None:
    writers = [site.writer(f"{number}.log") for number in range(2)]
    files = configuration(site, name, rotate_size="4KB", keep=1000, compress="gzip")
    site.collector()
    for _ in range(8):
        aggregator = site.aggregator(file_configuration=files, max_batch_size="50", wait=False)
        for _ in range(3):
            until(partial(_write_until_rotated, writers, aggregator), "it should rotate")
        aggregator.kill()
    aggregator = site.aggregator(file_configuration=files)
    await_delivered(site)
    assert aggregator.stop() == 0
    assert list(site.out.parent.rglob("*.gz"))


@pytest.mark.parametrize("name", ["{host}/{path}", "all.log"])
def test_what_the_aggregator_writes_is_not_shipped_to_it(site: Site, name: str) -> None:
    """Each file would be another source, and another file."""
    writer = site.writer()
    files = configuration(site, name, rotate_size="1KB", keep=1000, compress="gzip")
    site.aggregator(file_configuration=files)
    collector = site.collector(paths=f"{site.logs}/**\n{site.out.parent}/**")
    for _ in range(5):
        writer.write(50)
        await_delivered(site)
    collector.kill()
    collector = site.collector(paths=f"{site.logs}/**\n{site.out.parent}/**")
    writer.write(50)
    collector.wait_for("source_stopped")
    await_delivered(site)


def _write_until_rotated(writers: list[Writer], aggregator: Process) -> bool:
    rotated = len(aggregator.events("output_rotated"))
    for writer in writers:
        writer.write(60)
    with suppress(AssertionError):
        until(lambda: len(aggregator.events("output_rotated")) > rotated, "it may need more", 0.5)
        return True
    return False


def test_a_hangup_has_the_outputs_opened_anew_and_ends_nothing(site: Site) -> None:
    writer = site.writer()
    aggregator = site.aggregator()
    site.collector()
    writer.write(3)
    site.wait_for_bytes(site.bytes_written)
    inode = site.out.stat().st_ino
    aggregator.signal(signal.SIGHUP)
    writer.write(3)
    site.assert_delivered()
    assert site.out.stat().st_ino == inode
    site.out.rename(site.out.with_suffix(".log.1"))
    aggregator.signal(signal.SIGHUP)
    writer.write(3)
    until(lambda: site.size() > 0, "what was written then should be in the new file")
    until(lambda: len(held_by(site.out.parent)) == site.bytes_written, "all should be there")
