"""The customer card: everything somebody needs who picks up the phone, put together in a few short reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from api.customer_use import Judged, judged_of, use_of, year_of
from api.errors import NotFound
from api.explain import feature_name
from api.receipt import changes_of
from api.wording import local
from portfolio import customer_store
from portfolio.circumstance_store import Care, fetch_care
from portfolio.consent_store import standings
from portfolio.customer import Known, Step, next_step
from portfolio.customer_store import HeldPolicy, Person, PostedMonth, ReportedClaim, Year
from portfolio.household_store import Answer, Member, Share, fetch_answer, fetch_members, share_of_customer
from portfolio.needs import MEASURED_FOR, Need, needs_of
from portfolio.offer_store import Offer, fetch_offers
from portfolio.offers import GOING_OUT, answered, not_wanted
from portfolio.touchpoint_store import Touchpoint, fetch_touchpoints, open_complaint
from pricing.periods import months_before
from pricing.policies import packaged_plan, plan_of_hash, plan_of_terms
from pricing.rating import recompute
from pricing.store import fetch_totals
from scoring.coaching import coach
from scoring.score import score_of_frequency
from storage.pool import Conn, Database

MONTHS = 6
TOUCHPOINTS = 100
COACHING = "coaching"  # the purpose that lets driving be used for it


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The score that a month was priced with."""

    period: str
    score: float
    km: float


@dataclass(frozen=True, slots=True)
class Moved:
    """What one kind of step adds to the premium now, against the month before."""

    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PremiumChange:
    """The latest posted month against the one before; `causes` add up to the difference, the largest first."""

    period: str
    before: str
    amount: Decimal
    difference: Decimal
    currency: str
    causes: list[Moved]


@dataclass(frozen=True, slots=True)
class CustomerCard:
    """One customer as of now."""

    person: Person
    household: list[Member]
    answer: Answer | None
    share: Share | None
    policies: list[HeldPolicy]
    scores: list[ScorePoint]
    premium: PremiumChange | None
    touchpoints: list[Touchpoint]
    served_cost: Decimal  # of those touchpoints
    open_contests: list[datetime]
    claims: list[ReportedClaim]
    care: Care | None
    may_contact: bool  # agreed to be written to or called
    left_alone: tuple[str, ...]  # why nothing is offered now
    needs: tuple[Need, ...]
    judged: Judged
    step: Step
    not_known: list[str]


@dataclass(frozen=True, slots=True)
class _Read:
    """What a card is put together from."""

    person: Person
    policies: list[HeldPolicy]
    months: list[PostedMonth]
    scores: list[ScorePoint]
    touchpoints: list[Touchpoint]
    household: list[Member]
    answer: Answer | None
    agreed: set[str]
    offers: list[Offer]
    care: Care | None
    claims: list[ReportedClaim]
    year: Year | None
    change: str | None  # what coaching would say, where they agreed to it
    judged: Judged


def _read(conn: Conn, text: str, now: datetime) -> _Read:
    """Of the person with this policy number or e-mail address: a short read after the other. Raises NotFound."""
    found = customer_store.fetch_person(conn, text)
    if found is None:
        raise NotFound("customer", text)
    person, policies = found
    policies.sort(key=lambda one: not one.starts_on <= now.date() < one.ends_on)  # one in force first
    current, key = policies[0] if policies else None, person.person_key
    agreed = {one.purpose.name for one in standings(conn, key) if one.granted}
    months = customer_store.fetch_months(conn, current.policy_key, MONTHS) if current else []
    return _Read(
        person=person,
        policies=policies,
        months=months,
        scores=score_points(conn, months),
        touchpoints=fetch_touchpoints(conn, key, TOUCHPOINTS),
        household=fetch_members(conn, key, now),
        answer=fetch_answer(conn, key),
        agreed=agreed,
        offers=fetch_offers(conn, key),
        care=fetch_care(conn, key),
        claims=customer_store.fetch_claims(conn, [policy.policy_key for policy in policies]),
        year=year_of(conn, current, now) if current and MEASURED_FOR in agreed else None,
        change=best_change(conn, current, now) if current and COACHING in agreed else None,
        judged=judged_of(conn, key, current, agreed, now),
    )


def _read_linked(conn: Conn, policies: Sequence[HeldPolicy]) -> tuple[list[datetime], date | None]:
    """Since when contests wait, the longest first, and the day of the latest trip."""
    contests = customer_store.fetch_open_contests(conn, [policy.policy_key for policy in policies])
    return contests, customer_store.fetch_last_day(conn, policies[0]) if policies else None


