"""The collector ends, however it ends, and begins again: nothing is lost, and nothing comes twice."""

import fcntl
import json
import re
import resource
import shutil
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from urllib.request import urlopen

import pytest

from cases.noted import acknowledged, entries, positions
from harness.audit import settled
from harness.lines import make_line
from harness.metrics import metric, unused_port
from harness.pipe import Pipe
from harness.process import Process
from harness.site import Site
from harness.until import quiet, until
from harness.writer import Writer
from mega_collector.operate.ledger import document


def state(site: Site) -> Path:
    return site.directory / "collector"


def size(writer: Writer) -> int:
    return writer.path.stat().st_size


def lose_ledger(site: Site) -> None:
    """Nothing but the checkpoint can say where to go on, then."""
    shutil.rmtree(site.directory / "aggregator")


def stop(*processes: Process) -> None:
    for process in processes:
        assert process.stop() == 0


# Killed


@pytest.mark.case(50)
def test_a_collector_that_is_killed_again_and_again_sends_everything_once(site: Site) -> None:
    random = Random(50)
    writers = [site.writer(f"{name}.log") for name in "abcd"]
    moments: list[Callable[[Process], object]] = [
        lambda process: process.events("connected"),
        lambda process: process.events("file_followed"),
        lambda process: len(process.events("file_followed")) >= len(writers),
    ]
    site.aggregator()
    for round_ in range(9):
        collector = site.collector(paths=str(site.logs / "*.log*"))
        write_until(partial(moments[round_ % len(moments)], collector), writers, random)
        steps = iter(range(random.randrange(20)))
        write_until(partial(ended, steps), writers, random)
        assert collector.running
        collector.kill()
        assert_no_position_is_too_far(site)
    site.collector(paths=str(site.logs / "*.log*"))
    site.assert_delivered()


def write_until(moment: Callable[[], object], writers: list[Writer], random: Random) -> None:
    """Write and rotate until the moment comes."""

    def write() -> object:
        for writer in writers:
            writer.write(random.randrange(20))
            if random.random() < 0.02:
                rotated = len(list(writer.path.parent.glob(f"{writer.path.name}.*")))
                writer.rotate(Path(f"{writer.path}.{rotated}"))
        return moment()

    until(write, "the moment should come")


def ended(steps: Iterator[int]) -> bool:
    return next(steps, None) is None


def assert_no_position_is_too_far(site: Site) -> None:
    """Whatever instant it is: the checkpoint can be read, and says no more than what the destination has."""
    sizes = {path.stat().st_ino: path.stat().st_size for path in site.logs.iterdir()}
    # What ended goes on as another, and is only remembered. So it is where a scan has missed a file that was renamed.
    noted = [entry for entry in entries(state(site)) if not entry.ended]
    assert all(entry.position <= sizes[entry.inode] for entry in noted)
    assert sum(entry.position for entry in noted) <= site.size()


@pytest.mark.case(50)
def test_what_a_killed_collector_left_in_flight_comes_once_though_its_checkpoint_knows_nothing_of_it(
    site: Site,
) -> None:
    """The next process describes the file as another source: told that nothing is known, it would send all again."""
    taken_in = start_aggregator_that_holds_back(site)
    writer = site.writer()
    writer.write(100)
    collector = site.collector(id="me")
    until(lambda: taken_in() == site.bytes_written, "what is written should be in flight")
    collector.kill()
    assert site.size() == 0
    shutil.rmtree(state(site))
    writer.write(100)
    collector = site.collector(id="me")
    until(lambda: taken_in() >= site.bytes_written, "what was written since should be sent")
    stop(collector)
    site.assert_delivered()


