"""What `ledger` shows, and that it changes nothing."""

import json
import shutil
import sqlite3
from pathlib import Path

from blocks import make_source
from harness.site import Site
from harness.until import until
from mega_collector.aggregator.ledger import DISCARDED, Advance, Ledger, Range
from mega_collector.emitter.protocol import OutputState
from mega_collector.marker import Marker
from starting.attempt import Attempt, attempt, give_away, tree, unprivileged


def show(directory: Path, *arguments: str, wrapper: tuple[str, ...] = ()) -> Attempt:
    environ = {"AGGREGATOR_STATE_DIRECTORY": str(directory / "aggregator")}
    return attempt("ledger", *arguments, cwd=directory, environ=environ, wrapper=wrapper)


def fill(directory: Path) -> Ledger:
    ledger = Ledger(directory / "aggregator")
    a, b, c = (make_source(name, collector="me\x1b[31m", inode=number) for number, name in enumerate("abc", 7))
    ledger.commit([Advance(a, 0, 100, 5, Marker(), checksum=7), Advance(b, 10, 30, 2, Marker(), finished=True)])
    ledger.commit([Advance(c, 0, 8, 1, Marker(), finished=True, gone=True)], [Range(c, 8, 8, "lost")])
    ledger.commit([], [Range(a, 10, 20, DISCARDED), Range(a, 30, 35, "hole")])
    ledger.commit([], outputs=[OutputState("/out.log", 1, 2, 85, Marker())])
    ledger.bind("me", "CN=me")
    return ledger


