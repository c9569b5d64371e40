"""The report, made of the results alone: measuring and telling are two things."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.aims import AIMS
from bench.contenders.peers import DIRECTORY
from bench.figures import OURS, Spread, contenders, cpu_per_gigabyte, figure, halves, of, rate, ratio
from bench.plot import Bar, bars, lines
from bench.record import Record, Run, load

Section = Callable[[Record, Path], list[str]]

_INTRODUCTION = """\
# Benchmarks

Made by `scripts/bench` (`--report` makes it again) of the JSON in `results`. Each scenario runs all contenders
in turns, one after the other, and then again; figures are medians, with the lowest and the highest run. Time runs from
the first to the last byte at the destination; what lies before is start-up. CPU seconds are those of all processes in
their whole life, start-up and end included; memory is what was resident at the most. Every output is compared with what
was written: byte for byte, or line for line where several logs go into one; a run that fails that is not counted.

Unless a scenario says otherwise: two processes each (one sends, one receives), input and output on tmpfs, settings at
their defaults but batches published every 200 ms, an access log with lines of 188 bytes. Peers are configured as
`peers` says, where each choice names the page that it comes from. rsyslog and syslog-ng ship a quarter of the
bytes except in the first scenario, as all peers do with TLS, and RELP a tenth: so it ends within an hour.

