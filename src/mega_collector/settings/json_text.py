"""JSON in a setting."""

import json
from collections.abc import Collection
from typing import Any


def parse_json(text: str) -> Any:
    """Read a JSON value.

    Raises:
        ValueError: it is no JSON, or an object names a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON (at character {error.pos + 1}: {error.msg})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def parse_strings(text: str, *, numbers: Collection[str] = ()) -> dict[str, str]:
    """Read a JSON object whose values are strings of valid Unicode; those of `numbers` may be whole numbers too.

    Raises:
        ValueError: it is something else.
    """
    found = parse_json(text)
    if not isinstance(found, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004 - it is the text that is wrong
    texts = {key: str(value) if key in numbers and type(value) is int else value for key, value in found.items()}
    if not all(isinstance(value, str) for value in texts.values()):
        raise ValueError("has a value that is no string")
    return texts


def require_keys(found: dict[str, str], required: set[str], optional: set[str]) -> None:
    """Check an object's keys. What was found is not told: in a mangled object a secret may stand as a key.

    Raises:
        ValueError: a key is missing, or there is one too many.
    """
    if missing := sorted(required - found.keys()):
        raise ValueError(f"lacks the key {missing[0]}")
    if found.keys() - required - optional:
        raise ValueError("has an unknown key (the keys are " + ", ".join(sorted(required | optional)) + ")")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("names a key twice")
    return found
