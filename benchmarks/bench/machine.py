"""On what it was measured."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import grpc

from bench.process import ROOT


def describe() -> dict[str, str]:
    processors = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processors": f"{os.cpu_count()} x {processors[0] if processors else platform.machine()}",
        "memory": f"{memory / 1e6:.0f} GB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "grpcio": grpc.__version__,
        "commit": _commit(),
        "busy": f"load {os.getloadavg()[0]:.1f} at the start",
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"
