"""Which files the patterns match, in real directories."""

import bz2
import gzip
import lzma
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from mega_collector.collector.finding.discovery import Discovery, FileFacts, NotAlone, Patterns


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(root: Path, *patterns: str, exclude: tuple[str, ...] = ()) -> set[str]:
    scan = Discovery([bytes(root / each) for each in patterns], [bytes(root / each) for each in exclude]).scan()
    assert not scan.unobservable
    return {os.fsdecode(path)[len(str(root)) + 1 :] for path in scan.files}


def test_the_facts_are_those_of_stat(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 1_234_567_891))
    status = path.stat()
    expected = {bytes(path): FileFacts(status.st_dev, status.st_ino, 5, 1_234_567_891, status.st_ctime_ns, links=1)}
    assert Discovery([bytes(path)]).scan().files == expected


@pytest.mark.case(3)
def test_overlapping_patterns_give_each_file_once_and_exclude_takes_out(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.txt", "a.log", "a.ignore.txt", "sub/c.txt")
    patterns = [f"{tmp_path}/*.txt", f"{tmp_path}/a.*", f"{tmp_path}//sub/.././*.txt"]
    scan = Discovery([os.fsencode(each) for each in patterns], [os.fsencode(f"{tmp_path}/a.*.txt")]).scan()
    assert set(scan.files) == {bytes(tmp_path / name) for name in ("a.txt", "b.txt", "a.log")}
    assert not scan.odd


@pytest.mark.case(9)
def test_hostile_names_are_found_as_they_are(tmp_path: Path) -> None:
    names = ["with space", "with\nnewline", "[x]", "-dash", "x" * 255, os.fsdecode(b"\xff\xfe"), "*", "?"]
    make(tmp_path, *names)
    assert found(tmp_path, "*") == set(names)
    assert found(tmp_path, "[[]x]", "[*]") == {"[x]", "*"}


def test_relative_patterns_begin_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "logs/a.log")
    monkeypatch.chdir(tmp_path)
    assert set(Discovery([b"./logs/../logs//*.log"]).scan().files) == {bytes(tmp_path / "logs" / "a.log")}


def test_what_can_be_no_name_matches_nothing() -> None:
    discovery = Discovery([b"/logs/*/a.log"])
    assert [discovery.matches(b"/logs/%b/a.log" % name) for name in (b"b", b"\0")] == [True, False]


def test_two_slashes_at_the_front_are_one(tmp_path: Path) -> None:
    make(tmp_path, "a.log")
    assert set(Discovery([b"/" + bytes(tmp_path / "*.log")]).scan().files) == {bytes(tmp_path / "a.log")}


@pytest.mark.case(4)
def test_what_is_no_file_is_told_with_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a directory.x").mkdir()
    os.mkfifo(tmp_path / "a FIFO.x")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "a socket.x"))
    listener.close()
    (tmp_path / "a device.x").symlink_to("/dev/full")
    (tmp_path / "a link to nothing.x").symlink_to("missing")
    (tmp_path / "a link that leads to itself.x").symlink_to("a link that leads to itself.x")
    make(tmp_path, "regular.x")
    scan = Discovery([bytes(tmp_path / "*.x")]).scan()
    assert {path: path.rpartition(b"/")[2][:-2].decode() for path in scan.odd} == scan.odd
    assert len(scan.odd) == 6
    assert set(scan.files) == {bytes(tmp_path / "regular.x")}
    assert not scan.unobservable


