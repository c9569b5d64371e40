"""Several real collectors in one process, until SIGTERM: `python -m bench.collectors PORT DIRECTORY NAME...`."""

import sys
from pathlib import Path

from mega_collector.address import Address
from mega_collector.collector.assembly import Collector
from mega_collector.settings import CollectorSettings
from mega_collector.shutdown import Shutdown
from mega_collector.telemetry.logs import configure


def main(port: str, directory: str, *names: str) -> None:
    configure("warning", "text")
    shutdown = Shutdown(5)
    shutdown.on_signals()
    collectors = [_collector(int(port), Path(directory), name, shutdown) for name in names]
    for collector in collectors:
        collector.start()
    shutdown.wait()
    for collector in collectors:
        collector.stop()


def _collector(port: int, directory: Path, name: str, shutdown: Shutdown) -> Collector:
    settings = CollectorSettings(
        paths=(bytes(directory / f"{name}.log"),),
        remote_address=Address("127.0.0.1", port),
        state_directory=directory / name,
        id=name,
        host=name,
    )
    return Collector(settings, shutdown)


if __name__ == "__main__":
    main(*sys.argv[1:])
