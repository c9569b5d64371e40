from pathlib import Path

from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.settings.declaration import declared
from mega_collector.settings.table import page

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page(), "run scripts/generate"


def test_the_page_lists_every_setting_as_it_is_declared() -> None:
    for half in (AggregatorSettings, CollectorSettings):
        for setting in declared(half):
            assert f"| `{setting.variable}` |" in page()
