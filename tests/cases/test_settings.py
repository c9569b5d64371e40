"""What a configuration would feed to itself."""

from pathlib import Path

import pytest

from harness.site import Site, environ
from harness.until import quiet, until
from starting.attempt import assert_refused

# 99: what is refused before anything is touched


@pytest.mark.case(99)
@pytest.mark.parametrize(
    ("half", "settings", "says"),
    [
        ("collector", {"path": "/var/log/*.log"}, ["COLLECTOR_PATH:", "did you mean COLLECTOR_PATHS"]),
        ("collector", {"paths": " "}, ["COLLECTOR_PATHS"]),
        ("collector", {"paths": "/var/log/[a"}, ["COLLECTOR_PATHS", "'/var/log/[a'"]),
        ("collector", {"exclude": "/var/log/[a"}, ["COLLECTOR_EXCLUDE", "'/var/log/[a'"]),
        ("collector", {"start_at": "middle"}, ["COLLECTOR_START_AT", "'middle'"]),
        ("collector", {"max_line_size": "0"}, ["COLLECTOR_MAX_LINE_SIZE", "'0'"]),
        ("collector", {"max_line_size": "17MiB"}, ["COLLECTOR_MAX_LINE_SIZE", "16711679"]),
        ("collector", {"max_line_size": "4MiB", "window_size": "2MiB"}, ["COLLECTOR_WINDOW_SIZE"]),
        ("collector", {"window_size": "-1"}, ["COLLECTOR_WINDOW_SIZE", "'-1'"]),
        ("collector", {"remote_address": "logs.example:0"}, ["COLLECTOR_REMOTE_ADDRESS", "'logs.example:0'"]),
        ("collector", {"remote_address": "logs.example:70000"}, ["COLLECTOR_REMOTE_ADDRESS", "'logs.example:70000'"]),
        ("aggregator", {"listen_address": "127.0.0.1:70000"}, ["AGGREGATOR_LISTEN_ADDRESS", "'127.0.0.1:70000'"]),
        ("aggregator", {"max_batch_size": "0"}, ["AGGREGATOR_MAX_BATCH_SIZE", "'0'"]),
        ("aggregator", {"max_batch_bytes": "0"}, ["AGGREGATOR_MAX_BATCH_BYTES", "'0'"]),
        ("aggregator", {"file_configuration": "missing/out.log"}, ["AGGREGATOR_FILE_CONFIGURATION", "missing"]),
    ],
)
def test_a_bad_value_is_refused_by_start_and_by_check(
    tmp_path: Path, half: str, settings: dict[str, str | None], says: list[str]
) -> None:
    usual = {
        "collector": {"paths": "*.log", "state_directory": "state"},
        "aggregator": {
            "file_configuration": "out.log",
            "state_directory": "state",
            "listen_address": f"unix:{tmp_path / 'socket'}",
        },
    }[half]
    variables = environ(half.upper(), usual, settings)
    assert_refused(half, cwd=tmp_path, environ=variables, says=says)
    if "missing/out.log" not in settings.values():  # that is tried, not read: check reports it among its findings
        assert_refused("check", half, cwd=tmp_path, environ=variables, says=says)


# 100: what feeds on itself


@pytest.mark.case(100)
def test_a_state_directory_among_the_logs_is_left_out(site: Site) -> None:
    site.writer().write(10)
    site.aggregator()
    state = site.logs / "state"
    collector = site.collector(paths=str(site.logs / "**" / "*"), state_directory=str(state))
    site.assert_delivered()
    for event in collector.wait_for("own_file_left_out"), *collector.events("own_file_left_out"):
        assert (event["level"], Path(event["path"]).parent) == ("warning", state)
    site.writer("b.log").write(10)
    site.assert_delivered()


@pytest.mark.case(100)
def test_the_collectors_own_log_among_the_logs_is_left_out(site: Site) -> None:
    site.writer().write(10)
    site.aggregator()
    paths = f"{site.logs / '*.log'}\n{site.directory / 'collector.std*'}"
    collector = site.collector(paths=paths, log_level="debug")
    site.assert_delivered()
    told = collector.wait_for("own_file_left_out", path=str(collector.log))
    assert told["level"] == "warning"
    site.writer("b.log").write(10)
    site.assert_delivered()
    assert len(collector.events("own_file_left_out", path=str(collector.log))) == 1


