"""This project, with its defaults, except that batches are published every 200 ms."""

import json
import os
import subprocess
import sys

import mega_collector
from bench.contenders.contender import Job
from bench.process import ROOT, Process

# What exactly once costs is the difference to this: an aggregator that promises nothing.
_UNSYNCED = """
from mega_collector import cli
from mega_collector.aggregator.checksums import Checksums
from mega_collector.aggregator.ledger import Ledger
from mega_collector.emitter.file import FileEmitter
from mega_collector.emitter.output import Output
Checksums.look_up = lambda *_: None
Checksums.extend = lambda *_: (0, 0)
FileEmitter.committed = lambda *_: None
Ledger.commit = lambda *_, **__: None
Output.sync = lambda *_: None
cli.main()
"""


class MegaCollector:
    name = "mega-collector"

    _aggregator: tuple[str, ...] = ("-m", "mega_collector")

    def version(self) -> str:
        return mega_collector.__version__

    def unfit(self, job: Job) -> str | None:
        if "json" in job.features:
            told = self._run("check", "aggregator", **self.aggregator_settings(job))
            if told.returncode:
                return told.stderr.strip()
        return None

    def receiver(self, job: Job) -> Process:
        command = [sys.executable, *self._aggregator, "aggregator"]
        return Process("aggregator", command, job.work / "aggregator.log", self.aggregator_settings(job))

    def sender(self, job: Job, number: int) -> Process:
        command = [sys.executable, "-m", "mega_collector", "collector", job.patterns[number]]
        log = job.work / f"collector-{number}.log"
        return Process("collector", command, log, self.collector_settings(job, number))

    def aggregator_settings(self, job: Job) -> dict[str, str]:
        output = str(job.output)
        if "json" in job.features:
            output = json.dumps({"path": output, "format": "json"})
        return {
            "AGGREGATOR_FILE_CONFIGURATION": output,
            "AGGREGATOR_STATE_DIRECTORY": str(job.work / "aggregator"),
            "AGGREGATOR_LISTEN_ADDRESS": f"127.0.0.1:{job.port}",
            "AGGREGATOR_MINIMUM_PUBLISH_FREQUENCY": "1ms" if "latency" in job.features else "200ms",
            **_tls("AGGREGATOR", job),
        }

    def collector_settings(self, job: Job, number: int) -> dict[str, str]:
        return {
            "COLLECTOR_REMOTE_ADDRESS": f"127.0.0.1:{job.port}",
            "COLLECTOR_STATE_DIRECTORY": str(job.work / f"collector-{number}"),
            "COLLECTOR_ID": f"collector-{number}",  # as each machine has its own
            "COLLECTOR_COMPRESSION": "zstd" if "zstd" in job.features else "auto",
            **({"COLLECTOR_TAGS": "service=shop,stage=production"} if "json" in job.features else {}),
            **_tls("COLLECTOR", job),
        }

    def _run(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "mega_collector", *arguments]
        return subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/src", **settings},
            capture_output=True,
            text=True,
            check=False,
        )


class Unsynced(MegaCollector):
    """The same without sync, ledger and checksum."""

    name = "unsynced"
    _aggregator = ("-c", _UNSYNCED)


def _tls(half: str, job: Job) -> dict[str, str]:
    if "tls" not in job.features:
        return {}
    return {
        f"{half}_TLS": "1",
        f"{half}_TLS_CERTIFICATE": str(job.certificates / f"{half.lower()}.pem"),
        f"{half}_TLS_KEY": str(job.certificates / f"{half.lower()}.key"),
        f"{half}_TLS_CA_CERTIFICATE": str(job.certificates / "ca.pem"),
    }
