"""The comparison of strategies as a page: a table, a picture a measure, and the break-even curve."""

import io
from collections.abc import Callable
from html import escape
from typing import Any

TITLES = {
    "mass": "Mass: one rate",
    "differentiated": "Differentiated: rates of segments",
    "concentrated": "Concentrated: one niche",
    "one_to_one": "One-to-one: individual rates, contacts that pay",
}
MEASURES = {
    "profit": ("Profit over all years, euro", 0),
    "loss_ratio": ("Loss ratio: expected losses over premium", 3),
    "retention": ("Retention: renewals kept", 3),
    "fairness": ("Fairness: premium that lies where the losses lie", 3),
    "customer_value": ("Value of a customer won, euro", 0),
}
INK, QUIET, OURS = "#1c1917", "#78716c", "#c2410c"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 2rem auto; padding: 0 1rem; color: #1c1917 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #e7e5e4; text-align: right }
th:first-child, td:first-child { text-align: left } figure { margin: 1rem 0 } svg { max-width: 100%; height: auto }
"""


def page(found: dict[str, Any]) -> str:
    """The page of what `comparison.as_json` found."""
    meant = (
        f"{found['seeds']} seeds, {found['customers']:,} customers each, {found['years']} years. Every figure is a "
        "mean over the seeds with the 95 % interval of that mean."
    )
    turning = found["break_even"]["cost_per_treatment"]
    lost = (
        f"One-to-one stops paying against the best other strategy where an individual treatment costs "
        f"{turning['mean']:.1f} euro a year and policy ({turning['low']:.1f} to {turning['high']:.1f}); in "
        f"{found['break_even']['never_lost']} of the seeds it did not within the costs tried."
    )
    parts = [
        "<h1>Strategies on one market</h1>",
        f"<p>{escape(meant)}</p>",
        _table(found),
        *(_figure(title, lambda axes, name=name: _bars(axes, found, name)) for name, (title, _) in MEASURES.items()),  # type: ignore[misc]
        "<h2>Where one-to-one stops paying</h2>",
        f"<p>{escape(lost)}</p>",
        _figure("Lead of one-to-one by the cost of a treatment", lambda axes: _curve(axes, found)),
        "<h2>Costs</h2><p>Stated, not measured; euro.</p><ul>",
        *(f"<li>{escape(name.replace('_', ' '))}: {cost:g}</li>" for name, cost in found["costs"].items()),
        "</ul><p>The market is simulated. Its customers, their tastes and the other offers are invented, so what is "
        "shown is how the strategies differ there, not what any insurer would earn.</p>",
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Strategies on one market</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</html>\n"
    )


def shown(one: dict[str, float], decimals: int) -> str:
    """Mean and interval as text."""
    mean, low, high = (f"{one[name]:,.{decimals}f}" for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _table(found: dict[str, Any]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in MEASURES.values())
    rows = "".join(
        f"<tr><td>{escape(TITLES[name])}</td>"
        + "".join(f"<td>{escape(shown(row[measure], decimals))}</td>" for measure, (_, decimals) in MEASURES.items())
        + "</tr>"
        for name, row in found["strategies"].items()
    )
    return f'<div class="wide"><table><tr><th>Strategy</th>{head}</tr>{rows}</table></div>'


def _figure(title: str, draw: Callable[[Any], None]) -> str:
    from matplotlib.figure import Figure  # noqa: PLC0415  slow to import, and only a report needs it

    figure = Figure(figsize=(8.4, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return f'<figure role="img" aria-label="{escape(title)}">{svg[svg.index("<svg") :]}</figure>'


def _bars(axes: Any, found: dict[str, Any], measure: str) -> None:
    rows = [(TITLES[name].split(":")[0], row[measure]) for name, row in found["strategies"].items()]
    for place, (name, one) in enumerate(reversed(rows)):
        colour = OURS if name == "One-to-one" else QUIET
        axes.plot([one["low"], one["high"]], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot([one["mean"]], [place], "o", color=colour)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)


def _curve(axes: Any, found: dict[str, Any]) -> None:
    curve = found["break_even"]["curve"]
    costs = [one["cost"] for one in curve]
    axes.fill_between(
        costs, [one["lead"]["low"] for one in curve], [one["lead"]["high"] for one in curve], color=OURS, alpha=0.18
    )
    axes.plot(costs, [one["lead"]["mean"] for one in curve], color=OURS)
    axes.axhline(0.0, color=QUIET, linewidth=1)
    axes.set_xlabel("euro a year for each individual treatment")
    axes.set_ylabel("euro")
