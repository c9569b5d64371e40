"""Of a pattern that matches nothing `check` says how far it leads, and what is there instead."""

from pathlib import Path

import pytest

from mega_collector.check.nothing import why_nothing


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "access.log").touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def _why(logs: Path, pattern: str) -> str:
    return why_nothing(bytes(logs / pattern))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("ngnix/*.log", "{0} is there, and has no ngnix; it has nginx"),
        ("ngnix/x/y/*.log", "{0} is there, and has no ngnix; it has nginx"),
        ("nginx/acess.log", "{0}/nginx is there, and has no acess.log; it has access.log"),
        ("nginx/zzzzzzzz", "{0}/nginx is there, and has no zzzzzzzz"),
        ("nginx/*.lgo", "{0}/nginx is there, and of its 1 names none matches *.lgo; it has access.log"),
        ("nginx/access.log/*.log", "{0}/nginx/access.log is no directory"),
        ("empty/*", "{0}/empty is there, and empty"),
        ("*/error.log", "2 directories such as {0}/empty are there, and none of them has error.log"),
        ("nginx/**/*.gz", "{0}/nginx is there, and nothing at any depth below it matches *.gz"),
    ],
)
def test_the_first_component_that_leads_nowhere_is_named_with_what_is_near(logs: Path, pattern: str, says: str) -> None:
    assert _why(logs, pattern) == says.format(logs)


def test_a_pattern_is_followed_from_the_root_on() -> None:
    assert why_nothing(b"/no-such-directory/at-all").startswith("/ is there, and has no no-such-directory")