@pytest.mark.case(100)
def test_the_aggregators_output_among_the_logs_is_left_out(site: Site, watch: str) -> None:
    site.out = site.logs / "all.log"
    site.writer().write(10)
    site.aggregator()
    collector = site.collector(watch=watch)
    site.wait_for_bytes(site.bytes_written)
    site.writer("b.log").write(10)
    site.assert_delivered()
    assert len(collector.events("own_file_left_out", path=str(site.out))) == 1


@pytest.mark.case(100)
def test_an_output_among_the_logs_that_is_renamed_and_made_anew_is_left_out_under_both_names(site: Site) -> None:
    site.out = site.logs / "all.log"
    writer = site.writer()
    writer.write(10)
    site.aggregator()
    collector = site.collector()
    site.assert_delivered()
    for rotation in (1, 2):
        before = site.output()
        rotated = site.logs / f"all.{rotation}.log"
        site.out.rename(rotated)
        collector.wait_for("own_file_left_out", path=str(rotated))
        writer.write(10)
        until(site.size, "the output should be made anew")
        quiet(site.size, "the destination")
        assert rotated.read_bytes() == before
    assert site.output() == b"".join(writer.lines[-10:])


@pytest.mark.case(100)
def test_an_output_among_the_logs_that_was_followed_is_let_go_of_when_an_aggregator_writes_to_it(site: Site) -> None:
    """Until now it was a log like others."""
    log = site.writer("all.log")
    log.write(10)
    aggregator = site.aggregator()
    collector = site.collector()
    site.assert_delivered()
    assert aggregator.stop() == 0
    site.aggregator(file_configuration=str(log.path))
    collector.wait_for("own_file_left_out", path=str(log.path))
    other = site.writer("b.log")
    other.write(10)
    until(lambda: log.path.stat().st_size == site.bytes_written, "it should arrive there")
    quiet(lambda: log.path.stat().st_size, "the destination")
    assert log.path.read_bytes() == b"".join([*log.lines, *other.lines])


@pytest.mark.case(100)
def test_an_output_among_the_logs_that_waits_to_be_opened_is_left_out(site: Site, watch: str) -> None:
    log, other = site.writer("z.log"), site.writer("a.log")
    log.write(10)
    other.write(10)
    collector = site.collector(max_open_files="1", watch=watch)
    collector.wait_for("too_many_open_files")
    site.aggregator(file_configuration=str(log.path))
    collector.wait_for("own_file_left_out", path=str(log.path))
    for _ in range(3):
        until(lambda: log.path.stat().st_size == site.bytes_written, "it should arrive there")
        quiet(lambda: log.path.stat().st_size, "the destination")
        other.write(10)
    assert not [each for each in collector.events("file_followed") if each["path"] == str(log.path)]
    assert not collector.events("source_lost")


@pytest.mark.case(100)
def test_standard_output_in_a_file_among_the_logs_is_left_out(site: Site) -> None:
    site.out = site.logs / "all.log"
    site.writer().write(10)
    with site.out.open("ab") as out:
        site.aggregator(file_configuration=None, text_configuration="1", stdout=out)
    site.collector().wait_for("own_file_left_out", path=str(site.out))
    site.assert_delivered()


@pytest.mark.case(100)
def test_the_aggregators_log_among_the_logs_comes_to_rest(site: Site) -> None:
    """Shipping it makes no new lines of it."""
    writer = site.writer()
    writer.write(10)
    aggregator = site.aggregator()
    collector = site.collector(paths=f"{site.logs / '*.log'}\n{aggregator.log}")
    until(lambda: site.size() == site.bytes_written + aggregator.log.stat().st_size, "both should arrive")
    for _ in range(3):
        writer.write(10)
        until(lambda: site.size() == site.bytes_written + aggregator.log.stat().st_size, "both should arrive")
        quiet(site.size, "the destination")
    assert len(collector.events("file_followed")) == 2
