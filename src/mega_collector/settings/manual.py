"""The manual page, whose options are made out of the declaration of the settings: `scripts/generate` writes it."""

from collections.abc import Iterator
from pathlib import Path

from mega_collector import __version__
from mega_collector.settings import AggregatorSettings, CollectorSettings, OperatorSettings
from mega_collector.settings.declaration import Setting, Settings, declared

PATH = Path("packaging/mega-collector.1")

_HEAD = rf"""
.\" Made by scripts/generate: change settings/manual.py or the declaration of the settings, not this page.
.TH MEGA\-COLLECTOR 1 "" "mega\-collector {__version__}" "User Commands"
.SH NAME
mega\-collector \- tail log files and ship them to one place: whole, in order, once
.SH SYNOPSIS
.B mega\-collector run
[\fB\-\-output\fR \fIFILE\fR] [\fB\-\-once\fR] \fIPATH\fR...
.br
.B mega\-collector collector
[\fIOPTION\fR]... [\fIPATH\fR]...
.br
.B mega\-collector aggregator
[\fIOPTION\fR]...
.br
.B mega\-collector replay
[\fIOPTION\fR]... [\fIDIRECTORY\fR|\fIFILE\fR]...
.br
.B mega\-collector ledger
[\fB\-\-json\fR] [\fB\-\-release\fR \fICOLLECTOR_ID\fR [\fB\-\-to\fR \fIHOLDER\fR]] [\fIOPTION\fR]...
.br
.B mega\-collector top
[\fB\-\-state\-directory\fR \fIDIRECTORY\fR | \fB\-\-address\fR \fIADDRESS\fR \fIOPTION\fR...]
[\fBaggregator\fR|\fBcollector\fR]
.br
.B mega\-collector tap
[\fB\-\-host\fR \fIGLOB\fR] [\fB\-\-path\fR \fIGLOB\fR] [\fB\-\-match\fR \fIRE\fR]
[\fB\-\-address\fR \fIADDRESS\fR \fIOPTION\fR...]
.br
.B mega\-collector check collector
[\fIOPTION\fR]... [\fIPATH\fR]...
.br
.B mega\-collector check aggregator
[\fIOPTION\fR]...
.SH DESCRIPTION
A collector follows files by pattern and sends their lines to an aggregator, which groups them into batches and pushes
each batch to one destination: a file, standard output, or nowhere.
What the destination has taken is acknowledged, and only then does the collector's checkpoint move: the log files are
the buffer.
.SH COMMANDS
.TP
.B run
Both halves in one process: the lines go to standard output, or with \fB\-\-output\fR exactly once to a file.
\fB\-\-once\fR ends at the end of the files instead of following them.
.TP
.B collector
Follow files and ship their lines to an aggregator.
.TP
.B aggregator
Take in the lines of many collectors and push them to one destination.
.TP
.B audit
Beside a collector: whether all that the files hold is committed, by checksum. Changes nothing.
.TP
.B replay
Have the running aggregator push again what it has discarded, and remove what it has pushed.
.TP
.B ledger
Show what an aggregator has committed: sources, what is missing of them, output files, collectors. With
.B \-\-release
.IR COLLECTOR_ID ,
take the id of a collector from whoever holds it.
.TP
.B top
Show what a half does, once a second: what flows, what is behind and why, the last errors.
.TP
.B tap
Show the lines that pass an aggregator, as they are delivered. Holds up nothing.
.TP
.B check
Show the settings of a half and where each comes from, and try what they need. Changes nothing.
.SH OPTIONS
Everything can be set by an option or by the environment variable that is named with it; the option wins.
A variable that is set to nothing counts as not set.
Durations are written as in Go: 300ms, 1m30s, 1h. Sizes are bytes: 1024, 1MB (a million), 64MiB.
"""

_TAIL = r"""
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
Deliver what is under way, and end. A second one forces.
.SH EXIT STATUS
.TP
.B 0
It ended as it was asked to.
.TP
.B 1
It failed while running.
.TP
.B 2
Settings cannot be used: one line on standard error says which, what was wrong and what is allowed. Nothing was opened
or written.
.SH SERVICE
Started by systemd with Type=notify, both halves say when they are ready and how they fare, and meet its watchdog.
.SH EXAMPLES
Follow a log, and files as they appear:
.PP
.EX
mega\-collector run \(aq/var/log/*.log\(aq
.EE
.PP
Both halves on one machine:
.PP
.EX
AGGREGATOR_FILE_CONFIGURATION=/var/log/all.log mega\-collector aggregator
mega\-collector collector \(aq/var/log/**/*.log\(aq
.EE
"""

_HALVES: list[tuple[str, type[Settings]]] = [
    ("Options of the collector", CollectorSettings),
    ("Options of the aggregator", AggregatorSettings),
    ("Options of top and tap, for an aggregator on another machine", OperatorSettings),
]


def manual() -> str:
    """The page as groff's man macros know it: man(7)."""
    options = [line for name, half in _HALVES for line in _section(name, half)]
    return "\n".join([_HEAD.strip(), *options, _TAIL.strip(), ""])


def _section(name: str, half: type[Settings]) -> Iterator[str]:
    yield f".SS {name}"
    for setting in declared(half):
        yield from _option(setting)


def _option(setting: Setting) -> Iterator[str]:
    yield ".TP"
    yield rf"\fB{_text(setting.flag)}\fR \fI{_text(setting.kind.name)}\fR, \fB{_text(setting.variable)}\fR"
    yield _text(f"{setting.help[0].upper()}{setting.help[1:]}.")
    yield _text(f"Allowed: {setting.kind.allowed}. Default: {setting.shown_default}.")


def _text(words: str) -> str:
    r"""As it is to be read: a hyphen would become a dash, a quote a curly one, and a dot at the front a request."""
    for plain, escaped in (("\\", r"\(rs"), ("-", r"\-"), ("'", r"\(aq"), ("`", r"\(ga"), ("~", r"\(ti")):
        words = words.replace(plain, escaped)
    return r"\&" + words if words.startswith(".") else words


if __name__ == "__main__":
    PATH.write_text(manual())
