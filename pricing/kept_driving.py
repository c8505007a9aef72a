"""What a policy drove in a month, summed and kept, so that a quote rates one row instead of a window of trips.

Kept is what the rating reads and nothing more. It counts while plan, term and sharing are as it was made for and no
change of the policy's trips waits that it has not taken in; else it is made again from the trips.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from pricing import kept_driving_store as store
from pricing.driving import driving_in, not_charged, plans_before, scored_totals, window_of
from pricing.periods import month_bounds
from pricing.plan import RatePlan
from pricing.policies import plan_of_hash
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Terms
from pricing.store import Policy, TripRow, lock_policy
from scoring.score import Score, score_totals
from storage.pool import Database


class Window(msgspec.Struct, frozen=True):
    """What was driven in the score's window: how many trips may be charged for, and the totals that are scored."""

    trips: int
    totals: dict[str, int] | None


class Driven(msgspec.Struct, frozen=True):
    """All charged trips of a month as one, and the behaviour of the score's window that ends with it."""

    trip: DrivenTrip
    behaviour: BehaviourInput | None
    window: Window


type PricedMonth = tuple[RatePlan, Inputs, Sequence[RatePlan]]
type ScoredMonth = tuple[RatePlan, Window]

_FORM = 2  # of `Driven`: what was kept in an earlier one is made again
_READ = msgspec.json.Decoder(Driven)
_PLANS: dict[str, RatePlan] = {}  # published plans never change
_MOST_PLANS = 64


def month_of(database: Database, policy_id: str, period: str, person_key: UUID | None) -> store.KeptMonth | None:
    """A policy of this person (None: anybody's) with what is kept of a month."""
    return database.read("policy", lambda conn: store.fetch_kept(conn, policy_id, period, person_key))


def latest_month_of(
    database: Database, policy_id: str, now: datetime, person_key: UUID | None
) -> store.KeptMonth | None:
    """The same of the latest month that was driven in; of this one where none was."""
    return database.read("policy", lambda conn: store.fetch_kept(conn, policy_id, None, person_key, now))


def inputs_of_month(database: Database, kept: store.KeptMonth) -> PricedMonth:
    """The plan of the present terms, what a whole month of own driving gives to price on them, and the plans before."""
    plan, driven = driven_in_month(database, kept)
    before: Sequence[RatePlan] = ()
    if plan.smoothing is not None:
        before = database.read("policy", lambda conn: plans_before(conn, kept.policy))
    return plan, _inputs(kept.policy, kept.period, driven), before


def driven_in_month(database: Database, kept: store.KeptMonth) -> tuple[RatePlan, Driven]:
    """The plan of the present terms, and what was driven: as it is kept, else made from the trips and kept."""
    plan = _plan(database, kept.plan_hash)
    if kept.driven is not None and kept.basis == basis_of(kept.policy, plan) and kept.taken_in == kept.waiting:
        return plan, _READ.decode(kept.driven)
    return plan, _made(database, kept.policy, plan, kept.period)


def window_of_month(database: Database, kept: store.KeptMonth) -> ScoredMonth:
    """The plan that scores the month, and its window."""
    plan = _plan(database, kept.scored_by)
    if _plan(database, kept.plan_hash).behaviour.window_months == plan.behaviour.window_months:
        return plan, driven_in_month(database, kept)[1].window
    rows = database.read("policy", lambda conn: window_of(conn, kept.policy, plan, kept.period))
    return plan, _window(rows, kept.policy)


def window_score(plan: RatePlan, window: Window) -> Score | None:
    """The score of the window; None where nothing in it counts."""
    return None if window.totals is None else score_totals(window.totals, plan.score_model)


def basis_of(policy: Policy, plan: RatePlan) -> str:
    """What a kept month depends on beside the trips."""
    return f"{_FORM} {plan.plan_hash} {policy.starts_on} {policy.ends_on} {policy.sharing} {policy.time_zone}"


def summed(inputs: Inputs, window: Window) -> Driven:
    """The charged trips as one: a premium's lines are the same."""
    charged = [trip for trip in inputs.trips if trip.not_charged is None]
    cells: dict[tuple[str, str], int] = {}
    for trip in charged:
        for road_class, hour_band, metres in trip.cells:
            cells[road_class, hour_band] = cells.get((road_class, hour_band), 0) + metres
    together = DrivenTrip(
        trip_id="all",
        distance_m=sum(trip.distance_m for trip in charged),
        gap_m=sum(trip.gap_m for trip in charged),
        not_charged=None,
        cells=tuple((*cell, metres) for cell, metres in sorted(cells.items())),
        minutes=sum(trip.minutes for trip in charged),
    )
    return Driven(together, inputs.behaviour, window)


def _made(database: Database, policy: Policy, plan: RatePlan, period: str) -> Driven:
    """Made from the trips and kept. Whoever follows the changes locks the policy too, so none is missed between."""
    with database.role("policy") as conn:
        lock_policy(conn, policy.policy_key)
        waiting = store.fetch_waiting(conn, policy.policy_key)
        rows = window_of(conn, policy, plan, period)
        driven = summed(driving_in(rows, policy, plan, period), _window(rows, policy))
        # Of months without driving those of the term alone: anybody may ask for any month there is.
        is_kept = rows or f"{policy.starts_on:%Y-%m}" <= period <= f"{policy.ends_on:%Y-%m}"
        if is_kept and store.fetch_waiting(conn, policy.policy_key) == waiting:
            kept = msgspec.json.encode(driven).decode()
            store.keep_driven(conn, policy.policy_key, period, basis_of(policy, plan), waiting, kept)
    return driven


def _window(rows: list[TripRow], policy: Policy) -> Window:
    return Window(sum(not_charged(row, policy) is None for row in rows), scored_totals(rows, policy))


def _inputs(policy: Policy, period: str, driven: Driven) -> Inputs:
    first, after = month_bounds(period)
    terms = Terms(policy.pay_plan, tuple(policy.covers), policy.factors, policy.declared_km_per_year)
    return Inputs(str(policy.policy_key), period, (after - first).days, terms, (driven.trip,), driven.behaviour)


def _plan(database: Database, plan_hash: str) -> RatePlan:
    plan = _PLANS.get(plan_hash)
    if plan is None:
        plan = database.read("policy", lambda conn: plan_of_hash(conn, plan_hash))
        if len(_PLANS) >= _MOST_PLANS:
            _PLANS.clear()
        _PLANS[plan_hash] = plan
    return plan
