"""The workbench's charts as SVG from the server, by the rules of `api.charts`: no script, no style attribute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from api import wording
from api.languages import say

FEWEST_PLACES = 6  # one month is a column, not a wall


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its interval at a place along the axis; None: not known there."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    text: str = ""


def signed_bar(value: float, largest: float) -> Markup:
    """A change from a centre line: to the right it rises, to the left it falls. `largest` of all shown, absolute."""
    share = 0.0 if largest <= 0 else min(abs(value) / largest, 1.0) * 50
    start = 50.0 if value >= 0 else 50 - share
    kind = "up" if value >= 0 else "down"
    bar = f'<rect class="{kind}" x="{start:.2f}%" y="2" width="{share:.2f}%" height="10" rx="2"/>'
    return Markup(
        '<svg class="chart effect" aria-hidden="true" width="100%" height="14">'
        '<rect class="track" x="0" y="5" width="100%" height="4" rx="2"/>'
        f'{bar if share else ""}<rect class="axis" x="50%" y="0" width="1" height="14"/></svg>'
    )


def interval_chart(
    points: Sequence[Point], title: str, reference: float | None = None, top: float | None = None
) -> Markup:
    """Values with their intervals over named places, from zero up, and a line to compare with."""
    known = [bound for one in points for bound in (one.value, one.high) if bound is not None]
    if not known:
        return Markup('<p class="quiet">{}</p>').format(say("There is too little to say anything yet."))
    wanted = max([*known, reference or 0.0])
    ceiling = (
        top or max(min(wanted, 4 * max(one.value or 0.0 for one in points) or wanted), reference or 0.0) * 1.08 or 1.0
    )
    width, every = 100 / max(len(points), FEWEST_PLACES), max(1, round(len(points) / 10))
    parts = [f'<svg class="chart interval" role="img" width="100%" height="168" aria-label="{escape(title)}">']
    for share in (0.0, 0.5, 1.0):
        at = 140 - 132 * share
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{at:.0f}" y2="{at:.0f}"/>')
        parts.append(
            f'<text class="tick" x="100%" y="{at - 3:.0f}" text-anchor="end">{_number(ceiling * share)}</text>'
        )
    if reference is not None:
        at = _height(reference, ceiling)
        parts.append(f'<line class="reference" x1="0" x2="100%" y1="{at:.1f}" y2="{at:.1f}"/>')
    for index, one in enumerate(points):
        x = (index + 0.5) * width
        if index % every == 0:
            parts.append(f'<text class="tick" x="{x:.2f}%" y="160" text-anchor="middle">{escape(one.label)}</text>')
        if one.value is None:
            continue
        low, high = _height(one.low or 0.0, ceiling), _height(one.high if one.high is not None else one.value, ceiling)
        if one.high is not None:
            parts.append(f'<line class="whisker" x1="{x:.2f}%" x2="{x:.2f}%" y1="{low:.1f}" y2="{high:.1f}"/>')
        parts.append(
            f'<circle class="dot" cx="{x:.2f}%" cy="{_height(one.value, ceiling):.1f}" r="4.5">'
            f"<title>{escape(one.label)}: {escape(one.text)}</title></circle>"
        )
    return Markup("".join(parts) + "</svg>")


def histogram(bars: Sequence[tuple[str, float, str]], title: str) -> Markup:
    """Columns of (label, value >= 0, text), all labelled."""
    top = max((value for _, value, _ in bars), default=0.0) or 1.0
    width = 100 / max(len(bars), FEWEST_PLACES)
    parts = [f'<svg class="chart columns" role="img" width="100%" height="132" aria-label="{escape(title)}">']
    for index, (label, value, text) in enumerate(bars):
        height = value / top * 92
        parts.append(
            f'<rect class="fill" x="{(index + 0.12) * width:.2f}%" y="{108 - height:.1f}" width="{width * 0.76:.2f}%" '
            f'height="{height:.1f}" rx="2"><title>{escape(label)}: {escape(text)}</title></rect>'
        )
        parts.append(
            f'<text class="tick" x="{(index + 0.5) * width:.2f}%" y="126" text-anchor="middle">{escape(label)}</text>'
        )
    parts.append('<rect class="axis" x="0" y="108" width="100%" height="1"/></svg>')
    return Markup("".join(parts))


def _height(value: float, ceiling: float) -> float:
    return float(140 - 132 * np.clip(value / ceiling, 0.0, 1.0))


def _number(value: float) -> str:
    return wording.number(value) if value >= 20 or value == 0 else wording.exact(f"{value:.2g}")
