"""What a policy's month is rated on: its terms by day, its trips and behaviour, and for renewals the term before."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from pricing import change_store, store
from pricing.month import Month, Part, expiring_of
from pricing.periods import month_bounds, months_before
from pricing.plan import TIERS, PayPlan, RatePlan
from pricing.policies import plan_of_hash
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Terms
from pricing.store import Policy, TripRow
from pricing.terms import SHARING, Span, in_month, spans_of
from scoring.features import sum_totals
from scoring.score import Score, ScoreModel, score_totals
from storage.pool import Conn

type Versions = dict[str, object]


def inputs_of(conn: Conn, policy: Policy, plan: RatePlan, period: str, *, without: str = "") -> tuple[Month, Versions]:
    """What a policy's premium of a month that still runs is computed from, and the versions of what made it (policy
    role). Days without readings are not counted before it is over. `without`: as if that trip had not been driven.
    """
    return month_of(conn, policy, plan, period, window_of(conn, policy, plan, period, without=without), without=without)


def window_of(conn: Conn, policy: Policy, plan: RatePlan, period: str, *, without: str = "") -> list[TripRow]:
    """The trips of the score's window, which ends with the period, but for one."""
    window_start = months_before(period, plan.behaviour.window_months - 1)
    rows = store.fetch_trips(conn, policy.policy_key, window_start, period)
    return [row for row in rows if str(row.trip_id) != without] if without else rows


def month_of(
    conn: Conn,
    policy: Policy,
    plan: RatePlan,
    period: str,
    rows: list[TripRow],
    *,
    is_over: bool = False,
    without: str = "",
) -> tuple[Month, Versions]:
    """The month of the trips of its plan's window. Among the versions stand the upheld contests without whose events,
    or trips, the driving is counted.
    """
    spans = in_month(spans_of(change_store.fetch_changes(conn, policy.policy_key)), period)
    spans = spans or _no_days(policy, plan, period)
    plans = [plan if span.plan_hash == plan.plan_hash else plan_of_hash(conn, span.plan_hash) for span in spans]
    driven = _by_span([row for row in rows if row.local_month == period], spans, policy, plans)
    is_counted = is_over and any(counts_days(one) for one in plans)
    measured = store.keep_measured_days(conn, policy, *month_bounds(period)) if is_counted else set()
    parts = []
    for span, by, trips in zip(spans, plans, driven, strict=True):
        window = rows if by is plan else window_of(conn, policy, by, period, without=without)
        uses = by.pay_plan(span.terms.pay_plan).uses
        inputs = Inputs(
            policy=str(policy.policy_key),
            period=period,
            days=(span.to_day - span.from_day).days,
            terms=span.terms,
            trips=trips,
            behaviour=_behaviour(window, policy, by, period) if "behaviour" in uses else None,
            unmeasured_days=_unmeasured(span, measured) if is_over and counts_days(by) and "distance" in uses else 0,
        )
        inputs = replace(inputs, expiring=expiring_of(_smoothed(conn, span, by), inputs))
        parts.append(Part(span.from_day, span.to_day, inputs, None if by is plan else by))
    scored = [row for row in rows if row.versions]
    made_by = {
        name: sorted({str(row.versions[name]) for row in scored if row.versions.get(name)})
        for name in ("map", "thresholds", "settings")
    } | {"model": sorted({one.score_model.version for one in plans}) if scored else []}
    contests = sorted({str(contest) for row in rows for contest in row.contests})
    versions: Versions = {"plan": plan.plan_hash, **made_by}
    return Month(tuple(parts)), versions | ({"contests": contests} if contests else {})


def driving_of(conn: Conn, policy: Policy, plan: RatePlan, period: str) -> Inputs:
    """A whole month of a policy's own driving on its present terms, for asking what other choices would cost."""
    return driving_in(window_of(conn, policy, plan, period), policy, plan, period)


def driving_in(rows: list[TripRow], policy: Policy, plan: RatePlan, period: str) -> Inputs:
    """The same of the trips of the score's window."""
    first, after = month_bounds(period)
    terms = Terms(policy.pay_plan, tuple(policy.covers), policy.factors, policy.declared_km_per_year)
    whole = (Span(first, after, terms, policy.sharing, (plan.plan_hash,)),)
    (trips,) = _by_span([row for row in rows if row.local_month == period], whole, policy, [plan], any_pay_plan=True)
    behaviour = _behaviour(rows, policy, plan, period)
    return Inputs(str(policy.policy_key), period, (after - first).days, terms, trips, behaviour)


def policy_score(trips: Iterable[TripRow], policy: Policy, model: ScoreModel) -> Score | None:
    """The score of the driving that may be charged for and that was promised to be whole; None without any.

    By the model of the plan that prices it.
    """
    totals = scored_totals(trips, policy)
    return None if totals is None else score_totals(totals, model)


def scored_totals(trips: Iterable[TripRow], policy: Policy) -> dict[str, int] | None:
    """What that score is made from."""
    counted = counted_trips(trips, policy)
    return sum_totals(row.totals for row in counted) if counted else None


