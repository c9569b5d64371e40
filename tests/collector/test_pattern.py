"""What patterns match."""

import pytest

from mega_collector.collector.finding.pattern import parse, path_matches


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (b"/a/b.log", b"/a/b.log"),
        (b"/a/*.log", b"/a/b.log"),
        (b"/a/*", b"/a/b"),
        (b"/*/b?c", b"/a/b\nc"),
        (b"/a/*.log", b"/a/\xff\xfe\n.log"),
        (b"/a/[a-c]", b"/a/b"),
        (b"/a/[!a-c]", b"/a/d"),
        (b"/a/[]]", b"/a/]"),
        (b"/a/[[]x]", b"/a/[x]"),
        (b"/a/[\x80-\xff]", b"/a/\xe9"),
        (b"/a/?", b"/a/\xff"),
        (b"/a/caf?.log", "/a/café.log".encode()),
        ("/a/[äö]x".encode(), "/a/öx".encode()),
        ("/a/[!ä]x".encode(), "/a/öx".encode()),
        (b"/a/.*", b"/a/.hidden"),
        (b"/a/.h/*", b"/a/.h/x"),
        (b"/**/x", b"/x"),
        (b"/**/x", b"/a/b/c/x"),
        (b"/a/**", b"/a/x"),
        (b"/a/**", b"/a/b/c/x"),
        (b"/a/**/**/x", b"/a/x"),
        (b"/**/b/**/x", b"/a/b/b/c/x"),
        (b"/a/b**c", b"/a/bxxc"),
    ],
)
def test_matches(pattern: bytes, path: bytes) -> None:
    assert path_matches(path, parse(pattern))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (b"/a/b.log", b"/a/b.log2"),
        (b"/a/b.log", b"/a/bxlog"),
        (b"/a/*.log", b"/a/b/c.log"),
        (b"/a/*.log", b"/a/B.LOG"),
        (b"/a/*", b"/a"),
        (b"/a/*", b"/a/.hidden"),
        (b"/a/?hidden", b"/a/.hidden"),
        (b"/a/[.]hidden", b"/a/.hidden"),
        (b"/a/??", "/a/é".encode()),
        ("/a/[é]*".encode(), "/a/ä".encode()),
        (b"/a/*.log", b"/a/b.log\n"),
        (b"/a/**/x", b"/a/.hidden/x"),
        (b"/a/**", b"/a/b/.hidden"),
        (b"/a/**", b"/a"),
        (b"/a/b**c", b"/a/bx/xc"),
        (b"/", b"/a"),
        (b"/a/[c-a]", b"/a/b"),
    ],
)
def test_does_not_match(pattern: bytes, path: bytes) -> None:
    assert not path_matches(path, parse(pattern))
