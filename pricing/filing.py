"""A filing pack: a document from which somebody outside can check a rate plan with a pencil.

What it reads, what it charges and by which rules, what its jurisdiction asks, worked examples; and as far as they are
given the model behind it with intervals, what changing to it does to a book, and the audit of groups.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pricing.counted_twice import warnings_of
from pricing.document import Block, Heading, Points, Rows, Text
from pricing.plan import OwnClaims, PayPlan, RatePlan
from pricing.profile import profile_named
from pricing.quote import Asked, Driving, quote_of
from pricing.risk import glm
from pricing.risk.artefact import NAMED_DIGITS, RiskModel
from pricing.risk.errors import NotThePlansModel
from pricing.risk.judging import one_row
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.score import PRIOR_MODEL

EXAMPLE_DAYS = 31
EXAMPLE_CELLS = (("residential", "morning", 120_000), ("primary", "day", 260_000), ("motorway", "evening", 400_000))
EXAMPLE_GAP_M = 1_500
EXAMPLE_RATIO = Decimal("1.1875")  # of predicted claims to the class mean's
MOST_EXAMPLE_COVERS = 2
MOST_COLUMNS = 8  # of a table of two beside each other: as many as a page of A4 has in letters that can be read


def pack(
    plan: RatePlan,
    model: tuple[RiskModel, str] | None = None,
    evaluation: dict[str, Any] | None = None,
    impact: dict[str, Any] | None = None,
    audit: dict[str, Any] | None = None,
) -> list[Block]:
    """The pack. `model` with its hash, `evaluation` of `judging.evaluation`, `impact` of `plan_change.impact`, `audit`
    of `proxy_audit.audit`: all of this plan and this model, where they are given. Raises NotThePlansModel where the
    plan's basis does not name the model's hash.
    """
    if model is not None and model[1][:NAMED_DIGITS] not in plan.basis:
        raise NotThePlansModel(plan.name, plan.version, model[1])
    return [
        Heading(1, title_of(plan)),
        Text(
            f"In effect from {plan.effective_from}, in {plan.currency}. Content hash {plan.plan_hash}: "
            "a plan that differs anywhere has another."
        ),
        Text(plan.basis),
        *_jurisdiction(plan),
        *_variables(plan),
        *_rates(plan),
        *_rules(plan),
        *_score_model(plan),
        *_examples(plan),
        *(_model(*model) if model else [Heading(2, "Model"), Text("No model is given with this pack.")]),
        *(_lift(evaluation) if evaluation else []),
        *(dislocation(impact) if impact else [Heading(2, "Change"), Text("No plan before this one is given.")]),
        *(_audit(audit) if audit else [Heading(2, "Audit of groups"), Text("None is given.")]),
    ]


def title_of(plan: RatePlan) -> str:
    """The pack's title."""
    return f"Rate plan {plan.name}, version {plan.version}"


def _jurisdiction(plan: RatePlan) -> Iterator[Block]:
    yield Heading(2, "Jurisdiction")
    if plan.jurisdiction is None:
        yield Text("The plan names none: no profile was asked.")
        return
    profile = profile_named(plan.jurisdiction)
    yield Text(f"{profile.title}. {profile.because} The plan keeps it, or it would not load.")
    yield Rows(["Duty", "How the plan meets it"], [[name, said] for name, said in plan.duties.items()])
    yield Points(tuple(profile.sources))
    yield Text("Not legal advice.")