def not_charged(row: TripRow, policy: Policy) -> str | None:
    """Why a trip costs nothing, or None: an uncertified trip can never raise a premium."""
    if not policy.starts_on <= _day(row, policy) < policy.ends_on:
        return "outside_cover"
    if row.excluded is not None:
        return f"excluded: {row.excluded}"
    return "uncertified" if row.grade == "uncertified" else None


def counted_trips(rows: Iterable[TripRow], policy: Policy) -> list[TripRow]:
    """The trips whose driving counts for the score."""
    return [row for row in rows if not_charged(row, policy) is None and not row.is_unacked]


def _no_days(policy: Policy, plan: RatePlan, period: str) -> tuple[Span, ...]:
    """Of a month that the policy turned out not to cover: its last terms for no days."""
    first, _ = month_bounds(period)
    terms = Terms(policy.pay_plan, tuple(policy.covers), policy.factors, policy.declared_km_per_year)
    return (Span(first, first, terms, policy.sharing, (plan.plan_hash,)),)


def _by_span(
    rows: Iterable[TripRow],
    spans: Sequence[Span],
    policy: Policy,
    plans: Sequence[RatePlan],
    *,
    any_pay_plan: bool = False,
) -> list[tuple[DrivenTrip, ...]]:
    """The trips of each span by the clock of the policy; those outside of cover with the nearest."""
    found: list[list[DrivenTrip]] = [[] for _ in spans]
    begins = [span.from_day for span in spans]
    for row in rows:
        at = max(bisect_right(begins, _day(row, policy)) - 1, 0)
        plan = plans[at]
        asked = list(plan.pay_plans.values()) if any_pay_plan else [plan.pay_plan(spans[at].terms.pay_plan)]
        found[at].append(_driven(row, policy, spans[at], asked))
    return [tuple(trips) for trips in found]


def _driven(row: TripRow, policy: Policy, span: Span, asked: Iterable[PayPlan]) -> DrivenTrip:
    """A trip as pricing sees it; minutes only where they are read."""
    cells = row.cells if span.sharing == SHARING[-1] else []
    return DrivenTrip(
        trip_id=str(row.trip_id),
        distance_m=row.distance_m,
        gap_m=row.gap_m,
        not_charged=not_charged(row, policy),
        cells=tuple(sorted((road_class, hour_band, metres) for road_class, hour_band, metres in cells)),
        minutes=minutes_of(row) if any("minutes" in one.uses for one in asked) else 0,
    )


def _day(row: TripRow, policy: Policy) -> date:
    return row.started_at.astimezone(ZoneInfo(policy.time_zone)).date()


def _behaviour(rows: list[TripRow], policy: Policy, plan: RatePlan, period: str) -> BehaviourInput | None:
    score = policy_score(rows, policy, plan.score_model)
    if score is None:
        return None
    return BehaviourInput(
        claims_per_100000_km=Decimal(str(score.claims_per_100000_km)),
        class_mean=plan.class_mean,
        model=score.model.version,
        from_month=months_before(period, plan.behaviour.window_months - 1),
        to_month=period,
        km=Decimal(str(score.km)),
        tier=weakest_tier(counted_trips(rows, policy)) if plan.behaviour.lowest_by_tier else "",
    )


def weakest_tier(counted: Sequence[TripRow]) -> str:
    """What all of the trips prove at least, one of TIERS; of none \"\"."""
    return min((row.tier for row in counted), key=TIERS.index, default="")


def minutes_of(row: TripRow) -> int:
    """How long a trip took, to the minute."""
    return (row.duration_s + 30) // 60


def counts_days(plan: RatePlan) -> bool:
    """Whether the plan charges km for days without readings."""
    return plan.rules["unmeasured_days"] == "declared_km"


def _unmeasured(span: Span, measured: set[date]) -> int:
    days = (span.from_day + timedelta(days=number) for number in range((span.to_day - span.from_day).days))
    return sum(day not in measured for day in days)


def plans_before(conn: Conn, policy: Policy) -> list[RatePlan]:
    """The plans of the terms before the present one, by which smoothing holds what it costs (policy role)."""
    spans = spans_of(change_store.fetch_changes(conn, policy.policy_key))
    return _smoothed(conn, spans[-1], plan_of_hash(conn, spans[-1].plan_hash)) if spans else []


def plans_before_parts(conn: Conn, policy: Policy, plan: RatePlan, period: str, month: Month) -> list[list[RatePlan]]:
    """The same of each part of a month, as it is posted by a plan (policy role)."""
    spans = in_month(spans_of(change_store.fetch_changes(conn, policy.policy_key)), period)
    spans = spans or _no_days(policy, plan, period)
    return [_smoothed(conn, span, part.plan or plan) for part, span in zip(month.parts, spans, strict=True)]


def _smoothed(conn: Conn, span: Span, plan: RatePlan) -> list[RatePlan]:
    """The plans of the terms before the span's, the first one first; none where all are one, or it does not smooth."""
    return [] if plan.smoothing is None else [plan_of_hash(conn, one) for one in span.plan_hashes[:-1]]
