"""A filing pack: one page from which somebody outside can check a rate plan with a pencil.

What it reads, what it charges and by which rules, what its jurisdiction asks, worked examples; and as far as they are
given the model behind it with intervals, what changing to it does to a book, and the audit of groups.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape
from typing import Any

import numpy as np

from pricing.plan import Factor, PayPlan, RatePlan
from pricing.profile import profile_named
from pricing.quote import Asked, Driving, quote_of
from pricing.risk import glm
from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS

EXAMPLE_DAYS = 31
EXAMPLE_CELLS = (("residential", "morning", 120_000), ("primary", "day", 260_000), ("motorway", "evening", 400_000))
EXAMPLE_GAP_M = 1_500
EXAMPLE_FREQUENCY = Decimal("0.95")
MOST_EXAMPLE_COVERS = 2
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 2rem auto; padding: 0 1rem; color: #1c1917 }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #e7e5e4; text-align: right }
th:first-child, td:first-child { text-align: left } code { overflow-wrap: anywhere }
.bar { display: inline-block; height: .7em; background: #c2410c } .less { background: #0f766e }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } table { break-inside: avoid } }
"""


def page(
    plan: RatePlan,
    model: tuple[RiskModel, str] | None = None,
    impact: dict[str, Any] | None = None,
    audit: dict[str, Any] | None = None,
) -> str:
    """The pack. `model` with its hash, `impact` of `plan_change.impact`, `audit` of `proxy_audit.audit`: all of this
    plan, where they are given.
    """
    parts = [
        f"<h1>Rate plan {escape(plan.name)}, version {escape(plan.version)}</h1>",
        f"<p>In effect from {plan.effective_from}, in {plan.currency}. Content hash <code>{plan.plan_hash}</code>: "
        f"a plan that differs anywhere has another.</p><p>{escape(plan.basis)}</p>",
        *_jurisdiction(plan),
        *_variables(plan),
        *_rates(plan),
        *_rules(plan),
        *_examples(plan),
        *(_model(*model) if model else ["<h2>Model</h2><p>No model is given with this pack.</p>"]),
        *(dislocation(impact) if impact else ["<h2>Change</h2><p>No plan before this one is given.</p>"]),
        *(_audit(audit) if audit else ["<h2>Audit of groups</h2><p>None is given.</p>"]),
    ]
    return document(f"Rate plan {plan.name} {plan.version}", parts)


