"""The report on a risk model: tables and drawings of how it does on what it has not seen."""

from collections.abc import Iterator
from functools import partial
from math import isnan
from typing import Any

import msgspec
import numpy as np

from pricing.document import Block, Heading, Points, Rows, Text
from pricing.risk import boosting, glm, tables
from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book, Floats
from pricing.risk.drawing import INK, OURS, QUIET, THEIRS, figure, groups_table
from pricing.risk.glm import Relativity
from pricing.risk.joint import Joint, moved
from pricing.risk.judging import one_row
from pricing.risk.metrics import Group, by_group, deciles, double_lift, lorenz, quantile_groups

MOST_ROWS_OF_SHAP = 20_000


def report(
    model: RiskModel, digest: str, book: Book, rates: dict[str, Floats], found: dict[str, Any]
) -> Iterator[Block]:
    """The report on rows of `book` with their `rates`, the preferred first; `found` is `judging.evaluation`'s."""
    preferred = next(iter(rates))
    expected = rates[preferred] * book.exposure_years
    learned = "by_likeness" not in found and book.digest == model.card.data_digest
    whose = "learned from, for the contract keeps no test part" if learned else "did not see"
    yield Heading(1, model.contract.name)
    yield Text(
        f"Model {digest[:16]}, fitted on data {model.card.data_digest[:16]} with seed "
        f"{model.card.seed}; measured on {len(book):,} rows, {book.exposure_years.sum():,.0f} years, "
        f"{book.claims.sum():,.0f} claims that it {whose}. One mean rate has a deviance of "
        f"{found['null_deviance']:.5f}."
    )
    if not found["claims"]:
        yield Text("None of these rows has a claim: how the rates rank them, and what they are off by, is not judged.")
    yield _metrics(found["models"])
    yield from _likeness(found.get("by_likeness"))
    yield figure("Lorenz curves", lambda axes: _lorenz(axes, book, rates))
    yield figure(f"Lift by tenths of exposure: {preferred}", lambda axes: _lift(axes, book, expected))
    for other in list(rates)[1:]:
        yield figure(f"Double lift: {preferred} over {other}", partial(_double, book=book, rates=rates, other=other))
    yield from _calibration(found["models"][preferred], preferred)
    yield Heading(2, f"Actual over expected by tenth: {preferred}")
    yield groups_table(deciles(book.claims, expected, book.exposure_years))
    yield Heading(2, "Actual over expected by factor")
    for name, groups in by_factor(model, book, expected).items():
        yield Heading(3, name)
        yield groups_table(groups)
    yield Heading(2, "Partial dependence and SHAP")
    yield from _dependence(model, book)
    yield Heading(2, "Relativities of the GLM")
    yield from _relativities(model)
    if model.joint is not None:
        yield from _joint(model.joint, found["joint"], one_row(model))
    yield Heading(2, "Severity")
    yield from _severity(found["severity"])
    if "out_of_fold" in found:
        yield Heading(2, "Out of fold on the learn part")
        yield _metrics(found["out_of_fold"])
        for name, one in found["out_of_fold"].items():
            yield Heading(3, name)
            yield groups_table([msgspec.convert(group, Group) for group in one["deciles"]])
    yield Heading(2, "Limits")
    yield Points(tuple(model.card.limits))


def _likeness(found: dict[str, Any] | None) -> Iterator[Block]:
    if found is None or found["alike"] is None:
        return
    yield Heading(2, "Rows alike a row that was learned from")
    yield Text(
        f"{found['share_alike']:.1%} of these rows have in every factor the value of a row of the learn part: they may "
        "be one risk under two numbers, claims and all. What a model has by heart of them says nothing of new risks."
    )
    for name in ("alike", "others"):
        if part := found[name]:
            rows, null = f"{part['rows']:,} rows, {part['claims']:,.0f} claims", f"{part['null_deviance']:.5f}"
            yield Heading(3, f"{name}: {rows}; one mean rate of their own has a deviance of {null}")
            yield _metrics(part["models"])


def _calibration(found: dict[str, Any], name: str) -> Iterator[Block]:
    one = found["calibration"]
    slope = "not known: nothing happened, or all rates are one" if isnan(one["slope"]) else f"{one['slope']:.3f}"
    yield Heading(2, f"Calibration: {name}")
    yield Text(
        f"Whole: actual over expected {one['balance']['ratio']:.4f} ({one['balance']['low']:.4f} to "
        f"{one['balance']['high']:.4f}). Slope of the logarithm of the rate {slope} (1: neither too spread "
        f"nor too flat). An isotonic recalibration would win {one['miscalibration']:.5f} of deviance, some of it by "
        f"chance; the rates win {one['discrimination']:.5f} over one mean rate."
    )