@pytest.mark.case(50)
def test_a_file_that_is_rewritten_after_a_kill_does_not_pass_for_what_was_left_of_it_in_flight(site: Site) -> None:
    """The checkpoint knows it as an empty file, with which any agrees: the next process takes up the same source."""
    taken_in = start_aggregator_that_holds_back(site)
    writer = site.writer()
    collector = site.collector(id="me")
    collector.wait_for("file_followed")
    stop(collector)
    collector = site.collector(id="me")
    collector.wait_for("file_followed")
    writer.write(100)
    until(lambda: taken_in() == site.bytes_written, "what is written should be in flight")
    collector.kill()
    assert site.size() == 0
    assert positions(state(site)) == {"a.log": 0}
    writer.truncate()
    writer.write(200)
    collector = site.collector(id="me")
    until(lambda: taken_in() >= site.bytes_written, "what was written since should be sent")
    stop(collector)
    site.assert_delivered()


@pytest.mark.case(50)
def test_the_end_of_a_source_that_a_killed_collector_could_not_tell_is_told_by_the_next(site: Site) -> None:
    """Else the ledger would keep the source for good."""
    aggregator, collector = site.both()
    writer = site.writer()
    writer.write(10)
    site.assert_delivered()
    until(lambda: acknowledged(state(site)) == site.bytes_written, "it should be acknowledged")
    aggregator.kill()
    writer.rotate(site.logs / "a.old")
    collector.wait_for("file_retired")
    until(lambda: any(entry.untold for entry in entries(state(site))), "that it is to be told should be noted")
    collector.kill()
    site.both()
    until(lambda: states(site) == {"finished"}, "the ledger should hear that it has ended")


def states(site: Site) -> set[str]:
    """Of the sources in the ledger."""
    return {each["state"] for each in json.loads(document(site.directory / "aggregator"))["sources"]}


def start_aggregator_that_holds_back(site: Site) -> Callable[[], float]:
    """It publishes only when it is asked to; how many bytes it has taken in."""
    metrics = f"127.0.0.1:{unused_port()}"
    site.aggregator(minimum_publish_frequency="1h", metrics_address=metrics)
    return lambda: metric(metrics, "mega_collector_aggregator_received_bytes_total") or 0


# Stopped


@pytest.mark.case(51)
def test_a_clean_stop_writes_the_checkpoint_and_the_next_start_goes_on_from_there(site: Site) -> None:
    writers = [site.writer(name) for name in ("a.log", "b.log")]
    for count in (1000, 3, 3):
        for writer in writers:
            writer.write(count)
        aggregator, collector = site.both()
        site.assert_delivered()
        stop(collector, aggregator)
        assert positions(state(site)) == {writer.path.name: size(writer) for writer in writers}
        lose_ledger(site)


@pytest.mark.case(52)
def test_what_was_sent_and_is_not_acknowledged_is_not_in_the_checkpoint(site: Site) -> None:
    writer = site.writer()
    writer.write(2000)
    with Pipe() as pipe:
        # A page: less than any block.
        fcntl.fcntl(pipe.writing, fcntl.F_SETPIPE_SZ, 4096)
        aggregator = site.aggregator(
            file_configuration=None, text_configuration="1", max_batch_size="100000", stdout=pipe.writing
        )
        collector = site.collector(shutdown_timeout="300ms")
        until(lambda: pipe.waiting, "nothing came into the pipe")
        stop(collector)
        aggregator.kill()
    assert positions(state(site)) == {"a.log": 0}
    lose_ledger(site)
    site.both()
    site.assert_delivered()


@pytest.mark.case(52)
def test_an_aggregator_that_takes_connections_and_never_answers_moves_nothing(site: Site) -> None:
    site.writer().write(100)
    with socket.socket(socket.AF_UNIX) as deaf:
        path = site.address.removeprefix("unix:")
        deaf.bind(path)
        deaf.listen()
        collector = site.collector(shutdown_timeout="300ms")
        connection, _ = deaf.accept()
        with connection:
            stop(collector)
        Path(path).unlink()
    assert positions(state(site)) == {}
    site.both()
    site.assert_delivered()


