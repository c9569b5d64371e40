"""The page: what a half shows, as HTML that needs nothing else.

Everything in it may come from a log or a peer: `_text` is the only way in. Beside that, the policy that goes out with
it lets a browser run and load nothing but the script and the style below.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

from mega_collector.telemetry.history import LENGTH, History
from mega_collector.telemetry.printable import text
from mega_collector.telemetry.recent import Note
from mega_collector.telemetry.view import Fact, Flow, Group, Table, View, age, measure

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#f6f7f9;--card:#fff;--good:#17694a;
--bad:#a3230f;--badpaper:#fdf0ed;--curve:#2f6fb3;--under:#dbe7f4}
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ee;--soft:#98a4b3;--line:#2b333d;--paper:#12161b;--card:#1a2027;
--good:#6cc7a0;--bad:#ff9a85;--badpaper:#2b1b19;--curve:#7db2ea;--under:#22364b}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;
-webkit-text-size-adjust:100%}
main,footer{max-width:68rem;margin:0 auto;padding:1.25rem 1rem}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.15rem .75rem;margin-bottom:.9rem}
h1{font-size:1.35rem;margin:0}
header span,.soft,footer,.flow small{color:var(--soft)}
.state{margin:0 0 1.25rem;padding:.7rem .9rem;border:1px solid var(--line);border-left:5px solid var(--good);
border-radius:6px;background:var(--card);font-weight:600;overflow-wrap:anywhere}
.state.bad{border-left-color:var(--bad);background:var(--badpaper)}
.good{color:var(--good)}
.bad b,.state.bad,b.bad{color:var(--bad)}
.cards{display:grid;gap:.9rem;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));margin-bottom:.9rem}
.twos{grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.8rem .9rem;
min-width:0;overflow-x:auto}
main>section{margin-bottom:.9rem}
h2{font-size:.95rem;margin:0 0 .45rem}
.flow strong{display:block;font-size:1.45rem;line-height:1.3;font-variant-numeric:tabular-nums}
svg{display:block;width:100%;height:44px;margin:.35rem 0 .25rem;border-bottom:1px solid var(--line)}
path.curve{fill:none;stroke:var(--curve);stroke-width:1.5;vector-effect:non-scaling-stroke}
path.under{fill:var(--under)}
dl{display:grid;grid-template-columns:auto 1fr;gap:.15rem .9rem;margin:0}
dt{color:var(--soft);white-space:nowrap}
dd{margin:0;text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:500;color:var(--soft)}
th,td{padding:.3rem .9rem .3rem 0;vertical-align:top;border-top:1px solid var(--line);overflow-wrap:anywhere}
th,td:not(:first-child,:last-child){white-space:nowrap}
td:first-child{min-width:15rem}td:last-child{min-width:12rem}tr.bad td:last-child{color:var(--bad)}
thead th{border-top:0;padding-top:0}
td{font-variant-numeric:tabular-nums}
ol{list-style:none;margin:0;padding:0}
li{padding:.35rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
li:first-child{border-top:0}
p{margin:.25rem 0}
#lost{position:sticky;top:0;margin:0;padding:.6rem 1rem;background:var(--bad);color:var(--paper);text-align:center}
a{color:inherit}
@media (max-width:40rem){.flows{grid-template-columns:1fr;gap:.4rem}.flow{display:grid;align-items:center;
grid-template-columns:1fr 1fr;column-gap:.9rem;padding:.5rem .9rem}.flow h2{margin:0}.flow strong{font-size:1.1rem;
grid-row:2}.flow svg{grid-row:1/4;grid-column:2;height:40px}td:first-child,td:last-child{min-width:0}
thead{position:absolute;clip-path:inset(50%);height:1px;overflow:hidden}
tbody,tr,td{display:block}tr{border-top:1px solid var(--line);padding:.45rem 0}tr:first-child{border-top:0}
td,td:not(:first-child,:last-child){display:grid;white-space:normal;
grid-template-columns:7.5rem 1fr;border-top:0;padding:.1rem 0}td::before{content:attr(data-name);
color:var(--soft)}td:first-child{display:block;font-weight:600}td:first-child::before{content:none}td:empty{display:none}}
"""

_SCRIPT = """
"use strict";
const lost = document.getElementById("lost");
async function update() {
  try {
    if (getSelection().isCollapsed) {
      const answer = await fetch(location.pathname, {cache: "no-store", signal: AbortSignal.timeout(5000)});
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
      document.title = page.title;
      lost.hidden = true;
    }
  } catch {
    if (lost.hidden) lost.textContent = "No answer since " + new Date().toLocaleTimeString() + ": this is how it was.";
    lost.hidden = false;
  }
  setTimeout(update, document.hidden ? 10000 : 2000);
}
setTimeout(update, 1500);
"""


