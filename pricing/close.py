"""From a month's driving to its posted statement, and from changed driving to the adjustments that correct it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pricing import store
from pricing.errors import PeriodNotOver
from pricing.periods import days_in_force, ended_at, month_bounds, months_before
from pricing.plan import RatePlan
from pricing.policies import plan_of_hash, plan_on, publish_packaged_plan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Line, Premium, Terms, rate_period
from pricing.statement import Posting, difference
from pricing.store import Change, Policy, TripRow
from scoring.features import sum_totals
from scoring.labels import EXCLUSION
from scoring.score import PRIOR_MODEL, Score, score_totals
from storage.pool import Conn, Database

FIRST_TO_END = "Pacific/Kiritimati"  # where on Earth a month ends first

type Progress = Callable[[int, int], None]


def close_period(database: Database, period: str, as_of: datetime, progress: Progress | None = None) -> list[Posting]:
    """Post the statement of every policy in force in the month that has none yet; what was posted now.

    Running it again posts nothing. Raises BadPeriod, PeriodNotOver before anything is posted.
    """
    first, after = month_bounds(period)
    if as_of < ended_at(period, FIRST_TO_END):
        raise PeriodNotOver(period, "anywhere", ended_at(period, FIRST_TO_END).isoformat())
    with database.role("policy") as conn:
        publish_packaged_plan(conn, as_of)
        policies = store.fetch_policies_in_force(conn, first, after)
    for policy in policies:
        if as_of < ended_at(period, policy.time_zone):
            raise PeriodNotOver(period, policy.policy_id, ended_at(period, policy.time_zone).isoformat())
    posted = []
    for done, policy in enumerate(policies, start=1):
        with database.role("policy") as conn:
            store.lock_policy(conn, policy.policy_key)
            posting = _first_posting(conn, policy, period, as_of)
        posted += [posting] if posting else []
        if progress:
            progress(done, len(policies))
    return posted


def post_adjustments(database: Database, as_of: datetime) -> list[Posting]:
    """Follow every change of trips through the posted months it feeds; the adjustments posted now.

    The changes are forgotten only after their adjustments are committed: a crash between repeats, and repeating finds
    no difference left.
    """
    with database.role("link") as conn:
        changes = store.fetch_changes(conn)
    posted = []
    for policy_key, from_month in sorted(_earliest(changes).items(), key=lambda item: str(item[0])):
        with database.role("policy") as conn:
            store.lock_policy(conn, policy_key)
            (policy,) = store.fetch_policies(conn, [policy_key])
            for period in store.fetch_posted_periods(conn, policy_key, from_month):
                adjustment = _adjustment(conn, policy, period, as_of)
                posted += [adjustment] if adjustment else []
    if changes:
        with database.role("link") as conn:
            store.forget_changes(conn, changes)
    return posted


def inputs_of(conn: Conn, policy: Policy, plan: RatePlan, period: str) -> tuple[Inputs, dict[str, object]]:
    """What a policy's premium of a month is computed from, and the versions of what made it (policy role)."""
    window_start = months_before(period, plan.behaviour.window_months - 1)
    rows = store.fetch_trips(conn, policy.policy_key, window_start, period)
    of_month = [row for row in rows if row.local_month == period]
    trips = tuple(
        DrivenTrip(
            trip_id=str(row.trip_id),
            started_at=row.started_at.isoformat(),
            distance_m=row.distance_m,
            gap_m=row.gap_m,
            not_charged=not_charged(row, policy),
            cells=tuple(sorted((road_class, hour_band, metres) for road_class, hour_band, metres in row.cells)),
        )
        for row in of_month
    )
    reads_behaviour = "behaviour" in plan.pay_plan(policy.pay_plan).uses
    inputs = Inputs(
        policy_id=policy.policy_id,
        period=period,
        days=days_in_force(period, policy.starts_on, policy.ends_on),
        terms=Terms(policy.pay_plan, tuple(policy.covers), policy.factors, policy.declared_km_per_year),
        trips=trips,
        behaviour=_behaviour(rows, policy, window_start, period) if reads_behaviour else None,
    )
    scored = [row for row in rows if row.versions]
    made_by = {
        name: sorted({str(row.versions[name]) for row in scored if row.versions.get(name)})
        for name in ("map", "thresholds", "settings", "model")
    }
    return inputs, {"plan": plan.plan_hash, **made_by}


def policy_score(trips: Iterable[TripRow], policy: Policy) -> Score | None:
    """The score of the driving that may be charged for; None without any."""
    counted = [row.totals for row in trips if not_charged(row, policy) is None]
    return score_totals(sum_totals(counted)) if counted else None


