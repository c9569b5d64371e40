"""What an aggregator keeps for itself: a line in it would cost the ledger, or pass for a dead letter."""

from pathlib import Path

from mega_collector.aggregator.ledger_reader import NAME

_OF_THE_LEDGER = "", "-wal", "-shm", "-journal"


def own_files(state_directory: Path, dead_letter_directory: Path | None) -> list[Path]:
    """Their paths, whether they are there or not: of many that are alike, one."""
    names = [*(f"{NAME}{suffix}" for suffix in _OF_THE_LEDGER), "lock", "operator.sock"]
    letters = [] if dead_letter_directory is None else [dead_letter_directory / "1.dead"]
    return [*(state_directory / name for name in names), *letters]