def _variables(plan: RatePlan) -> Iterator[Block]:
    yield Heading(2, "What the plan reads")
    rows = [
        [one.title, str(one.daily_multiple), ", ".join(sorted(one.uses)) or "nothing of the driving",
         ", ".join([*(factor.name for factor in plan.factors_of(one)), *(table.name for table in plan.tables_of(one))])]
        for one in plan.pay_plans.values()
    ]  # fmt: skip
    yield Rows(["Pay plan", "Daily multiple", "Of the driving", "Factors"], rows)
    for factor in plan.factors.values():
        yield Heading(3, factor.name)
        yield Rows(["Level", "Relativity"], [[name, str(relativity)] for name, relativity, _ in factor.rows])
        if factor.knots:
            yield Text(f"Between two of these a straight line, rounded to {factor.decimals} decimals.")
    for table in plan.tables.values():
        yield Heading(3, table.name)
        yield Text(
            f"{table.rows.factor} down, {table.columns.factor} across: multiplied by beside those of each alone."
        )
        for first in range(0, len(table.columns.names), MOST_COLUMNS):
            part = slice(first, first + MOST_COLUMNS)
            lines = zip(table.rows.names, table.relativities, strict=True)
            yield Rows(["", *table.columns.names[part]], [[row, *map(str, cells[part])] for row, cells in lines])


def _rates(plan: RatePlan) -> Iterator[Block]:
    yield Heading(2, "Rates")
    for cover in plan.covers.values():
        yield Heading(3, cover.title)
        yield Text(f"{cover.per_day} a day; {cover.standard_per_km} a km where road and hour are not read.")
        if cover.per_minute:
            yield Text(f"{cover.per_minute} a minute of driving, where minutes are read.")
        rows = [[road, *(str(cover.per_km[road, hour]) for hour in HOUR_BANDS)] for road in EXPOSURE_CLASSES]
        yield Rows(["A km by road and hour", *HOUR_BANDS], rows)


def _rules(plan: RatePlan) -> Iterator[Block]:
    yield Heading(2, "Rules")
    behaviour, smoothing = plan.behaviour, plan.smoothing
    rows = [
        ["Behaviour", f"predicted claims over the class mean's, {behaviour.lowest} to {behaviour.highest}, rounded to "
                      f"{behaviour.decimals} decimals, of {behaviour.window_months} months"],
        *([f"Behaviour of trips of tier {tier}", f"at least {lowest}"] for tier, lowest in
          behaviour.lowest_by_tier.items()),
        *([] if smoothing is None else [["Renewal", f"each cover {smoothing.lowest} to {smoothing.highest} times what "
                                                    "the term before would cost"]]),
        *([] if plan.own_claims is None else [["Own claims", _own_claims(plan.own_claims)]]),
        ["Minimum premium", str(plan.minimum_premium)],
        ["Fee", str(plan.fee)],
        [plan.tax_name, str(plan.tax_rate)],
        *([name, rule] for name, rule in plan.rules.items()),
        ["Rounding", "each cover, minimum, fee and tax on its own, half away from zero; nothing in between"],
    ]  # fmt: skip
    yield Rows(["Rule", "Value"], rows)


def _own_claims(own: OwnClaims) -> str:
    """Which claims on record count, and how they become a percent."""
    rule = own.rule
    fault = ["whoever was at fault"]
    if rule.at_fault_from_percent:
        undetermined = "also where the fault is not determined" if rule.undetermined_counts else "the fault determined"
        fault = [f"at fault from {rule.at_fault_from_percent} percent", undetermined]
    counted = [
        f"of {', '.join(own.covers)}" if own.covers else "of every cover",
        *fault,
        *([] if rule.incurred_over is None else [f"of a cost over {rule.incurred_over}"]),
        *([] if rule.years is None else [f"of the last {rule.years} years"]),
    ]
    asked = "declared by new business" if own.declared else "100 for new business"
    believed = f"({own.shape:g} + claims) / ({own.shape:g} + expected) in percent"
    faded = f"both halved every {own.half_life_years:g} years"
    expected = f"{own.claims_per_100000_km:g} claims per 100,000 km expected"
    return f"{believed}, {faded}; {expected}; claims {', '.join(counted)}; {asked}"


