"""Charts of planning pages as SVG from the server: intervals on one scale, a curve with its band, territories."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

from api import wording
from api.languages import say

LEVELS = 5
STRETCHED = 'preserveAspectRatio="none"'


def interval_bar(one: Mapping[str, float], lowest: float, highest: float, words: str) -> Markup:
    """A mean and its interval (`mean`, `low`, `high`) on the scale from `lowest` to `highest`."""
    span = max(highest - lowest, 1e-9)
    low, mean, high = (float(np.clip((one[name] - lowest) / span, 0, 1)) * 100 for name in ("low", "mean", "high"))
    return Markup(
        f'<svg class="chart interval" role="img" width="100%" height="20" aria-label="{escape(words)}">'
        '<rect class="track" x="0" y="8" width="100%" height="4" rx="2"/>'
        f'<rect class="band" x="{low:.2f}%" y="5" width="{max(high - low, 0.5):.2f}%" height="10" rx="3"/>'
        f'<svg x="{mean:.2f}%" y="0" width="1" height="20" overflow="visible">'
        '<rect class="mark" x="-2" y="1" width="4" height="18" rx="2"/></svg></svg>'
    )


def curve(points: Sequence[tuple[float, Mapping[str, float]]], words: str) -> Markup:
    """Means over x with their band, and the line of zero; labels at both ends of x and at the extremes of y."""
    x = np.array([at for at, _ in points])
    low, mean, high = (np.array([one[name] for _, one in points]) for name in ("low", "mean", "high"))
    bottom, top = min(float(low.min()), 0.0), max(float(high.max()), 0.0)
    across = 1000 * (x - x[0]) / max(float(x[-1] - x[0]), 1e-9)
    span = max(top - bottom, 1e-9)

    def line(y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[str]:
        return [f"{at:.1f} {1000 * (top - value) / span:.1f}" for at, value in zip(across, y, strict=True)]

    across_words = escape(say("euro a year for each individual treatment"))
    most, left, right = (wording.number(value) for value in (top, x[0], x[-1]))
    band = "L".join([*line(high), *reversed(line(low))])
    zero = 16 + 164 * top / span
    return Markup(
        f'<svg class="chart curve" role="img" width="100%" height="204" aria-label="{escape(words)}">'
        f'<line class="grid" x1="0" x2="100%" y1="{zero:.1f}" y2="{zero:.1f}"/>'
        f'<svg x="0" y="16" width="100%" height="164" viewBox="0 0 1000 1000" {STRETCHED} overflow="visible">'
        f'<path class="band" d="M{band}z"/>'
        f'<path class="speed" vector-effect="non-scaling-stroke" d="M{"L".join(line(mean))}"/></svg>'
        f'<text class="tick" x="4" y="12">{most}</text><text class="tick" x="4" y="{zero - 4:.1f}">0</text>'
        f'<text class="tick" x="0" y="198">{left}</text>'
        f'<text class="tick" x="50%" y="198" text-anchor="middle">{across_words}</text>'
        f'<text class="tick" x="100%" y="198" text-anchor="end">{right}</text></svg>'
    )


def territory_map(
    paths: Mapping[str, str], height: float, levels: Mapping[str, int], words: Mapping[str, str], *, named: bool
) -> Markup:
    """Territories by level (0 to LEVELS - 1; none: nothing is told), each with its words on hovering; 1000 wide."""
    parts = []
    for name, path in paths.items():
        level = levels.get(name)
        kind = "none" if level is None else f"level-{level}"
        title = f"{name}: {words.get(name) or say('nobody')}"
        parts.append(f'<path class="{kind}" d="{escape(path)}"><title>{escape(title)}</title></path>')
        if named and (begin := path.removeprefix("M").split("h")[0].split(" ")):
            x, y = float(begin[0]) + 90, float(begin[1]) + 98
            parts.append(f'<text class="place" x="{x:.0f}" y="{y:.0f}" text-anchor="middle">{escape(name)}</text>')
    title = escape(say("Territories by loss ratio; the table beside says the same"))
    return Markup(
        f'<svg class="chart territories" role="img" viewBox="0 0 1000 {max(height, 1):.0f}" '
        f'aria-label="{title}">{"".join(parts)}</svg>'
    )
