"""Each reason why a file does not arrive, brought about for real, and what a person sees of it.

The names under which docs/troubleshooting.md knows files and machines stand for those of the test.
"""

import json
import os
import re
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.error import URLError

from cases.namespace import mounted
from cases.nobody import as_nobody, site_of_nobody
from certificates import Authority
from harness.metrics import unused_port
from harness.process import Process
from harness.site import Site, environ
from pagerduty_server import WRONG_KEY, PagerDutyServer
from starting.material import tls
from telemetry.markup import Markup

Shown = Callable[[], str]


@dataclass(slots=True)
class Symptom:
    """A site where something is wrong, and by name what can be looked at there."""

    site: Site
    screens: dict[str, Shown] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """By what stands in a screen, what the page calls it."""

    def half(self, half: str, settings: dict[str, str | None], *, wrapper: Sequence[str] = ()) -> Process:
        """Start a half, and let it be looked at by `check`, `top`, the page and the log."""
        metrics = f"127.0.0.1:{unused_port()}"
        told: dict[str, str | None] = {"metrics_address": metrics, **settings}
        start = self.site.aggregator if half == "aggregator" else self.site.collector
        process = start(wrapper=wrapper, **told)  # type: ignore[arg-type]
        self.screens[f"top {half}"] = lambda: self._run("top", half, environ(half.upper(), _state(self.site, half), {}))
        self.screens[f"page {half}"] = lambda: _page(metrics)
        self.screens[f"log {half}"] = process.said
        self.checked(half, settings, wrapper=_within(process, wrapper))
        return process

    def checked(self, half: str, settings: dict[str, str | None], *, wrapper: Sequence[str] = ()) -> None:
        """Let `check` look at a half with these settings, whether it runs or not."""
        usual = {"listen_address": self.site.address, "file_configuration": str(self.site.out)}
        if half == "collector":
            usual = {"paths": str(self.site.logs / "*.log"), "remote_address": self.site.address}
        variables = environ(half.upper(), {**usual, **_state(self.site, half)}, settings)
        self.screens[f"check {half}"] = lambda: self._run("check", half, variables, wrapper=wrapper)

    def _run(self, *arguments: str | dict[str, str], wrapper: Sequence[str] = ()) -> str:
        process = self.site.start(*arguments, name="looking", wrapper=wrapper)
        process.wait()
        return process.said() + process.stdout.read_text()


def _state(site: Site, half: str) -> dict[str, str]:
    return {"state_directory": str(site.directory / half)}


def _page(address: str) -> str:
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=20) as answer:
            return Markup(answer.read().decode()).words
    except URLError:
        return ""


def _within(process: Process, wrapper: Sequence[str]) -> Sequence[str]:
    """What lets another process see its disks as it does, and be who it is."""
    if "unshare" not in wrapper:
        return wrapper
    return ("nsenter", f"--target={process.pid}", "--user", "--mount", "--preserve-credentials", "--")


@contextmanager
def the_pattern_is_wrong(site: Site) -> Iterator[Symptom]:
    symptom = Symptom(site, names={str(site.logs): "/var/log/nginx", str(site.directory): "/var/log"})
    for name in ("access.log", "error.log"):
        (site.logs / name).write_bytes(b"a line\n")
    symptom.half("aggregator", {})
    symptom.half("collector", {"paths": f"{site.logs}/acces.log\n{site.logs}/*.lgo", "host": "web-1"})
    yield symptom


@contextmanager
def no_permission(_: Site) -> Iterator[Symptom]:
    with site_of_nobody() as site:
        symptom = Symptom(site, names={str(site.logs): "/var/log"})
        (site.logs / "s.log").write_bytes(b"a line\n")
        (site.logs / "s.log").chmod(0)
        (site.logs / "private").mkdir(0)
        symptom.half("aggregator", {}, wrapper=as_nobody())
        symptom.half("collector", {"paths": f"{site.logs}/s.log\n{site.logs}/private/*.log"}, wrapper=as_nobody())
        yield symptom


