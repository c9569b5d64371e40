import fnmatch
import json
import os

import pytest
from hypothesis import given, strategies as st

from mega_collector.settings.globs import globs


def test_patterns_stand_one_a_line() -> None:
    assert globs("/var/log/**/*.log\n\n  /srv/a b.log\r\n[ab].log\n") == (
        b"/var/log/**/*.log",
        b"/srv/a b.log",
        b"[ab].log",
    )


def test_patterns_stand_in_a_json_list() -> None:
    assert globs('[" a ", "b\\nc",\n"[d]"]') == (b" a ", b"b\nc", b"[d]")
    assert globs(" [ ] ") == ()


def test_a_bracket_before_no_quote_begins_a_glob() -> None:
    assert globs("[12].log") == (b"[12].log",)


def test_bytes_that_are_no_text_come_through_both_ways() -> None:
    name = b"/logs/\xff\xe9.log"
    assert globs(os.fsdecode(name)) == globs(json.dumps([os.fsdecode(name)])) == (name,)


@pytest.mark.parametrize("text", ['["a"', '["a", 1]', '["a", null]', '[""]', '["a\\u0000b"]', '["\\ud800"]'])
def test_what_is_no_list_of_paths_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        globs(text)


@pytest.mark.parametrize("pattern", ["[", "a[", "/a[b/c]d", "a[]", "[!]", "[^]", "[]abc", "[a][b"])
def test_a_class_that_is_never_closed_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="never closed"):
        globs(pattern)


@pytest.mark.parametrize("pattern", ["[]]", "[!]]", "[[]", "[]-]", "a]b", "[a]/[b]", "[^a]"])
def test_a_class_that_is_closed_is_taken(pattern: str) -> None:
    assert globs(pattern) == (pattern.encode(),)


@given(st.text(alphabet="[]!ab", min_size=1, max_size=6))
def test_a_class_is_unclosed_just_where_fnmatch_takes_the_bracket_literally(pattern: str) -> None:
    literal = r"\[" in fnmatch.translate(pattern).replace(r"[\[", "[")
    try:
        globs(f"./{pattern}")
    except ValueError:
        assert literal
    else:
        assert not literal