@pytest.mark.case(30)
def test_what_is_compressed_otherwise_than_by_gzip_is_odd_by_its_name_and_its_first_bytes(tmp_path: Path) -> None:
    contents = {
        "a.log.1.xz": lzma.compress(b"1\n"),
        "a.log.2.bz2": bz2.compress(b"2\n"),
        "a.log.zst.tmp": b"\x28\xb5\x2f\xfd\x04",
        "a.log.lz4": b"\x04",  # more is still to be written
        "e.log.lz4": b"",  # all of it is: it is nothing yet
        "b.log.xz": b"a line\n",
        "c.log": lzma.compress(b"3\n"),
        "c.log.gz": gzip.compress(b"4\n"),
        "d.xzz.log": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    discovery = Discovery([bytes(tmp_path / "*")])
    scan = discovery.scan()
    assert set(scan.files) == {bytes(tmp_path / name) for name in ("b.log.xz", "c.log", "c.log.gz", "d.xzz.log")}
    kinds = {"a.log.1.xz": "xz", "a.log.2.bz2": "bzip2", "a.log.zst.tmp": "zstd", "a.log.lz4": "lz4"}
    expected = {name: f"compressed by {kind}, and only gzip's archives are read" for name, kind in kinds.items()}
    assert scan.odd == {bytes(tmp_path / name): what for name, what in expected.items()}
    for name in kinds:
        with pytest.raises(NotAlone):
            discovery.look(bytes(tmp_path / name))
    with pytest.raises(NotAlone):
        discovery.look(bytes(tmp_path / "e.log.lz4"))
    assert discovery.look(bytes(tmp_path / "b.log.xz")) == scan.files[bytes(tmp_path / "b.log.xz")]


@pytest.mark.case(30)
def test_what_seems_to_be_compressed_and_cannot_be_opened_could_not_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be garbage: so it is no file before somebody has seen."""
    path = tmp_path / "a.log.1.xz"
    path.write_bytes(lzma.compress(b"1\n"))
    discovery = Discovery([bytes(path)])
    monkeypatch.setattr(os, "open", _refused)
    scan = discovery.scan()
    assert not scan.files
    assert scan.unobservable.keys() == scan.sealed == {bytes(path)}
    with pytest.raises(NotAlone):
        discovery.look(bytes(path))


def _refused(*_: object) -> int:
    raise PermissionError


def test_directories_are_odd_where_they_are_named_but_not_where_all_is_meant(tmp_path: Path) -> None:
    make(tmp_path, "logs/sub/a.log")
    logs = bytes(tmp_path / "logs")
    assert Discovery([logs]).scan().odd == {logs: "a directory"}
    assert Discovery([b"/"]).scan().odd == {b"/": "a directory"}
    assert not Discovery([logs + b"/*", logs + b"/**"]).scan().odd


def test_directories_that_are_links_are_entered_by_name_and_by_star_but_not_by_two(tmp_path: Path) -> None:
    make(tmp_path, "real/a.log")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "circle").symlink_to("../real")
    assert found(tmp_path, "link/*.log") == {"link/a.log"}
    assert found(tmp_path, "*/*.log") == {"link/a.log", "real/a.log"}
    assert found(tmp_path, "**/*.log") == {"real/a.log"}
    assert found(tmp_path, "link/**/*.log") == {"link/a.log"}


def test_a_circle_of_links_in_the_middle_of_a_pattern_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    make(tmp_path, "logs/a.log")
    assert found(tmp_path, "*/*.log", "circle/*.log") == {"logs/a.log"}


@pytest.mark.case(4)
def test_a_link_that_is_named_as_a_directory_and_leads_nowhere_is_told_once_with_what_it_is(tmp_path: Path) -> None:
    for name, target in (("circle", "circle"), ("dangling", "missing/too"), ("other", "nothing")):
        (tmp_path / name).symlink_to(target)
    patterns = ("circle/*.log", "circle/x.log", "circle/y/**/z.log", "dangling/x.log", "dangling/y.log", "*/*.log")
    scan = Discovery([bytes(tmp_path / each) for each in patterns]).scan()
    assert scan.odd == {
        bytes(tmp_path / "circle"): "a link that leads to itself",
        bytes(tmp_path / "dangling"): "a link to nothing",
    }
    assert not scan.unobservable
    (tmp_path / "missing" / "too").mkdir(parents=True)
    (tmp_path / "circle").unlink()
    make(tmp_path, "circle/x.log", "dangling/x.log")
    assert found(tmp_path, *patterns[:-1]) == {"circle/x.log", "dangling/x.log"}


# Where to watch


def directories(*patterns: Path) -> set[bytes]:
    return Discovery([bytes(each) for each in patterns]).scan().directories


def paths(*each: Path) -> set[bytes]:
    return {bytes(path) for path in each}


def test_every_directory_that_was_looked_into_is_to_be_watched(tmp_path: Path) -> None:
    make(tmp_path, "one/a.log", "two/deep/b.log", "three/c")
    two = tmp_path / "two"
    assert directories(tmp_path / "one" / "*.log") == paths(tmp_path / "one")
    assert directories(tmp_path / "*" / "*.log") == paths(tmp_path, tmp_path / "one", two, tmp_path / "three")
    assert directories(two / "**" / "*.log") == paths(two, two / "deep")
    assert directories(tmp_path / "three" / "missing.log") == paths(tmp_path / "three")


@pytest.mark.case(5)
def test_where_directories_are_missing_their_nearest_ancestor_is_to_be_watched(tmp_path: Path) -> None:
    assert directories(tmp_path / "a" / "b" / "*.log") == paths(tmp_path)
    assert bytes(tmp_path) in directories(tmp_path / "a" / "b" / "c.log")
    make(tmp_path, "a/x")
    assert directories(tmp_path / "a" / "b" / "*.log") == paths(tmp_path / "a")


@pytest.mark.case(4)
def test_every_directory_through_which_a_link_leads_is_to_be_watched(tmp_path: Path) -> None:
    make(tmp_path, "docker/id/json.log")
    for name in ("pods", "containers"):
        (tmp_path / name).mkdir()
    (tmp_path / "pods" / "0.log").symlink_to(tmp_path / "docker" / "id" / "json.log")
    (tmp_path / "containers" / "a.log").symlink_to("../pods/0.log")
    expected = paths(tmp_path / "containers", tmp_path / "pods", tmp_path / "docker" / "id")
    assert directories(tmp_path / "containers" / "*.log") == expected
    shutil.rmtree(tmp_path / "docker" / "id")
    expected = paths(tmp_path / "containers", tmp_path / "pods", tmp_path / "docker")
    assert directories(tmp_path / "containers" / "*.log") == expected


# What cannot be looked at is not gone


NOBODY: list[str | Path] = ["setpriv", "--reuid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []

AS_NOBODY = """
import sys
from mega_collector.collector.finding.discovery import Discovery
scan = Discovery([each.encode() for each in sys.argv[1:]]).scan()
for path, error in sorted(scan.unobservable.items()):
    print("unobservable", path.decode(), error.strerror)
for path in sorted(scan.files):
    print("file", path.decode())
for path in sorted(scan.odd):
    print("odd", path.decode())
"""


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that another user can reach."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def seen_by_nobody(*patterns: Path) -> list[str]:
    if NOBODY and shutil.which(NOBODY[0]) is None:
        pytest.skip("needs setpriv")
    return run(*NOBODY, sys.executable, "-c", AS_NOBODY, *patterns).splitlines()


def run(*command: str | Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.case(7)
@pytest.mark.parametrize("pattern", ["*/*.log", "closed/*.log", "closed/a.log", "**/*.log", "closed/*/a.log"])
def test_a_directory_that_may_not_be_read_is_unobservable(open_to_all: Path, pattern: str) -> None:
    make(open_to_all, "closed/a.log", "closed/deep/a.log")
    closed = open_to_all / "closed"
    closed.chmod(0)
    where = closed / "a.log" if pattern == "closed/a.log" else closed
    assert seen_by_nobody(open_to_all / pattern) == [f"unobservable {where} Permission denied"]
    closed.chmod(0o755)


@pytest.mark.case(7)
def test_a_directory_that_can_be_listed_and_not_searched_hides_its_files(open_to_all: Path) -> None:
    make(open_to_all, "listed/a.log", "listed/b.log", "listed/c")
    (open_to_all / "listed").chmod(0o744 if NOBODY else 0o400)
    expected = [f"unobservable {open_to_all}/listed/{name} Permission denied" for name in ("a.log", "b.log")]
    assert seen_by_nobody(open_to_all / "listed" / "*.log") == expected
    (open_to_all / "listed").chmod(0o755)


def test_a_directory_that_can_be_searched_and_not_listed_gives_the_files_that_are_named(open_to_all: Path) -> None:
    make(open_to_all, "dark/a.log")
    dark = open_to_all / "dark"
    dark.chmod(0o711 if NOBODY else 0o100)
    assert seen_by_nobody(dark / "a.log", dark / "missing.log") == [f"file {dark}/a.log"]
    assert seen_by_nobody(dark / "a.log", dark / "*.log") == [
        f"unobservable {dark} Permission denied",
        f"file {dark}/a.log",
    ]
    dark.chmod(0o755)


@pytest.mark.case(6)
def test_a_file_that_may_not_be_read_is_found(open_to_all: Path) -> None:
    make(open_to_all, "a.log")
    (open_to_all / "a.log").chmod(0)
    assert seen_by_nobody(open_to_all / "*.log") == [f"file {open_to_all}/a.log"]


def test_without_descriptors_directories_are_unobservable_and_not_empty(tmp_path: Path) -> None:
    make(tmp_path, "logs/a.log")
    program = """
import os, resource, sys
from mega_collector.collector.finding.discovery import Discovery
discovery = Discovery([os.fsencode(sys.argv[1])])
highest = os.open("/", os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, highest + 1))
scan = discovery.scan()
assert not scan.files
print([error.strerror for error in scan.unobservable.values()])
"""
    said = run(sys.executable, "-c", program, tmp_path / "logs" / "*.log")
    assert said == "['Too many open files']\n"


def test_what_is_deleted_is_not_unobservable(tmp_path: Path) -> None:
    make(tmp_path, "file")
    patterns = ["missing/*.log", "missing.log", "missing/a/b.log", "file/a.log", "file/*.log", "missing/**/x"]
    scan = Discovery([bytes(tmp_path / each) for each in patterns]).scan()
    assert not scan.unobservable
    assert not scan.files
    assert not scan.odd


# Size


def test_a_directory_with_many_entries_costs_little_memory() -> None:
    with TemporaryDirectory(dir=memory_filesystem()) as directory:
        where = os.open(directory, os.O_RDONLY)
        for number in range(30_000):
            os.symlink("x", f"{number}.other", dir_fd=where)
        for number in range(10):
            os.close(os.open(f"{number}.log", os.O_CREAT | os.O_WRONLY, dir_fd=where))
        os.close(where)
        discovery = Discovery([os.fsencode(f"{directory}/*.log")])
        tracemalloc.start()
        scan = discovery.scan()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(scan.files) == 10
        assert most < 50_000


def test_a_deep_tree_needs_no_more_descriptors_than_a_flat_one() -> None:
    with TemporaryDirectory(dir=memory_filesystem()) as directory:
        path = Path(directory, *["d"] * 200)
        make(path, "a.log")
        discovery = Discovery([os.fsencode(f"{directory}/**/*.log")])
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 20, limits[1]))
        try:
            scan = discovery.scan()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert set(scan.files) == {bytes(path / "a.log")}
        assert not scan.unobservable


def memory_filesystem() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# Against a plain reference


NAMES = st.sampled_from(["a", "b", "ab", "a.log", "b.log", ".h", ".log", "[", "a\n", os.fsdecode(b"\xff")])
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=12)
PARTS = ["*", "**", "a*", "*.log", "?", "[ab]", "[!a]*", ".*", "a", "b", ".h", "a.log", "[[]", "*b*"]
PATTERNS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map("/".join)


@settings(max_examples=150, deadline=None)
@given(tree=TREES, patterns=st.lists(PATTERNS, min_size=1, max_size=3), exclude=st.lists(PATTERNS, max_size=1))
def test_it_finds_what_a_plain_expression_over_all_files_finds(
    tree: list[str], patterns: list[str], exclude: list[str]
) -> None:
    with TemporaryDirectory(dir=memory_filesystem()) as directory:
        root = Path(directory)
        for name in tree:
            try:
                make(root, name)
            except (FileExistsError, NotADirectoryError):
                continue  # a file stands where this needs a directory
        expected = {
            name
            for name in every_file(root)
            if any(map(matcher(name), patterns)) and not any(map(matcher(name), exclude))
        }
        assert found(root, *patterns, exclude=tuple(exclude)) == expected


def every_file(root: Path) -> Iterator[str]:
    for where, _, files in os.walk(root):
        yield from (os.path.relpath(f"{where}/{name}", root) for name in files)


class matcher:  # noqa: N801 - used as a function
    """Whether a pattern matches a name, by one regular expression that was made in another way."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, pattern: str) -> bool:
        parts = pattern.split("/")
        if parts[-1] == "**":
            parts.append("*")
        expression = "".join(self._part(part) for part in parts)
        return re.fullmatch(expression, "/" + self.name, re.DOTALL) is not None

    @staticmethod
    def _part(part: str) -> str:
        if part == "**":
            return r"(?:/(?!\.)[^/]+)*"
        known = {"*": "[^/]*", "?": "[^/]", "[ab]": "[ab]", "[!a]*": "[^/a][^/]*", "[[]": r"\["}
        body = known.get(part) or "".join("[^/]*" if each == "*" else re.escape(each) for each in part)
        return "/" + ("" if part.startswith(".") else r"(?!\.)") + "(?=[^/])" + body


