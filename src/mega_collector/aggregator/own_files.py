"""What an aggregator keeps for itself: a line in it would cost the ledger, or pass for a dead letter."""

from pathlib import Path

from mega_collector.aggregator.ledger_reader import NAME
from mega_collector.settings import AggregatorSettings

_OF_THE_LEDGER = "", "-wal", "-shm", "-journal"


def own_files(settings: AggregatorSettings) -> list[Path]:
    """Their paths, whether they are there or not: of many that are alike, one."""
    state, letters = settings.state_directory, settings.dead_letter_directory
    names = [*(f"{NAME}{suffix}" for suffix in _OF_THE_LEDGER), "lock", "operator.sock"]
    return [*(state / name for name in names), *([] if letters is None else [letters / "1.dead"])]
