"""What the overview of a policy shows and no more: totals as they are kept, the last trips, statements as lines."""

from dataclasses import dataclass
from datetime import datetime

from api import store
from api.errors import NotFound
from api.store import Account, MonthTrip, Trip
from pricing.kept_driving import latest_month_of, window_of_month, window_score
from pricing.plan import RatePlan
from pricing.statement import PeriodStatement, StatementLine
from pricing.store import Policy, fetch_statement_lines, fetch_statements
from scoring.score import Score
from storage.pool import Conn, Database


@dataclass(frozen=True, slots=True)
class Overview:
    """One policy at a glance, in the latest month that was driven in (`period`)."""

    policy: Policy
    plan: RatePlan
    period: str
    score: Score | None
    score_trips: int
    month: list[MonthTrip]
    latest: list[Trip]
    trip_count: int
    lines: list[StatementLine]  # the latest first, as all lists here
    statements: list[PeriodStatement]  # the latest, and those of the months of `latest`

    @property
    def is_posted(self) -> bool:
        """Whether the shown month has its statement."""
        return any(line.period == self.period for line in self.lines)


def open_overview(database: Database, reader: Account, policy_id: str, trips: int, now: datetime) -> Overview:
    """The overview of an own policy with its last so many trips. Raises NotFound."""
    kept = None if reader.person_key is None else latest_month_of(database, policy_id, now, reader.person_key)
    if kept is None:
        raise NotFound("policy", policy_id)
    plan, window = window_of_month(database, kept)
    policy = kept.policy

    def read(conn: Conn) -> Overview:
        latest = store.fetch_latest_trips(conn, policy.policy_key, trips)
        lines = fetch_statement_lines(conn, policy.policy_key)
        months = {trip.local_month for trip in latest} | {line.period for line in lines[:1]}
        return Overview(
            policy=policy,
            plan=plan,
            period=kept.period,
            score=window_score(plan, window),
            score_trips=window.trips,
            month=store.fetch_month_trips(conn, policy.policy_key, kept.period),
            latest=latest,
            trip_count=store.count_trips(conn, policy.policy_key),
            lines=lines,
            statements=fetch_statements(conn, policy, sorted(months)),
        )

    return database.read("policy", read)
