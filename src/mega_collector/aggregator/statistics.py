"""What an aggregator counts, and under which names it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mega_collector.aggregator.batcher import BatcherStatistics
from mega_collector.aggregator.ingest_buffer import IngestBufferStatistics
from mega_collector.aggregator.pipeline import PipelineStatistics
from mega_collector.aggregator.server import ServerStatistics
from mega_collector.emitter.dead_letters import DeadLetterStatistics
from mega_collector.emitter.notify import AlertStatistics
from mega_collector.emitter.retry import RetryStatistics
from mega_collector.protocol import Stage, Status
from mega_collector.telemetry.live import readable
from mega_collector.telemetry.metrics import Sample, certificate_expiry
from mega_collector.telemetry.process import process_samples

_PATIENCE = 5.0
"""Seconds after which an emit that does not return means that the destination hangs: a pipe that nobody reads."""


@dataclass(frozen=True, slots=True)
class AggregatorStatistics:
    """Of all parts, as of now."""

    server: ServerStatistics
    buffer: IngestBufferStatistics
    batcher: BatcherStatistics
    pipeline: PipelineStatistics
    retry: RetryStatistics
    dead_letters: DeadLetterStatistics
    destination: str = "it"
    """What is written to, for people: of several outputs the one that is written to now."""
    failing_outputs: int = 0
    """Of several outputs, those that take nothing now."""
    failing_output: Status | None = None
    """How it stands with the worst of these."""
    alerts: AlertStatistics | None = None
    """None: nobody is alerted."""
    certificate_expires_at: float | None = None
    """Seconds since the epoch; None without TLS."""
    next_try_in: float | None = None
    """Seconds until the destination is tried again, if it has failed."""
    ledger_read_error: str | None = None
    """Why nobody can be told where their sources stand, if that is so: nothing comes in then."""

    @property
    def held_up(self) -> Status:
        """What keeps what comes in from being committed, if anything does."""
        if not self.pipeline.committing:
            return Status(Stage.COMMIT, f"the ledger cannot be written: {self.pipeline.ledger_error}")
        if self.ledger_read_error is not None:
            return Status(Stage.COMMIT, self.ledger_read_error)
        if self.pipeline.refused is not None:
            return Status(Stage.DESTINATION, self.pipeline.refused)
        if self.failing_output is None and self.retry.failing:
            return Status(Stage.DESTINATION, str(self.retry.last_error), self.retry.in_a_row, self.next_try_in)
        if self.hanging:
            return Status(Stage.DESTINATION, f"{self.destination} does not answer: it is slow, or hangs")
        if self.failing_output is not None:
            return self._outputs_held_up(self.failing_output)
        if self.buffer.waiting:
            return Status(Stage.INGEST_BUFFER, "it is full: more comes in than the destination takes")
        return Status()

    @property
    def hanging(self) -> bool:
        """Whether the destination takes longer than it should: it is slow, or does not answer at all."""
        return self.pipeline.emitting > _PATIENCE

    @property
    def _ledger_failing(self) -> bool:
        return not self.pipeline.committing or self.ledger_read_error is not None

    def _outputs_held_up(self, worst: Status) -> Status:
        others = self.failing_outputs - 1
        if others <= 0:
            return worst
        return replace(worst, cause=f"{worst.cause}, and {others} other output{'s' if others > 1 else ''}")

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether what comes in can go out, and why not."""
        if self.retry.failing:
            return False, f"the destination takes nothing: {self.retry.last_error}"
        if not self.pipeline.committing:
            return False, "the ledger cannot be written"
        if self.ledger_read_error is not None:
            return False, "the ledger cannot be read"
        if self.hanging:
            silent = f"{self.destination} has not answered for {self.pipeline.emitting:.0f} s"
            return False, f"the destination takes nothing: {silent}"
        return True, "ready"

    @property
    def status(self) -> str:
        """How it fares, for a service manager."""
        ready, reason = self.ready
        counts = f"{self.server.collectors} connected, {readable(self.pipeline.bytes_emitted)} delivered"
        return counts if ready else f"{counts}, {reason}"

    @property
    def steps(self) -> int | None:
        """How often its thread went round; None while the destination has not answered, which may take any time."""
        return None if self.pipeline.emitting else self.pipeline.steps

    def samples(self) -> Iterator[Sample]:
        """For /metrics."""
        for name, help_, value in (
            ("received_blocks", "Blocks taken into the ingest buffer", self.buffer.blocks_received),
            ("received_bytes", "Bytes taken into the ingest buffer", self.buffer.bytes_received),
            ("received_entries", "Log lines taken into the ingest buffer", self.buffer.entries_received),
            ("duplicate_blocks", "Blocks that were there already", self.server.blocks_duplicate),
            ("refused_blocks", "Blocks and skips that were refused", self.server.blocks_refused),
            ("refused_streams", "Connections refused because there were too many", self.server.streams_refused),
            ("sealed_batches", "Batches sealed", self.batcher.batches_sealed),
            ("emitted_batches", "Batches that the destination took", self.pipeline.batches_emitted),
            ("emitted_entries", "Log lines that the destination took", self.pipeline.entries_emitted),
            ("emitted_bytes", "Bytes that the destination took", self.pipeline.bytes_emitted),
            ("discarded_batches", "Batches given up after all retries", self.pipeline.batches_discarded),
            ("discarded_entries", "Log lines given up after all retries", self.pipeline.entries_discarded),
            ("discarded_bytes", "Bytes given up after all retries", self.pipeline.bytes_discarded),
            ("lost_sources", "Sources of which bytes vanished where they were read", self.pipeline.sources_lost),
            ("lost_bytes", "Bytes that vanished where they were read", self.pipeline.bytes_lost),
            ("dead_letter_batches", "Batches laid in the dead-letter directory", self.dead_letters.laid),
            ("dropped_dead_letter_batches", "Dead letters that made room for others", self.dead_letters.dropped),
            ("commits", "Transactions of the ledger", self.pipeline.commits),
            ("emit_failures", "Emits that failed", self.retry.failures),
            ("exhausted_retries", "How often all retries were used up", self.retry.exhausted),
        ):
            yield Sample(f"mega_collector_aggregator_{name}_total", "counter", help_, value)
        gauges: tuple[tuple[str, str, float], ...] = (
            ("streams", "Connections served", self.server.streams),
            ("collectors", "Collectors that are connected or have something in flight", self.server.collectors),
            ("ingest_buffer_bytes", "Bytes taken in and not yet committed", self.buffer.size),
            ("ingest_buffer_limit_bytes", "Bytes that the ingest buffer holds at the most", self.buffer.limit),
            ("waiting_streams", "Connections that wait for room in the ingest buffer", self.buffer.waiting),
            ("pending_entries", "Log lines in the batch that is not sealed", self.batcher.entries_pending),
            ("pending_bytes", "Bytes in the batch that is not sealed", self.batcher.bytes_pending),
            ("failing_outputs", "Output files that take nothing now, while others may", self.failing_outputs),
            ("dead_letter_bytes", "Bytes in the dead-letter directory, as last seen", self.dead_letters.kept_size),
            ("emitting_seconds", "How long the push under way has lasted; 0 if there is none", self.pipeline.emitting),
            ("destination_failing", "Whether the last push failed", self.retry.failing),
            ("ledger_failing", "Whether the ledger cannot be written or read", self._ledger_failing),
            ("ready", "Whether what comes in can go out", self.ready[0]),
        )
        for name, help_, number in gauges:
            yield Sample(f"mega_collector_aggregator_{name}", "gauge", help_, number)
        yield from certificate_expiry("aggregator", self.certificate_expires_at)
        yield from process_samples("aggregator")
        if self.alerts is not None:
            yield from _alert_samples(self.alerts)


def _alert_samples(alerts: AlertStatistics) -> Iterator[Sample]:
    ours = "mega_collector_aggregator"
    for name, help_, value in (
        ("alerts_accepted", "Events that PagerDuty took", alerts.accepted),
        ("alerts_refused", "Events that PagerDuty refused for good", alerts.refused),
        ("alert_failures", "Tries to send an event that did not get to PagerDuty", alerts.failed),
    ):
        yield Sample(f"{ours}_{name}_total", "counter", help_, value)
    yield Sample(f"{ours}_alerts_pending", "gauge", "Events that wait to be sent to PagerDuty", alerts.pending)
    failing = alerts.problem is not None
    yield Sample(f"{ours}_alerts_failing", "gauge", "Whether the last event did not get to PagerDuty", failing)
    if alerts.failed_at is not None:
        help_ = "When an event last did not get to PagerDuty, in seconds since the epoch"
        yield Sample(f"{ours}_alert_last_failure_timestamp_seconds", "gauge", help_, alerts.failed_at)
