"""Two kinds of plots, as SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_OURS, _OTHER, _GRID, _INK, _PALE = "#c2410c", "#64748b", "#e2e8f0", "#1e293b", "#475569"
_COLOURS = (_OURS, "#0369a1", "#4d7c0f", "#7e22ce", "#64748b", "#be185d")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 400, 70, 28, 72, 56


@dataclass(frozen=True, slots=True)
class Bar:
    """A median with its spread."""

    label: str
    value: float
    low: float
    high: float
    ours: bool = False


def bars(title: str, unit: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars from 0, each with a line from the lowest to the highest run."""
    left, top, row, most = 170, 46, 34, max(bar.high for bar in rows)
    scale = (_WIDTH - left - 110) / most
    drawn = []
    for number, bar in enumerate(rows):
        y, middle = top + number * row, top + number * row + 11
        low, high = left + bar.low * scale, left + bar.high * scale
        colour = _OURS if bar.ours else _OTHER
        whisker = f"M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8"
        value = f"{bar.value:,.{_digits(bar.value)}f} {unit}"
        drawn += [
            _text(left - 10, middle + 4, bar.label, "end", bold=bar.ours),
            f'<rect x="{left}" y="{y}" width="{bar.value * scale:.1f}" height="22" rx="2" fill="{colour}"/>',
            f'<path d="{whisker}" stroke="{_INK}" fill="none"/>' if bar.high > bar.low else "",
            _text(high + 8, middle + 4, value, bold=bar.ours),
        ]
    return _document(title, top + len(rows) * row + 8, drawn)


def lines(
    title: str,
    labels: tuple[str, str],
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    logarithmic: bool = False,
    dots: bool = True,
) -> str:
    """Lines through points, above 0; `labels` are those of x and y."""
    points = [point for each in series.values() for point in each]
    least, most = min(x for x, _ in points), max(x for x, _ in points)
    first = least if logarithmic else 0.0
    ticks_y = _ticks(max(y for _, y in points))
    ticks_x = sorted({x for x, _ in points}) if dots else _ticks(most)

    def at_x(x: float) -> float:
        part = math.log(x / first) / math.log(most / first) if logarithmic else x / max(ticks_x[-1], most)
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)

    def at_y(y: float) -> float:
        return _HEIGHT - _BOTTOM - y / ticks_y[-1] * (_HEIGHT - _TOP - _BOTTOM)

    drawn = [f'<path d="M{_LEFT} {at_y(y):.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>' for y in ticks_y]
    drawn += [_text(_LEFT - 8, at_y(y) + 4, f"{y:,g}", "end") for y in ticks_y]
    drawn += [_text(at_x(x), _HEIGHT - _BOTTOM + 18, f"{x:,g}", "middle") for x in ticks_x]
    drawn += [
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 14, labels[0], "middle", _PALE),
        _text(16, _TOP - 14, labels[1], "start", _PALE),
    ]
    for number, each in enumerate(series.values()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in each)
        drawn.append(f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        if dots:
            drawn += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3.5" fill="{colour}"/>' for x, y in each]
    if len(series) > 1:
        drawn += _legend(list(series))
    return _document(title, _HEIGHT, drawn)


def _legend(names: Sequence[str]) -> list[str]:
    drawn, x = [], float(_WIDTH - _RIGHT)
    for name, colour in reversed(list(zip(names, _COLOURS, strict=False))):
        drawn.append(_text(x, _TOP - 14, name, "end", colour, bold=True))
        x -= 7.2 * len(name) + 16
    return drawn


def _ticks(most: float) -> list[float]:
    step = 10 ** math.floor(math.log10(most / 2 or 1))
    step *= next(times for times in (1, 2, 5, 10) if most / (step * times) <= 5)
    return [step * number for number in range(math.ceil(most / step) + 1)]


def _digits(value: float) -> int:
    return 0 if value >= 20 else 1 if value >= 2 else 2


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = _INK, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'


def _document(title: str, height: float, drawn: Sequence[str]) -> str:
    head = f'<text x="16" y="24" font-size="15" font-weight="bold" fill="{_INK}">{escape(title)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}"'
        ' font-family="system-ui, sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{head}\n' + "\n".join(drawn) + "\n</svg>\n"
    )
