"""The report on a risk model: one page of tables and drawings that needs nothing beside it."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np

from pricing.risk import boosting, glm, tables
from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book, Floats
from pricing.risk.metrics import Group, by_group, deciles, double_lift, lorenz, quantile_groups

INK, QUIET, OURS, THEIRS = "#1c1917", "#78716c", "#c2410c", "#2563eb"
MOST_ROWS_OF_SHAP = 20_000
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 2rem auto; padding: 0 1rem; color: #1c1917 }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #e7e5e4; text-align: right }
th:first-child, td:first-child { text-align: left } .out { color: #b91c1c; font-weight: 600 }
figure { display: inline-block; margin: .5rem; vertical-align: top } svg { max-width: 100%; height: auto }
"""


def page(
    model: RiskModel, digest: str, book: Book, rates: dict[str, Floats], metrics: dict[str, Any], relativities: Book
) -> str:
    """The page. `rates` are those of the rows of `book`, the preferred one first; `relativities` gives curves a row."""
    preferred = next(iter(rates))
    expected = rates[preferred] * book.exposure_years
    parts = [
        f"<h1>{escape(model.contract.name)}</h1>",
        f"<p>Model <code>{digest[:16]}</code>, fitted on data <code>{model.card.data_digest[:16]}</code> with seed "
        f"{model.card.seed}; measured on {len(book):,} rows, {book.exposure_years.sum():,.0f} years, "
        f"{book.claims.sum():,.0f} claims that it did not see.</p>",
        _metrics(metrics),
        _figure("Lorenz curves", lambda axes: _lorenz(axes, book, rates)),
        _figure(f"Lift by tenths of exposure: {preferred}", lambda axes: _lift(axes, book, expected)),
        *(
            _figure(f"Double lift: {preferred} over {other}", partial(_double, book=book, rates=rates, other=other))
            for other in list(rates)[1:]
        ),
        f"<h2>Actual over expected by tenth: {preferred}</h2>",
        _groups(deciles(book.claims, expected, book.exposure_years)),
        "<h2>Actual over expected by factor</h2>",
        *(f"<h3>{escape(name)}</h3>{_groups(groups)}" for name, groups in by_factor(model, book, expected).items()),
        "<h2>Partial dependence and SHAP</h2>",
        _dependence(model, book),
        "<h2>Relativities of the GLM</h2>",
        _relativities(model, relativities),
        "<h2>Limits</h2><ul>" + "".join(f"<li>{escape(limit)}</li>" for limit in model.card.limits) + "</ul>",
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(model.contract.name)}</title>'
    return f"{head}<style>{STYLE}</style>{''.join(parts)}</html>\n"


def by_factor(model: RiskModel, book: Book, expected: Floats) -> dict[str, tuple[Group, ...]]:
    """A/E of each level; of a number of its tenths by exposure."""
    found = {}
    for factor in model.contract.factors:
        value = book.values[factor.name]
        if factor.kind == "categorical":
            names = [*book.levels[factor.name], tables.MISSING]
            place = np.where(np.isnan(value), len(names) - 1, np.nan_to_num(value)).astype(np.int64)
        else:
            place = quantile_groups(np.nan_to_num(value, nan=np.inf), book.exposure_years, 10)
            names = [_span(value[place == number]) for number in range(10)]
        found[factor.name] = by_group(place, names, book.claims, expected, book.exposure_years)
    return found


def _span(value: Floats) -> str:
    known = value[~np.isnan(value)]
    return f"{known.min():g} to {known.max():g}" if len(known) else tables.MISSING


def _figure(title: str, draw: Callable[[Any], None]) -> str:
    import matplotlib  # noqa: PLC0415  heavy: only a report needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    with matplotlib.rc_context({"svg.hashsalt": "wayrate", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(4.4, 3.1), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, loc="left", color=INK, fontsize=9)
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return f"<figure>{svg[svg.index('<svg') :]}</figure>"


