import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mega_collector.emitter.blackhole import BlackholeEmitter
from mega_collector.emitter.choice import Destination, Kind, build, choose_kind
from mega_collector.emitter.configuration import FileConfiguration, TextConfiguration
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.stop import Stop
from mega_collector.emitter.text import TextEmitter
from mega_collector.errors import SettingError

FILE = FileConfiguration(Path("/logs/all.log"))
TEXT = TextConfiguration()


@pytest.mark.parametrize(
    ("text", "file", "blackhole", "kind"),
    [(TEXT, None, False, "stdout"), (None, FILE, False, "file"), (None, None, True, "blackhole")],
)
def test_the_one_that_is_set_is_chosen(
    text: TextConfiguration | None, file: FileConfiguration | None, blackhole: bool, kind: Kind
) -> None:
    assert choose_kind(text=text, file=file, blackhole=blackhole) == kind


def test_none_is_an_error_that_names_all() -> None:
    with pytest.raises(SettingError) as caught:
        choose_kind(text=None, file=None, blackhole=False)
    for name in ("TEXT", "FILE", "BLACKHOLE"):
        assert f"AGGREGATOR_{name}_CONFIGURATION" in str(caught.value)


def test_two_are_an_error_that_names_those_two() -> None:
    with pytest.raises(SettingError) as caught:
        choose_kind(text=None, file=FILE, blackhole=True)
    assert "AGGREGATOR_FILE_CONFIGURATION" in str(caught.value)
    assert "AGGREGATOR_BLACKHOLE_CONFIGURATION" in str(caught.value)
    assert "AGGREGATOR_TEXT_CONFIGURATION" not in str(caught.value)


@pytest.fixture
def stop() -> Iterator[Stop]:
    stop = Stop()
    yield stop
    stop.close()


def build_file(path: Path, stop: Stop, state_directory: Path) -> Destination:
    return build(
        text=None,
        file=FileConfiguration(path),
        blackhole=False,
        stop=stop,
        known=lambda name: None,
        clean=True,
        state_directory=state_directory,
        remember=lambda state: None,
    )


def test_a_path_that_is_no_file_yet_becomes_one(stop: Stop, tmp_path: Path) -> None:
    destination = build_file(tmp_path / "out.log", stop, tmp_path)
    assert isinstance(destination, FileEmitter)
    destination.close()


def test_a_path_of_a_device_or_pipe_is_written_without_promise(stop: Stop, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    for path in (Path("/dev/null"), tmp_path / "fifo"):
        destination = build_file(path, stop, tmp_path)
        assert isinstance(destination, TextEmitter)
        destination.close()
    os.close(reader)


@pytest.mark.parametrize(
    ("path", "problem"), [("missing/out.log", "No such file or directory"), ("", "Is a directory")]
)
def test_a_path_that_cannot_be_used_names_its_variable(stop: Stop, tmp_path: Path, path: str, problem: str) -> None:
    with pytest.raises(SettingError, match=f"^AGGREGATOR_FILE_CONFIGURATION: {tmp_path}.*: {problem}$"):
        build_file(tmp_path / path, stop, tmp_path)


def test_blackhole_is_built(stop: Stop, tmp_path: Path) -> None:
    destination = build(
        text=None,
        file=None,
        blackhole=True,
        stop=stop,
        known=lambda name: None,
        clean=True,
        state_directory=tmp_path,
        remember=lambda state: None,
    )
    assert isinstance(destination, BlackholeEmitter)
