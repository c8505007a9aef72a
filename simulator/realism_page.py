"""The realism report as a page of its own: tables and, drawn as SVG, the distributions beside each other."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from simulator.grading import Grade
from simulator.realism import Compared, Drives

type Float64s = NDArray[np.float64]

COLOURS = ("#c2410c", "#2563eb", "#059669", "#7c3aed")  # simulated first
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 430, 250, 44, 34, 14
SHOWN = (  # name, title, upper end of the axis, whether the size alone is shown
    ("speed_kmh", "speed, km/h", 110.0, False),
    ("acceleration_mps2", "|acceleration| over 2 s, m/s²", 3.5, True),
    ("stop_s", "length of a stop, s", 120.0, False),
    ("drive_km", "length of a drive, km", 50.0, False),
    ("over_limit_kmh", "speed less limit, km/h (over: right of 0)", 40.0, False),
    ("road_error_m", "fix to nearest road, m", 30.0, False),
)
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; color: #1c1917 }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #e7e5e4; text-align: right }
th:first-child, td:first-child { text-align: left } .no { color: #b91c1c; font-weight: 600 }
footer { color: #57534e }
.plots { display: flex; flex-wrap: wrap; gap: 1rem } svg text { font: 11px system-ui, sans-serif; fill: #57534e }
"""


def page(
    place: str, simulated: Drives, real: Sequence[Drives], rows: Sequence[Compared], graded: Sequence[Grade]
) -> str:
    """The whole report as HTML without any file beside it."""
    sources = (simulated, *real)
    plots = "".join(_plot(sources, *shown) for shown in SHOWN)
    keys = " ".join(
        f'<span style="color:{colour}">&#9632;</span> {escape(one.name)} ({len(one.drive_km)} drives, '
        f"{one.drive_km.sum():,.0f} km)"
        for one, colour in zip(sources, COLOURS, strict=False)
    )
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulated and real driving</title>
<style>{STYLE}</style><h1>Simulated and real driving</h1>
<p>A simulated fleet on the roads of {escape(place)} beside the real drives there are. Curves: the share of seconds (or
of stops, or drives) at or under a value. All are taken from what devices report at 1 Hz.</p><p>{keys}</p>
<div class="plots">{plots}</div><h2>Quantiles</h2>{_table(rows, [one.name for one in real])}
<p>Ratio: simulated over the nearest end of the range of the real sources; 1 is within it. Asked: within 25 %.</p>
<h2>Events found beside events that were</h2>{_grades(graded)}
<p>Recall: of true events clearly over the threshold, those found. Precision: of those found, the true ones.</p>
<footer>Roads and limits: © OpenStreetMap contributors</footer></html>
"""


def _table(rows: Sequence[Compared], names: list[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ("measure", "at", "simulated", *names, "ratio", "verdict"))
    body = ""
    for row in rows:
        real = "".join(f"<td>{_number(row.real.get(name))}</td>" for name in names)
        verdict = ("holds" if row.holds else '<span class="no">outside</span>') if row.is_asked else "not asked"
        body += (
            f"<tr><td>{escape(row.measure)}</td><td>{row.quantile}</td><td>{_number(row.simulated)}</td>{real}"
            f"<td>{_number(row.ratio)}</td><td>{verdict}</td></tr>"
        )
    return f"<table><tr>{head}</tr>{body}</table>"


def _grades(graded: Sequence[Grade]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("device", "event", "trips", "true", "recall", "found", "precision"))
    body = "".join(
        f"<tr><td>{one.device_kind}</td><td>{one.kind}</td><td>{one.trips}</td><td>{one.clear}</td>"
        f"<td>{_number(one.recall)}</td><td>{one.found}</td><td>{_number(one.precision)}</td></tr>"
        if one.trips
        else f'<tr><td>{one.device_kind}</td><td>{one.kind}</td><td colspan="5">not measurable</td></tr>'
        for one in graded
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _plot(sources: Sequence[Drives], name: str, title: str, most: float, is_size: bool) -> str:
    """The cumulative distributions of one measure."""
    least = -40.0 if name == "over_limit_kmh" else 0.0
    lines = ""
    for one, colour in reversed(list(zip(sources, COLOURS, strict=False))):
        values: Float64s = getattr(one, name)
        if not len(values):
            continue
        values = np.sort(np.abs(values) if is_size else values)
        at = np.linspace(least, most, 200)
        share = np.searchsorted(values, at, side="right") / len(values)
        x = LEFT + (at - least) / (most - least) * (WIDTH - LEFT - 10)
        y = TOP + (1.0 - share) * (HEIGHT - TOP - BOTTOM)
        points = " ".join(f"{left:.1f},{top:.1f}" for left, top in zip(x.tolist(), y.tolist(), strict=True))
        wide = 2.5 if colour == COLOURS[0] else 1.5
        lines += f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{wide}"/>'
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}">{_axes(least, most)}{lines}'
        f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(title)}</text></svg>'
    )


def _axes(least: float, most: float) -> str:
    ticks = ""
    for step in range(6):
        x = LEFT + step / 5 * (WIDTH - LEFT - 10)
        value = least + step / 5 * (most - least)
        ticks += f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{value:g}</text>'
        y = TOP + (1 - step / 5) * (HEIGHT - TOP - BOTTOM)
        ticks += f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.0f}" y2="{y:.0f}" stroke="#e7e5e4"/>'
        ticks += f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{step * 20} %</text>'
    return ticks