def _lorenz(axes: Any, book: Book, rates: dict[str, Floats]) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    for name, rate in rates.items():
        curve = lorenz(rate, book.claims, book.exposure_years)
        axes.plot(curve.x[:: max(1, len(curve.x) // 300)], curve.y[:: max(1, len(curve.y) // 300)], label=name)
    axes.set_xlabel("share of exposure")
    axes.set_ylabel("share of claims")
    axes.legend(frameon=False)


def _lift(axes: Any, book: Book, expected: Floats) -> None:
    groups = deciles(book.claims, expected, book.exposure_years)
    at = np.arange(1, len(groups) + 1)
    axes.plot(at, [one.expected / one.exposure_years for one in groups], color=OURS, label="expected")
    rate = np.array([one.actual / one.exposure_years for one in groups])
    ends = np.array([[one.low, one.high] for one in groups]) * np.array(
        [[one.expected / one.exposure_years] for one in groups]
    )
    axes.errorbar(
        at, rate, np.abs(ends.T - rate), fmt="o", markersize=3, color=INK, linewidth=0.8, label="actual, 95 %"
    )
    axes.set_ylabel("claims a year")
    axes.legend(frameon=False)


def _double(axes: Any, book: Book, rates: dict[str, Floats], other: str) -> None:
    preferred = next(iter(rates))
    weight = book.exposure_years
    rows = double_lift(book.claims, rates[preferred] * weight, rates[other] * weight, weight)
    at = np.arange(1, len(rows) + 1)
    for name, key, colour in (("actual", "actual", INK), (preferred, "ours", OURS), (other, "theirs", THEIRS)):
        axes.plot(at, [row[key] for row in rows], marker="o", markersize=3, color=colour, label=name)
    axes.set_xlabel("tenths by the ratio of the two")
    axes.legend(frameon=False)


def _dependence(model: RiskModel, book: Book) -> str:
    """Of the trees: the mean rate with one factor set for every row, and the mean size of each factor's SHAP values."""
    if model.boosted is None:
        return "<p>No trees were fitted.</p>"
    few = book.take(np.linspace(0, len(book) - 1, min(len(book), MOST_ROWS_OF_SHAP)).astype(np.intp))
    size = np.abs(boosting.shap(model.boosted, few)).mean(axis=0)[:-1]
    names = [factor.name for factor in model.contract.factors]
    order = np.argsort(size)

    def bars(axes: Any) -> None:
        axes.barh([names[place] for place in order], size[order], color=OURS)
        axes.set_xlabel("mean |SHAP|, log scale of the rate")

    sample = few.take(np.linspace(0, len(few) - 1, min(len(few), 2000)).astype(np.intp))
    drawn = [_figure("What moves the rate", bars)]
    drawn += [_figure(name, partial(_curve, model=model, sample=sample, name=name)) for name in names]
    return "".join(drawn)


def _curve(axes: Any, model: RiskModel, sample: Book, name: str) -> None:
    assert model.boosted is not None
    levels = sample.levels.get(name)
    known = sample.values[name][~np.isnan(sample.values[name])]
    at = np.arange(len(levels)) if levels else np.unique(np.quantile(known, np.linspace(0.01, 0.99, 15)))
    rates = [float(boosting.rate(model.boosted, sample.with_value(name, float(value))).mean()) for value in at]
    if levels:
        axes.bar(list(levels), rates, color=OURS)
        axes.tick_params(axis="x", rotation=60)
    else:
        axes.plot(at, rates, color=OURS)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("claims a year")


def _metrics(metrics: dict[str, Any]) -> str:
    names = list(next(iter(metrics.values())))
    rows = [[name, *(f"{values[one]:.5g}" for one in names)] for name, values in metrics.items()]
    return _table(["model", *names], rows)


def _groups(groups: Sequence[Group]) -> str:
    rows = [
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
    ]
    return _table(["", "years", "actual", "expected", "A/E", "95 %", ""], rows)


def _relativities(model: RiskModel, one: Book) -> str:
    if model.glm is None:
        return "<p>No GLM was fitted.</p>"
    rows = [
        [row.factor, row.level, f"{row.relativity:.3f}", f"{row.low:.3f} to {row.high:.3f}"]
        for row in glm.relativities(model.glm, one)
    ]
    dropped = ", ".join(model.glm.dropped) or "none"
    return _table(["factor", "level", "relativity", "95 %"], rows) + f"<p>Left out by selection: {escape(dropped)}.</p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>{cells}</table>"