def document(title: str, parts: Sequence[str]) -> str:
    """A page that needs nothing beside it."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</html>\n"
    )


def _jurisdiction(plan: RatePlan) -> Iterator[str]:
    yield "<h2>Jurisdiction</h2>"
    if plan.jurisdiction is None:
        yield "<p>The plan names none: no profile was asked.</p>"
        return
    profile = profile_named(plan.jurisdiction)
    yield f"<p>{escape(profile.title)}. {escape(profile.because)} The plan keeps it, or it would not load.</p>"
    yield _table(["Duty", "How the plan meets it"], [[name, said] for name, said in plan.duties.items()])
    yield f"<ul>{''.join(f'<li>{escape(source)}</li>' for source in profile.sources)}</ul><p>Not legal advice.</p>"


def _variables(plan: RatePlan) -> Iterator[str]:
    yield "<h2>What the plan reads</h2>"
    rows = [
        [one.title, str(one.daily_multiple), ", ".join(sorted(one.uses)) or "nothing of the driving",
         ", ".join(factor.name for factor in plan.factors_of(one))]
        for one in plan.pay_plans.values()
    ]  # fmt: skip
    yield _table(["Pay plan", "Daily multiple", "Of the driving", "Factors"], rows)
    for factor in plan.factors.values():
        yield f"<h3>{escape(factor.name)}</h3>"
        yield _table(["Level", "Relativity"], [[name, str(relativity)] for name, relativity in _levels(factor)])


def _rates(plan: RatePlan) -> Iterator[str]:
    yield "<h2>Rates</h2>"
    for cover in plan.covers.values():
        yield f"<h3>{escape(cover.title)}</h3>"
        yield f"<p>{cover.per_day} a day; {cover.standard_per_km} a km where road and hour are not read.</p>"
        rows = [[road, *(str(cover.per_km[road, hour]) for hour in HOUR_BANDS)] for road in EXPOSURE_CLASSES]
        yield _table(["A km by road and hour", *HOUR_BANDS], rows)


def _rules(plan: RatePlan) -> Iterator[str]:
    yield "<h2>Rules</h2>"
    behaviour = plan.behaviour
    rows = [
        ["Behaviour", f"predicted claims over the class mean's, {behaviour.lowest} to {behaviour.highest}, rounded to "
                      f"{behaviour.decimals} decimals, of {behaviour.window_months} months"],
        ["Minimum premium", str(plan.minimum_premium)],
        ["Fee", str(plan.fee)],
        [plan.tax_name, str(plan.tax_rate)],
        *([name, rule] for name, rule in plan.rules.items()),
        ["Rounding", "each cover, minimum, fee and tax on its own, half away from zero; nothing in between"],
    ]  # fmt: skip
    yield _table(["Rule", "Value"], rows)


def _examples(plan: RatePlan) -> Iterator[str]:
    yield (
        f"<h2>Worked examples</h2><p>{EXAMPLE_DAYS} days; where driving is read "
        + ", ".join(f"{metres / 1000:g} km on {road} roads in the {hour}" for road, hour, metres in EXAMPLE_CELLS)
        + f", {EXAMPLE_GAP_M / 1000:g} km across gaps, {EXAMPLE_FREQUENCY} predicted claims per 100,000 km.</p>"
    )
    for who, highest in (("each factor's first level", False), ("each factor's highest level", True)):
        for pay_plan in plan.pay_plans.values():
            found = quote_of(plan, _asked(plan, pay_plan, highest=highest))
            yield f"<h3>{escape(pay_plan.name)}, {who}: {found['amount']} {plan.currency}</h3>"
            steps = [
                [f"{step['section']}: {step['label']}", step["kind"], step["quantity"], step["rate"], step["running"]]
                for step in found["worksheet"]
            ]
            yield _table(["Step", "", "quantity", "rate", "running"], steps)


def _asked(plan: RatePlan, pay_plan: PayPlan, *, highest: bool) -> Asked:
    factors: dict[str, str | int] = {}
    for factor in plan.factors.values():
        levels = _levels(factor)
        place = max(range(len(levels)), key=lambda one: levels[one][1]) if highest else 0
        factors[factor.name] = list(factor.levels)[place] if factor.levels else factor.bands[place].lowest
    declared = factors.pop("declared_km", 0)
    measured = "distance" in pay_plan.uses
    cells = EXAMPLE_CELLS if measured else ()
    driving = Driving(
        distance_m=sum(metres for *_, metres in cells),
        gap_m=EXAMPLE_GAP_M if measured else 0,
        cells=cells,
        claims_per_100000_km=EXAMPLE_FREQUENCY if "behaviour" in pay_plan.uses else None,
    )
    covers = tuple(plan.covers)[:MOST_EXAMPLE_COVERS]
    return Asked("example", EXAMPLE_DAYS, pay_plan.name, covers, factors, int(declared), driving)


def _model(model: RiskModel, digest: str) -> Iterator[str]:
    card = model.card
    yield f"<h2>Model</h2><p>{escape(card.contract)}, <code>{digest}</code>, fitted with seed {card.seed} on data "
    yield f"<code>{card.data_digest}</code>: {card.learn_rows:,} rows, {card.learn_years:,.0f} years, "
    yield f"{card.learn_claims:,.0f} claims ({card.claims_without_amount:,} without amount, "
    yield f"{card.large_claims:,} large, "
    yield f"loaded by {card.large_loading:.4f}).</p>"
    yield _table(["Figure", "Value"], [[name, f"{value:.5g}"] for name, value in card.metrics.items()])
    if model.glm is not None:
        rows = [
            [row.factor, row.level, f"{row.relativity:.3f}", f"{row.low:.3f} to {row.high:.3f}"]
            for row in glm.relativities(model.glm, _one_row(model))
        ]
        yield _table(["Factor", "Level", "Relativity", "95 %"], rows)
        yield f"<p>Left out by selection: {escape(', '.join(model.glm.dropped) or 'none')}.</p>"
    yield f"<h3>Limits</h3><ul>{''.join(f'<li>{escape(limit)}</li>' for limit in card.limits)}</ul>"


def _one_row(model: RiskModel) -> Book:
    """A book of one row: enough to know where each term's coefficients stand."""
    values = {factor.name: np.zeros(1) for factor in model.contract.factors}
    one = np.ones(1)
    return Book(np.zeros(1, dtype=np.int64), one, one, None, values, model.levels, None, "")


