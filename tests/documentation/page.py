"""The pages of the documentation, and the blocks of commands that stand in them.

Commands are what a fence of `sh` or `console` holds. They are run, in their order, unless the comment before the fence
says why not:

    <!-- not run: needs another machine -->

Others say what is to be waited for before the page goes on, and of what runs until it is stopped, that it does:

    <!-- ready when: grep -q hello all.log -->
    <!-- keeps running, ready when: grep -q hello all.log -->

In a `console` what stands behind `$` is run, and what follows is what it must print; `...` is anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

COMMANDS = {"sh", "console"}
OTHERS = {"text", "json", "yaml", "ini", "python"}

_MARK = re.compile(
    r"<!-- (?:not run: (?P<reason>.+)|(?P<keeps>keeps running, )?ready when: (?P<condition>.+)) -->", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a page: of the line where they begin, and how they are to be run."""

    line: int
    commands: str
    output: str | None = None
    """What must be printed, if the page says it."""
    condition: str | None = None
    keeps_running: bool = False
    reason: str | None = None
    """Why they are not run."""


def blocks(page: Path) -> list[Block]:
    """All blocks of commands of a page, in their order. Raises ValueError for one that says not what it is."""
    return [_block(page, fence, before) for fence, before in _fences(page) if _language(page, fence) in COMMANDS]


def inline(page: Path) -> list[str]:
    """What a page shows as code within its text."""
    tokens = MarkdownIt().enable("table").parse(page.read_text())
    return [part.content for token in tokens for part in token.children or [] if part.type == "code_inline"]


def _fences(page: Path) -> Iterator[tuple[Token, Token | None]]:
    """Every block of code, with what stands before it."""
    before = None
    for token in MarkdownIt().enable("table").parse(page.read_text()):
        if token.type in {"fence", "code_block"}:
            yield token, before
        before = token


def _language(page: Path, fence: Token) -> str:
    language = fence.info.split(" ")[0]
    if fence.type != "fence" or language not in COMMANDS | OTHERS:
        message = f"{_place(page, fence)}: give this block a fence that says what it is: {sorted(COMMANDS | OTHERS)}"
        raise ValueError(message)
    return language


def _block(page: Path, fence: Token, before: Token | None) -> Block:
    said = before.content.strip() if before is not None and before.type == "html_block" else ""
    mark = _MARK.fullmatch(said)
    if said and mark is None:
        message = f"{_place(page, fence)}: this comment says nothing that is known: {said}"
        raise ValueError(message)
    commands, output = _console(fence.content) if fence.info == "console" else (fence.content, None)
    line = (fence.map or [0])[0] + 1
    if mark is None:
        return Block(line, commands, output)
    return Block(line, commands, output, mark["condition"], bool(mark["keeps"]), mark["reason"])


def _console(text: str) -> tuple[str, str]:
    """The commands, and what they print altogether."""
    lines = text.splitlines(keepends=True)
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return "".join(commands), "".join(line for line in lines if not line.startswith("$ "))


def _place(page: Path, fence: Token) -> str:
    return f"{page.relative_to(ROOT)}:{(fence.map or [0])[0] + 1}"
