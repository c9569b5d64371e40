"""How a process ends: asked once it drains, asked twice it is forced."""

import faulthandler
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.aside import Aside
from harness.until import quiet
from mega_collector.shutdown import Shutdown

_SOURCE = Path(__file__).parents[1] / "src"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_time_for_draining_begins_when_the_end_is_asked_for() -> None:
    clock = Clock()
    shutdown = Shutdown(10, clock=clock)
    assert not shutdown.asked
    clock.now = 2000
    shutdown.ask()
    assert (shutdown.asked, shutdown.deadline, shutdown.remaining) == (True, 2010, 10)
    clock.now = 2007
    assert shutdown.remaining == 3
    clock.now = 2011
    assert shutdown.remaining == 0


def test_asking_again_changes_nothing_and_is_not_told_again() -> None:
    clock, told = Clock(), list[float]()
    shutdown = Shutdown(10, clock=clock, on_asked=lambda: told.append(clock.now))
    shutdown.ask()
    clock.now += 5
    shutdown.ask()
    assert (shutdown.remaining, told) == (5, [1000])


def test_whoever_wants_the_deadline_asks() -> None:
    shutdown = Shutdown(10, clock=Clock())
    assert shutdown.deadline == 1010
    assert shutdown.asked


def test_everybody_who_waits_is_woken(aside: Aside) -> None:
    shutdown = Shutdown(10)
    waiting = [aside(shutdown.wait) for _ in range(3)]
    quiet(lambda: [each.done() for each in waiting], "whoever waits", 0.05)
    shutdown.ask()
    assert [each.result(10) for each in waiting] == [True] * 3


def test_a_wait_that_is_over_says_that_nobody_asked() -> None:
    assert not Shutdown(10).wait(0.01)


def test_a_pause_is_cut_short_when_the_end_begins_and_there_is_still_time(aside: Aside) -> None:
    shutdown = Shutdown(10)
    pausing = aside(lambda: shutdown.pause(3600))
    quiet(pausing.done, "whoever pauses", 0.05)
    shutdown.ask()
    assert pausing.result(10)


def test_there_is_no_pause_once_the_time_is_over() -> None:
    clock = Clock()
    shutdown = Shutdown(10, clock=clock)
    shutdown.ask()
    assert shutdown.pause(0)
    clock.now += 10
    assert not shutdown.pause(3600)


_PROCESS = """
import sys
from mega_collector.shutdown import Shutdown

shutdown = Shutdown(3600)
shutdown.on_signals()
print("ready", flush=True)
shutdown.wait()
print("draining", flush=True)
sys.stdin.read(1)
"""


@contextmanager
def _process(program: str = _PROCESS) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(_SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _says(process: "subprocess.Popen[str]", word: str) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == f"{word}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_begins_the_end_and_another_forces_it(number: signal.Signals) -> None:
    with _process() as process:
        assert _says(process, "ready")
        process.send_signal(number)
        assert _says(process, "draining")
        # Two at once are meant as one.
        deadline = threading.Event()
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            deadline.wait(0.05)
        assert process.returncode == 1


def test_a_signal_that_is_sent_twice_at_once_is_one() -> None:
    with _process() as process:
        assert _says(process, "ready")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert _says(process, "draining")
        process.communicate("x", timeout=20)
        assert process.returncode == 0


_HANGUP = """
from mega_collector.shutdown import Shutdown

shutdown = Shutdown(3600)
shutdown.on_signals(hangup=True)
print("ready", flush=True)
while not shutdown.wait():
    print("woken" if shutdown.hung_up() and not shutdown.hung_up() else "why?", flush=True)
"""


def test_a_hangup_ends_the_wait_and_not_the_process() -> None:
    with _process(_HANGUP) as process:
        assert _says(process, "ready")
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            assert _says(process, "woken")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_hangup_ends_who_does_not_take_it() -> None:
    with _process() as process:
        assert _says(process, "ready")
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGHUP


_STORM = """
import faulthandler, signal
from mega_collector.shutdown import Shutdown

faulthandler.dump_traceback_later(50, exit=True)
for number in range(3000):
    shutdown = Shutdown(10)
    signal.signal(signal.SIGALRM, lambda *_: shutdown.ask())
    signal.setitimer(signal.ITIMER_REAL, 0.00002 + number % 50 * 0.000002)
    while not shutdown.wait(0.000001):
        pass
"""


def test_a_signal_at_any_instant_of_a_wait_ends_it() -> None:
    with _process(_STORM) as process:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")


@pytest.mark.case(84)
def test_a_signal_that_another_thread_takes_wakes_the_one_that_waits(aside: Aside) -> None:
    # The kernel gives it to another thread where the first has just been thawed: SIGCONT, and SIGTERM at once.
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    shutdown = Shutdown(10)
    try:
        shutdown.on_signals()
        waiting = threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        waiting.start()
        assert shutdown.wait(2)
    finally:
        faulthandler.cancel_dump_traceback_later()
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
