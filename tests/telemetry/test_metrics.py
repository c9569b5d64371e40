from prometheus_client.parser import text_string_to_metric_families

from mega_collector.telemetry.metrics import Sample, exposition


def parsed(samples: list[Sample]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    body, _ = exposition(samples)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_samples_come_out_as_prometheus_reads_them() -> None:
    numbers = parsed(
        [
            Sample("mega_collector_read_bytes_total", "counter", "Bytes read.", 12),
            Sample("mega_collector_files", "gauge", "Files followed.", 3, {"state": "open"}),
        ]
    )
    assert numbers["mega_collector_read_bytes_total", frozenset()] == 12
    assert numbers["mega_collector_files", frozenset({("state", "open")})] == 3


def test_samples_of_one_name_stand_together_wherever_they_come_from() -> None:
    lag = "mega_collector_lag_bytes"
    body, _ = exposition(
        [
            Sample(lag, "gauge", "Lag.", 1, {"file": "a"}),
            Sample("mega_collector_files", "gauge", "Files.", 2),
            Sample(lag, "gauge", "Lag.", 3, {"file": "b"}),
        ]
    )
    assert body.count(f"# TYPE {lag} gauge".encode()) == 1
    assert f'{lag}{{file="a"}} 1.0\n{lag}{{file="b"}} 3.0\n'.encode() in body


def test_a_label_may_hold_any_file_name() -> None:
    body, _ = exposition([Sample("mega_collector_lag_bytes", "gauge", "Lag.", 1, {"file": 'a"b\\\n\udcff'})])
    assert rb'file="a\"b\\\\x0a\\xff"' in body


def test_a_counter_is_declared_a_counter() -> None:
    body, media_type = exposition([Sample("mega_collector_discarded_total", "counter", "Discarded.", 0)])
    assert b"# TYPE mega_collector_discarded_total counter\nmega_collector_discarded_total 0.0\n" in body
    assert media_type.startswith("text/plain; version=0.0.4")


def test_the_process_shows_its_memory() -> None:
    assert parsed([])["process_resident_memory_bytes", frozenset()] > 0
