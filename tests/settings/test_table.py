from pathlib import Path

from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.settings.declaration import declared
from mega_collector.settings.table import table

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_documentation_is_what_the_declaration_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == table()


def test_every_setting_has_one_row() -> None:
    rows = [line for line in table().splitlines() if line.startswith("| `")]
    assert len(rows) == len(declared(CollectorSettings)) + len(declared(AggregatorSettings))
    assert all(len(row.replace("\\|", "").split("|")) == 7 for row in rows)
