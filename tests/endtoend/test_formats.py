"""Each format with real processes: the lines come out of it again as they were written, and in a file each once."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.lines import assert_exactly, make_line
from harness.pipe import Pipe
from harness.site import Site
from harness.until import quiet, until

LINES, PADDING = 100_000, 240
PARTS = 4

WINDOW = "4MiB"
"""What is in flight must not be all the rest, when an aggregator is killed."""


def _from_json(site: Site, data: bytes) -> bytes:
    """The messages; all else is as it should be."""
    assert data.endswith(b"}\n") or not data
    messages = []
    for line in data.splitlines():
        said = json.loads(line)
        messages.append(said.pop("message"))
        assert 0 <= time.time() - datetime.fromisoformat(said.pop("time")).timestamp() < 600
        assert said == {"path": str(site.logs / "a.log"), "host": "test", "tags": {"env": "tests", "host": "test"}}
    return "".join(f"{message}\n" for message in messages).encode()


def _from_prefix(site: Site, data: bytes) -> bytes:
    prefix = f"test {site.logs / 'a.log'}: ".encode()
    lines = data.splitlines(keepends=True)
    assert all(line.startswith(prefix) for line in lines)
    return b"".join(line.removeprefix(prefix) for line in lines)


READ: dict[str, Callable[[Site, bytes], bytes]] = {
    "raw": lambda _site, data: data,
    "json": _from_json,
    "prefix": _from_prefix,
}

each_format = pytest.mark.parametrize("form", [*READ])


def _to_file(site: Site, form: str, **settings: Any) -> Any:
    return site.aggregator(file_configuration=json.dumps({"path": str(site.out), "format": form}), **settings)


@each_format
def test_a_file_has_each_line_once_though_both_are_killed_in_the_middle(site: Site, form: str) -> None:
    lines = [make_line("a", 0, sequence, PADDING) for sequence in range(LINES)]
    (site.logs / "a.log").write_bytes(b"".join(lines))
    site.written["a", 0] = lines
    for part in range(1, PARTS):
        processes = [_to_file(site, form), site.collector(tags="env=tests", window_size=WINDOW)]
        site.wait_for_bytes(site.bytes_written * part // PARTS)
        for process in processes:
            process.kill()
        assert part > 1 or site.output().count(b"\n") < LINES, "it was over already"
    _to_file(site, form)
    site.collector(tags="env=tests")
    until(lambda: site.output().count(b"\n") >= LINES, "not everything arrived")
    quiet(site.size, "the destination")
    assert_exactly(READ[form](site, site.output()), site.written)


@each_format
def test_stdout_has_every_line_in_order(site: Site, form: str) -> None:
    site.writer().write(20_000)
    with Pipe() as pipe:
        text = json.dumps({"format": form})
        aggregator = site.aggregator(file_configuration=None, text_configuration=text, stdout=pipe.writing)
        pipe.close_writing()
        site.collector(tags="env=tests")
        pipe.drain()
        until(lambda: pipe.data.count(b"\n") >= site.lines_written, "not everything came through the pipe")
        assert_exactly(READ[form](site, pipe.data), site.written)
        assert aggregator.stop() == 0


def test_any_bytes_make_valid_json_and_unterminated_ends_are_objects_too(site: Site) -> None:
    content = b'"\\\r\n\n\0\x7f\n\xff\xfe\n' + "é\u2028😀\n".encode() + b"no end"
    before = datetime.now(UTC)
    log = site.logs / os.fsdecode(b"a\xff.log")
    log.write_bytes(content)
    _to_file(site, "json")
    site.collector(tags="env=tests")
    until(lambda: site.output().count(b"\n") == 5, "the lines with an end should come")
    log.rename(site.logs / "gone")
    until(lambda: site.output().count(b"\n") == 6, "the last one should come when its file is finished")
    said = [json.loads(line) for line in site.output().splitlines()]
    assert [each["message"] for each in said] == ['"\\\r', "", "\0\x7f", "\ufffd\ufffd", "é\u2028😀", "no end"]
    assert [each.get("replaced", False) for each in said] == [False, False, False, True, False, False]
    assert {each["path"] for each in said} == {f"{site.logs}/a\\xff.log"}
    assert all(before <= datetime.fromisoformat(each["time"]) <= datetime.now(UTC) for each in said)
