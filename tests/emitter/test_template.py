from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, strategies as st

from mega_collector.block import Source
from mega_collector.emitter.template import Template, is_template, literal
from mega_collector.marker import Marker

HOUR = 3_600_000_000_000
NEW_YEAR = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


def make_source(
    path: bytes = b"/var/log/web.log",
    *,
    host: str = "web1",
    collector: str = "c",
    tags: Mapping[str, str] | None = None,
) -> Source:
    return Source(b"id", path, 1, 2, Marker(), collector, host, tags or {})


def path_of(template: str, source: Source, received: int = NEW_YEAR, *, rotated: bool = False) -> str:
    return Template(template, rotated=rotated).path(source, received)


def test_fields_and_time_stand_where_they_are_named() -> None:
    source = make_source(tags={"env": "prod"})
    assert path_of("/logs/{host}/{path}/%Y-%m-%d.log", source) == "/logs/web1/var/log/web.log/2026-01-01.log"
    assert path_of("/logs/{collector}-{tag:env}%H{tag:none}.log", source) == "/logs/c-prod00_.log"
    assert path_of("/{host}", source) == "/web1"
    assert path_of("/a{{b}}%%/{host}%%", source) == "/a{b}%/web1%"


def test_the_root_is_the_directory_before_what_varies() -> None:
    assert str(Template("/logs/all/x-{host}/a.log").root) == "/logs/all"
    assert str(Template("/{host}.log").root) == "/"
    assert str(Template("/a%%b/{host}").root) == "/a%b"


def test_the_time_is_that_of_the_arrival_in_utc() -> None:
    for received, name in [(NEW_YEAR - 1, "2025-12-31-23"), (NEW_YEAR, "2026-01-01-00")]:
        assert path_of("/logs/%Y-%m-%d-%H", make_source(), received) == f"/logs/{name}"


def test_a_path_is_over_when_nothing_more_goes_to_it() -> None:
    template = Template("/logs/{host}/{path}/%d.%m.%Y.log")
    path = template.path(make_source(), NEW_YEAR - 1)
    assert not template.is_over(path, NEW_YEAR - 1)
    assert template.is_over(path, NEW_YEAR)
    assert not template.is_over("/elsewhere/31.12.2025.log", NEW_YEAR)
    assert not Template("/logs/{host}").is_over("/logs/web1", NEW_YEAR)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        (b"/a/./b//c/", "a/b/c"),
        (b"", "_"),
        (b"/", "_"),
        (b"a\0b\nc\x7f", "a%00b%0Ac%7F"),
        (b"\xff\xc3", "%FF%C3"),
        ("/ü/\u202e".encode(), "ü/%E2%80%AE"),
        (b"100%/a\\b", "100%25/a%5Cb"),
    ],
)
def test_hostile_paths_become_harmless(path: bytes, expected: str) -> None:
    assert path_of("/logs/{path}", make_source(path)) == f"/logs/{expected}"


def test_other_fields_are_one_name() -> None:
    assert path_of("/logs/{host}/x", make_source(host="../../etc")) == "/logs/..%2F..%2Fetc/x"
    assert path_of("/logs/{host}{tag:dot}/x", make_source(host=".", tags={"dot": "."})) == "/logs/%2E%2E/x"
    assert path_of("/logs/{tag:no}", make_source()) == "/logs/_"


def test_long_names_and_paths_are_cut_and_kept_apart() -> None:
    one, two = (path_of("/logs/{path}", make_source(b"x" * 300 + end)) for end in (b"1", b"2"))
    assert one != two
    deep = [path_of("/logs/{path}", make_source(b"a/" * 2000 + end)) for end in (b"1", b"2")]
    assert deep[0] != deep[1]
    assert max(map(len, deep)) < 1000


def test_what_ends_like_a_rotated_file_is_told_from_one_where_files_are_rotated() -> None:
    for name, expected in [(b"a.log.1", "a.log%2E1"), (b"a.log.gz", "a.log%2Egz"), (b"a.log.zst", "a.log%2Ezst")]:
        assert path_of("/logs/{path}", make_source(name), rotated=True) == f"/logs/{expected}"
        assert path_of("/logs/{path}", make_source(name)) == f"/logs/{name.decode()}"
    assert path_of("/logs/{path}", make_source(b"a.1.log"), rotated=True) == "/logs/a.1.log"


@given(path=st.binary(max_size=400), host=st.text(max_size=300), tag=st.text(max_size=300), rotated=st.booleans())
def test_whatever_a_collector_says_the_file_is_below_the_root(path: bytes, host: str, tag: str, rotated: bool) -> None:
    source = make_source(path, host=host.encode("utf-8", "ignore").decode(), tags={"t": tag})
    found = path_of("/logs/{tag:t}{host}/{path}/{tag:t}", source, rotated=rotated)
    names = found.split("/")
    assert names[:2] == ["", "logs"]
    assert not {"", ".", ".."} & set(names[2:])
    assert str(PurePosixPath(found)) == found
    assert found.isprintable() or all(ord(each) > 0x9F for each in found if not each.isprintable())
    assert max(len(name.encode()) for name in names) <= 200
    assert len(found.encode()) <= 2200


def _normal(path: bytes) -> tuple[bytes, ...]:
    return tuple(each for each in path.split(b"/") if each not in {b"", b"."})


@given(st.lists(st.binary(min_size=1, max_size=12), min_size=2, max_size=2, unique_by=_normal))
def test_two_paths_never_share_a_file(paths: list[bytes]) -> None:
    for rotated in (False, True):
        assert len({path_of("/logs/{path}", make_source(path), rotated=rotated) for path in paths}) == 2


@pytest.mark.parametrize("text", ["/l/{hots}", "/l/{}", "/l/%y", "/l/%", "/l/{host", "/l/}", "/l/{host}/", "l/{host}"])
def test_a_mistake_in_a_template_is_an_error(text: str) -> None:
    assert is_template(text)
    with pytest.raises(ValueError, match="has a "):
        Template(text)


def test_a_path_in_which_nothing_varies_is_none() -> None:
    assert not is_template("/a{{b}}%%.log")
    assert literal("/a{{b}}%%.log") == "/a{b}%.log"


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("{path}", True),
        ("{host}/{path}", True),
        ("{host}/{path}.log", False),
        ("logs-{host}/{path}", False),
        ("state/{tag:name}", True),
        ("state/logs/{path}", False),
        ("elsewhere/{path}", False),
    ],
)
def test_it_is_known_where_a_collector_may_lead(tmp_path: Path, text: str, may: bool) -> None:
    assert Template(f"{tmp_path}/{text}").may_be(tmp_path / "state" / "ledger.sqlite3") is may
