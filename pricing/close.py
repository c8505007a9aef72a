"""From a month's driving to its posted statement, and from changed driving to the adjustments that correct it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import product
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pricing import store
from pricing.book_month_store import BookMonth, keep_month
from pricing.close_errors import NotAllPriced, PeriodNotOver
from pricing.driving import (
    Versions,
    counted_trips,
    counts_days,
    minutes_of,
    month_of,
    not_charged,
    policy_score,
    weakest_tier,
    window_of,
)
from pricing.errors import PricingError
from pricing.month import Month, rate_month
from pricing.periods import ended_at, month_bounds, months_before
from pricing.plan import RatePlan
from pricing.policies import plan_of_hash, plan_of_month, publish_packaged_plan
from pricing.rating import DrivenTrip, Line, Premium, Terms
from pricing.score_model import COUNTERS
from pricing.statement import Posting, difference
from pricing.store import Change, Policy, TripRow
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.features import sum_totals
from scoring.labels import EXCLUSION
from storage.pool import Conn, Database

CONTESTED = "contested"  # the reason for which a trip does not count after its contest was upheld
FIRST_TO_END = "Pacific/Kiritimati"  # where on Earth a month ends first

type Progress = Callable[[int, int], None]


def close_period(database: Database, period: str, as_of: datetime, progress: Progress | None = None) -> list[Posting]:
    """Post the statement of every policy in force in the month that has none yet; what was posted now.

    Running it again posts nothing. Raises BadPeriod, PeriodNotOver before anything is posted; NotAllPriced after all
    others were.
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
    posted: list[Posting] = []
    problems: list[tuple[str, PricingError]] = []
    for done, policy in enumerate(policies, start=1):
        try:
            with database.role("policy") as conn:
                store.lock_policy(conn, policy.policy_key)
                (held,) = store.fetch_policies(conn, [policy.policy_key])  # as it is now that nobody else changes it
                posting = _first_posting(conn, held, period, as_of)
        except PricingError as problem:
            problems.append((policy.policy_id, problem))
        else:
            posted += [posting] if posting else []
        if progress:
            progress(done, len(policies))
    if problems:
        raise NotAllPriced(tuple(posted), tuple(problems))
    return posted


def post_adjustments(database: Database, as_of: datetime) -> list[Posting]:
    """Follow every change of trips through the posted months it feeds; the adjustments posted now.

    The changes are forgotten only after their adjustments are committed: a crash between repeats, and repeating finds
    no difference left. Raises NotAllPriced after all others were followed; those changes are kept.
    """
    with database.role("link") as conn:
        changes = store.fetch_changes(conn)
    posted: list[Posting] = []
    problems: dict[UUID, tuple[str, PricingError]] = {}
    for policy_key, from_month in sorted(_earliest(changes).items(), key=lambda item: str(item[0])):
        try:
            with database.role("policy") as conn:
                store.lock_policy(conn, policy_key)
                posted += adjust(conn, policy_key, from_month, as_of)
        except PricingError as problem:
            with database.role("policy") as conn:
                (policy,) = store.fetch_policies(conn, [policy_key])
            problems[policy_key] = (policy.policy_id, problem)
    if followed := [change for change in changes if change.policy_key not in problems]:
        with database.role("link") as conn:
            store.forget_changes(conn, followed)
    if problems:
        raise NotAllPriced(tuple(posted), tuple(problems.values()))
    return posted


def adjust(conn: Conn, policy_key: UUID, from_month: str, as_of: datetime) -> list[Posting]:
    """The adjustments of a policy's posted months from that one on, posted now (policy role, policy locked)."""
    (policy,) = store.fetch_policies(conn, [policy_key])
    periods = store.fetch_posted_periods(conn, policy_key, from_month)
    adjustments = [_adjustment(conn, policy, period, as_of) for period in periods]
    for period in _open_months(policy, from_month, periods, as_of):
        plan = plan_of_month(conn, policy, period)
        rows = window_of(conn, policy, plan, period)
        inputs, _ = month_of(conn, policy, plan, period, rows)
        keep_month(conn, _book_month(policy, plan, inputs, rows), plan.tax_name)
    return [adjustment for adjustment in adjustments if adjustment]


def _first_posting(conn: Conn, policy: Policy, period: str, as_of: datetime) -> Posting | None:
    if store.fetch_postings(conn, policy.policy_key, period):
        return None
    plan = plan_of_month(conn, policy, period)
    rows = window_of(conn, policy, plan, period)
    inputs, versions = month_of(conn, policy, plan, period, rows, is_over=True)
    premium = rate_month(plan, inputs)
    posting = _posting(policy, period, 0, premium, premium.lines, inputs, versions, "the month's statement", as_of)
    is_posted = store.insert_posting(conn, posting)
    keep_month(conn, _book_month(policy, plan, inputs, rows), plan.tax_name)
    return posting if is_posted else None


def _adjustment(conn: Conn, policy: Policy, period: str, as_of: datetime) -> Posting | None:
    """New total minus posted sum, by the plan that was agreed; None where they agree."""
    posted = store.fetch_postings(conn, policy.policy_key, period)
    plan = plan_of_month(conn, policy, period)
    rows = window_of(conn, policy, plan, period)
    inputs, versions = month_of(conn, policy, plan, period, rows, is_over=True)
    premium = rate_month(plan, inputs)
    lines = difference(premium, posted)
    adjustment = None
    if lines:
        then = Month.from_json(posted[-1].inputs, partial(plan_of_hash, conn))
        reason = _what_changed(then, posted[-1], inputs, versions)
        adjustment = _posting(policy, period, len(posted), premium, lines, inputs, versions, reason, as_of)
    is_posted = adjustment is not None and store.insert_posting(conn, adjustment)
    keep_month(conn, _book_month(policy, plan, inputs, rows), plan.tax_name)
    return adjustment if is_posted else None


