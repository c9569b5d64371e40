"""docs/cases.md and the tests say the same: what the catalogue names is there, and what is marked is named."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cases.starred import STARRED

TESTS = Path(__file__).parent.parent
CATALOGUE = TESTS.parent / "docs" / "cases.md"

_ROW = re.compile(r"\| *(?P<number>\d+)(?P<star>★?) *\|(?P<happens>.*)\|(?P<promised>.*)\|(?P<tests>[^|]*)\|")


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    starred: bool
    happens: str
    promised: str
    tests: tuple[str, ...]


def _rows(text: str) -> list[Row]:
    found = []
    for line in text.splitlines():
        if re.match(r"\| *\d", line):
            row = _ROW.fullmatch(line)
            assert row is not None, f"no row of five cells: {line}"
            tests = tuple(re.findall(r"`([^`]+)`", row["tests"]))
            number, starred = int(row["number"]), bool(row["star"])
            found.append(Row(number, starred, row["happens"].strip(), row["promised"].strip(), tests))
    return found


def _marked() -> dict[str, set[int]]:
    """Every test, as `path::name`, with the cases whose mark it bears."""
    found: dict[str, set[int]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for function in _functions(ast.parse(path.read_text())):
            name = f"{path.relative_to(TESTS)}::{function.name}"
            assert name not in found, f"{name} is there twice"
            found[name] = {number for each in function.decorator_list for number in _case(each)}
    return found


def _functions(module: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def _case(node: ast.AST) -> set[int]:
    """The numbers, if this is `pytest.mark.case(number, ...)`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.case":
        return {number for each in node.args if isinstance(number := ast.literal_eval(each), int)}
    return set()


ROWS = _rows(CATALOGUE.read_text())
MARKED = _marked()


def test_all_hundred_are_there() -> None:
    assert [row.number for row in ROWS] == list(range(1, 101))


def test_each_case_stands_once_and_in_its_order() -> None:
    numbers = [row.number for row in ROWS]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(1, 101))


def test_the_stars_are_where_they_belong() -> None:
    assert {row.number for row in ROWS if row.starred} == STARRED & {row.number for row in ROWS}


def test_each_row_says_what_happens_what_is_promised_and_what_holds_it() -> None:
    assert [row for row in ROWS if not (row.happens and row.promised and row.tests)] == []
    assert [row for row in ROWS if len(set(row.tests)) < len(row.tests)] == []


def test_what_is_named_is_there_and_marked() -> None:
    named = {(row.number, test) for row in ROWS for test in row.tests}
    assert {(number, test) for number, test in named if test not in MARKED} == set()
    assert {(number, test) for number, test in named if number not in MARKED[test]} == set()


def test_what_is_marked_is_named() -> None:
    marked = {(number, test) for test, numbers in MARKED.items() for number in numbers}
    assert marked - {(row.number, test) for row in ROWS for test in row.tests} == set()


def test_marks_are_where_they_are_looked_for() -> None:
    """On functions of modules, and nowhere else: not on a class, a parameter or a whole module."""
    for path in TESTS.rglob("*.py"):
        module = ast.parse(path.read_text())
        everywhere = sum(1 for node in ast.walk(module) if _case(node))
        assert everywhere == sum(1 for each in _functions(module) for mark in each.decorator_list if _case(mark)), path