def _joint(joint: Joint, found: dict[str, Any], one: Book) -> Iterator[Block]:
    yield Heading(2, "The joint refit: how each relativity moved")
    yield Text(
        "The same rows three times: by what is declared; with measured km and driving, each signal as far as its km "
        "carry it; and with the policy's own claims of earlier terms. A relativity that moves had stood in for what "
        "came in. For a driving signal it is that of one standard deviation between drivers; for a line, of one unit "
        "of the (logarithm of the) factor."
    )
    rows = [
        [row.factor, row.level, *map(_interval, (row.declared, row.driven, row.experienced)),
         _ratio(row.by_driving), _ratio(row.by_claims)]
        for row in moved(joint, one)
    ]  # fmt: skip
    yield Rows(["factor", "level", "declared", "and driven", "and own claims", "by driving", "by claims"], rows)
    yield _metrics(found)
    yield Heading(3, "How far own driving is believed")
    km = np.array([200.0, 2_000.0, 20_000.0])
    yield Rows(
        ["signal", "class mean", "K, km", "Z at 200 km", "Z at 2,000 km", "Z at 20,000 km"],
        [
            [name, f"{one.mean:.4g}", f"{one.k:,.0f}", *(f"{z:.3f}" for z in one.credibility(km))]
            for name, one in joint.signals.items()
        ],
    )
    if joint.experience is not None:
        shape = joint.experience
        yield Text(
            "Own claims: (a + claims) / (a + expected) with "
            f"a = {shape.shape:.2f} ({shape.low:.2f} to {shape.high:.2f})."
        )


def _interval(row: Relativity | None) -> str:
    if row is None:
        return ""
    return f"{row.relativity:.3f}" + (f" ({row.low:.3f} to {row.high:.3f})" if row.low < row.high else "")


def _ratio(value: float | None) -> str:
    return "" if value is None else f"x {value:.3f}"


def _severity(found: dict[str, Any] | None) -> Iterator[Block]:
    if found is None:
        yield Text("None of these rows has a claim with an amount: what a claim costs is not judged.")
        return
    yield Text(
        f"{found['claims']:,} claims with an amount, large ones capped ({found['large_claims']:,}); "
        f"{found['claims_without_amount']:,} without. Gamma deviance of one mean {found['null_deviance']:.5f}."
    )
    if found["models"]:
        yield _metrics(found["models"])
    else:
        why = "too few of the claims learned from have an amount, or all have the same"
        yield Text(f"No model of what a claim costs was fitted: {why}.")


def by_factor(model: RiskModel, book: Book, expected: Floats) -> dict[str, tuple[Group, ...]]:
    """A/E of each level; of a number of its tenths by exposure."""
    found = {}
    for factor in model.contract.factors:
        value = book.values[factor.name]
        if factor.kind == "categorical":
            names = [*book.levels[factor.name], tables.MISSING]
            place = np.where(np.isnan(value), len(names) - 1, np.nan_to_num(value)).astype(np.int64)
        else:
            shown = np.exp(value) if factor.log else value
            place = quantile_groups(np.nan_to_num(value, nan=np.inf), book.exposure_years, 10)
            names = [_span(shown[place == number]) for number in range(10)]
        found[factor.name] = by_group(place, names, book.claims, expected, book.exposure_years)
    return found


def _span(value: Floats) -> str:
    known = value[~np.isnan(value)]
    return f"{known.min():g} to {known.max():g}" if len(known) else tables.MISSING


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


def _dependence(model: RiskModel, book: Book) -> Iterator[Block]:
    """Of the trees: the mean rate with one factor set for every row, and the mean size of each factor's SHAP values."""
    if model.boosted is None:
        yield Text("No trees were fitted.")
        return
    few = book.take(np.linspace(0, len(book) - 1, min(len(book), MOST_ROWS_OF_SHAP)).astype(np.intp))
    size = np.abs(boosting.shap(model.boosted, few)).mean(axis=0)[:-1]
    names = [factor.name for factor in model.contract.factors]
    order = np.argsort(size)

    def bars(axes: Any) -> None:
        axes.barh([names[place] for place in order], size[order], color=OURS)
        axes.set_xlabel("mean |SHAP|, log scale of the rate")

    yield figure("What moves the rate", bars)
    sample = few.take(np.linspace(0, len(few) - 1, min(len(few), 2000)).astype(np.intp))
    for name in names:
        if np.isnan(sample.values[name]).all():
            yield Text(f"{name}: no row has a value, so there is no curve.")
            continue
        yield figure(name, partial(_curve, model=model, sample=sample, name=name))


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
        axes.plot(np.exp(at) if model.contract.factor(name).log else at, rates, color=OURS)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("claims a year")


def _metrics(found: dict[str, dict[str, Any]]) -> Rows:
    names = [name for name, value in next(iter(found.values())).items() if isinstance(value, float)]
    return Rows(
        ["model", *(name.replace("_", " ") for name in names)],
        [
            [name, *("-" if isnan(values[one]) else f"{values[one]:.5g}" for one in names)]
            for name, values in found.items()
        ],
    )


def _relativities(model: RiskModel) -> Iterator[Block]:
    if model.glm is None:
        yield Text("No GLM was fitted.")
        return
    rows = [
        [row.factor, row.level, f"{row.relativity:.3f}", f"{row.low:.3f} to {row.high:.3f}"]
        for row in glm.relativities(model.glm, one_row(model))
    ]
    yield Rows(["factor", "level", "relativity", "95 %"], rows)
    yield Text(f"Left out by selection: {', '.join(model.glm.dropped) or 'none'}.")