@contextmanager
def the_aggregator_is_down(site: Site) -> Iterator[Symptom]:
    address = f"127.0.0.1:{unused_port()}"
    symptom = Symptom(site, names={address: "127.0.0.1:8000", str(site.logs): "/var/log"})
    (site.logs / "web.log").write_bytes(b"a line\n")
    symptom.half("collector", {"remote_address": address})
    yield symptom


@contextmanager
def the_certificate_is_wrong(site: Site) -> Iterator[Symptom]:
    authority, stranger = Authority(), Authority()
    port = f"127.0.0.1:{unused_port()}"
    symptom = Symptom(site, names={port: "10.0.0.7:8000", str(site.logs): "/var/log"})
    (site.logs / "web.log").write_bytes(b"a line\n")
    symptom.half("aggregator", {"listen_address": port, **tls(authority.material())})
    symptom.half("collector", {"remote_address": port, **tls(stranger.material("web-1"))})
    yield symptom


@contextmanager
def the_disk_is_full(site: Site) -> Iterator[Symptom]:
    symptom = Symptom(
        site,
        names={
            str(site.out): "/srv/logs/all.log",
            str(site.out.parent): "/srv/logs",
            site.address: "127.0.0.1:8000",
            str(site.logs): "/var/log",
        },
    )
    (site.logs / "web.log").write_bytes((b"x" * 999 + b"\n") * 5000)
    symptom.half("aggregator", {"retry_delay": "1s"}, wrapper=mounted(site.out.parent, size="2m"))
    symptom.half("collector", {})
    yield symptom


@contextmanager
def the_destination_is_slow(site: Site) -> Iterator[Symptom]:
    symptom = Symptom(site, names={str(site.out): "/srv/logs/all.log", str(site.logs): "/var/log"})
    (site.logs / "web.log").write_bytes((b"x" * 999 + b"\n") * 5000)
    os.mkfifo(site.out)
    reader = os.open(site.out, os.O_RDWR)  # and it is never read
    symptom.half("aggregator", {"stuck_after": "6s"})
    symptom.half("collector", {"stuck_after": "6s"})
    yield symptom
    os.close(reader)


@contextmanager
def pagerdutys_key_is_wrong(site: Site) -> Iterator[Symptom]:
    (site.logs / "web.log").write_bytes(b"a line\n")
    with PagerDutyServer(usual=WRONG_KEY) as server:
        symptom = Symptom(site, names={server.url: "https://events.pagerduty.com"})
        notify = {"integration_key": "k" * 32, "incident_key": "d", "identifier": "Logs", "url": server.url}
        symptom.half("aggregator", {"notify_configuration": json.dumps(notify)})
        site.collector()
        yield symptom


SYMPTOMS = {
    "The pattern is wrong": the_pattern_is_wrong,
    "No permission": no_permission,
    "The aggregator is down": the_aggregator_is_down,
    "The certificate is wrong": the_certificate_is_wrong,
    "The disk is full": the_disk_is_full,
    "The destination is slow": the_destination_is_slow,
    "PagerDuty's key is wrong": pagerdutys_key_is_wrong,
}
"""By the heading under which it stands."""


def missing(lines: Sequence[str], screen: str, names: dict[str, str]) -> list[str]:
    """Those of the lines that are not on the screen, where numbers do not matter, nor how many spaces a column has."""
    for found in sorted(names, key=len, reverse=True):
        screen = screen.replace(found, names[found])
    there = [_plain(line) for line in screen.splitlines()]
    return [line for line in lines if not any(re.search(_pattern(line), each) for each in there)]


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in _plain(line).split("..."))


def _plain(line: str) -> str:
    return re.sub(r"\d+(\.\d+)?(st|nd|rd|th| ([kMG]?B|s|min)\b)?", "0", " ".join(line.split()))
