"""From the start of a half to the first line that it delivers, beside the other half that runs already."""

import time
from functools import partial
from zlib import crc32

import grpc

from bench import check
from bench.contenders.contender import start_receiver
from bench.contenders.ours import MegaCollector
from bench.destination import await_size
from bench.process import Processes
from bench.record import Record, Run
from bench.session import Session
from mega_collector.api import api_pb2, api_pb2_grpc

_IMPATIENT = [("grpc.initial_reconnect_backoff_ms", 10), ("grpc.max_reconnect_backoff_ms", 10)]


def starting(session: Session) -> Record:
    """Each half, warm caches, batches published at once."""
    ours = MegaCollector()
    return session.rounds("start", [(ours, partial(_both, session))], session.runs())


def _both(session: Session, round_: int) -> Run:
    collector, verdict = _collector(session)
    figures = {"collector": collector, "aggregator": _aggregator(session)}
    return Run(MegaCollector.name, round_, verdict, figures)


def _collector(session: Session) -> tuple[float, str]:
    log = session.memory / "first.log"
    log.write_bytes(b"the first line\n")
    with session.job((str(log),), frozenset({"latency"})) as job, Processes() as processes:
        start_receiver(MegaCollector(), job, processes)
        began = time.monotonic()
        processes.add(MegaCollector().sender(job, 0))
        await_size(job.output, log.stat().st_size, processes)
        return time.monotonic() - began, check.compare(log, job.output)


def _aggregator(session: Session) -> float:
    """A client that has been trying all the time gives it one block."""
    line = b"the first line\n"
    with session.job((), frozenset({"latency"})) as job, Processes() as processes:
        with grpc.insecure_channel(f"127.0.0.1:{job.port}", options=_IMPATIENT) as channel:
            began = time.monotonic()
            processes.add(MegaCollector().receiver(job))
            request = _request(line)
            api_pb2_grpc.AggregatorStub(channel).Publish(request, wait_for_ready=True, timeout=30)
            taken = time.monotonic() - began
        assert job.output.read_bytes() == line
    return taken


def _request(line: bytes) -> api_pb2.PublishRequest:
    source = b"s"
    return api_pb2.PublishRequest(
        collector=api_pb2.Hello(collector="bench", host="bench", version="1"),
        source=api_pb2.Description(source=source, path=b"/bench.log", device=1, inode=1),
        block=api_pb2.Block(source=source, start=0, size=len(line), entries=1, crc32=crc32(line), payload=line),
    )
