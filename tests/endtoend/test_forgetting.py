"""What the ledger forgets in time: sources that are gone, though nobody but the ledger remembers them. Nothing else."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from cases.noted import acknowledged
from endtoend.held import held, wait_until_held
from harness.process import Process
from harness.site import Site
from harness.until import until

SOON = "1s"
"""Of what is forgotten that late the ledger may still be asked: in between, it is told as gone."""


def collector(site: Site, *paths: str) -> Process:
    return site.collector(id="me", paths=json.dumps([str(site.logs / path) for path in paths]))


def test_what_a_killed_collector_had_not_noted_and_is_gone_is_told_and_forgotten(site: Site) -> None:
    """The state is as it was before the file came: what was noted since is what a kill can take."""
    site.aggregator(forget_after=SOON)
    first = collector(site, "*.log")
    staying = site.writer("staying.log")
    staying.write(10)
    site.assert_delivered()
    state, before = site.directory / "collector", site.directory / "before"
    until(lambda: acknowledged(state) == site.bytes_written, "nothing more should be written to the checkpoint")
    shutil.copytree(state, before, ignore=lambda *_: ["operator.sock"])
    gone = site.writer("gone.log")
    gone.write(10)
    site.assert_delivered()
    first.kill()
    shutil.rmtree(state)
    before.rename(state)
    gone.path.unlink()
    staying.write(10)
    lost = collector(site, "*.log").wait_for("source_lost")
    assert Path(lost["path"]) == gone.path
    wait_until_held(site, {"staying.log": "open"})
    staying.write(10)
    site.assert_delivered()


@pytest.mark.parametrize("remembered", [True, False], ids=["remembered", "state lost"])
def test_what_is_there_or_cannot_be_looked_at_is_kept(site: Site, remembered: bool) -> None:
    """One file is gone; one no pattern matches any more; and one lies where nobody can look now."""
    site.aggregator(forget_after=SOON)
    away, hidden = site.logs / "away", site.logs / "hidden"
    hidden.mkdir()
    everywhere = "*.log", "hidden/*.log", "*.other"
    first = collector(site, *everywhere)
    writers = {name: site.writer(name) for name in ("gone.log", "hidden/deep.log", "unmatched.other")}
    for writer in writers.values():
        writer.write(10)
    site.assert_delivered()
    first.kill()
    if not remembered:
        shutil.rmtree(site.directory / "collector")
    writers.pop("gone.log").path.unlink()
    hidden.rename(away)
    hidden.symlink_to(hidden)
    second = collector(site, *everywhere[:2])
    second.wait_for("source_lost")
    wait_until_held(site, {"deep.log": "open", "unmatched.other": "open"})
    second.kill()
    hidden.unlink()
    away.rename(hidden)
    for writer in writers.values():
        writer.write(10)
    collector(site, *everywhere)
    site.assert_delivered()


def test_what_was_shipped_and_compressed_while_nobody_looked_goes_over_to_its_archive(site: Site) -> None:
    """The file ends and is not lost; the archive is kept for as long as it is there."""
    site.aggregator(forget_after=SOON)
    first = collector(site, "*.log", "*.log.gz")
    for name in ("a.log", "b.log"):
        site.writer(name).write(10)
    site.assert_delivered()
    assert first.stop() == 0
    plain = site.logs / "a.log"
    (site.logs / "a.log.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    second = collector(site, "*.log", "*.log.gz")
    second.wait_for("archive_recognised")
    wait_until_held(site, {"b.log": "open", "a.log.gz": "open"})
    (site.logs / "a.log.gz").unlink()
    wait_until_held(site, {"b.log": "open"})
    assert not second.events("source_lost")
    site.assert_delivered()


def test_what_was_told_as_gone_and_is_found_again_is_kept_though_it_rests(site: Site) -> None:
    """A directory that was not mounted at the start: what it holds was not lost, and is not to be forgotten."""
    aggregator = site.aggregator()
    first = collector(site, "*.log", "volume/*.log")
    volume, away = site.logs / "volume", site.directory / "away"
    volume.mkdir()
    site.writer("volume/a.log").write(10)
    site.assert_delivered()
    first.kill()
    volume.rename(away)
    second = collector(site, "*.log", "volume/*.log")
    second.wait_for("source_lost")
    wait_until_held(site, {"a.log": "gone"})
    away.rename(volume)
    wait_until_held(site, {"a.log": "open"})
    aggregator.kill()
    site.aggregator(forget_after="1ms")
    site.writer("b.log").write(10)
    site.assert_delivered()
    second.kill()
    shutil.rmtree(site.directory / "collector")
    collector(site, "*.log", "volume/*.log").wait_for("file_followed", path=str(volume / "a.log"))
    site.assert_delivered()
    assert held(site) == {"a.log": "open", "b.log": "open"}