@pytest.mark.case(53)
def test_the_checkpoint_never_passes_the_first_byte_that_was_not_taken(site: Site) -> None:
    writer = site.writer()
    writer.write(3000, padding=1000)
    # The first batches fit, and no more: what is behind them waits, in flight.
    limit = 1 << 20
    aggregator = site.aggregator(max_batch_bytes="100KiB", wrapper=("prlimit", f"--fsize={limit}:unlimited"))
    collector = site.collector(compression="none")
    aggregator.wait_for("emit_failed")
    taken = site.size()
    assert 0 < taken < size(writer)
    until(lambda: acknowledged(state(site)) == taken, "what was taken should be acknowledged")
    quiet(lambda: acknowledged(state(site)), "the checkpoint")
    collector.kill()
    assert positions(state(site)) == {"a.log": taken}
    aggregator.kill()
    site.both()
    site.assert_delivered()


@pytest.mark.case(54)
def test_a_line_that_is_completed_after_a_restart_is_one_line(site: Site) -> None:
    writer = site.writer()
    writer.write(10)
    whole = size(writer)
    rest = writer.write_part()
    aggregator, collector = site.both()
    site.wait_for_bytes(whole)
    quiet(site.size, "half a line")
    stop(collector, aggregator)
    assert positions(state(site)) == {"a.log": whole}
    lose_ledger(site)
    writer.write_rest(rest)
    site.both()
    site.assert_delivered()


# A checkpoint that is damaged


def cut(length: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:length]


def zero(data: bytes) -> bytes:
    return bytes(len(data))


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.case(55)
def test_a_damaged_checkpoint_is_told_and_put_aside_and_everything_still_comes_once(site: Site) -> None:
    """The aggregator's ledger knows what the checkpoint has lost."""
    aggregator = site.aggregator()
    writers = [site.writer(f"{name}.log") for name in "abc"]
    path = state(site) / "checkpoint"
    for number, damage in enumerate((cut(100), flip)):
        for writer in writers:
            writer.write(10)
        collector = site.collector()
        site.assert_delivered()
        assert not collector.events("checkpoint_damaged"), "it is dealt with once"
        stop(collector)
        damaged = damage(path.read_bytes())
        path.write_bytes(damaged)
        for writer in writers:
            writer.write(1)
        collector = site.collector()
        site.assert_delivered()
        said = collector.wait_for("checkpoint_damaged")
        assert said["level"] == "error"
        assert str(path) in said["reason"]
        stop(collector)
        aside = sorted(state(site).glob("checkpoint.damaged-*"))
        assert len(aside) == number + 1
        assert aside[-1].read_bytes() == damaged
    assert aggregator.running


@pytest.mark.case(55)
def test_a_damaged_checkpoint_loses_nothing_even_where_the_ledger_is_lost_too(site: Site) -> None:
    """Then the checkpoint before it counts, and some may come again."""
    writer = site.writer()
    for _ in range(2):
        writer.write(100)
        aggregator, collector = site.both()
        site.assert_delivered()
        stop(collector, aggregator)
    lose_ledger(site)
    path = state(site) / "checkpoint"
    path.write_bytes(zero(path.read_bytes()))
    writer.write(100)
    _, collector = site.both()
    collector.wait_for("checkpoint_damaged")
    site.assert_lossless()
    again = site.size() - site.bytes_written
    assert 0 <= again <= sum(map(len, writer.lines[100:200])), "what the one before knew is not sent again"


@pytest.mark.case(55, 56)
def test_a_damaged_checkpoint_is_shown_and_so_is_one_that_cannot_be_written(site: Site) -> None:
    writer = site.writer()
    writer.write(10)
    _, collector = site.both()
    site.assert_delivered()
    stop(collector)
    address = free_address()
    for damaged in (0, 1):
        if damaged:
            path = state(site) / "checkpoint"
            path.write_bytes(zero(path.read_bytes()))
        collector = site.collector(metrics_address=address)
        until(lambda: shown(address, "connected") == 1, "it should connect")
        assert shown(address, "checkpoint_damaged") == damaged
        stop(collector)
    collector = site.collector(metrics_address=address)
    site.assert_delivered()
    until(lambda: shown(address, "checkpoint_failing") == 0, "it should answer")
    shutil.rmtree(state(site))
    state(site).write_bytes(b"mine")
    writer.write(1)
    until(lambda: shown(address, "checkpoint_failing") == 1, "it should be shown")
    state(site).unlink()
    until(lambda: shown(address, "checkpoint_failing") == 0, "it should recover")
    site.assert_delivered()


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def shown(address: str, name: str) -> float | None:
    """What a collector's metrics say of itself; None: it does not answer yet."""
    try:
        with urlopen(f"http://{address}/metrics", timeout=10) as answer:
            found = re.search(rf"^mega_collector_collector_{name} (\S+)$", answer.read().decode(), re.MULTILINE)
    except OSError:
        return None
    return float(found[1]) if found else None


