import json

import pytest

from mega_collector.settings.tags import tags


def test_pairs_and_json_say_the_same() -> None:
    assert tags("env=prod, team = logs,q=a=b") == tags('{"env": "prod", "team": "logs", "q": "a=b"}')
    assert tags("env=prod, team = logs,q=a=b") == {"env": "prod", "team": "logs", "q": "a=b"}


def test_nothing_is_no_tags() -> None:
    assert tags("") == tags("{}") == {}


def test_there_may_be_as_many_as_the_wire_takes_with_host() -> None:
    assert len(tags(",".join(f"k{i}=v" for i in range(63)))) == 63
    with pytest.raises(ValueError, match="more than 63"):
        tags(",".join(f"k{i}=v" for i in range(64)))


@pytest.mark.parametrize("word", ["k" * 255, "é" * 255])
def test_keys_and_values_may_be_as_long_as_the_wire_takes(word: str) -> None:
    assert tags(f"{word}={word}") == {word: word}
    with pytest.raises(ValueError, match="255"):
        tags(f"k={word}x")
    with pytest.raises(ValueError, match="255"):
        tags(f"{word}x=v")


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a=1,",
        "a=1,,b=2",
        "=1",
        "a=",
        "a=1,a=2",
        "host=x",
        "a=\n",
        "a=\udcff",
        '{"a": 1}',
        '{"a": "1", "a": "2"}',
        "{",
    ],
)
def test_what_is_no_tags_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        tags(text)


def test_the_tag_host_is_the_collectors_to_set() -> None:
    with pytest.raises(ValueError, match="COLLECTOR_HOST"):
        tags(json.dumps({"host": "x"}))