def open_card(database: Database, text: str, now: datetime) -> CustomerCard:
    """The card of the person with this policy number or e-mail address. Raises NotFound."""
    read = database.read("policy", lambda conn: _read(conn, text, now))
    contests, last_day = database.read("link", lambda conn: _read_linked(conn, read.policies))
    current = read.policies[0] if read.policies else None
    premium = premium_change(read.months)
    driven = driven_km_per_year_of(read.scores) if MEASURED_FOR in read.agreed else None
    use = use_of(current, read.household, read.answer, read.year, driven)
    known = Known(
        today=local(now, current.time_zone).date() if current else now.date(),
        complaint_since=open_complaint(read.touchpoints),
        contest_since=contests[0] if contests else None,
        measured=current is not None and _measured(current),
        last_trip_on=last_day,
        premium_change=None if premium is None else premium.difference / (premium.amount - premium.difference),
        largest_cause=premium.causes[0].name.lower() if premium and premium.causes else None,
        declared_km_per_year=current.declared_km_per_year if current else 0,
        driven_km_per_year=use.driven_km_per_year,
        left_alone=read.judged.left_alone,
        coaching_consent=COACHING in read.agreed,
        coaching=read.change,
        not_wanted=frozenset(not_wanted(read.offers, now)),
        to_try=read.judged.to_try,
        litmus=read.judged.to_make,
    )
    yearly = read.months[-1].amount * 12 if read.months else None
    return CustomerCard(
        person=read.person,
        household=read.household,
        answer=read.answer,
        share=share_of_customer(read.household, read.answer, yearly) if read.answer else None,
        policies=read.policies,
        scores=read.scores,
        premium=premium,
        touchpoints=read.touchpoints,
        served_cost=sum((one.cost for one in read.touchpoints), Decimal(0)).quantize(Decimal("0.01")),
        open_contests=contests,
        claims=read.claims,
        care=read.care,
        may_contact=GOING_OUT in read.agreed,
        left_alone=read.judged.left_alone,
        needs=answered(needs_of(use), read.offers, now),
        judged=read.judged,
        step=next_step(known),
        not_known=[*_not_known(known, read), *read.judged.missing],
    )


def premium_change(months: Sequence[PostedMonth]) -> PremiumChange | None:
    """The latest two months compared step by step; None with fewer, or where nothing was charged before."""
    if len(months) < 2 or not months[-2].amount:
        return None
    before, after = months[-2:]
    steps = {change.name: change.amount for change in _steps(after)}
    for change in _steps(before):
        steps[change.name] = steps.get(change.name, Decimal(0)) - change.amount
    moved = [Moved(name, amount) for name, amount in steps.items() if abs(amount) >= Decimal("0.005")]
    causes = sorted(moved, key=lambda one: (-abs(one.amount), one.name))
    return PremiumChange(
        after.period, before.period, after.amount, after.amount - before.amount, after.currency, causes
    )


def _steps(month: PostedMonth) -> list[Moved]:
    """What each kind of step adds in a month; what adjustments differ from the latest worksheet stands apart."""
    steps = [Moved(change.name, change.amount) for change in changes_of(month.worksheet)]
    rest = month.amount - recompute(month.worksheet, month.currency)
    return [*steps, Moved("Adjustment", rest)] if rest else steps


def score_points(conn: Conn, months: Sequence[PostedMonth]) -> list[ScorePoint]:
    """The score that each month was priced with; months without a driving signal have none."""
    models = {one: plan_of_hash(conn, one).score_model for one in {month.plan_hash for month in months}}
    return [
        ScorePoint(
            month.period,
            score_of_frequency(float(month.behaviour["claims_per_100000_km"]), models[month.plan_hash]),
            float(month.behaviour["km"]),
        )
        for month in months
        if month.behaviour
    ]


def _measured(policy: HeldPolicy) -> bool:
    plan = packaged_plan()
    held = plan.pay_plans.get(policy.pay_plan) if plan.name == policy.plan_name else None
    return held is None or bool(held.uses)


def driven_km_per_year_of(scores: Sequence[ScorePoint]) -> float | None:
    """At the pace of the latest window of the score; None where that is not known."""
    if not scores:
        return None
    return scores[-1].km * 12 / packaged_plan().behaviour.window_months if len(scores) >= MONTHS // 2 else None


def best_change(conn: Conn, policy: HeldPolicy, now: datetime) -> str | None:
    """What change of driving would be worth most, in words, over the months that the score looks back on."""
    today = local(now, policy.time_zone).date()
    plan = plan_of_terms(conn, policy.policy_key)
    month = f"{today:%Y-%m}"
    first = months_before(month, plan.behaviour.window_months)
    changes = coach(fetch_totals(conn, policy.policy_key, first, month), plan.score_model)
    if not changes:
        return None
    name = feature_name(changes[0].feature)
    return f"{name[0].lower()}{name[1:]} ({changes[0].points:+.1f} points)"


def _not_known(known: Known, read: _Read) -> list[str]:
    """What a look at this card must not take for known."""
    missing = {
        "What they drive, and when, for offers: they have not agreed to it": MEASURED_FOR not in read.agreed,
        "What coaching would say: they have not agreed to it": COACHING not in read.agreed,
        "What the household has elsewhere: nobody asked yet": read.answer is None,
        "Who else drives: no household is known": len(read.household) < 2,
        "How the score moves: fewer than two months are priced": len(read.months) < 2,
        "When the car was last driven: no trip is known": known.measured and known.last_trip_on is None,
    }
    return [text for text, holds in missing.items() if holds]


def person_of(database: Database, text: str) -> tuple[UUID, UUID | None]:
    """The person of a policy number or e-mail address and their current policy. Raises NotFound."""
    found = database.read("policy", lambda conn: customer_store.fetch_person(conn, text))
    if found is None:
        raise NotFound("customer", text)
    person, policies = found
    return person.person_key, policies[0].policy_key if policies else None