def dislocation(found: dict[str, Any]) -> Iterator[str]:
    """A change of plan on a book, as `plan_change.impact` found it: sums, who pays more and less, and where."""
    off_balance = found["off_balance"]
    yield "<h2>Change</h2>"
    yield (
        f"<p>From {escape(found['old']['name'])} {escape(found['old']['version'])} "
        f"(<code>{found['old']['hash'][:16]}</code>) on {found['policies']:,} policies: "
        f"{found['old_amount']} becomes {found['new_amount']} {found['currency']}. "
        f"{found['pay_less']:,} pay less, {found['pay_the_same']:,} the same, {found['pay_more']:,} more.</p>"
    )
    if off_balance is not None:
        yield (
            f"<p>Off-balance {off_balance:.4f}: what every new amount would have to be multiplied by to bring in what "
            f"the old ones did{'; it is balanced' if abs(off_balance - 1) < 0.0005 else ''}.</p>"
        )
    quantiles = found["change_quantiles"].items()
    yield _table([f"{at} %" for at, _ in quantiles], [[f"{change:+.1%}" for _, change in quantiles]])
    for name, rows in found["segments"].items():
        yield f"<h3>{escape(name)}</h3>"
        yield _table(
            ["Level", "policies", "before", "after", "change", "less", "more"],
            [
                [row["level"], f"{row['policies']:,}", row["old_amount"], row["new_amount"], _share(row["change"]),
                 f"{row['pay_less']:,}", f"{row['pay_more']:,}"]
                for row in rows
            ],
            [_bar(row["change"]) for row in rows],
        )  # fmt: skip


def _audit(found: dict[str, Any]) -> Iterator[str]:
    yield "<h2>Audit of groups</h2><p>Labels that the plan does not read; see docs/pricing.md for the method.</p>"
    groups = [
        [row["group"], f"{row['policies']:,}", "-" if row["price_ratio"] is None else f"{row['price_ratio']:.3f}",
         ", ".join(row["carried_by"]) or "-", _claims(row)]
        for row in found["groups"]
    ]  # fmt: skip
    yield _table(
        ["Group", "policies", "price against the others'", "carried by", "claims over what is paid for"], groups
    )
    factors = [
        [row["factor"], f"{row['association']:.3f}", "stands in for the group" if row["flagged"] else ""]
        for row in found["factors"]
    ]
    yield _table(["Factor", "association", ""], factors)


def _claims(row: dict[str, Any]) -> str:
    if row.get("claims_ratio") is None:
        return "-"
    low, high = row["claims_ratio_interval"]
    return f"{row['claims_ratio']:.3f} ({low:.3f} to {high:.3f})"


def _levels(factor: Factor) -> list[tuple[str, Any]]:
    if factor.levels:
        return list(factor.levels.items())
    return [(f"{band.lowest} to under {band.below}", band.relativity) for band in factor.bands]


def _share(change: float | None) -> str:
    return "-" if change is None else f"{change:+.2%}"


def _bar(change: float | None) -> str:
    width = min(abs(change or 0.0) * 300, 150)
    return f'<span class="bar{" less" if (change or 0.0) < 0 else ""}" style="width:{width:.0f}px"></span>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], drawn: Sequence[str] = ()) -> str:
    """Cells are escaped; `drawn` are cells of our own markup, one a row, after the others."""
    lines = []
    for place, row in enumerate(rows):
        extra = f"<td>{drawn[place]}</td>" if drawn else ""
        lines.append(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}{extra}</tr>")
    names = "".join(f"<th>{escape(name)}</th>" for name in head) + ("<th></th>" if drawn else "")
    return f'<div class="wide"><table><tr>{names}</tr>{"".join(lines)}</table></div>'