# A checkpoint that cannot be written


class Trouble:
    """What keeps a running collector from writing its checkpoint, and how that ends."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.begins: Callable[[Process], object] = self._take_away
        self.ends: Callable[[Process], object] = lambda _: state(site).unlink()

    def _take_away(self, _: Process) -> None:
        """The directory is removed, and something else is made in its place."""
        shutil.rmtree(state(self.site))
        state(self.site).write_bytes(b"mine")


class Full(Trouble):
    """No file may grow beyond what the checkpoint has now, which is more than the log has."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.begins = self._limit
        self.ends = lambda collector: limit(collector, resource.RLIM_INFINITY)

    def _limit(self, collector: Process) -> None:
        room = (state(self.site) / "checkpoint").stat().st_size + 50
        assert collector.log.stat().st_size + 2000 < room, "its log must not be hindered"
        limit(collector, room)


def limit(process: Process, largest_file: int) -> None:
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))


@pytest.mark.case(56)
@pytest.mark.parametrize("kind", [Trouble, Full])
def test_a_checkpoint_that_cannot_be_written_holds_up_nothing_and_is_told_once_and_recovers(
    site: Site, kind: type[Trouble]
) -> None:
    trouble = kind(site)
    writers = [site.writer(f"{number}.log") for number in range(60)]
    for writer in writers:
        writer.write(3)
    aggregator = site.aggregator()
    collector = site.collector()
    site.assert_delivered()
    until(lambda: acknowledged(state(site)) == site.size(), "it should be written first")
    trouble.begins(collector)
    for writer in writers:
        writer.write(1)
    site.assert_delivered()
    collector.wait_for("checkpoint_failed")
    # It is tried again every second; that is told no further.
    quiet(lambda: len(collector.events("checkpoint_failed")), "what was told", seconds=1.2)
    if kind is Full:
        assert acknowledged(state(site)) < site.size()
        assert len(entries(state(site))) == len(writers), "what was written before is whole"
    for writer in writers[:3]:
        writer.write(1)
    site.assert_delivered()
    trouble.ends(collector)
    collector.wait_for("checkpoint_recovered")
    assert len(collector.events("checkpoint_failed")) == 1
    stop(collector, aggregator)
    assert positions(state(site)) == {writer.path.name: size(writer) for writer in writers}
    lose_ledger(site)
    writers[0].write(1)
    site.aggregator()
    site.collector()
    site.assert_delivered()


@pytest.mark.case(56)
def test_a_state_directory_that_is_removed_while_the_collector_runs_is_made_again(site: Site) -> None:
    writers = [site.writer(f"{name}.log") for name in "abc"]
    for writer in writers:
        writer.write(10)
    both = site.both()
    site.assert_delivered()
    shutil.rmtree(state(site))
    writers[0].write(10)
    site.assert_delivered()
    until((state(site) / "checkpoint").exists, "it should be made again")
    stop(*reversed(both))
    assert positions(state(site)) == {writer.path.name: size(writer) for writer in writers}
    assert not both[1].events("checkpoint_failed")


# Two at once


@pytest.mark.case(58)
def test_a_killed_collector_is_not_in_the_way_of_the_next_and_a_running_one_is(site: Site) -> None:
    site.writer().write(100)
    _, first = site.both()
    site.assert_delivered()
    first.kill()
    second = site.collector()
    site.writer("b.log").write(100)
    site.assert_delivered()
    third = site.collector()
    assert third.wait() == 2
    assert "in use by another collector" in third.said()
    assert second.running


# Files that are gone


