"""What the pages on risk share: a drawing as SVG, and the table of actual over expected."""

import io
from collections.abc import Callable, Sequence
from typing import Any

from pricing.document import Drawing, Rows
from pricing.risk.metrics import Group

INK, QUIET, OURS, THEIRS = "#1c1917", "#78716c", "#c2410c", "#2563eb"


def figure(title: str, draw: Callable[[Any], None], width_in: float = 4.4) -> Drawing:
    """A drawing of one pair of axes; the same picture gives the same bytes."""
    import matplotlib  # noqa: PLC0415  heavy: only a report needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    with matplotlib.rc_context({"svg.hashsalt": "wayrate", "svg.fonttype": "none", "font.size": 9}):
        drawn = Figure(figsize=(width_in, 3.1), layout="constrained")
        axes = drawn.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, loc="left", color=INK, fontsize=9)
        draw(axes)
        out = io.StringIO()
        drawn.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return Drawing(svg[svg.index("<svg") :])


def groups_table(groups: Sequence[Group]) -> Rows:
    """Actual over expected of each group with its 95 % interval."""
    return Rows(
        ["", "years", "actual", "expected", "A/E", "95 %", ""],
        [
            [
                group.name,
                f"{group.exposure_years:,.0f}",
                f"{group.actual:,.0f}",
                f"{group.expected:,.1f}",
                f"{group.ratio:.3f}",
                f"{group.low:.3f} to {group.high:.3f}",
                "" if group.holds else "outside",
            ]
            for group in groups
        ],
    )
