"""Rate plans as their pages show them: state, what differs from another plan, and what it would do to the book."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from api import wording
from api.languages import say
from api.trip_view import Fact
from api.workbench import charts
from pricing.counted_twice import WARNING, counted_twice
from pricing.plan import RatePlan
from pricing.plan_change import Difference, differences
from pricing.profile import profile_named
from pricing.publishing import SUBMISSION_LASTS
from pricing.publishing_store import Submission
from scoring.score import PRIOR_MODEL

MOST_SHOWN_DIFFERENCES = 300
STATES = ("waits", "expired", "coming", "live", "replaced")
COLUMNS = {"name": "Plan", "version": "Version", "from": "In effect from", "state": "State", "who": "Who"}
CSV_HEAD = ("plan", "version", "effective_from", "state", "who", "content_hash")


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A plan in the list. `state`: one of STATES; `effective_on` None: it waits."""

    plan_hash: str
    name: str
    version: str
    effective_on: date | None
    state: str
    mark: str
    who: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One level of a factor: how many, both sums, the change with its bar, and how many pay less and more."""

    level: str
    policies: str
    before: str
    after: str
    change: str
    bar: Markup
    less: str
    more: str


def plan_lines(published: Sequence[RatePlan], submitted: Sequence[Submission], now: datetime) -> list[PlanLine]:
    """What waits first, then what is published: the live one of each name, those coming and those replaced."""
    by_hash = {one.plan_hash: one for one in submitted}
    live = live_hashes(published, now.date())
    known = {plan.plan_hash for plan in published}
    waiting = [one for one in submitted if one.plan_hash not in known]
    lines = [_waiting_line(one, now) for one in waiting]
    for plan in published:
        state = "live" if plan.plan_hash in live else "coming" if plan.effective_from > now.date() else "replaced"
        who = by_hash.get(plan.plan_hash)
        said = (
            say("{author}, approved by {approver}", author=who.author_email, approver=who.approver_email)
            if who
            else say("ships with Wayrate")
        )
        mark = {"live": "good"}.get(state, "")
        lines.append(PlanLine(plan.plan_hash, plan.name, plan.version, plan.effective_from, state, mark, said))
    return lines


KEYS: dict[str, Callable[[PlanLine], Any]] = {
    "name": lambda line: line.name,
    "version": lambda line: line.version,
    "from": lambda line: line.effective_on or date.max,
    "state": lambda line: STATES.index(line.state),
    "who": lambda line: line.who,
}


def csv_row(line: PlanLine) -> tuple[object, ...]:
    """A plan for a spreadsheet, in the order of CSV_HEAD."""
    return line.name, line.version, line.effective_on or "", line.state, line.who, line.plan_hash


def live_hashes(published: Sequence[RatePlan], today: date) -> set[str]:
    """The plan of each name that is in effect today. `published`: the latest in effect first."""
    live: dict[str, str] = {}
    for plan in published:
        if plan.effective_from <= today:
            live.setdefault(plan.name, plan.plan_hash)
    return set(live.values())


def plan_facts(plan: RatePlan) -> list[Fact]:
    """What a plan is, in a line of facts."""
    duties = profile_named(plan.jurisdiction).title if plan.jurisdiction else say("none")
    factors = ", ".join(wording.inside(wording.words(name)) for name in (one.name for one in plan.multipliers))
    return [
        Fact(say("Version"), plan.version),
        Fact(say("In effect from"), wording.long_day(plan.effective_from)),
        Fact(say("Currency"), plan.currency),
        Fact(say("Covers"), str(len(plan.covers))),
        Fact(say("Pay plans"), str(len(plan.pay_plans))),
        Fact(say("Factors"), str(len(plan.multipliers)), factors),
        Fact(say("Jurisdiction"), duties),
        Fact(
            say("Score model"),
            plan.score_model.version,
            say("stated priors") if plan.score_model == PRIOR_MODEL else "",
        ),
    ]


def warnings(plan: RatePlan) -> list[str]:
    """What of the plan may be counted twice."""
    return [f"{say(WARNING, feature=feature)}." for feature in counted_twice(plan)]


def changes(old: RatePlan | None, new: RatePlan) -> list[Difference]:
    """Every place in which two plans differ."""
    return [] if old is None else differences(old, new)[:MOST_SHOWN_DIFFERENCES]


def refusal_in_advance(held: Submission, account_email: str, now: datetime) -> str:
    """Why this account cannot approve what waits; "": it can."""
    if held.author_email == account_email:
        return say("You submitted it: another person approves it.")
    if now > held.submitted_at + SUBMISSION_LASTS:
        return say("It waited over {days} days: it is submitted again as another version.", days=SUBMISSION_LASTS.days)
    return ""


def impact_facts(found: Mapping[str, Any]) -> list[Fact]:
    """The sums of a dislocation."""
    currency, policies = found["currency"], found["policies"]
    off_balance = found["off_balance"]
    return [
        Fact(say("Policies"), wording.number(policies)),
        Fact(say("Now"), _money(found["old_amount"], currency)),
        Fact(say("By the draft"), _money(found["new_amount"], currency), _percent(found["change"])),
        Fact(say("Off-balance"), "–" if off_balance is None else wording.number(off_balance, 4),
             say("times the new amounts is the same")),
        Fact(say("Pay less"), wording.number(found['pay_less']), _share(found["pay_less"], policies)),
        Fact(say("Pay the same"), wording.number(found['pay_the_same']), _share(found["pay_the_same"], policies)),
        Fact(say("Pay more"), wording.number(found['pay_more']), _share(found["pay_more"], policies)),
    ]  # fmt: skip


def impact_quantiles(found: Mapping[str, Any]) -> list[tuple[str, str, Markup]]:
    """The change of a policy's premium at shares of the book: share, change, bar."""
    quantiles = found["change_quantiles"]
    largest = max((abs(change) for change in quantiles.values()), default=0.0)
    names = {"0": say("least of all"), "50": say("in the middle"), "100": say("most of all")}
    return [
        (names.get(at, say("{share} % change by less", share=at)), _percent(change), charts.signed_bar(change, largest))
        for at, change in quantiles.items()
    ]


