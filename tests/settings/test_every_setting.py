"""Every setting, by its flag and by its variable, with good values and bad."""

from collections.abc import Iterator
from typing import Any

import pytest

from mega_collector.errors import SettingError
from mega_collector.settings import AggregatorSettings, CollectorSettings, OperatorSettings, load
from mega_collector.settings.declaration import Setting, declared
from settings.every_setting import AGGREGATOR, COLLECTOR, KEY, OPERATOR, PEM_TEXT

HALVES: list[tuple[type[Any], Any]] = [
    (AggregatorSettings, AGGREGATOR),
    (CollectorSettings, COLLECTOR),
    (OperatorSettings, OPERATOR),
]
TLS = {
    "operator_certificates": PEM_TEXT,
    "tls_certificate": PEM_TEXT,
    "tls_key": PEM_TEXT,
    "tls_ca_certificate": PEM_TEXT,
}
ENVIRON = {"COLLECTOR_PATHS": "/a", "HOME": "/home/me"}


def _good() -> Iterator[Any]:
    for half, table in HALVES:
        for setting in declared(half):
            for text, value in table[setting.name].good.items():
                yield pytest.param(half, setting, text, value, id=f"{setting.variable}={text!r:.30}")


def _bad() -> Iterator[Any]:
    for half, table in HALVES:
        for setting in declared(half):
            for text in table[setting.name].bad:
                yield pytest.param(half, setting, text, id=f"{setting.variable}={text!r:.30}")


@pytest.mark.parametrize(("half", "table"), HALVES)
def test_no_setting_is_forgotten_here(half: Any, table: Any) -> None:
    assert set(table) == {setting.name for setting in declared(half)}
    assert all(len(values.good) >= 1 for values in table.values())


@pytest.mark.case(77)
@pytest.mark.parametrize(("half", "setting", "text", "value"), [*_good()])
def test_a_good_value_is_taken(half: Any, setting: Setting, text: str, value: object) -> None:
    by_flag = load(half, ENVIRON, TLS | {setting.name: text}).settings
    by_variable = load(half, ENVIRON | {setting.variable: text}, _without(TLS, setting.name)).settings
    assert _without_host(getattr(by_flag, setting.name)) == value
    assert getattr(by_variable, setting.name) == getattr(by_flag, setting.name)


@pytest.mark.case(77, 99)
@pytest.mark.parametrize(("half", "setting", "text"), [*_bad()])
def test_a_bad_value_is_one_line_that_names_the_variable_and_what_is_allowed(
    half: Any, setting: Setting, text: str
) -> None:
    for environ, flags in [(ENVIRON, {setting.name: text}), (ENVIRON | {setting.variable: text}, {})]:
        with pytest.raises(SettingError) as caught:
            load(half, environ, flags)
        _assert_helpful(str(caught.value), setting)
        assert setting.secret is False or (KEY[8:] not in str(caught.value) and repr(text) not in str(caught.value))


def _assert_helpful(message: str, setting: Setting) -> None:
    assert message.isprintable(), "one line"
    assert len(message) < 400
    if message.startswith(setting.variable + ": "):
        assert setting.kind.allowed in message or "at most" in message
    else:  # the window is judged by the line that must fit it
        assert setting.variable in message


def _without_host(value: object) -> object:
    return _without(value, "host") if isinstance(value, dict) else value


def _without(texts: dict[str, str], name: str) -> dict[str, str]:
    return {key: text for key, text in texts.items() if key != name}