def _score_model(plan: RatePlan) -> Iterator[Block]:
    model = plan.score_model
    yield Heading(2, "Score model")
    stated = (
        "The plan names none, so these are the stated priors, not fitted to claims. " if model == PRIOR_MODEL else ""
    )
    yield Text(
        f"{stated}{model.version}: {model.base_claims_per_100000_km} claims per 100,000 km for the class mean, times "
        "exp(beta x Z x (the feature, at most its cap, less the mean)) of each weight, Z = km / (km + K)."
    )
    rows = [
        [one.feature, f"{one.beta:.6g}", " to ".join(f"{end:.6g}" for end in one.beta_interval), f"{one.reference:.6g}",
         f"{one.cap:.6g}", f"{one.credibility_km:,.0f} km of {one.exposure}", one.source]
        for one in model.weights
    ]  # fmt: skip
    yield Rows(["Feature", "Beta", "90 %", "Mean", "Cap", "K", "Source"], rows)
    yield Points(tuple(f"{one}." for one in warnings_of(plan)))


def _example_frequency(plan: RatePlan) -> Decimal:
    return round(plan.class_mean * EXAMPLE_RATIO, 4).normalize()


def _examples(plan: RatePlan) -> Iterator[Block]:
    yield Heading(2, "Worked examples")
    yield Text(
        f"{EXAMPLE_DAYS} days; where driving is read "
        + ", ".join(f"{metres / 1000:g} km on {road} roads in the {hour}" for road, hour, metres in EXAMPLE_CELLS)
        + f", {EXAMPLE_GAP_M / 1000:g} km across gaps, {_example_frequency(plan)} predicted claims per 100,000 km."
    )
    for who, highest in (("each factor's first level", False), ("each factor's highest level", True)):
        for pay_plan in plan.pay_plans.values():
            found = quote_of(plan, _asked(plan, pay_plan, highest=highest))
            yield Heading(3, f"{pay_plan.name}, {who}: {found['amount']} {plan.currency}")
            steps = [
                [f"{step['section']}: {step['label']}", step["kind"], step["quantity"], step["rate"], step["running"]]
                for step in found["worksheet"]
            ]
            yield Rows(["Step", "", "quantity", "rate", "running"], steps)


def _asked(plan: RatePlan, pay_plan: PayPlan, *, highest: bool) -> Asked:
    factors: dict[str, str | int] = {}
    for factor in plan.factors.values():
        rows = factor.rows
        _, _, factors[factor.name] = max(rows, key=lambda row: row[1]) if highest else rows[0]
    declared = factors.pop("declared_km", 0)
    measured = "distance" in pay_plan.uses
    cells = EXAMPLE_CELLS if measured else ()
    driving = Driving(
        distance_m=sum(metres for *_, metres in cells),
        gap_m=EXAMPLE_GAP_M if measured else 0,
        cells=cells,
        claims_per_100000_km=_example_frequency(plan) if "behaviour" in pay_plan.uses else None,
    )
    covers = tuple(plan.covers)[:MOST_EXAMPLE_COVERS]
    return Asked("example", EXAMPLE_DAYS, pay_plan.name, covers, factors, int(declared), driving)


def _model(model: RiskModel, digest: str) -> Iterator[Block]:
    card = model.card
    yield Heading(2, "Model")
    yield Text(
        f"{card.contract}, {digest}, fitted with seed {card.seed} on data {card.data_digest}: "
        f"{card.learn_rows:,} rows, {card.learn_years:,.0f} years, {card.learn_claims:,.0f} claims "
        f"({card.claims_without_amount:,} without amount, {card.large_claims:,} large, "
        f"loaded by {card.large_loading:.4f})."
    )
    yield Rows(["Figure", "Value"], [[name, f"{value:.5g}"] for name, value in card.metrics.items()])
    if model.glm is not None:
        rows = [
            [row.factor, row.level, f"{row.relativity:.3f}", f"{row.low:.3f} to {row.high:.3f}"]
            for row in glm.relativities(model.glm, one_row(model))
        ]
        yield Rows(["Factor", "Level", "Relativity", "95 %"], rows)
        yield Text(f"Left out by selection: {', '.join(model.glm.dropped) or 'none'}.")
    yield Heading(3, "Limits")
    yield Points(tuple(card.limits))


