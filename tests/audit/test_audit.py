"""What `audit` says of real files, beside a real collector and a real aggregator."""

import gzip
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from harness.audit import Audited, audited, run_audit, settled, understood
from harness.site import Site, environ
from harness.until import until
from mega_collector.audit.assembly import audit
from mega_collector.settings import CollectorSettings, load
from starting.attempt import give_away, unprivileged


def flip(path: Path, at: int) -> None:
    """Change one byte, by hand: as no program that writes a log does."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))


# What is there


def test_what_is_shipped_is_complete(site: Site) -> None:
    site.both()
    site.writer().write(1000)
    site.writer("b.log").write(10)
    (site.logs / "empty.log").touch()
    site.assert_delivered()
    found = settled(site)
    assert found.code == 0
    assert found.states() == dict.fromkeys(("a.log", "b.log", "empty.log"), "complete")
    assert found.total["entries"] == 1010
    assert found.total["committed"] == found.total["size"] == site.bytes_written


def test_what_is_not_shipped_is_behind_and_not_lost(site: Site) -> None:
    _, collector, writer = site.shipped()
    assert collector.stop() == 0
    shipped = site.bytes_written
    writer.write(5)
    site.writer("new.log").write(1)
    found = audited(site)
    assert found.code == 0
    assert found.states()["a.log"] == f"behind by {site.bytes_written - shipped - len(site.written['new', 0][0])}"
    assert found.file("new.log")["committed"] == 0


def test_a_last_line_that_is_not_finished_is_told_as_such(site: Site) -> None:
    _, _, writer = site.shipped()
    settled(site)
    writer.write_part(20)
    assert audited(site).states() == {"a.log": "behind by 20 (a line without its end)"}


def test_files_that_grow_are_complete_as_far_as_they_were_shipped(site: Site) -> None:
    site.both()
    writers = [site.writer(f"{number}.log") for number in range(20)]
    for _ in range(5):
        for writer in writers:
            writer.write(50)
        found = audited(site)
        assert found.code == 0
        assert all(each["sound"] for each in found.said["files"])
    site.assert_delivered()
    assert settled(site).total["complete"] == 20


def test_nothing_is_touched(site: Site) -> None:
    _, collector = site.both()
    site.writer().write(10)
    site.assert_delivered()
    assert collector.stop() == 0
    state = site.directory / "collector"
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    assert audited(site).code == 0
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before


# What is not


@pytest.mark.parametrize("at", [0, 40_000, -30], ids=["its head", "its middle", "before its end"])
@pytest.mark.parametrize("running", [False, True], ids=["stopped", "running"])
def test_a_byte_that_was_changed_by_hand_differs(site: Site, at: int, *, running: bool) -> None:
    _, collector = site.both()
    writer = site.writer()
    writer.write(1000)
    other = site.writer("b.log")
    other.write(10)
    site.assert_delivered()
    settled(site)
    if not running:
        assert collector.stop() == 0
    flip(writer.path, at % site.bytes_written if at >= 0 else writer.path.stat().st_size + at)
    if running and at != 40_000:
        # The collector sees it too: to it the file is another from now on, and is shipped as such.
        collector.wait_for("source_truncated")
        until(lambda: settled(site).states() == {"a.log": "complete", "b.log": "complete"}, "it should be shipped anew")
        return
    found = audited(site)
    assert found.code == 1
    assert found.states() == {"a.log": "differs", "b.log": "complete"}
    assert found.total["differing"] == 1


def test_what_was_discarded_is_told(site: Site) -> None:
    limited = ("prlimit", "--fsize=100000:unlimited")
    aggregator = site.aggregator(wrapper=limited, after_retries="discard", retry_count="1", max_batch_size="500")
    site.collector()
    site.writer().write(2000)
    aggregator.wait_for("batch_discarded")
    found = settled(site)
    # What is published for its age may be small enough to fit behind what was given up: then there are two.
    first, *_ = discarded = found.file("a.log")["discarded"]
    assert found.code == 1
    assert found.states()["a.log"].startswith(f"discarded {first['start']}-{first['end']}")
    assert site.bytes_written - site.size() == sum(each["end"] - each["start"] for each in discarded)


def test_what_was_lost_counts_though_its_file_is_gone(site: Site) -> None:
    aggregator, collector, writer = site.shipped()
    shipped = site.bytes_written
    assert aggregator.stop() == 0
    # Nothing is read for as long as nobody takes it.
    collector.wait_for("connection_failed")
    writer.write(10)
    size = writer.path.stat().st_size
    for name in ("later", "later still", "last"):
        path = site.writer(f"{name}.log").path
        until(partial(collector.holds, path), "a new file should be opened")
    writer.truncate()
    collector.wait_for("source_lost", path=str(writer.path), start=shipped, end=size)
    site.aggregator()
    until(lambda: _failing(site), "what is lost should be told")
    found = audited(site)
    assert found.states()["a.log"] == "complete"
    assert (found.total["gone"], found.total["gone_entries"]) == (1, 10)
    assert found.total["gone_lost"] == size - shipped
    assert f"{size - shipped} bytes lost" in run_audit(site).stdout


def test_what_vanished_while_the_collector_was_stopped_may_be_lost(site: Site) -> None:
    _, collector, writer = site.shipped()
    settled(site)
    assert collector.stop() == 0
    writer.write(10)
    writer.path.unlink()
    assert audited(site).code == 0
    site.collector()
    until(lambda: _failing(site), "what may be lost should be told")
    said = run_audit(site).stdout
    assert "1 more whose files are gone: 10 entries; 0 bytes lost; of 1 nobody knows" in said


def _failing(site: Site) -> Audited | None:
    found = audited(site)
    return found if found.code else None


def test_a_file_that_cannot_be_read_is_a_row(site: Site) -> None:
    site.address = site.aggregator(listen_address="127.0.0.1:0").events("listening")[0]["address"]
    site.collector(id="me")
    writer = site.writer()
    writer.write(10)
    site.writer("b.log").write(10)
    site.assert_delivered()
    settled(site, id="me")
    writer.path.chmod(0)
    give_away(site.directory)
    found = understood(run_audit(site, "--json", wrapper=unprivileged(), id="me"))
    assert found.code == 1
    assert found.states() == {"a.log": "cannot be read: Permission denied", "b.log": "complete"}
    assert (found.total["unreadable"], found.total["gone"]) == (1, 0)


def test_an_archive_that_is_damaged_cannot_be_read(site: Site) -> None:
    site.both()
    site.writer().write(10)
    site.assert_delivered()
    settled(site)
    packed = bytearray(gzip.compress(os.urandom(100_000)))
    packed[5000:6000] = b"\0" * 1000
    (site.logs / "x.log.gz").write_bytes(packed)
    found = audited(site, paths=f"{site.logs}/*")
    assert found.code == 1
    assert found.states()["x.log.gz"].startswith("cannot be read: the archive is damaged")
    assert found.states()["a.log"] == "complete"
    assert found.total["unreadable"] == 1


# What was passed over


def test_what_was_there_before_the_collector_is_skipped(site: Site) -> None:
    (site.logs / "a.log").write_bytes(b"old\n" * 1000)
    site.aggregator()
    site.collector(start_at="end").wait_for("file_followed")
    with (site.logs / "a.log").open("ab") as log:
        log.write(b"new\n")
    site.wait_for_bytes(4)
    found = settled(site)
    assert found.code == 0
    assert found.states() == {"a.log": "skipped 0-4000 (start at end)"}
    assert found.file("a.log")["entries"] == 1


def test_a_hole_is_skipped_and_not_read(site: Site) -> None:
    site.both()
    with (site.logs / "a.log").open("wb") as log:
        log.write(b"before\n")
        log.seek(1 << 36)
        log.write(b"behind\n")
    site.wait_for_bytes(14)
    found = settled(site)
    assert found.code == 0
    (hole,) = found.file("a.log")["skipped"]
    assert hole == {"start": 7, "end": 1 << 36, "reason": "hole"}


def test_space_that_was_set_aside_is_behind_and_told_as_such(site: Site) -> None:
    site.both()
    writer = site.writer()
    writer.write(10)
    os.truncate(writer.path, 1 << 36)
    site.assert_delivered()
    until(
        lambda: audited(site).states()["a.log"].endswith("(a hole, which may be written to)"),
        lambda: str(audited(site).said),
    )


# Which file is which


def test_a_file_that_was_truncated_is_what_it_holds_now(site: Site) -> None:
    _, collector, writer = site.shipped(100)
    writer.truncate()
    collector.wait_for("source_truncated")
    writer.write(10)
    site.assert_delivered()
    found = settled(site)
    assert found.code == 0
    assert found.states() == {"a.log": "complete"}
    assert found.file("a.log")["entries"] == 10
    assert (found.total["gone"], found.total["gone_entries"]) == (1, 100)


def test_a_file_that_was_truncated_while_the_collector_was_stopped_is_new(site: Site) -> None:
    _, collector, writer = site.shipped(100)
    assert collector.stop() == 0
    writer.truncate()
    writer.write(10)
    found = audited(site)
    assert found.code == 0
    assert found.states() == {"a.log": f"behind by {writer.path.stat().st_size}"}


def test_a_file_is_known_by_its_bytes_under_whatever_name(site: Site) -> None:
    _, collector, writer = site.shipped(100)
    writer.rotate(site.logs / "a.old.log")
    writer.write(10)
    site.assert_delivered()
    assert settled(site).states() == {"a.log": "complete", "a.old.log": "complete"}
    assert collector.stop() == 0
    writer.rotate(site.logs / "a.older.log", reopen=False)
    assert settled(site).states() == {"a.older.log": "complete", "a.old.log": "complete"}


def test_files_that_no_pattern_finds_are_summed_up(site: Site) -> None:
    _, collector, writer = site.shipped(100)
    writer.rotate(site.logs / "a.log.1")
    collector.wait_for("file_retired")
    writer.write(10)
    site.assert_delivered()
    settled(site)
    ended = run_audit(site)
    assert ended.code == 0
    assert "1 more whose files are gone: 100 entries; 0 bytes lost" in ended.stdout


def test_a_path_that_is_no_file_is_told_and_is_not_well(site: Site) -> None:
    site.both()
    site.writer().write(10)
    site.assert_delivered()
    (site.logs / "directory").mkdir()
    mistyped, directory = site.logs / "b.lgo", site.logs / "directory"
    ended = run_audit(site, str(site.logs / "a.log"), str(mistyped), str(directory), paths=None)
    assert ended.code == 1
    assert f"{mistyped}" in ended.stdout
    assert "cannot be read: No such file or directory" in ended.stdout
    assert "cannot be read: it is a directory" in ended.stdout


def test_a_pattern_that_was_asked_for_and_matches_nothing_is_told_and_is_not_well(site: Site) -> None:
    site.shipped(10)
    settled(site)
    writes, nothing = str(site.logs / "*.log"), str(site.logs / "*.lgo")  # which is the first in order
    ended = run_audit(site, writes, nothing, paths=None)
    assert ended.code == 1
    rows = ended.stdout.splitlines()[1:3]
    assert rows[1].endswith("complete")
    assert rows[0].split()[0] == nothing
    assert rows[0].endswith("cannot be read: no file matches it, and the aggregator knows of none that did")
    (site.logs / "a.log").rename(site.directory / "a.away")
    assert run_audit(site, writes, paths=None).code == 0, "the aggregator knows of one"
    assert run_audit(site, paths=nothing).code == 0, "a collector may wait for what its patterns match"


def test_a_path_may_be_relative(site: Site) -> None:
    site.shipped(10)
    settled(site)
    ended = run_audit(site, os.path.relpath(site.logs / "a.log", site.directory), paths=None)
    assert (ended.code, len(ended.stdout.splitlines())) == (0, 3), ended.stdout


@pytest.mark.parametrize("name", ["a.log.1", "a.log-20261123", "a.log~"])
def test_a_copy_that_a_rotation_made_is_as_complete_as_its_original(site: Site, name: str) -> None:
    everything = f"{site.logs}/*"
    _, collector, writer = site.shipped(100, paths=everything, rotate_wait="10s")
    writer.copy_and_truncate(site.logs / name)
    collector.wait_for("source_truncated")
    writer.write(10)
    site.assert_delivered()
    found = settled(site, paths=everything)
    assert found.code == 0
    assert found.states() == {"a.log": "complete", name: "complete"}
    assert found.file(name)["entries"] == 100
    assert found.total["gone"] == 0
    flip(site.logs / name, 3000)
    assert audited(site, paths=everything).states()[name] == "differs"


def test_what_a_copy_has_beyond_what_was_shipped_goes_on_in_it(site: Site) -> None:
    """It was written while the collector was stopped: a source of its own ships the rest."""
    everything = f"{site.logs}/*"
    _, collector, writer = site.shipped(100, paths=everything, rotate_wait="10s")
    collector.freeze()
    writer.write(50)
    writer.copy_and_truncate(site.logs / "a.log.1")
    collector.thaw()
    writer.write(10)
    site.assert_delivered()
    found = settled(site, paths=everything)
    assert found.code == 0
    assert found.states() == {"a.log": "complete", "a.log.1": "complete"}
    assert found.file("a.log.1")["entries"] == 150


def test_an_archive_is_as_complete_as_what_it_was_made_of(site: Site) -> None:
    everything = f"{site.logs}/*"
    site.aggregator()
    collector = site.collector(paths=everything)
    writer = site.writer()
    writer.write(20_000)
    site.assert_delivered()
    writer.rotate(site.logs / "a.log.1")
    writer.write(10)
    site.assert_delivered()
    subprocess.run(["gzip", site.logs / "a.log.1"], check=True)
    collector.wait_for("archive_recognised")
    found = settled(site, paths=everything)
    assert found.code == 0
    assert found.states() == {"a.log": "complete", "a.log.1.gz": "complete"}
    assert found.file("a.log.1.gz")["entries"] == 20_000
    assert found.total["gone"] == 0


def test_an_archive_of_a_file_that_goes_on_is_as_complete_as_that(site: Site) -> None:
    everything = f"{site.logs}/*"
    site.aggregator()
    collector = site.collector(paths=everything)
    writer = site.writer()
    writer.write(20_000)
    site.assert_delivered()
    subprocess.run(["gzip", "--keep", writer.path], check=True)
    collector.wait_for("archive_recognised")
    writer.write(10)
    site.assert_delivered()
    found = settled(site, paths=everything)
    assert found.code == 0
    assert found.states() == {"a.log": "complete", "a.log.gz": "complete"}
    assert found.file("a.log.gz")["entries"] == 20_000
    assert found.total["gone"] == 0
    assert collector.stop() == 0
    changed = b"another line\n" + gzip.decompress((site.logs / "a.log.gz").read_bytes())
    (site.logs / "a.log.gz").write_bytes(gzip.compress(changed[:50_000]))
    assert audited(site, paths=everything).file("a.log.gz")["behind"] == 50_000


def test_the_rest_of_a_file_that_was_compressed_unread_is_in_its_archive(site: Site) -> None:
    everything = f"{site.logs}/*"
    _, collector, writer = site.shipped(3000, paths=everything)
    settled(site, paths=everything)
    assert collector.stop() == 0
    writer.write(3000)
    subprocess.run(["gzip", writer.path], check=True)
    found = audited(site, paths=everything)
    assert found.code == 0
    assert found.file("a.log.gz")["behind"] == site.bytes_written - site.size()
    site.collector(paths=everything)
    site.assert_delivered()
    found = settled(site, paths=everything)
    assert found.states() == {"a.log.gz": "complete"}
    assert found.file("a.log.gz")["entries"] == 6000


def test_an_archive_that_was_never_anything_else_is_shipped_and_complete(site: Site) -> None:
    lines = b"".join(b"line %d of an old archive\n" % number for number in range(5000))
    (site.logs / "old.log.gz").write_bytes(gzip.compress(lines))
    everything = f"{site.logs}/*"
    site.aggregator()
    site.collector(paths=everything)
    site.wait_for_bytes(len(lines))
    found = settled(site, paths=everything)
    assert found.states() == {"old.log.gz": "complete"}
    assert found.file("old.log.gz")["size"] == len(lines)


def test_a_file_that_only_looks_like_another_is_behind(site: Site) -> None:
    """No collector has shipped it: that another one holds the same says nothing."""
    _, collector, writer = site.shipped(100)
    assert collector.stop() == 0
    shutil.copyfile(writer.path, site.logs / "other.log")
    assert audited(site).states() == {"a.log": "complete", "other.log": f"behind by {site.bytes_written}"}


def test_two_names_of_a_file_are_one_row(site: Site) -> None:
    site.both()
    writer = site.writer()
    writer.write(100)
    (site.logs / "b.log").hardlink_to(writer.path)
    (site.logs / "c.log").symlink_to(writer.path)
    site.assert_delivered()
    assert settled(site).states() == {"a.log": "complete"}


# When the other side forgot


def test_what_a_lost_ledger_does_not_know_is_told(site: Site) -> None:
    aggregator, collector = site.both()
    writer, empty = site.writer(), site.writer("b.log")
    until(lambda: collector.events("file_followed", path=str(empty.path)), "an empty file should be followed")
    for each in (writer, empty):
        each.write(100)
    site.assert_delivered()
    sizes = {each.path.name: each.path.stat().st_size for each in (writer, empty)}
    settled(site)
    assert aggregator.stop() == 0
    shutil.rmtree(site.directory / "aggregator")
    site.aggregator().wait_for("collector_connected")
    expected = {name: f"unknown before {size}" for name, size in sizes.items()}
    until(lambda: audited(site).states() == expected, lambda: str(audited(site).said))
    writer.write(10)
    until(lambda: audited(site).file("a.log")["entries"] == 10, lambda: str(audited(site).said))
    assert audited(site).states() == expected
    assert audited(site).code == 0
    flip(writer.path, sizes["a.log"] + 500)
    assert audited(site).states()["a.log"] == f"differs, unknown before {sizes['a.log']}"


def test_what_differs_is_looked_at_once_more(site: Site) -> None:
    """It was written anew while it was looked at."""
    _, collector, writer = site.shipped(1000)
    settled(site)
    assert collector.stop() == 0
    flip(writer.path, 40_000)
    given = {"remote_address": site.address, "state_directory": str(site.directory / "collector"), "host": "test"}
    given["paths"] = str(site.logs / "*.log")
    told = load(CollectorSettings, environ("COLLECTOR", given, {}), {}).settings
    _, survey = audit(told, pause=lambda _: flip(writer.path, 40_000))
    assert survey.sound
    assert survey.rows[0].complete
    flip(writer.path, 40_000)
    _, survey = audit(told, pause=lambda _: flip(writer.path, 20_000))
    assert survey.rows[0].differs


# What is said, and how


def test_arguments_say_what_is_looked_at(site: Site) -> None:
    site.both()
    site.writer().write(100)
    site.writer("b.log").write(100)
    site.assert_delivered()
    settled(site)
    ended = run_audit(site, str(site.logs / "b.log"), paths=None)
    assert ended.code == 0
    header, row, total = ended.stdout.splitlines()
    assert header.split() == ["path", "size", "committed", "entries", "state"]
    size = str((site.logs / "b.log").stat().st_size)
    assert row.split() == [str(site.logs / "b.log"), size, size, "100", "complete"]
    assert total.startswith("total: 1 files of ")


def test_an_aggregator_that_cannot_be_reached_is_one_line_and_1(site: Site) -> None:
    ended = run_audit(site, id="me")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("mega-collector: the aggregator at ")
    assert "start the aggregator" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_settings_that_cannot_be_used_are_one_line_and_2(site: Site) -> None:
    for wrong, says in (({"paths": None}, "COLLECTOR_PATHS"), ({"remote_address": "::"}, "COLLECTOR_REMOTE_ADDRESS")):
        ended = run_audit(site, **wrong)
        assert (ended.code, ended.stdout) == (2, "")
        assert says in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_thousands_of_small_files_take_one_pass(site: Site) -> None:
    site.both()
    for number in range(2000):
        (site.logs / f"{number:05}.log").write_bytes(b"line %d\n" % number * 3)
    sizes = sum(path.stat().st_size for path in site.logs.iterdir())
    site.wait_for_bytes(sizes)
    found = settled(site)
    assert found.code == 0
    assert (found.total["complete"], found.total["entries"]) == (2000, 6000)


def test_a_stdout_that_is_full_is_one_line_and_1_and_one_that_is_closed_early_is_none(site: Site) -> None:
    site.aggregator()
    site.writer().write(10)
    full = run_audit(site, id="me", wrapper=("sh", "-c", 'exec "$@" >/dev/full', "sh"))
    assert (full.code, full.stdout) == (1, "")
    assert full.stderr == "mega-collector: what was found cannot be written to stdout: No space left on device\n"
    closed = run_audit(site, id="me", wrapper=("sh", "-c", '"$@" | true', "sh"))
    assert (closed.code, closed.stderr) == (0, "")


def test_an_id_that_is_set_is_asked_for(site: Site) -> None:
    site.aggregator()
    collector = site.collector(id="one")
    site.writer().write(10)
    site.assert_delivered()
    assert settled(site, id="one").states() == {"a.log": "complete"}
    elsewhere = str(site.directory / "elsewhere")
    nobody = run_audit(site, id="two", state_directory=elsewhere)
    assert nobody.code == 1
    assert nobody.stdout.splitlines()[1].endswith(f"behind by {site.bytes_written}")
    assert "knows of a collector two: see whether COLLECTOR_ID" in nobody.stdout
    # What is remembered here is where another id would go on.
    assert collector.stop() == 0
    assert audited(site, id="two").states() == {"a.log": f"unknown before {site.bytes_written}"}


# What the aggregator writes


@pytest.mark.parametrize(
    ("configuration", "pattern"),
    [("out/out.log", "out/*"), ('{"path": "out/{host}/{path}.log", "compress": "gzip"}', "out/**/*.log*")],
    ids=["one file", "many files"],
)
def test_what_the_aggregator_writes_is_its_own_output_and_not_behind(
    site: Site, configuration: str, pattern: str
) -> None:
    configuration = configuration.replace("out/", f"{site.directory}/out/")
    paths = f"{site.logs}/*.log\n{site.directory}/{pattern}"
    site.aggregator(file_configuration=configuration)
    site.collector(paths=paths)
    site.writer().write(10)
    until(lambda: audited(site).states() == {"a.log": "complete"}, "everything should arrive")
    found = audited(site, paths=paths)
    assert found.code == 0
    states = found.states()
    assert states.pop("a.log") == "complete"
    assert set(states.values()) == {"own output"}
    assert (found.total["own"], found.total["behind"], found.total["complete"]) == (1, 0, 1)
    (line,) = [line for line in run_audit(site, paths=paths).stdout.splitlines() if line.startswith("total")]
    assert line.endswith(": 1 complete, 1 own output")