def test_one_name_is_looked_at_alone(tmp_path: Path) -> None:
    make(tmp_path, "a.log")
    discovery = Discovery([bytes(tmp_path / "*.log")])
    facts = discovery.scan().files[bytes(tmp_path / "a.log")]
    assert discovery.look(bytes(tmp_path / "a.log")) == facts


def test_a_name_that_nothing_has_has_no_facts(tmp_path: Path) -> None:
    make(tmp_path, "file")
    discovery = Discovery([bytes(tmp_path / "*")])
    assert discovery.look(bytes(tmp_path / "missing")) is None
    assert discovery.look(bytes(tmp_path / "file" / "below")) is None


def test_a_link_or_a_directory_cannot_be_looked_at_alone(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("anywhere")
    (tmp_path / "directory").mkdir()
    discovery = Discovery([bytes(tmp_path / "*")])
    for name in ("link", "directory"):
        with pytest.raises(NotAlone):
            discovery.look(bytes(tmp_path / name))


def test_the_patterns_that_match_none_of_the_files_are_told_as_they_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    patterns = Patterns([b"/a/x.log", b"/a/y.log", b"a/*.log", b"/b/**/*.log", b"*.lgo", b"/a/x.log"])
    assert list(patterns.without_match([b"/a/x.log", b"/b/c/d.log"])) == [b"/a/y.log", b"*.lgo"]
    assert list(patterns.without_match([])) == [b"/a/x.log", b"/a/y.log", b"a/*.log", b"/b/**/*.log", b"*.lgo"]