def _digest(source: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() + "'"


POLICY = (
    f"default-src 'none'; script-src {_digest(_SCRIPT)}; style-src {_digest(_STYLE)}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may do with it: https://www.w3.org/TR/CSP3/."""


def page(view: View, history: History) -> bytes:
    """The whole page. `history` has the totals of the view's flows."""
    sign = "✓" if view.ready else "✕"
    title = _text(f"{sign} {view.half} on {view.host}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>"
        '<noscript><meta http-equiv="refresh" content="5"></noscript>'
        f"<style>{_STYLE}</style></head><body>"
        f'<p id="lost" role="status" hidden></p>{_main(view, history)}'
        '<footer>This page updates itself. Numbers for machines: <a href="/metrics">/metrics</a></footer>'
        f"<script>{_SCRIPT}</script></body></html>\n"
    ).encode()


def _text(value: str) -> str:
    return escape(text(value))


def _main(view: View, history: History) -> str:
    flows = "".join(_flow(flow, history, index) for index, flow in enumerate(view.flows))
    groups = "".join(map(_group, view.groups))
    about = f"{_text(view.host)} · {_text(view.version)} · up {age(view.uptime)}"
    parts = [
        f"<header><h1>{_text(view.half)}</h1><span>{about}</span></header>",
        f'<p class="state{_bad(not view.ready)}">{_sign(not view.ready)} {_text(view.state)}</p>',
        f'<div class="cards flows">{flows}</div>',
        *map(_table, view.tables),
        f'<div class="cards{_in_twos(view.groups)}">{groups}</div>',
        _notes(view.notes),
    ]
    return f"<main>{''.join(parts)}</main>"


def _in_twos(groups: Sequence[Group]) -> str:
    """Three stand side by side; of four, two and two."""
    return " twos" if len(groups) % 3 else ""


def _bad(bad: bool) -> str:
    return " bad" if bad else ""


def _sign(bad: bool) -> str:
    """What is wrong can be told without colour."""
    return "✕" if bad else '<span class="good">✓</span>'


def _flow(flow: Flow, history: History, index: int) -> str:
    rate = history.rate(index)
    words = "measuring" if rate is None else f"{measure(flow, rate)}/s"
    return (
        f'<section class="card flow"><h2>{_text(flow.name)}</h2><strong>{_text(words)}</strong>'
        f"{_curve(history.rates(index), flow)}<small>{_text(measure(flow, flow.total))} so far</small></section>"
    )


def _curve(rates: Sequence[float], flow: Flow) -> str:
    """The rates of the last minutes, the latest at the right."""
    top = max(rates, default=0.0)
    said = f"{flow.name}: at most {measure(flow, top)}/s in the last {len(rates)} s"
    points = [
        (LENGTH - len(rates) + 1 + place, 39 - (36 * rate / top if top else 0)) for place, rate in enumerate(rates)
    ]
    drawn = ""
    if len(points) > 1:
        line = " ".join(f"{x},{y:.1f}" for x, y in points)
        drawn = f'<path class="under" d="M{points[0][0]},40 L{line} L{LENGTH},40 Z"/><path class="curve" d="M{line}"/>'
    return (
        f'<svg viewBox="0 0 {LENGTH} 40" preserveAspectRatio="none" role="img" aria-label="{_text(said)}">{drawn}</svg>'
    )


def _group(group: Group) -> str:
    return f'<section class="card"><h2>{_text(group.title)}</h2><dl>{"".join(map(_fact, group.facts))}</dl></section>'


def _fact(fact: Fact) -> str:
    value = f'<b class="bad">✕ {_text(fact.value)}</b>' if fact.bad else _text(fact.value)
    return f"<dt>{_text(fact.name)}</dt><dd>{value}</dd>"


def _table(table: Table) -> str:
    if not table.rows:
        return f'<section class="card"><h2>{_text(table.title)}</h2><p class="soft">{_text(table.none)}</p></section>'
    heads = "".join(f'<th scope="col">{_text(each)}</th>' for each in table.columns)
    rows = "".join(
        f'<tr class="{_bad(row.bad).strip()}">{"".join(_cells(table.columns, row.cells, bad=row.bad))}</tr>'
        for row in table.rows
    )
    more = f'<p class="soft">and {table.left_out} more</p>' if table.left_out else ""
    return (
        f'<section class="card"><h2>{_text(table.title)}</h2>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}</section>"
    )


def _cells(columns: Sequence[str], cells: Sequence[str], *, bad: bool) -> Iterable[str]:
    for place, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        words = f"<b>✕ {_text(cell)}</b>" if bad and not place else _text(cell)
        yield f'<td data-name="{_text(column)}">{words}</td>'


def _notes(notes: Sequence[Note]) -> str:
    if not notes:
        return '<section class="card"><h2>Last warnings and errors</h2><p class="soft">none</p></section>'
    return f'<section class="card"><h2>Last warnings and errors</h2><ol>{"".join(map(_note, notes))}</ol></section>'


def _note(note: Note) -> str:
    event = f'<b class="bad">{_text(note.event)}</b>' if note.level != "warning" else f"<b>{_text(note.event)}</b>"
    often = f" <span>({note.times} times)</span>" if note.times > 1 else ""
    return (
        f'<li><span class="soft">{_text(note.at[:19].replace("T", " "))} {_text(note.level)}</span> '
        f"{event}{often} {_text(note.words)}</li>"
    )