@pytest.mark.case(59)
def test_files_that_come_and_go_leave_little_in_the_checkpoint(site: Site) -> None:
    aggregator = site.aggregator()
    collector = site.collector(rotate_wait="50ms")
    kept = site.writer("kept.log")
    files = 100
    for batch in range(3):
        paths = []
        for number in range(files):
            path = site.logs / f"{batch}-{number}.log"
            site.written[f"{batch}-{number}", 0] = [make_line(f"{batch}-{number}", 0, 0)]
            path.write_bytes(site.written[f"{batch}-{number}", 0][0])
            paths.append(path)
        kept.write(1)
        site.assert_delivered()
        for path in paths:
            path.unlink()
        collector.wait_for("file_retired", count=files * (batch + 1))
    stop(collector, aggregator)
    assert positions(state(site)) == {"kept.log": size(kept)}
    assert sum(path.stat().st_size for path in state(site).iterdir()) < 1 << 20


@pytest.mark.case(59)
def test_what_is_gone_and_not_acknowledged_stays_in_the_checkpoint(site: Site) -> None:
    kept, gone = site.writer("kept.log"), site.writer("gone.log")
    for writer in (kept, gone):
        writer.write(10)
    aggregator, collector = site.both()
    site.assert_delivered()
    before = size(gone)
    until(lambda: acknowledged(state(site)) == site.size(), "it should be written first")
    aggregator.freeze()
    gone.write(10)
    gone.path.unlink()
    collector.wait_for("file_gone")
    quiet(lambda: len(collector.events("file_retired")), "what was not acknowledged", seconds=0.5)
    collector.kill()
    assert positions(state(site)) == {"kept.log": size(kept), "gone.log": before}


@pytest.mark.case(59)
def test_a_file_that_is_shorter_than_its_position_after_a_restart_is_read_from_its_beginning(site: Site) -> None:
    writer = site.writer()
    writer.write(100)
    aggregator, collector = site.both()
    for ledger_is_lost in (False, True):
        site.assert_delivered()
        stop(collector, aggregator)
        if ledger_is_lost:
            lose_ledger(site)
        writer.truncate()
        writer.write(20)
        aggregator, collector = site.both()
    site.assert_delivered()


@pytest.mark.case(59)
def test_a_file_that_is_shorter_than_its_position_after_a_restart_is_told(site: Site) -> None:
    writer = site.writer()
    writer.write(100)
    aggregator, collector = site.both()
    site.assert_delivered()
    shipped = site.bytes_written
    stop(collector)
    writer.truncate()
    writer.write(20)
    collector = site.collector()
    site.assert_delivered()
    for half in (collector, aggregator):
        half.wait_for("source_lost", path=str(writer.path), start=shipped, end=None)


def test_a_collector_that_is_given_another_id_goes_on_where_it_stood(site: Site) -> None:
    """As the warning of an id that is not stable advises: what it has shipped as another is not its own any more."""
    aggregator, collector, writer = site.shipped(10, id="before")
    assert collector.stop() == 0
    writer.write(10)
    changed = site.collector(id="after").wait_for("collector_id_changed")
    assert "'before'" in changed["reason"]
    site.assert_delivered()
    writer.write(10)
    site.assert_delivered()
    assert not aggregator.events("block_refused")


@pytest.mark.case(48)
def test_a_copy_in_which_a_source_goes_on_is_known_by_the_ledger_from_then_on(site: Site) -> None:
    """It has an inode of its own: else the source would begin anew once the collector's state is lost."""
    everything = f"{site.logs}/*.log*"
    _, collector, writer = site.shipped(10, paths=everything)
    stop(collector)
    writer.write(5)
    writer.copy_and_truncate(site.logs / "a.log.1")
    writer.write(5)
    collector = site.collector(paths=everything)
    site.assert_delivered()
    assert settled(site, paths=everything).states() == {"a.log": "complete", "a.log.1": "complete"}
    collector.kill()
    shutil.rmtree(state(site))
    collector = site.collector(paths=everything)
    until(lambda: len(collector.events("file_followed")) == 2, "both to be followed")
    site.assert_delivered()
