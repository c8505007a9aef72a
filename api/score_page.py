"""The score's own page: how it adds up, how it went month by month, and what would change it and the premium."""

from dataclasses import dataclass

from markupsafe import Markup

from api import charts, wording
from api.explain import ScoreView, basis, feature_amount, feature_name, score_view
from api.languages import say
from pricing.driving import not_charged, policy_score
from pricing.periods import months_before
from pricing.plan import RatePlan
from pricing.policies import plan_of_month
from pricing.store import Policy, TripRow, fetch_trips
from pricing.what_if import Driving, amount_at, outcome
from scoring.coaching import coach
from scoring.score import Score
from storage.pool import Conn

MONTHS_SHOWN = 12
LEAST_POINTS = 0.05


@dataclass(frozen=True, slots=True)
class MonthScore:
    """The score that a month's premium is made with."""

    month: str
    score: str
    between: str
    basis: str


@dataclass(frozen=True, slots=True)
class Advice:
    """One change of driving and its worth: points, and money where the pay plan reads the score."""

    name: str
    change: str
    points: str
    money: str


@dataclass(frozen=True, slots=True)
class ScorePage:
    """Everything the page shows; `months` the latest first."""

    score: ScoreView | None
    trend: Markup
    months: list[MonthScore]
    window_months: int
    advice: list[Advice]
    counts_for_money: bool


def score_page(conn: Conn, policy: Policy, plan: RatePlan, period: str, driving: Driving) -> ScorePage:
    """The page as of a month (policy role); each month by the plan that prices it."""
    months = [months_before(period, back) for back in range(MONTHS_SHOWN)]
    plans = {month: plan_of_month(conn, policy, month) for month in months if month >= f"{policy.starts_on:%Y-%m}"}
    longest = max(one.behaviour.window_months for one in (plan, *plans.values()))
    rows = fetch_trips(conn, policy.policy_key, months_before(period, MONTHS_SHOWN - 1 + longest - 1), period)
    found = [
        (month, score, members)
        for month, then in plans.items()
        if any(row.local_month == month for row in rows)
        and (members := _window(rows, policy, months_before(month, then.behaviour.window_months - 1), month))
        and (score := policy_score(members, policy, then.score_model))
    ]
    reads_score = "behaviour" in plan.pay_plan(policy.pay_plan).uses
    return ScorePage(
        score=score_view(found[0][1], len(found[0][2])) if found else None,
        trend=_trend(found) if len(found) > 1 else Markup(""),
        months=[_month_score(month, score, len(members)) for month, score, members in found],
        window_months=plan.behaviour.window_months,
        advice=_advice(plan, driving, reads_score=reads_score),
        counts_for_money=reads_score,
    )


def _window(rows: list[TripRow], policy: Policy, first: str, last: str) -> list[TripRow]:
    return [row for row in rows if first <= row.local_month <= last and not_charged(row, policy) is None]


def _trend(found: list[tuple[str, Score, list[TripRow]]]) -> Markup:
    points = [
        (wording.short_month(month), score.value_interval[0], score.value, score.value_interval[1])
        for month, score, _ in reversed(found)
    ]
    return charts.trend(points, say("Your score by month, with the interval it is likely in"))


def _month_score(month: str, score: Score, trips: int) -> MonthScore:
    low, high = (wording.number(bound) for bound in score.value_interval)
    return MonthScore(
        month=wording.month(month),
        score=wording.number(score.value),
        between=say("{low} to {high}", low=low, high=high),
        basis=basis(score, trips),
    )


def _advice(plan: RatePlan, driving: Driving, *, reads_score: bool) -> list[Advice]:
    now = outcome(plan, driving)
    if now.score is None:
        return []
    advice = []
    for change in (one for one in coach(driving.totals, plan.score_model) if one.points >= LEAST_POINTS):
        claims = now.score.claims_per_100000_km - change.claims_saved_per_100000_km
        difference = amount_at(plan, driving, claims) - now.premium.amount
        advice.append(
            Advice(
                name=feature_name(change.feature),
                change=say(
                    "from {value} to {target}",
                    value=feature_amount(change.feature, change.value),
                    target=feature_amount(change.feature, change.target),
                ),
                points=say("{points} points", points=f"+{wording.number(change.points, 1)}"),
                money=say("{amount} a month", amount=wording.money(difference, plan.currency, signed=True))
                if reads_score and difference
                else "",
            )
        )
    return advice
