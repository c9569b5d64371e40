"""Letting the collector look at the directories for so many times, and knowing that it did."""

from pathlib import Path

from harness.process import Process


def scans(collector: Process, directory: Path, count: int = 5) -> None:
    """Each file that is made, in a directory where it is followed, is found by one scan at least, after the last."""
    for _ in range(count):
        path = directory / f"scan-{len(list(directory.glob('scan-*.log')))}.log"
        path.touch()
        collector.wait_for("file_followed", path=str(path))