def _open_months(policy: Policy, from_month: str, posted: Collection[str], as_of: datetime) -> list[str]:
    """The months of the term from that one to the present one that have no statement."""
    today = as_of.astimezone(ZoneInfo(policy.time_zone)).date()
    first = max(from_month, f"{policy.starts_on:%Y-%m}")
    last = min(f"{today:%Y-%m}", f"{policy.ends_on - timedelta(days=1):%Y-%m}")
    count = (int(last[:4]) - int(first[:4])) * 12 + int(last[5:]) - int(first[5:])
    return [period for period in (months_before(last, back) for back in range(count, -1, -1)) if period not in posted]


def _book_month(policy: Policy, plan: RatePlan, month: Month, window: Sequence[TripRow]) -> BookMonth:
    """The month in one row, of the trips of its score's window.

    Claims are expected at the predicted frequency, without a score at the class mean's, over the charged km; where
    none were measured over the declared km of those days.
    """
    period = month.parts[0].inputs.period
    rows = [row for row in window if row.local_month == period]
    charged = [row for row in rows if not_charged(row, policy) is None]
    counted = counted_trips(rows, policy)
    cells = {(road, hour): place for place, (road, hour) in enumerate(product(EXPOSURE_CLASSES, HOUR_BANDS))}
    cells_m = [0] * len(cells)
    for row in charged:
        for road, hour, metres in row.cells:
            cells_m[cells[road, hour]] += metres
    score = policy_score(window, policy, plan.score_model)
    charged_m = sum(row.distance_m for row in charged)
    frequency = score.claims_per_100000_km if score else plan.score_model.base_claims_per_100000_km
    km = charged_m / 1000 or policy.declared_km_per_year * month.days / 365
    return BookMonth(
        policy_key=policy.policy_key,
        period=period,
        days=month.days,
        trips=len(rows),
        driven_m=sum(row.distance_m for row in rows),
        charged_m=charged_m,
        relabelled_m=sum(row.distance_m for row in rows if str(row.excluded).startswith(EXCLUSION)),
        gap_m=sum(row.gap_m for row in charged),
        cells_m=cells_m,
        claims_per_100000_km=str(score.claims_per_100000_km) if score else None,
        class_mean=plan.class_mean,
        scored_by=plan.scored_by,
        score=score.value if score else None,
        expected_claims=frequency * km / 100_000,
        totals={name: count for name, count in sum_totals(row.totals for row in counted).items() if name in COUNTERS},
        tier=weakest_tier(counted),
        minutes=sum(minutes_of(row) for row in charged),
        unmeasured_days=sum(part.inputs.unmeasured_days for part in month.parts) if counts_days(plan) else None,
    )


def _posting(
    policy: Policy,
    period: str,
    revision: int,
    premium: Premium,
    lines: tuple[Line, ...],
    inputs: Month,
    versions: Versions,
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


def _what_changed(then: Month, before: Posting, inputs: Month, versions: Versions) -> str:
    """In plain words, what is different since the posting before: trips, labels, contests, terms."""
    held, now = ({trip.trip_id: trip for trip in month.trips} for month in (then, inputs))
    relabelled = {key for key in held.keys() & now.keys() if _label(held[key]) != _label(now[key])}
    contested = {key for key in now if now[key].not_charged == f"excluded: {CONTESTED}"}
    anew = {key for key in held.keys() & now.keys() if held[key] != now[key]} - relabelled - contested
    late = _counted({"added": now.keys() - held.keys(), "taken out": held.keys() - now.keys(), "measured anew": anew})
    reasons = [f"late data: {late}"] if late else []
    reasons += [_counted({"relabelled": relabelled})] if relabelled else []
    upheld = len(contests_of(versions) - contests_of(before.versions))
    reasons += [f"{upheld} contest(s) upheld"] if upheld else []
    reasons += ["the agreed terms changed"] if _agreed(then) != _agreed(inputs) else []
    return "; ".join(reasons) or "late data: the driving of the score's window changed"


def contests_of(versions: Mapping[str, object]) -> set[str]:
    """The upheld contests that a posting took into account."""
    contests = versions.get("contests", [])
    assert isinstance(contests, list)
    return set(contests)


def _agreed(month: Month) -> list[tuple[int, Terms]]:
    """Days and terms of the parts."""
    return [(part.inputs.days, part.inputs.terms) for part in month.parts]


def _counted(trips: Mapping[str, Collection[str]]) -> str:
    return ", ".join(f"{len(keys)} trip(s) {what}" for what, keys in trips.items() if keys)


def _label(trip: DrivenTrip) -> str | None:
    """What the policyholder said of a trip as it was priced; None: nothing."""
    _, found, label = str(trip.not_charged).partition(EXCLUSION)
    return label if found else None


def _earliest(changes: list[Change]) -> dict[UUID, str]:
    """The first month that changed, by policy."""
    earliest: dict[UUID, str] = {}
    for change in changes:
        if change.policy_key is not None:
            held = earliest.get(change.policy_key, change.from_month)
            earliest[change.policy_key] = min(held, change.from_month)
    return earliest
