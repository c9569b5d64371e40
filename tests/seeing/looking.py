"""A site whose halves can be looked at."""

import urllib.request
from urllib.error import URLError

from harness.metrics import metric, unused_port
from harness.process import Process
from harness.site import Site
from harness.until import until


class Seen:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.addresses = {half: f"127.0.0.1:{unused_port()}" for half in ("aggregator", "collector")}
        self._away = site.out.parent.with_name("away")

    def aggregator(self) -> Process:
        return self.site.aggregator(metrics_address=self.addresses["aggregator"])

    def collector(self, *, host: str = "test", tags: str = "", metrics_files: str = "100") -> Process:
        address = self.addresses["collector"]
        return self.site.collector(metrics_address=address, host=host, tags=tags, metrics_files=metrics_files)

    def get(self, half: str, path: str = "/") -> str:
        """What it answers; nothing, while nobody does."""
        try:
            with urllib.request.urlopen(f"http://{self.addresses[half]}{path}", timeout=20) as answer:
                return str(answer.read().decode())
        except URLError:
            return ""

    def metric(self, half: str, name: str) -> float | None:
        return metric(self.addresses[half], f"mega_collector_{half}_{name}")

    def wait_for(self, half: str, *words: str, path: str = "/") -> str:
        """Wait until all of these are shown."""

        def found() -> str:
            text = self.get(half, path)
            return text if all(each in text for each in words) else ""

        return until(found, lambda: f"{words} should be shown: {self.get(half, path)}")

    def break_destination(self) -> None:
        self.site.out.parent.rename(self._away)

    def mend_destination(self) -> None:
        self._away.rename(self.site.out.parent)
