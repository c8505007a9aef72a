"""The fitted model behind each plan in words: whether its claims come as it expects, and whether the book moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from api import wording
from api.explain import feature_name
from api.languages import say
from api.workbench.places import LEAST_VEHICLES
from api.workbench.portfolio_view import a_e_of, said_a_e
from pricing.live_model import Followed, named_model
from pricing.model_store import Found
from pricing.plan import RatePlan
from pricing.risk.metrics import Group
from pricing.risk.monitoring import SMALL_MOVE, Monitored, Period
from pricing.risk.reference import PREDICTED, Drift
from scoring.features import BY_NAME
from scoring.score import PRIOR_MODEL

SHOWN_DIGITS = 12  # of a hash
SCORED = frozenset(weight.feature for weight in PRIOR_MODEL.weights)


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """One period as text."""

    name: str
    years: str
    claims: str
    expected: str
    a_e: str
    slope: str
    tenths: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One factor in the latest period against the learn part, as text."""

    name: str
    index: str
    chance: str
    verdict: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """A plan and what is known of its model: `notes` in sentences, the `command` that would tell more, and the series
    where there is one.
    """

    plan: str
    notes: list[str]
    command: str = ""
    whole: Group | None = None
    by_period: Sequence[PeriodRow] = ()
    latest: str = ""
    drift: Sequence[DriftRow] = ()


def model_views(plans: Sequence[RatePlan], found_of: Callable[[str], Found | None]) -> list[ModelView]:
    """The models of these plans. `found_of`: what was found of the model whose hash begins so."""
    views = []
    for plan in plans:
        begin = named_model(plan)
        found = None if begin is None else found_of(begin)
        views.append(_view(f"{plan.name} {plan.version}", begin, found))
    return views


def _view(plan: str, begin: str | None, found: Found | None) -> ModelView:
    if begin is None:
        note = say("This plan's basis names no fitted model. What is expected above is by its score's model alone.")
        return ModelView(plan, [note])
    model = begin[:SHOWN_DIGITS]
    if found is None:
        note = say("The plan was made from model {model}, whose file is not here.", model=model)
        return ModelView(plan, [note], "wayrate plan submit PLAN --model MODEL")
    if found.found is None or found.made_at is None:
        return ModelView(plan, [say("Model {model} was not followed yet.", model=model)], "wayrate plan monitor")
    followed = msgspec.convert(found.found, Followed)
    notes = [
        say("Model {model} ({name}) was followed on {day}, on what was posted by {plans}.", model=model,
            name=followed.contract, day=wording.long_day(found.made_at.date()), plans=", ".join(followed.plans)),
        *_lacking(followed),
    ]  # fmt: skip
    if followed.monitored is None:
        return ModelView(plan, notes)
    if followed.policies < LEAST_VEHICLES:
        return ModelView(plan, [*notes, say("Of fewer than {count} policies nothing is shown.", count=LEAST_VEHICLES)])
    return _followed(plan, [*notes, *_over_time(followed.monitored)], followed.monitored)


def _lacking(followed: Followed) -> list[str]:
    notes, part = [], _part(followed.part)
    lacks = ", ".join(_factor(one) for one in followed.lacks)
    if followed.lacks and followed.part:
        notes.append(
            say("Its preferred part reads what the book does not hold: {names}. Expected by its next part: {part}.",
                names=lacks, part=part)
        )  # fmt: skip
    elif followed.lacks:
        notes.append(
            say("The model reads what the book does not hold, so it predicts nothing here: {names}.", names=lacks)
        )
    elif followed.monitored is None:
        notes.append(say("No policy has all that the model reads, so it predicts nothing here."))
    else:
        notes.append(say("Expected by its preferred part: {part}.", part=part))
    if followed.left_out:
        named = [f"{_factor(name)} ({wording.number(count)})" for name, count in followed.left_out.items()]
        notes.append(say("Left out, for want of a value that the model knows: {names}.", names=", ".join(named)))
    return notes


def _part(name: str) -> str:
    return {"boosted": say("trees"), "tables": say("tables"), "glm": "GLM"}.get(name, name)


def _over_time(found: Monitored) -> list[str]:
    over, notes = found.over_time, []
    if over.high is not None:
        notes.append(
            say("Between periods as much scatter comes by chance in {chance} of cases; the ratio grows by a factor of "
                "{factor} a year.", chance=wording.percent(over.differ),
                factor=wording.estimate(over.a_year, over.low, over.high, 2))
        )  # fmt: skip
    notes.append(say("Claims that are not reported yet are missing: the last period's ratio is too low by as many."))
    return notes


def told_periods(periods: Sequence[Period]) -> list[Period]:
    """Those of enough policies. Where one is withheld, so is the smallest of the others: else it would be what the
    whole has more than those that are shown.
    """
    enough = [one for one in periods if one.policies >= LEAST_VEHICLES]
    if enough and len(enough) < len(periods):
        enough.remove(min(enough, key=lambda one: one.policies))
    return enough


def _followed(plan: str, notes: list[str], found: Monitored) -> ModelView:
    told = told_periods(found.periods)
    if len(told) < len(found.periods):
        withheld = say("Periods of fewer than {count} policies are not shown, nor is the next smallest.",
                       count=LEAST_VEHICLES)  # fmt: skip
        notes = [*notes, withheld]
    whole = found.over_time.whole
    said = a_e_of("all", int(whole.actual), whole.expected, whole.exposure_years)
    if not told:
        return ModelView(plan, notes, "", said)
    last = told[-1]
    moved = {row["name"]: bool(row["large"]) for row in found.moved if row["period"] == last.name}
    drift = [
        DriftRow(_factor(one.name), wording.number(one.index, 3), wording.percent(one.chance, 1), _moved(one, moved))
        for one in last.drift
    ]
    return ModelView(plan, notes, "", said, [_row(one) for one in reversed(told)], last.name, drift)


def _row(period: Period) -> PeriodRow:
    one = period.whole
    slope = "–" if period.slope is None else wording.estimate(*period.slope, 2)
    holds = period.tenths_that_hold
    return PeriodRow(
        name=period.name,
        years=wording.number(one.exposure_years, 1),
        claims=wording.number(one.actual),
        expected=wording.number(one.expected, 1),
        a_e=said_a_e(a_e_of(period.name, int(one.actual), one.expected, one.exposure_years)),
        slope=slope,
        tenths="–" if holds is None else say("{count} of 10", count=holds),
    )


def _moved(one: Drift, moved: dict[str, bool]) -> str:
    """In a word. `moved`: what is further than chance over all tests, and whether far."""
    if one.name in moved:
        return say("moved far") if moved[one.name] else say("moved")
    return say("within chance") if one.index >= SMALL_MOVE else say("as before")


def _factor(name: str) -> str:
    """What a factor is called."""
    if name == PREDICTED:
        return say("predicted frequency")
    if name in SCORED and name in BY_NAME:
        return feature_name(name)
    return wording.words(name)
