"""Tags: what else is said of every line of a collector."""

from collections.abc import Iterator

from mega_collector.settings.json_text import parse_strings
from mega_collector.settings.kind import Kind
from mega_collector.wire import MAX_NAME, MAX_TAGS  # of the tags, one is host


def tags(text: str) -> dict[str, str]:
    """Read `key=value,key=value` or a JSON object of strings.

    Raises:
        ValueError: it is neither, a key comes twice or is `host`, or a bound is passed.
    """
    found = parse_strings(text) if text.lstrip().startswith("{") else _pairs(text)
    if "host" in found:
        raise ValueError("has the tag host, which COLLECTOR_HOST sets")
    if len(found) >= MAX_TAGS:
        raise ValueError(f"has more than {MAX_TAGS - 1} tags")
    if not all(_fits(word) for pair in found.items() for word in pair):
        raise ValueError(f"has a key or a value that is not 1 to {MAX_NAME} printable characters")
    return found


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in _split(text):
        if key in found:
            raise ValueError("names a key twice")
        found[key] = value
    return found


def _split(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split(",") if text.strip() else []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError("has a tag without =")
        yield key.strip(), value.strip()


def _fits(word: str) -> bool:
    return 1 <= len(word) <= MAX_NAME and word.isprintable()


TAGS = Kind("TAGS", f"key=value,key=value or a JSON object of strings, at most {MAX_TAGS - 1}, without host", tags)