def not_charged(row: TripRow, policy: Policy) -> str | None:
    """Why a trip costs nothing, or None: an uncertified trip can never raise a premium."""
    day = row.started_at.astimezone(ZoneInfo(policy.time_zone)).date()
    if not policy.starts_on <= day < policy.ends_on:
        return "outside_cover"
    if row.excluded is not None:
        return f"excluded: {row.excluded}"
    return "uncertified" if row.grade == "uncertified" else None


def _behaviour(rows: list[TripRow], policy: Policy, from_month: str, to_month: str) -> BehaviourInput | None:
    score = policy_score(rows, policy)
    if score is None:
        return None
    return BehaviourInput(
        claims_per_100000_km=Decimal(str(score.claims_per_100000_km)),
        class_mean=Decimal(str(PRIOR_MODEL.base_claims_per_100000_km)),
        model=score.model,
        from_month=from_month,
        to_month=to_month,
        km=Decimal(str(score.km)),
    )


def _first_posting(conn: Conn, policy: Policy, period: str, as_of: datetime) -> Posting | None:
    if store.fetch_postings(conn, policy.policy_key, period):
        return None
    plan = plan_on(conn, policy.plan_name, max(month_bounds(period)[0], policy.starts_on))
    inputs, versions = inputs_of(conn, policy, plan, period)
    premium = rate_period(plan, inputs)
    posting = _posting(policy, period, 0, premium, premium.lines, inputs, versions, "the month's statement", as_of)
    return posting if store.insert_posting(conn, posting) else None


def _adjustment(conn: Conn, policy: Policy, period: str, as_of: datetime) -> Posting | None:
    """New total minus posted sum, by the plan of the statement; None where they agree."""
    posted = store.fetch_postings(conn, policy.policy_key, period)
    plan = plan_of_hash(conn, posted[0].plan_hash)
    inputs, versions = inputs_of(conn, policy, plan, period)
    premium = rate_period(plan, inputs)
    lines = difference(premium, posted)
    if not lines:
        return None
    reason = _what_changed(posted[-1], inputs)
    adjustment = _posting(policy, period, len(posted), premium, lines, inputs, versions, reason, as_of)
    return adjustment if store.insert_posting(conn, adjustment) else None


def _posting(
    policy: Policy,
    period: str,
    revision: int,
    premium: Premium,
    lines: tuple[Line, ...],
    inputs: Inputs,
    versions: dict[str, object],
    reason: str,
    as_of: datetime,
) -> Posting:
    costs = {trip_id: format(cost, "f") for trip_id, cost in premium.trip_costs.items()}
    return Posting(
        statement_id=uuid4(),
        policy_key=policy.policy_key,
        period=period,
        kind="adjustment" if revision else "statement",
        revision=revision,
        amount=sum((line.amount for line in lines), Decimal(0)),
        currency=premium.currency,
        lines=[{"name": line.name, "amount": format(line.amount, "f")} for line in lines],
        worksheet=[step.as_json() for step in premium.worksheet],
        inputs=inputs.as_json() | {"trip_costs": costs},
        inputs_digest=premium.inputs_digest,
        plan_hash=premium.plan_hash,
        versions=versions,
        reason=reason,
        posted_at=as_of,
    )


def _what_changed(before: Posting, inputs: Inputs) -> str:
    """In plain words, which trips came, went, changed or were relabelled since the posting before."""
    held = {str(trip["trip_id"]): trip for trip in _stored_trips(before)}
    now = {str(trip["trip_id"]): trip for trip in inputs.as_json()["trips"]}  # type: ignore[attr-defined]
    relabelled = {key for key in held.keys() & now.keys() if _label(held[key]) != _label(now[key])}
    anew = {key for key in held.keys() & now.keys() if held[key] != now[key]} - relabelled
    late = _counted({"added": now.keys() - held.keys(), "taken out": held.keys() - now.keys(), "measured anew": anew})
    reasons = [f"late data: {late}"] if late else []
    reasons += [_counted({"relabelled": relabelled})] if relabelled else []
    return "; ".join(reasons) or "late data: the driving of the score's window changed"


def _counted(trips: Mapping[str, Collection[str]]) -> str:
    return ", ".join(f"{len(keys)} trip(s) {what}" for what, keys in trips.items() if keys)


def _label(trip: Mapping[str, object]) -> str | None:
    """What the policyholder said of a trip as it was priced; None: nothing."""
    _, found, label = str(trip["not_charged"]).partition(EXCLUSION)
    return label if found else None


def _stored_trips(posting: Posting) -> list[dict[str, object]]:
    trips = posting.inputs["trips"]
    assert isinstance(trips, list)
    return trips


def _earliest(changes: list[Change]) -> dict[UUID, str]:
    """The first month that changed, by policy."""
    earliest: dict[UUID, str] = {}
    for change in changes:
        if change.policy_key is not None:
            held = earliest.get(change.policy_key, change.from_month)
            earliest[change.policy_key] = min(held, change.from_month)
    return earliest
