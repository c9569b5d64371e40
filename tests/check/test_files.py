"""`check collector` tells of each file where it would begin, or why it would not be followed."""

import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from mega_collector.check.beginning import Beginnings
from mega_collector.check.files import Files
from mega_collector.check.finding import Finding
from mega_collector.collector.state.checkpoint import Checkpoint, Entry
from mega_collector.marker import Marker
from mega_collector.settings import CollectorSettings
from starting.attempt import attempt, give_away, unprivileged

TEXT = b"one\ntwo\nthree\n"


def _check(tmp_path: Path, *patterns: str, **given: object) -> list[Finding]:
    settings = CollectorSettings(
        paths=tuple(os.fsencode(tmp_path / pattern) for pattern in patterns),
        state_directory=tmp_path / "state",
        **given,  # type: ignore[arg-type]
    )
    beginnings = Beginnings(settings.state_directory, start_at_end=settings.start_at == "end")
    return list(Files(settings, beginnings))


def _of(tmp_path: Path, name: str = "a.log", **given: object) -> Finding:
    (finding,) = [each for each in _check(tmp_path, "*.log*", **given) if f"/{name}: " in each.text]
    return finding


def _remember(tmp_path: Path, path: Path, position: int, **changed: object) -> None:
    """Let the checkpoint say that so much of the file, as it is now, was shipped."""
    content, facts = path.read_bytes(), path.stat()
    entry = Entry(
        source_id=uuid4().bytes,
        path=bytes(path),
        device=facts.st_dev,
        inode=facts.st_ino,
        head=Marker.of(content),
        position=position,
        before=Marker.of(content[:position]),
    )
    checkpoint = Checkpoint(tmp_path / "state")
    checkpoint.put(replace(entry, **changed))  # type: ignore[arg-type]
    checkpoint.flush()
    checkpoint.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_bytes(TEXT)
    return path


def test_a_new_file_is_read_from_its_beginning(tmp_path: Path, log: Path) -> None:
    found = _of(tmp_path)
    assert (found.ok, found.look) == (True, False)
    assert found.text == f"file: {log}: 14 bytes, from its beginning"
    assert found.facts == {"path": str(log), "size": 14, "from": "beginning", "position": 0}


def test_a_file_that_is_remembered_goes_on_at_its_position(tmp_path: Path, log: Path) -> None:
    _remember(tmp_path, log, 4)
    found = _of(tmp_path, start_at="end", ignore_older=1e-9)
    assert found.text == f"file: {log}: 14 bytes, from the checkpoint, at 4: 10 to read"
    assert (found.facts["from"], found.facts["position"]) == ("checkpoint", 4)


def test_a_file_that_was_shipped_to_its_end_says_so(tmp_path: Path, log: Path) -> None:
    _remember(tmp_path, log, len(TEXT))
    assert "shipped to its end" in _of(tmp_path).text


def test_a_file_that_was_rewritten_is_read_from_its_beginning(tmp_path: Path, log: Path) -> None:
    _remember(tmp_path, log, 4)
    log.write_bytes(b"other\n")
    assert _of(tmp_path).text.endswith("from its beginning: it was rewritten since")


def test_a_copy_goes_on_where_its_original_ended(tmp_path: Path, log: Path) -> None:
    _remember(tmp_path, log, 4)
    (tmp_path / "a.log.1").write_bytes(TEXT)
    assert f"shipped as {log} up to 4" in _of(tmp_path, "a.log.1").text


def test_at_the_very_first_start_it_may_begin_at_the_end_and_later_not(tmp_path: Path, log: Path) -> None:
    assert _of(tmp_path, start_at="end").facts["from"] == "end"
    checkpoint = Checkpoint(tmp_path / "state")
    checkpoint.begun()
    checkpoint.flush()
    checkpoint.close()
    assert _of(tmp_path, start_at="end").facts["from"] == "beginning"


def test_a_file_that_is_too_old_excluded_or_its_own_is_told_with_the_reason(tmp_path: Path, log: Path) -> None:
    os.utime(log, (1, 1))
    assert "too old" in (old := _of(tmp_path, ignore_older=3600.0)).text
    assert "COLLECTOR_EXCLUDE" in (excluded := _of(tmp_path, exclude=(bytes(log),))).text
    (tmp_path / "state").mkdir()
    log.rename(tmp_path / "state" / "a.log")
    (own,) = [each for each in _check(tmp_path, "*/a.log") if "/a.log: " in each.text]
    assert "own" in own.text
    assert [each.look for each in (old, excluded, own)] == [True, True, True]


def test_of_many_files_the_first_twenty_are_told(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number:02d}.log").touch()
    found = _check(tmp_path, "*.log", "0*.log")
    told = [each for each in found if each.text.startswith("file:")]
    assert len(told) == 20 + 10
    assert told[19].text.startswith(f"file: {tmp_path}/19.log")
    assert [each.text for each in found if "more" in each.facts] == ["and 5 more"]
    assert found[0].text == "files: 25 matched now"


def test_a_hostile_name_stays_on_its_line(tmp_path: Path) -> None:
    (tmp_path / "a\n\x1b[2J.log").touch()
    assert all(each.text.isprintable() for each in _check(tmp_path, "*.log"))


@pytest.mark.parametrize("what", ["directory", "file"])
def test_what_may_not_be_read_is_told_with_the_component_that_forbids_it(tmp_path: Path, what: str) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / "a.log"
    log.write_bytes(TEXT)
    give_away(tmp_path)
    give_away(logs)
    shut = logs if what == "directory" else log
    shut.chmod(0)
    if os.geteuid() == 0:
        os.chown(shut, 0, 0)
    environ = {"COLLECTOR_REMOTE_ADDRESS": f"unix:{tmp_path}/none"}
    ended = attempt("check", "collector", str(log), cwd=tmp_path, environ=environ, wrapper=unprivileged())
    shut.chmod(0o755)
    assert (ended.code, ended.stderr) == (2, "")
    (bad,) = [line for line in ended.stdout.splitlines() if line.startswith("BAD file: ")]
    assert f"may not {'enter' if what == 'directory' else 'read'} {shut} (" in bad
    assert "setfacl" in bad