def test_lines_tell_sources_what_is_missing_outputs_and_collectors(tmp_path: Path) -> None:
    fill(tmp_path).close(clean=True)
    ended = show(tmp_path)
    assert (ended.code, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert [line.partition(" 20")[0] for line in lines] == [
        "source me\\x1b[31m /logs/a.log: at 100, 5 entries, open",
        "  discarded 10-20",
        "  hole 30-35",
        "source me\\x1b[31m /logs/b.log: at 30, 2 entries, finished",
        "source me\\x1b[31m /logs/c.log: at 8, 1 entries, gone",
        "  lost 8-?",
        "output /out.log: 85 bytes committed, device 1 inode 2",
        "collector me: held by CN=me since",
        "total: 3 sources, 8 entries, 113 bytes delivered, 10 discarded, 5 hole, 0 lost",
    ]
    assert lines[3].endswith("Z, unknown before 10")


def test_json_tells_the_same(tmp_path: Path) -> None:
    fill(tmp_path).close(clean=True)
    held = json.loads(show(tmp_path, "--json").stdout)
    assert [(each["path"], each["position"], each["state"]) for each in held["sources"]] == [
        ("/logs/a.log", 100, "open"),
        ("/logs/b.log", 30, "finished"),
        ("/logs/c.log", 8, "gone"),
    ]
    assert held["sources"][0]["ranges"][0] == {"start": 10, "end": 20, "reason": "discarded"}
    assert held["outputs"] == [{"path": "/out.log", "device": 1, "inode": 2, "committed": 85}]
    assert held["collectors"][0]["holder"] == "CN=me"
    assert held["total"]["bytes_not_delivered"] == {"discarded": 10, "hole": 5, "lost": 0}


def test_sums_that_json_has_no_number_for_are_told(tmp_path: Path) -> None:
    last = (1 << 63) - 1
    sources = [make_source(name, inode=number) for number, name in enumerate("abc", 7)]
    ledger = Ledger(tmp_path / "aggregator")
    lost = [Range(each, 0, last, "lost") for each in sources]
    ledger.commit([Advance(each, 0, last, 0, Marker()) for each in sources], lost)
    ledger.close(clean=True)
    ended = show(tmp_path, "--json")
    assert (ended.code, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["total"]["bytes_not_delivered"] == {"lost": str(3 * last)}


def test_nothing_is_changed_or_made_after_a_clean_end(tmp_path: Path) -> None:
    fill(tmp_path).close(clean=True)
    before = tree(tmp_path)
    assert show(tmp_path).code == 0
    assert tree(tmp_path) == before


def test_it_reads_beside_a_running_aggregator_what_is_committed_now(site: Site) -> None:
    aggregator = site.aggregator()
    site.collector()
    site.writer().write(100)
    site.assert_delivered()
    # What the destination has is committed a moment later.
    until(lambda: f"at {site.bytes_written}, 100 entries, open" in show(site.directory).stdout, "the source")
    assert f"{site.out}: {site.bytes_written} bytes committed" in show(site.directory).stdout
    site.writer("b.log").write(100)
    site.assert_delivered()
    total = f"total: 2 sources, 200 entries, {site.bytes_written} bytes delivered\n"
    until(lambda: show(site.directory).stdout.endswith(total), "the total")
    assert aggregator.stop() == 0


def test_it_reads_what_a_killed_one_has_left_and_leaves_it_as_it_is(site: Site) -> None:
    aggregator = site.aggregator()
    site.collector()
    site.writer().write(100)
    site.assert_delivered()
    until(lambda: "100 entries, open" in show(site.directory).stdout, "what is delivered should be committed")
    aggregator.kill()
    ledger = site.directory / "aggregator" / "ledger.sqlite3"
    log = ledger.with_name("ledger.sqlite3-wal")
    before = ledger.read_bytes(), log.read_bytes()
    assert before[1]
    assert "100 entries, open" in show(site.directory).stdout
    assert (ledger.read_bytes(), log.read_bytes()) == before
    site.aggregator()
    site.writer("b.log").write(100)
    site.assert_delivered()


def test_one_that_may_be_read_but_not_written_is_shown(tmp_path: Path) -> None:
    ledger = fill(tmp_path)
    give_away(tmp_path)
    state = tmp_path / "aggregator"
    for path in state.iterdir():
        path.chmod(0o444)
    state.chmod(0o555)
    for clean in (False, True):
        if clean:
            state.chmod(0o755)
            ledger.close(clean=True)
            state.chmod(0o555)
        ended = show(tmp_path, wrapper=unprivileged())
        assert (ended.code, ended.stderr) == (0, "")
        assert "3 sources" in ended.stdout


def test_a_ledger_that_is_missing_newer_corrupt_or_unreadable(tmp_path: Path) -> None:
    state = tmp_path / "aggregator"
    refused(tmp_path, "there is no ledger in", "aggregator: name the state directory")
    state.mkdir()
    refused(tmp_path, "there is no ledger in")
    path = state / "ledger.sqlite3"
    for version, says in ((99, "use the newer one"), (1, "start the aggregator once")):
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        refused(tmp_path, f"of version {version}", says)
    path.write_bytes(b"no ledger" * 1000)
    refused(tmp_path, "ledger.sqlite3 cannot be read: file is not a database. Move it away: ")
    shutil.rmtree(state)
    fill(tmp_path).close(clean=True)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    refused(tmp_path, "ledger.sqlite3 cannot be read: ", "Move it away: ")
    path.unlink()
    path.mkdir()
    refused(tmp_path, "ledger.sqlite3 cannot be read: ")


def refused(directory: Path, *says: str) -> None:
    before = tree(directory)
    ended = show(directory)
    assert (ended.code, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("mega-collector: ")
    for words in says:
        assert words in line
    assert tree(directory) == before


def test_a_stdout_that_is_full_is_one_line_and_1_and_one_that_is_closed_early_is_none(tmp_path: Path) -> None:
    fill(tmp_path).close(clean=True)
    full = show(tmp_path, wrapper=("sh", "-c", 'exec "$@" >/dev/full', "sh"))
    assert full.code == 1
    assert full.stderr == "mega-collector: what was found cannot be written to stdout: No space left on device\n"
    closed = show(tmp_path, wrapper=("sh", "-c", '"$@" | true', "sh"))
    assert (closed.code, closed.stderr) == (0, "")
