"""What a service tells its manager, message by message."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.until import until
from mega_collector.telemetry.systemd import Service
from service.heard import Heard


@pytest.mark.parametrize("abstract", [False, True])
def test_a_life_is_told_in_order(tmp_path: Path, abstract: bool) -> None:
    address = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with Heard(address, watchdog=4) as heard:
        service = Service(heard.environ)
        service.ready()
        service.tell(1, "fine")
        service.stopping(12.5)
        until(lambda: len(heard.messages) == 3, "not all was heard")
    assert heard.messages == [
        ["READY=1"],
        ["WATCHDOG=1", "STATUS=fine"],
        ["STOPPING=1", "EXTEND_TIMEOUT_USEC=12500000", "STATUS=delivers what is under way"],
    ]


def test_it_is_alive_only_if_it_has_made_steps(heard: Heard) -> None:
    service = Service(heard.environ)
    for steps in (7, 7, 8, None, None, 8, 8):
        service.tell(steps, "so")
    until(lambda: len(heard.messages) == 7, "not all was heard")
    hangs = ["STATUS=hangs: so"]
    assert [message == hangs for message in heard.messages] == [False, True, False, False, False, False, True]


def test_no_status_can_pass_for_another_message(heard: Heard) -> None:
    Service(heard.environ).tell(1, "a\nMAINPID=1\r\u2028" + "b" * 10_000)
    (watchdog, status) = heard.wait_for("STATUS=")
    assert (watchdog, status[:26]) == ("WATCHDOG=1", r"STATUS=a\x0aMAINPID=1\x0d" + "\\")
    assert len(status) < 600


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"WATCHDOG_USEC": "4000000"}, None),
        ({"NOTIFY_SOCKET": "/nowhere"}, 10),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000"}, 2),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "60000000"}, 10),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}, 10),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, 10),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}, 2),
    ],
)
def test_it_tells_twice_as_often_as_is_asked_for(environ: Mapping[str, str], interval: float | None) -> None:
    assert Service(environ).interval == interval


def test_a_manager_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    service = Service({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    service.ready()
    service.tell(1, "fine")
    service.stopping(1)
