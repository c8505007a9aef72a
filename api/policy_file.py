"""Everything that is shown of one policy, fetched once, the same for its policyholder and an underwriter."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api import store
from api.errors import NotFound
from api.home_view import shown_month
from api.sight import Sight
from api.store import Account, Trip
from api.wording import local
from pricing.driving import inputs_of, not_charged, policy_score
from pricing.month import Month, rate_month
from pricing.periods import months_before
from pricing.plan import RatePlan, parse_plan
from pricing.policies import plan_of_month, plan_of_terms
from pricing.rating import Premium
from pricing.statement import PeriodStatement, statements_of
from pricing.store import (
    Policy,
    fetch_plan_by_hash,
    fetch_policies_of_person,
    fetch_policy,
    fetch_postings,
    fetch_statements,
)
from pricing.store import fetch_trips as fetch_priced_trips
from scoring.score import Score
from storage.pool import Conn, Database


@dataclass(frozen=True, slots=True)
class Shown:
    """The month that pages of a policy show first, the plan of its terms, and the months with trips, latest first."""

    period: str
    plan: RatePlan
    months: list[str]


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy with the plan of its terms, its trips, its score over the window that ends with `period`, and all its
    statements.
    """

    policy: Policy
    plan: RatePlan
    period: str
    trips: list[Trip]
    score: Score | None
    score_trips: int
    score_from: str
    statements: list[PeriodStatement]  # the latest first

    @property
    def month(self) -> list[Trip]:
        """The trips of `period`."""
        return [trip for trip in self.trips if trip.local_month == self.period]


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A statement with the trips of its postings that there still are, the latest first."""

    policy: Policy
    plan: RatePlan
    statement: PeriodStatement
    trips: list[Trip]

    def trip_starts(self, person_key: UUID | None) -> dict[str, datetime]:
        """When each trip began, by its id, but for those whose times this person may not see."""
        seen = (trip for trip in self.trips if trip.sight(person_key) is not Sight.KM)
        return {str(trip.trip_id): trip.started_at for trip in seen}


def own_policies(conn: Conn, reader: Account) -> list[Policy]:
    """The policies of this person, the latest first."""
    return fetch_policies_of_person(conn, reader.person_key)


def own_policy(conn: Conn, reader: Account, policy_id: str) -> Policy:
    """One policy of this person. Raises NotFound, the same for a foreign one and for none."""
    found = next((policy for policy in own_policies(conn, reader) if policy.policy_id == policy_id), None)
    if found is None:
        raise NotFound("policy", policy_id)
    return found


def any_policy(conn: Conn, policy_id: str) -> Policy:
    """One policy of the book: for underwriters. Raises NotFound."""
    policy = None if "\0" in policy_id else fetch_policy(conn, policy_id)  # PostgreSQL's text holds no NUL
    if policy is None:
        raise NotFound("policy", policy_id)
    return policy


def shown_of(conn: Conn, policy: Policy, now: datetime) -> Shown:
    """What is shown of a policy first, without its trips and statements."""
    months = store.fetch_months(conn, policy.policy_key)
    period = shown_month(months, local(now, policy.time_zone).date())
    return Shown(period, plan_of_terms(conn, policy.policy_key), months)


def open_statement(database: Database, policy: Policy, period: str, now: datetime) -> StatementFile:
    """The statement of a period. Raises NotFound."""
    with database.role("policy") as conn:
        statement = next(iter(fetch_statements(conn, policy, [period])), None)
        if statement is None:
            raise NotFound("statement", f"{policy.policy_id} {period}")
        trips = store.fetch_listed_trips(conn, policy.policy_key, _trips_behind(statement))
        return StatementFile(policy, shown_of(conn, policy, now).plan, statement, trips)


def _trips_behind(statement: PeriodStatement) -> set[UUID]:
    listed = (posting.inputs.get("trips") for posting in statement.postings)
    return {UUID(trip["trip_id"]) for trips in listed if isinstance(trips, list) for trip in trips}


def open_file(database: Database, policy: Policy, now: datetime) -> PolicyFile:
    """The policy's file as of now."""
    with database.role("policy") as conn:
        trips = store.fetch_trips(conn, policy.policy_key)
        period = shown_month({trip.local_month for trip in trips}, local(now, policy.time_zone).date())
        plan, scored_by = plan_of_terms(conn, policy.policy_key), plan_of_month(conn, policy, period)
        score_from = months_before(period, scored_by.behaviour.window_months - 1)
        priced = fetch_priced_trips(conn, policy.policy_key, score_from, period)
        postings = fetch_postings(conn, policy.policy_key)
    return PolicyFile(
        policy=policy,
        plan=plan,
        period=period,
        trips=trips,
        score=policy_score(priced, policy, scored_by.score_model),
        score_trips=sum(1 for row in priced if not_charged(row, policy) is None),
        score_from=score_from,
        statements=statements_of(policy.policy_id, postings),
    )


def preview(database: Database, policy: Policy, period: str) -> tuple[RatePlan, Month, Premium]:
    """The premium of a month as its trips so far lead to it: what a trip does before it counts."""
    with database.role("policy") as conn:
        plan = plan_of_month(conn, policy, period)
        inputs, _ = inputs_of(conn, policy, plan, period)
    return plan, inputs, rate_month(plan, inputs)


def posted_plan(database: Database, policy: Policy, plan_hash: str) -> RatePlan:
    """The plan that a posting was priced by."""
    with database.role("policy") as conn:
        return parse_plan(fetch_plan_by_hash(conn, plan_hash), policy.plan_name)