`unsynced` is mega-collector without sync, ledger and checksum. `cp`, `dd` and a bare gRPC stream of 1 MiB blocks
between two Python processes, without any other work, are floors.
"""


def report(into: Path, names: Sequence[str]) -> None:
    """Write REPORT.md and its plots beside the results that are there."""
    results = into / "results"
    records = {name: load(results / f"{name}.json") for name in names if (results / f"{name}.json").exists()}
    if not records:
        raise SystemExit(f"there are no results in {results}")
    said = [_INTRODUCTION, *_machine(records), *_aims(records)]
    for name, record in records.items():
        title, section = SECTIONS.get(name, (name.replace("-", ", ", 1), _following))
        measured = section(record, into / "results") if record.runs else []
        said += [f"\n## {title}\n", *measured, *_skipped(record)]
    (into / "REPORT.md").write_text("\n".join(said) + "\n")
    print(f"{into / 'REPORT.md'}")


def _machine(records: Mapping[str, Record]) -> list[str]:
    machines = [record.machine for record in records.values()]
    keys = list(dict.fromkeys(key for machine in machines for key in machine))
    rows = [(key, " / ".join(dict.fromkeys(machine[key] for machine in machines if key in machine))) for key in keys]
    return [_table(("measured on", ""), rows)]


def _aims(records: Mapping[str, Record]) -> list[str]:
    rows = [row for aim in AIMS if (row := aim.row(records)) is not None]
    return ["\n## Aims\n", "| scenario | aim | measured | reached |\n|---|---|---|---|", *rows]


def _skipped(record: Record) -> list[str]:
    return [f"\nNot measured: {name} ({' '.join(reason.split())})." for name, reason in record.skipped.items()]


# Sections


def _shipping(record: Record, plots: Path) -> list[str]:
    rows = []
    for name in contenders(record):
        wire = of(record, name, _on_the_wire)
        times = ratio(record, name) if name != OURS else None
        rows.append(
            (
                _bold(name),
                _say(of(record, name, rate)),
                _say(times, 1),
                _say(of(record, name, cpu_per_gigabyte), 1),
                _say(of(record, name, lambda run: run.figures["cpu_start_up"]), 2),
                _say(of(record, name, figure("start_up")), 2),
                halves(record, name),
                _say(wire, 2) if wire and wire.high else "",
                ", ".join(dict.fromkeys(run.verdict for run in record.runs if run.contender == name)),
            )
        )
    heads = (
        "contender",
        "MB/s",
        f"{OURS} is so many times as fast",
        "CPU s/GB",
        "CPU s before the first byte",
        "start-up, s",
        "peak memory",
        "bytes on the wire per byte shipped",
        "output",
    )
    shown = [
        Bar(name, found.median, found.low, found.high, name == OURS)
        for name in contenders(record)
        if (found := of(record, name, rate)) is not None and name not in {"cp", "dd"}
    ]
    _plot(plots, record, bars(f"{SECTIONS[record.scenario][0]}: MB/s", "MB/s", shown))
    return [_image(record), _table(heads, rows)]


def _on_the_wire(run: Run) -> float:
    return run.figures.get("wire_bytes", 0.0) / run.figures["bytes"]


def _steady(record: Record, plots: Path) -> list[str]:
    found = {name: of(record, name, figure("core", 100)) for name in contenders(record)}
    rows = [
        (_bold(name), _say(spread, 1), _each_half(record, name), halves(record, name)) for name, spread in found.items()
    ]
    shown = [Bar(name, each.median, each.low, each.high, name == OURS) for name, each in found.items() if each]
    _plot(plots, record, bars("Steady, 10 000 lines/s: % of a core, both halves", "%", shown))
    return [_image(record), _table(("contender", "% of a core", "each half", "peak memory"), rows)]


def _each_half(record: Record, name: str) -> str:
    run = next(run for run in record.runs if run.contender == name)
    found = {key: of(record, name, figure(key, 100)) for key in run.figures if key.endswith("_core")}
    return ", ".join(f"{key.removesuffix('_core')} {_say(each, 1)}" for key, each in found.items())


def _latency(record: Record, plots: Path) -> list[str]:
    keys = [f"{when}_{what}" for when in ("idle", "loaded") for what in ("p50", "p99", "max")]
    rows = [
        (_bold(name), *(_say(of(record, name, figure(key, 1e3)), 1) for key in keys)) for name in contenders(record)
    ]
    curves = {name: _by_percentile(record, name, "loaded") for name in contenders(record)}
    title = "Latency at 50 000 lines/s"
    _plot(plots, record, lines(title, ("% of the lines arrive within", "ms"), curves, dots=False))
    return [_image(record), _table(("contender, ms", *(key.replace("_", " ") for key in keys)), rows)]


def _by_percentile(record: Record, name: str, key: str) -> list[tuple[float, float]]:
    every = sorted(value for run in record.runs if run.contender == name for value in run.series[key])
    return [(part, every[len(every) * part // 100] * 1e3) for part in range(100)]


def _start(record: Record, _: Path) -> list[str]:
    return [
        _table(
            ("half", "s from its start to the first line that it delivers"),
            [(half, _say(of(record, OURS, figure(half)), 2)) for half in ("collector", "aggregator")],
        )
    ]


def _stages(record: Record, _: Path) -> list[str]:
    rows = [(said, _say(of(record, OURS, _per_gigabyte(key)), 3), floor) for key, (said, floor) in _STAGES.items()]
    return [_table(("stage, alone in one thread, on blocks of 1 MiB", "CPU s/GB", "what it does at the least"), rows)]


def _per_gigabyte(key: str) -> Callable[[Run], float]:
    return lambda run: run.figures[key] / run.figures["bytes"] * 1e9


_STAGES = {
    "read": ("collector: read from tmpfs", "one copy out of the kernel"),
    "count": ("collector: count newlines", "one look at each byte, by StringZilla"),
    "checksum": ("both: CRC-32", "one look at each byte"),
    "serialize": ("collector: checksum, and the message around the payload", "the same, and one copy"),
    "compress": ("collector, where it compresses: zstd level 1, and the same", "what zstd takes"),
    "copy": ("a copy in memory, to compare with", "one copy"),
    "parse": ("aggregator: take the message apart", "one copy"),
    "check": ("aggregator: checksum, and count newlines", "two looks at each byte"),
    "decompress": ("aggregator, where it is compressed: zstd", "what zstd takes"),
    "batch": ("aggregator: cut batches of 1000 entries", "one look at each byte"),
    "format_json": ("aggregator, where it is asked for: JSON", "two copies, one of them escaped"),
    "write": ("aggregator: write to tmpfs, and sync", "one copy into the kernel, and a page for each 4 KiB"),
    "commit": ("aggregator: running checksum, and a transaction for each 8 MiB", "one look at each byte"),
}
"""What is said of each."""


def _outage(record: Record, plots: Path) -> list[str]:
    pace = 0.25
    series = {
        f"run {run.round + 1}": [(at * pace, value / 1e6) for at, value in enumerate(run.series["resident"])]
        for run in record.runs
    }
    _plot(
        plots,
        record,
        lines("The collector while the aggregator is down", ("seconds", "resident, MB"), series, dots=False),
    )
    heads = ("GB waiting", "most resident, MB", "s until all had arrived, once it was back")
    row = tuple(
        _say(of(record, OURS, figure(key, factor)), 1)
        for key, factor in (("waiting", 1e-9), ("resident_most", 1e-6), ("drained", 1.0))
    )
    return [_image(record), _table(heads, [row])]


def _hanging(record: Record, plots: Path) -> list[str]:
    keys = {"when they have come": "when_they_come", "after half has flown": "after_half", "at the most": "most"}
    counts = sorted({run.x for run in record.runs})
    series = {said: [(x, _median(record, figure(key, 1e-6), x)) for x in counts] for said, key in keys.items()}
    _plot(
        plots,
        record,
        lines("The aggregator while its destination hangs", ("collectors", "resident, MB"), series),
    )
    rows = [(f"{x:g}", *(_say(of(record, OURS, figure(key, 1e-6), x)) for key in keys.values())) for x in counts]
    return [_image(record), _table(("collectors", *(f"MB {said}" for said in keys)), rows)]


def _growth(unit: str) -> Section:
    def section(record: Record, plots: Path) -> list[str]:
        steps = sorted({run.x for run in record.runs})
        seconds = [(x, _median(record, figure("seconds"), x)) for x in steps]
        title = f"Time by {unit}"
        drawn = lines(title, (unit, "seconds"), {OURS: seconds}, logarithmic=unit == "files")
        _plot(plots, record, drawn)
        columns: tuple[tuple[str, Callable[[Run], float], int], ...] = (
            ("s from the first to the last byte", figure("seconds"), 2),
            ("MB/s", rate, 0),
            ("start-up, s", figure("start_up"), 2),
            ("CPU s/GB", cpu_per_gigabyte, 1),
            ("collector, MB", lambda run: run.usage["collector"].memory / 1e6, 0),
            ("aggregator, MB", lambda run: run.usage["aggregator"].memory / 1e6, 0),
        )
        rows = [(f"{x:,g}", *(_say(of(record, OURS, what, x), digits) for _, what, digits in columns)) for x in steps]
        return [_image(record), _table((unit, *(head for head, _, _ in columns)), rows)]

    return section


def _following(record: Record, _: Path) -> list[str]:
    keys = list(dict.fromkeys(key for run in record.runs for key in run.figures))
    row = tuple(_say(of(record, OURS, figure(key)), 3) for key in keys)
    return [_table((*keys, "peak memory"), [(*row, halves(record, OURS))])]


SECTIONS: dict[str, tuple[str, Section]] = {
    "backlog": ("A backlog of 1 GB", _shipping),
    "disk": ("To a disk, synced", _shipping),
    "tls": ("With mutual TLS", _shipping),
    "zstd": ("Compressed", _shipping),
    "tls-zstd": ("Compressed, with mutual TLS", _shipping),
    "short-lines": ("Lines of 40 bytes", _shipping),
    "long-lines": ("Lines of 8 KiB", _shipping),
    "many-files": ("100 files at once", _shipping),
    "many-collectors": ("50 collectors at once", _shipping),
    "json": ("JSON lines with tags", _shipping),
    "steady": ("Steady, 10 000 lines/s", _steady),
    "latency": ("Latency of one line: idle, and at 50 000 lines/s", _latency),
    "start": ("Start to the first delivered line", _start),
    "stages": ("Where the time goes", _stages),
    "outage": ("5 GB wait while the aggregator is down", _outage),
    "hanging": ("The destination hangs", _hanging),
    "growth-bytes": ("Growth in bytes, on a disk", _growth("GB")),
    "growth-files": ("Growth in files, on a disk", _growth("files")),
}


# Words


def _median(record: Record, what: Callable[[Run], float], x: float) -> float:
    found = of(record, OURS, what, x)
    return found.median if found else 0.0


def _say(found: Spread | None, digits: int = 0) -> str:
    return found.text(digits) if found else ""


def _bold(name: str) -> str:
    if name == OURS:
        return f"**{name}**"
    return f"{name} (`peers/{name}`)" if (DIRECTORY / name).is_dir() else name


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Without the columns that nobody has anything in."""
    kept = [at for at in range(len(heads)) if any(row[at] for row in rows)] or list(range(len(heads)))
    all_rows = [[row[at] for at in kept] for row in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in all_rows)


def _plot(plots: Path, record: Record, drawn: str) -> None:
    (plots / f"{record.scenario}.svg").write_text(drawn)


def _image(record: Record) -> str:
    return f"![{SECTIONS[record.scenario][0]}](results/{record.scenario}.svg)\n"
