"""Who a collector is when nobody says."""

from pathlib import Path

import pytest

from mega_collector.collector.state.checkpoint import Checkpoint
from mega_collector.collector.state.collector_id import machine_based_id

MACHINE = "0123456789abcdef0123456789abcdef"


def test_the_id_is_the_same_for_a_machine_and_does_not_give_away_the_machines(tmp_path: Path) -> None:
    (tmp_path / "machine-id").write_text(f"{MACHINE}\n")
    first, second = machine_based_id(tmp_path / "machine-id"), machine_based_id(tmp_path / "machine-id")
    assert first == second
    assert first is not None
    assert len(first) == 32
    assert MACHINE not in first


@pytest.mark.parametrize("content", [None, "", "\n", "uninitialized\n"])
def test_a_machine_without_an_id_gives_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "machine-id").write_text(content)
    assert machine_based_id(tmp_path / "machine-id") is None


def started(directory: Path, machine_id: Path) -> tuple[str, bool]:
    checkpoint = Checkpoint(directory, machine_id=machine_id)
    checkpoint.close()
    return checkpoint.collector_id, checkpoint.id_is_stable


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    path = tmp_path / "machine-id"
    path.write_text(MACHINE)
    return path


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    return tmp_path / "nothing"


def test_the_machines_id_survives_the_loss_of_the_state(tmp_path: Path, machine: Path) -> None:
    made = machine_based_id(machine)
    assert started(tmp_path / "one", machine) == started(tmp_path / "two", machine) == (made, True)


def test_an_id_that_was_made_is_kept_and_is_not_called_stable(tmp_path: Path, nothing: Path) -> None:
    identity, stable = started(tmp_path / "one", nothing)
    assert not stable
    assert started(tmp_path / "one", nothing) == (identity, False)
    assert started(tmp_path / "two", nothing) != (identity, False)


def test_the_id_in_the_state_is_kept_whatever_the_machine_says_later(
    tmp_path: Path, machine: Path, nothing: Path
) -> None:
    identity, _ = started(tmp_path / "state", machine)
    assert started(tmp_path / "state", nothing) == (identity, False)


def test_the_id_survives_damage_at_either_end_of_the_checkpoint(tmp_path: Path, nothing: Path) -> None:
    identity, _ = started(tmp_path / "state", nothing)
    path = tmp_path / "state" / "checkpoint"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert started(tmp_path / "state", nothing) == (identity, False)
    path.write_bytes(path.read_bytes()[:-1])
    assert started(tmp_path / "state", nothing) == (identity, False)
