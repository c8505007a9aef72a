"""Charts as SVG from the server: they print, need no script, and carry no style attribute (the CSP forbids those).

Text keeps its size at every width: labels stand at percentages of an outer svg, and only the drawing inside a nested
svg with a viewBox is stretched, its strokes not scaling. All functions are pure and return markup with text escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

SCORE_RANGE = (0.0, 100.0)
STRETCHED = 'preserveAspectRatio="none"'


@dataclass(frozen=True, slots=True)
class WaterfallBar:
    """Where one step of a premium starts and ends on the common scale, in currency units."""

    start: float
    end: float
    kind: str  # base, up, down, total: the colour class


def score_scale(value: float, low: float, high: float, title: str) -> Markup:
    """A 0-100 track with the interval as a band and the score as a mark; `title` says the same in words."""
    left, right = (float(np.clip(bound, *SCORE_RANGE)) for bound in (low, high))
    ticks = "".join(
        f'<text class="tick" x="{at}%" y="40" text-anchor="{anchor}">{at}</text>'
        for at, anchor in ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end"))
    )
    return Markup(
        f'<svg class="chart scale" role="img" width="100%" height="46" aria-label="{escape(title)}">'
        '<rect class="track" x="0" y="12" width="100%" height="8" rx="4"/>'
        f'<rect class="band" x="{left:.2f}%" y="12" width="{max(right - left, 0.5):.2f}%" height="8" rx="4"/>'
        f'<svg x="{np.clip(value, *SCORE_RANGE):.2f}%" y="0" width="1" height="32" overflow="visible">'
        '<rect class="mark" x="-2.5" y="5" width="5" height="22" rx="2.5"/></svg>'
        f"{ticks}</svg>"
    )


def effect_bar(effect: float, largest: float) -> Markup:
    """A reason's effect from a centre line: to the right raises the score, to the left lowers it.

    `effect` and `largest` (over all reasons shown, absolute) are in the same unit; positive is good for the driver.
    """
    share = 0.0 if largest <= 0 else min(abs(effect) / largest, 1.0) * 50
    start = 50.0 if effect >= 0 else 50 - share
    kind = "good" if effect >= 0 else "bad"
    bar = f'<rect class="{kind}" x="{start:.2f}%" y="2" width="{share:.2f}%" height="10" rx="2"/>' if share else ""
    return Markup(
        '<svg class="chart effect" aria-hidden="true" width="100%" height="14">'
        '<rect class="track" x="0" y="5" width="100%" height="4" rx="2"/>'
        f"{bar}"
        '<rect class="axis" x="50%" y="0" width="1" height="14"/></svg>'
    )


def waterfall_bars(steps: Sequence[tuple[str, float]]) -> list[WaterfallBar]:
    """Running bars of (kind, amount) steps: `base` and `total` stand on zero, others float from the last end."""
    bars: list[WaterfallBar] = []
    level = 0.0
    for kind, amount in steps:
        if kind in {"base", "total"}:
            bars.append(WaterfallBar(0.0, amount, kind))
            level = amount
        else:
            bars.append(WaterfallBar(level, level + amount, "up" if amount >= 0 else "down"))
            level += amount
    return bars


def waterfall_row(bar: WaterfallBar, lowest: float, highest: float) -> Markup:
    """One row of a waterfall on the common scale from `lowest` to `highest`."""
    span = max(highest - lowest, 1e-9)
    left, right = sorted(((bar.start - lowest) / span * 100, (bar.end - lowest) / span * 100))
    place = f'x="{left:.2f}%" width="{max(right - left, 0.5):.2f}%"'
    return Markup(
        '<svg class="chart fall" aria-hidden="true" width="100%" height="18">'
        f'<rect class="axis" x="{-lowest / span * 100:.2f}%" y="0" width="1" height="18"/>'
        f'<rect class="{escape(bar.kind)}" {place} y="3" height="12" rx="2"/>'
        "</svg>"
    )


def share_bar(share: float) -> Markup:
    """A part of a whole, 0 to 1."""
    return Markup(
        '<svg class="chart share" aria-hidden="true" width="100%" height="8">'
        '<rect class="track" x="0" y="1" width="100%" height="6" rx="3"/>'
        f'<rect class="fill" x="0" y="1" width="{np.clip(share, 0, 1) * 100:.2f}%" height="6" rx="3"/></svg>'
    )


def month_bars(values: Sequence[tuple[str, float, str]]) -> Markup:
    """Columns of (short label, value >= 0, text of the value), e.g. kilometres by month or by day."""
    if not values:
        return Markup("")
    top = max(value for _, value, _ in values) or 1.0
    width = 100 / len(values)
    every = max(1, round(len(values) / 8))
    parts = ['<svg class="chart columns" aria-hidden="true" width="100%" height="104">']
    for index, (label, value, text) in enumerate(values):
        height = value / top * 72
        x = (index + 0.15) * width
        parts.append(
            f'<rect class="fill" x="{x:.2f}%" y="{80 - height:.1f}" width="{width * 0.7:.2f}%" '
            f'height="{height:.1f}" rx="2"><title>{escape(label)}: {escape(text)}</title></rect>'
        )
        if index % every == 0:
            middle = (index + 0.5) * width
            parts.append(f'<text class="tick" x="{middle:.2f}%" y="98" text-anchor="middle">{escape(label)}</text>')
    parts.append('<rect class="axis" x="0" y="80" width="100%" height="1"/></svg>')
    return Markup("".join(parts))


def trend(points: Sequence[tuple[str, float, float, float]], title: str) -> Markup:
    """Scores over months: (short label, low, value, high), each 0 to 100; the interval as a bar, the score as a dot."""
    width = 100 / max(len(points), 1)
    parts = [f'<svg class="chart trend" role="img" width="100%" height="172" aria-label="{escape(title)}">']
    for score in (0, 25, 50, 75, 100):
        y = _trend_y(score)
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="-7" y="{y + 4:.1f}" text-anchor="end">{score}</text>')
    for index, (label, low, value, high) in enumerate(points):
        x = (index + 0.5) * width
        top, bottom = _trend_y(high), _trend_y(low)
        parts.append(
            f'<svg x="{x:.2f}%" y="0" width="1" height="172" overflow="visible">'
            f'<rect class="band" x="-6" y="{top:.1f}" width="12" height="{max(bottom - top, 1):.1f}" rx="6"/>'
            f'<circle class="mark" cx="0" cy="{_trend_y(value):.1f}" r="5"/>'
            f'<text class="tick" x="0" y="168" text-anchor="middle">{escape(label)}</text></svg>'
        )
    return Markup("".join([*parts, "</svg>"]))


def _trend_y(score: float) -> float:
    return 10 + (100 - float(np.clip(score, *SCORE_RANGE))) * 1.36


def speed_chart(
    elapsed_s: Floats,
    speed: Floats,
    limit: Floats,
    events_s: Sequence[tuple[float, int]],
    title: str = "Speed and speed limit over the time of the trip",
) -> Markup:
    """Speed against the limit over time, arrays of shape (n,), km/h or mph; NaN (not reported) leaves a gap.

    `events_s` are (time since the start in s, number of the event in the list below the chart).
    """
    known = np.concatenate((speed[np.isfinite(speed)], limit[np.isfinite(limit)], [30.0]))
    top = float(np.ceil(known.max() * 1.08 / 20) * 20)
    end = max(float(elapsed_s[-1]) if len(elapsed_s) else 0.0, 1.0)
    rows = _thinned(elapsed_s, 900)
    x = elapsed_s[rows] / end * 1000
    speed_y, limit_y = (1000 - 1000 * values[rows] / top for values in (speed, limit))
    plot = (
        f'<svg x="0" y="16" width="100%" height="164" viewBox="0 0 1000 1000" {STRETCHED} overflow="visible">'
        f'<path class="over" d="{_over_limit_area(x, speed_y, limit_y)}"/>'
        f'<path class="limit" vector-effect="non-scaling-stroke" d="{_steps(x, limit_y)}"/>'
        f'<path class="speed" vector-effect="non-scaling-stroke" d="{_line(x, speed_y)}"/></svg>'
    )
    marks = "".join(
        f'<svg x="{np.clip(at / end, 0, 1) * 100:.2f}%" y="0" width="1" height="180" overflow="visible">'
        '<line class="event-line" x1="0" y1="14" x2="0" y2="180"/>'
        '<circle class="event-dot" cx="0" cy="8" r="8"/>'
        f'<text class="event-number" x="0" y="11.5" text-anchor="middle">{number}</text></svg>'
        for at, number in events_s
    )
    return Markup(
        '<svg class="chart speed-chart" role="img" width="100%" height="204" '
        f'aria-label="{escape(title)}">'
        f"{_grid(top)}{plot}{marks}{_minutes(end)}</svg>"
    )


def _grid(top_kmh: float) -> str:
    step = 20 if top_kmh <= 100 else 40
    parts = []
    for kmh in np.arange(0, top_kmh + 1, step):
        y = 180 - 164 * kmh / top_kmh
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="-7" y="{y + 4:.1f}" text-anchor="end">{kmh:.0f}</text>')
    return "".join(parts)


def _minutes(end_s: float) -> str:
    minutes = end_s / 60
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120) if minutes / s <= 6), 240)
    return "".join(
        f'<text class="tick" x="{at / minutes * 100:.2f}%" y="198" text-anchor="{"start" if at == 0 else "middle"}">'
        f"{at}{' min' if at == 0 else ''}</text>"
        for at in range(0, int(minutes) + 1, step)
        if at / minutes < 0.97
    )


def _thinned(values: Floats, most: int) -> NDArray[np.intp]:
    """At most `most` row numbers, evenly spaced, first and last kept."""
    if len(values) <= most:
        return np.arange(len(values), dtype=np.intp)
    return np.unique(np.linspace(0, len(values) - 1, most).round().astype(np.intp))


def _line(x: Floats, y: Floats) -> str:
    parts, pen_down = [], False
    for px, py in zip(x, y, strict=True):
        if np.isfinite(py):
            parts.append(f"{'L' if pen_down else 'M'}{px:.1f} {py:.1f}")
        pen_down = bool(np.isfinite(py))
    return "".join(parts)


def _steps(x: Floats, y: Floats) -> str:
    """A line that holds its level until the next point: a limit does not ramp."""
    parts: list[str] = []
    before = np.nan
    for px, py in zip(x, y, strict=True):
        if np.isfinite(py) and np.isfinite(before):
            if py != before:
                parts.append(f"H{px:.1f}V{py:.1f}")
        elif np.isfinite(py):
            parts.append(f"M{px:.1f} {py:.1f}")
        elif np.isfinite(before):
            parts.append(f"H{px:.1f}")
        before = py
    if np.isfinite(before):
        parts.append(f"H{x[-1]:.1f}")
    return "".join(parts)


def _over_limit_area(x: Floats, speed_y: Floats, limit_y: Floats) -> str:
    """The area between speed and limit where the speed is above (y grows downwards)."""
    with np.errstate(invalid="ignore"):
        over = speed_y < limit_y
    edges = np.flatnonzero(np.diff(np.concatenate(([0], over.astype(np.int8), [0]))))
    parts = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start < 2:
            continue
        there = "L".join(f"{px:.1f} {py:.1f}" for px, py in zip(x[start:stop], speed_y[start:stop], strict=True))
        back = "L".join(
            f"{px:.1f} {py:.1f}" for px, py in zip(x[start:stop][::-1], limit_y[start:stop][::-1], strict=True)
        )
        parts.append(f"M{there}L{back}Z")
    return "".join(parts)