def impact_segments(found: Mapping[str, Any]) -> dict[str, list[SegmentRow]]:
    """Winners and losers by pay plan and by each factor's levels."""
    rows = [row for segment in found["segments"].values() for row in segment]
    largest = max((abs(row["change"] or 0.0) for row in rows), default=0.0)
    return {
        wording.words(name): [
            SegmentRow(
                level=wording.words(row["level"]),
                policies=wording.number(row["policies"]),
                before=_money(row["old_amount"], found["currency"]),
                after=_money(row["new_amount"], found["currency"]),
                change=_percent(row["change"]),
                bar=charts.signed_bar(row["change"] or 0.0, largest),
                less=wording.number(row["pay_less"]),
                more=wording.number(row["pay_more"]),
            )
            for row in segment
        ]
        for name, segment in found["segments"].items()
    }


def _waiting_line(one: Submission, now: datetime) -> PlanLine:
    expired = now > one.submitted_at + SUBMISSION_LASTS
    state = "expired" if expired else "waits"
    day = wording.long_day(one.submitted_at.date())
    said = say("submitted by {author} on {day}", author=one.author_email, day=day)
    return PlanLine(one.plan_hash, one.name, one.version, None, state, "" if expired else "c", said)


def _money(amount: str, currency: str) -> str:
    return wording.money(Decimal(amount), currency)


def _percent(change: float | None) -> str:
    return "–" if change is None else f"{'+' if change >= 0 else ''}{wording.percent(change, 1)}"


def _share(part: int, whole: int) -> str:
    return wording.percent(part / whole if whole else 0)