def _lift(found: dict[str, Any]) -> Iterator[Block]:
    """What `wayrate evaluate` printed of this model: how it ranks and how it is balanced on what it has not seen."""
    yield Heading(2, "Lift")
    yield Text(
        f"On {found['rows']:,} rows and {found['claims']:,.0f} claims that the model has not seen (data "
        f"{found['data_digest'][:16]}); deviance of one mean rate {found['null_deviance']:.5f}."
    )
    if not found["claims"]:
        yield Text("None of these rows has a claim: how the model ranks and whether it is balanced is not judged.")
        return
    for name, one in found["models"].items():
        yield Heading(3, name)
        yield Text(
            f"Deviance {one['deviance']:.5f}, Gini {one['gini']:.4f}, actual over expected "
            f"{one['actual_over_expected']:.4f}. Tenths of exposure by predicted rate, the lowest first:"
        )
        rates = [group["actual"] / group["exposure_years"] for group in one["deciles"]]
        yield Rows(
            ["tenth", "years", "claims", "expected", "A/E", "95 %", "claims a year"],
            [
                [group["name"], f"{group['exposure_years']:,.0f}", f"{group['actual']:,.0f}",
                 f"{group['expected']:,.1f}", f"{group['ratio']:.3f}", f"{group['low']:.3f} to {group['high']:.3f}",
                 f"{rate:.4f}"]
                for group, rate in zip(one["deciles"], rates, strict=True)
            ],
            [rate / max(rates) / 2 for rate in rates],
        )  # fmt: skip


def dislocation(found: dict[str, Any]) -> Iterator[Block]:
    """A change of plan on a book, as `plan_change.impact` found it: sums, who pays more and less, and where."""
    off_balance = found["off_balance"]
    yield Heading(2, "Change")
    yield Text(
        f"From {found['old']['name']} {found['old']['version']} ({found['old']['hash'][:16]}) on "
        f"{found['policies']:,} policies: {found['old_amount']} becomes {found['new_amount']} {found['currency']}. "
        f"{found['pay_less']:,} pay less, {found['pay_the_same']:,} the same, {found['pay_more']:,} more."
    )
    if off_balance is not None:
        yield Text(
            f"Off-balance {off_balance:.4f}: what every new amount would have to be multiplied by to bring in what "
            f"the old ones did{'; it is balanced' if abs(off_balance - 1) < 0.0005 else ''}."
        )
    quantiles = found["change_quantiles"].items()
    yield Rows([f"{at} %" for at, _ in quantiles], [[f"{change:+.1%}" for _, change in quantiles]])
    for name, rows in found["segments"].items():
        yield Heading(3, name)
        yield Rows(
            ["Level", "policies", "before", "after", "change", "less", "more"],
            [
                [row["level"], f"{row['policies']:,}", row["old_amount"], row["new_amount"], _share(row["change"]),
                 f"{row['pay_less']:,}", f"{row['pay_more']:,}"]
                for row in rows
            ],
            [row["change"] or 0.0 for row in rows],
        )  # fmt: skip


def _audit(found: dict[str, Any]) -> Iterator[Block]:
    yield Heading(2, "Audit of groups")
    yield Text("Labels that the plan does not read; see docs/pricing.md for the method.")
    groups = [
        [row["group"], f"{row['policies']:,}", "-" if row["price_ratio"] is None else f"{row['price_ratio']:.3f}",
         ", ".join(row["carried_by"]) or "-", _claims(row)]
        for row in found["groups"]
    ]  # fmt: skip
    yield Rows(["Group", "policies", "price against the others'", "carried by", "claims over what is paid for"], groups)
    factors = [
        [row["factor"], f"{row['association']:.3f}", "stands in for the group" if row["flagged"] else ""]
        for row in found["factors"]
    ]
    yield Rows(["Factor", "association", ""], factors)


def _claims(row: dict[str, Any]) -> str:
    if row.get("claims_ratio") is None:
        return "-"
    low, high = row["claims_ratio_interval"]
    return f"{row['claims_ratio']:.3f} ({low:.3f} to {high:.3f})"


def _share(change: float | None) -> str:
    return "-" if change is None else f"{change:+.2%}"
