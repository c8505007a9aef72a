"""Pricing's SQL: plans, policies and statements with the policy role; who drives what with the link role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from pricing.statement import PeriodStatement, Posting, StatementLine, statements_of
from storage.pool import Conn

PUBLISH_PLAN = """
    insert into policy.rate_plan (plan_hash, name, version, effective_from, currency, content, ships, published_at)
    values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""
PLAN_HASH_OF = "select plan_hash from policy.rate_plan where name = %s and version = %s"
PLAN_ON = """
    select plan_hash, content from policy.rate_plan where name = %s and effective_from <= %s
     order by effective_from desc, published_at desc, plan_hash limit 1
"""
# Of the term that holds before a day; after the cover of its last one, before it of its first.
AGREED_PLAN = """
    select c.plan_hash from policy.policy_change c
     where c.policy_key = {policy}.policy_key and c.plan_hash is not null
       and c.effective_on < greatest(least({before}, {policy}.ends_on), {policy}.starts_on + 1)
     order by c.effective_on desc, c.sequence desc limit 1
"""
_PLAN_AGREED = """
    select plan_hash, content from policy.rate_plan
     where plan_hash = (select ({agreed}) from policy.policy p where p.policy_key = %s)
"""
PLAN_AGREED = _PLAN_AGREED.format(agreed=AGREED_PLAN.format(policy="p", before="%s::date"))
PLANS = "select plan_hash, content from policy.rate_plan order by effective_from desc, name, published_at desc"
PLAN_BY_HASH = "select content from policy.rate_plan where plan_hash = %s"

# Whoever signed up before any policy named them is called by their address until one does.
UPSERT_PERSON = """
    insert into policy.person as held (person_key, name, email) values (%s, %s, %s)
    on conflict (email) do update set name = case when held.name = held.email then excluded.name else held.name end
    returning person_key, name
"""
INSERT_POLICY = """
    insert into policy.policy (policy_key, policy_id, person_key, starts_on, ends_on, plan_name, pay_plan, covers,
                               factors, declared_km_per_year, time_zone, sharing)
    values (%(policy_key)s, %(policy_id)s, %(person_key)s, %(starts_on)s, %(ends_on)s, %(plan_name)s, %(pay_plan)s,
            %(covers)s, %(factors)s, %(declared_km_per_year)s, %(time_zone)s, %(sharing)s)
    on conflict (policy_id) do nothing
"""
POLICIES = """
    select p.policy_key, p.policy_id, n.name, n.email, p.starts_on, p.ends_on, p.plan_name, p.pay_plan, p.covers,
           p.factors, p.declared_km_per_year, p.time_zone, p.sharing
      from policy.policy p join policy.person n using (person_key)
"""
POLICY_BY_ID = POLICIES + " where p.policy_id = %s"
POLICIES_BY_KEY = POLICIES + " where p.policy_key = any(%s) order by p.policy_id"
POLICIES_OF_PERSON = POLICIES + " where p.person_key = %s order by p.starts_on desc, p.policy_id"
POLICIES_IN_FORCE = POLICIES + " where p.starts_on < %(after)s and p.ends_on > %(first)s order by p.policy_id"

# One statement, so one snapshot: a trip that is cut anew meanwhile is here either whole as it was or whole as it is.
TRIPS = """
    select t.trip_id, t.started_at, t.local_month, t.distance_m, t.gap_m, t.excluded, t.grade, t.totals, t.versions,
           t.contests, coalesce(jsonb_exists(t.quality -> 'flags', 'unacked_only'), false) as is_unacked, t.duration_s,
           coalesce(t.quality ->> 'tier', 'signed') as tier,
           (select coalesce(jsonb_agg(jsonb_build_array(c.road_class, c.hour_band, c.metres)), '[]')
              from (select e.road_class, e.hour_band, sum(e.distance_m)::bigint as metres
                      from link.exposure_of_policy e
                     where e.policy_key = t.policy_key and e.trip_id = t.trip_id
                     group by e.road_class, e.hour_band) c) as cells
      from link.trip_of_policy t
     where t.policy_key = %s and t.local_month between %s and %s order by t.started_at, t.trip_id
"""

TOTALS = """
    select one.name, sum(one.count::bigint)::bigint
      from link.trip_of_policy t, jsonb_each_text(t.totals) one(name, count)
     where t.policy_key = %s and t.local_month between %s and %s and t.excluded is null group by one.name
"""

POST = """
    insert into policy.statement (statement_id, policy_key, period, kind, revision, amount, currency, lines, worksheet,
                                  inputs, inputs_digest, plan_hash, versions, reason, posted_at)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    on conflict (policy_key, period, kind, revision) do nothing
"""
POSTING_COLUMNS = """
    select statement_id, policy_key, period, kind, revision, amount, currency, lines, worksheet, inputs,
           inputs_digest, plan_hash, versions, reason, posted_at
      from policy.statement
"""
POSTINGS = POSTING_COLUMNS + " where policy_key = %s and period = %s order by revision"
ALL_POSTINGS = POSTING_COLUMNS + " where policy_key = %s order by period, revision"
POSTINGS_OF_PERIODS = POSTING_COLUMNS + " where policy_key = %s and period = any(%s) order by period, revision"
STATEMENT_LINES = """
    select period, min(currency) as currency, sum(amount) as total, count(*) - 1 as adjustments,
           (array_agg(metres.charged_m order by revision desc))[1] as charged_m, min(posted_at) as posted_at
      from policy.statement
      cross join lateral (
          select coalesce(sum((trip ->> 'distance_m')::bigint), 0)::bigint as charged_m
            from jsonb_array_elements(case when jsonb_typeof(inputs -> 'trips') = 'array' then inputs -> 'trips'
                                           else '[]' end) trip
           where trip ->> 'not_charged' is null) metres
     where policy_key = %s group by period order by period desc
"""
LATEST_PERIODS = "select distinct period from policy.statement where policy_key = %s order by period desc limit %s"
LATEST_PERIODS_BEHIND = """
    select distinct period from policy.statement where policy_key = %s and period < %s order by period desc limit %s
"""
POSTED_PERIODS = "select distinct period from policy.statement where policy_key = %s and period >= %s order by period"
KEEP_MEASURED_DAYS = "select link.keep_measured_days(%s, %s, %s, %s)"
LOCK_POLICY = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"

DEVICE_KEY = "select device_key, revoked_at is not null from telemetry.device where device_id = %s"
LOCK_ASSIGNMENTS = "select pg_advisory_xact_lock(hashtextextended('assignment', %s))"
ASSIGNED = """
    select p.policy_id, a.from_time, (p.ends_on::timestamp at time zone p.time_zone) as cover_ends
      from link.assignment a join policy.policy p using (policy_key)
     where a.device_key = %s and a.to_time > %s order by a.from_time
"""
END_LINKS = """
    update link.assignment a set to_time = least(to_time, %(at)s) from policy.policy p
     where p.policy_key = a.policy_key and a.device_key = %(device_key)s and p.policy_id = %(policy_id)s
       and a.from_time < %(at)s
"""
# What had not begun by then is no link: one of no time would say that the device measured somebody.
FORGET_UNBEGUN = """
    delete from link.assignment a using policy.policy p
     where p.policy_key = a.policy_key and a.device_key = %(device_key)s and p.policy_id = %(policy_id)s
       and a.from_time >= %(at)s
"""
BEGIN_EARLIER = "update link.assignment set from_time = %s where device_key = %s and from_time = %s"
CHANGED_FROM = "insert into telemetry.trip_change (device_key, from_month, changed_at) values (%s, %s, %s)"
ASSIGN = "insert into link.assignment (device_key, policy_key, from_time) values (%s, %s, %s)"
CHANGES = """
    select c.trip_change_id, a.policy_key, c.from_month
      from telemetry.trip_change c left join link.assignment a using (device_key) order by c.trip_change_id
"""
FORGET_DRIVEN = "delete from link.driven_month where policy_key = any(%s)"
FORGET_CHANGES = "delete from telemetry.trip_change where trip_change_id = any(%s)"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of the book, with the person it is for."""

    policy_key: UUID
    policy_id: str
    name: str
    email: str | None
    starts_on: date
    ends_on: date
    plan_name: str
    pay_plan: str
    covers: list[str]
    factors: dict[str, object]
    declared_km_per_year: int
    time_zone: str
    sharing: str  # what of the driving leaves the device: one of terms.SHARING


@dataclass(frozen=True, slots=True)
class TripRow:
    """What the policy role can see of a trip."""

    trip_id: UUID
    started_at: datetime
    local_month: str
    distance_m: int
    gap_m: int
    excluded: str | None
    grade: str
    totals: dict[str, int]
    versions: dict[str, str | None]
    contests: list[UUID]  # upheld: the trip is excluded, or `totals` are without the contested events
    is_unacked: bool  # all of it came without a promise of delivery: its km cost, its behaviour earns nothing
    duration_s: int
    tier: str  # the weakest that any of its readings came with
    cells: list[tuple[str, str, int]]  # road class, hour band, metres; in no order


@dataclass(frozen=True, slots=True)
class Change:
    """Trips of a device changed from a month on; the policy it measured, if any."""

    trip_change_id: int
    policy_key: UUID | None
    from_month: str


def publish_plan(
    conn: Conn,
    *,
    plan_hash: str,
    name: str,
    version: str,
    effective_from: date,
    currency: str,
    content: str,
    ships: bool,
    as_of: datetime,
) -> str:
    """Publish a plan unless its version is there; the hash that version has, which may be another's."""
    conn.execute(PUBLISH_PLAN, (plan_hash, name, version, effective_from, currency, content, ships, as_of))
    row = conn.execute(PLAN_HASH_OF, (name, version)).fetchone()
    assert row is not None
    return str(row[0])


def fetch_plan_content(conn: Conn, name: str, day: date) -> tuple[str, str] | None:
    """Hash and text of the plan of that name in effect on a day."""
    row = conn.execute(PLAN_ON, (name, day)).fetchone()
    return None if row is None else (str(row[0]), str(row[1]))


def fetch_plan_agreed(conn: Conn, policy_key: UUID, before: date) -> tuple[str, str]:
    """Hash and text of the plan of the term that holds before a day; of the nearest outside of cover."""
    row = conn.execute(PLAN_AGREED, (before, policy_key)).fetchone()
    assert row is not None, "whatever binds a policy names its plan"
    return str(row[0]), str(row[1])


def fetch_plan_contents(conn: Conn) -> list[tuple[str, str]]:
    """Hash and text of every plan, the latest in effect first."""
    return [(str(plan_hash), str(content)) for plan_hash, content in conn.execute(PLANS)]


def fetch_plan_by_hash(conn: Conn, plan_hash: str) -> str:
    """The text of a published plan."""
    row = conn.execute(PLAN_BY_HASH, (plan_hash,)).fetchone()
    assert row is not None, "a statement's plan is a foreign key"
    return str(row[0])


def upsert_person(conn: Conn, person_key: UUID, name: str, email: str | None) -> tuple[UUID, str]:
    """Key and name of the person with this e-mail address; a new person of this name where nobody has it."""
    row = conn.execute(UPSERT_PERSON, (person_key, name, email)).fetchone()
    assert row is not None
    return UUID(str(row[0])), str(row[1])


def insert_policy(conn: Conn, policy: Policy, person_key: UUID) -> bool:
    """Add a policy; False when its id is in the book already."""
    values = {name: getattr(policy, name) for name in Policy.__slots__} | {
        "person_key": person_key,
        "factors": Jsonb(policy.factors),
    }
    return conn.execute(INSERT_POLICY, values).rowcount == 1


def fetch_policy(conn: Conn, policy_id: str) -> Policy | None:
    """The policy of that id."""
    with conn.cursor(row_factory=class_row(Policy)) as cursor:
        return cursor.execute(POLICY_BY_ID, (policy_id,)).fetchone()


def fetch_policies_of_person(conn: Conn, person_key: UUID | None) -> list[Policy]:
    """The policies that are for a person, the latest first; none for nobody."""
    with conn.cursor(row_factory=class_row(Policy)) as cursor:
        return cursor.execute(POLICIES_OF_PERSON, (person_key,)).fetchall()


def fetch_policies(conn: Conn, keys: Sequence[UUID]) -> list[Policy]:
    """The policies of those keys."""
    with conn.cursor(row_factory=class_row(Policy)) as cursor:
        return cursor.execute(POLICIES_BY_KEY, (list(keys),)).fetchall()


def fetch_policies_in_force(conn: Conn, first: date, after: date) -> list[Policy]:
    """The policies in force on some day of [first, after)."""
    with conn.cursor(row_factory=class_row(Policy)) as cursor:
        return cursor.execute(POLICIES_IN_FORCE, {"first": first, "after": after}).fetchall()


def fetch_trips(conn: Conn, policy_key: UUID, from_month: str, to_month: str) -> list[TripRow]:
    """The trips of a policy that began in those months, both included, by the clock of their place."""
    with conn.cursor(row_factory=class_row(TripRow)) as cursor:
        return cursor.execute(TRIPS, (policy_key, from_month, to_month)).fetchall()


def fetch_totals(conn: Conn, policy_key: UUID, from_month: str, to_month: str) -> dict[str, int]:
    """The totals of the trips of those months that count, both included, summed."""
    return {str(name): int(str(count)) for name, count in conn.execute(TOTALS, (policy_key, from_month, to_month))}


def keep_measured_days(conn: Conn, policy: Policy, first: date, after: date) -> set[date]:
    """The days of [first, after), by the clock of the policy, of which there is or was a reading of its devices."""
    rows = conn.execute(KEEP_MEASURED_DAYS, (policy.policy_key, first, after, policy.time_zone))
    return {day for (day,) in rows if isinstance(day, date)}


def lock_policy(conn: Conn, policy_key: UUID) -> None:
    """Until the end of the transaction one posting to this policy at a time."""
    conn.execute(LOCK_POLICY, (str(policy_key),))


def insert_posting(conn: Conn, posting: Posting) -> bool:
    """Post; False when that revision is there already: the unique key, not a check before it, is the guard."""
    values = (
        posting.statement_id, posting.policy_key, posting.period, posting.kind, posting.revision, posting.amount,
        posting.currency, Jsonb(posting.lines), Jsonb(posting.worksheet), Jsonb(posting.inputs), posting.inputs_digest,
        posting.plan_hash, Jsonb(posting.versions), posting.reason, posting.posted_at,
    )  # fmt: skip
    return conn.execute(POST, values).rowcount == 1


def fetch_postings(conn: Conn, policy_key: UUID, period: str | None = None) -> list[Posting]:
    """What was posted to a policy, in order: of one period, or of all."""
    with conn.cursor(row_factory=class_row(Posting)) as cursor:
        if period is None:
            return cursor.execute(ALL_POSTINGS, (policy_key,)).fetchall()
        return cursor.execute(POSTINGS, (policy_key, period)).fetchall()


def fetch_statements(conn: Conn, policy: Policy, periods: Sequence[str]) -> list[PeriodStatement]:
    """The statements of these periods that there are, the latest first."""
    with conn.cursor(row_factory=class_row(Posting)) as cursor:
        postings = cursor.execute(POSTINGS_OF_PERIODS, (policy.policy_key, list(periods))).fetchall()
    return statements_of(policy.policy_id, postings)


def fetch_latest_periods(conn: Conn, policy_key: UUID, limit: int, behind: str | None = None) -> list[str]:
    """The latest periods with a statement, or the latest before one."""
    if behind is None:
        rows = conn.execute(LATEST_PERIODS, (policy_key, limit))
    else:
        rows = conn.execute(LATEST_PERIODS_BEHIND, (policy_key, behind, limit))
    return [str(period) for (period,) in rows]


def fetch_statement_lines(conn: Conn, policy_key: UUID) -> list[StatementLine]:
    """Every statement of a policy as a line, the latest first."""
    with conn.cursor(row_factory=class_row(StatementLine)) as cursor:
        return cursor.execute(STATEMENT_LINES, (policy_key,)).fetchall()


def fetch_statement_of_period(conn: Conn, policy_id: str, period: str) -> PeriodStatement | None:
    """All postings of a policy and period; None where nothing was posted."""
    policy = fetch_policy(conn, policy_id)
    postings = fetch_postings(conn, policy.policy_key, period) if policy else []
    if not postings:
        return None
    return PeriodStatement(policy_id, period, postings[0].currency, tuple(postings))


def fetch_posted_periods(conn: Conn, policy_key: UUID, from_month: str) -> list[str]:
    """The periods from a month on that have a statement."""
    return [str(period) for (period,) in conn.execute(POSTED_PERIODS, (policy_key, from_month))]


def fetch_device_key(conn: Conn, device_id: str) -> tuple[int, bool] | None:
    """The key of a device by its id, and whether it was ended (link role)."""
    row = conn.execute(DEVICE_KEY, (device_id,)).fetchone()
    return None if row is None else (int(str(row[0])), bool(row[1]))


def fetch_assignments(conn: Conn, device_key: int, after: datetime) -> list[tuple[str, datetime, datetime]]:
    """(policy id, from when, when its cover ends) of the policies that a device measures after an instant (link role).

    The earliest first.
    Until the end of the transaction nobody else assigns this device.
    """
    conn.execute(LOCK_ASSIGNMENTS, (device_key,))
    rows = conn.execute(ASSIGNED, (device_key, after)).fetchall()
    return [
        (str(policy_id), from_time, cover_ends)
        for policy_id, from_time, cover_ends in rows
        if isinstance(from_time, datetime) and isinstance(cover_ends, datetime)
    ]


def insert_assignment(conn: Conn, device_key: int, policy_key: UUID, from_time: datetime) -> None:
    """From that instant the device measures this policy: its trips count there from then on (link role)."""
    conn.execute(ASSIGN, (device_key, policy_key, from_time))
    _note_assigned(conn, device_key, from_time)


def end_links(conn: Conn, device_key: int, policy_id: str, at: datetime) -> bool:
    """From that instant the device measures this policy no longer; False where it never did (link role)."""
    conn.execute(LOCK_ASSIGNMENTS, (device_key,))
    values = {"device_key": device_key, "policy_id": policy_id, "at": at}
    ended = conn.execute(END_LINKS, values).rowcount
    return ended + conn.execute(FORGET_UNBEGUN, values).rowcount > 0


def begin_assignment_earlier(conn: Conn, device_key: int, held_from: datetime, from_time: datetime) -> None:
    """The assignment that began at `held_from` begins at `from_time` (link role)."""
    conn.execute(BEGIN_EARLIER, (from_time, device_key, held_from))
    _note_assigned(conn, device_key, from_time)


def _note_assigned(conn: Conn, device_key: int, from_time: datetime) -> None:
    # Where the trip began the month may still be the one before, by the clock of that place.
    conn.execute(CHANGED_FROM, (device_key, f"{from_time - timedelta(days=1):%Y-%m}", from_time))


def fetch_changes(conn: Conn) -> list[Change]:
    """The trip changes not yet followed by pricing (link role)."""
    with conn.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(CHANGES).fetchall()


def forget_changes(conn: Conn, changes: Sequence[Change]) -> None:
    """Take away the changes that have been followed (link role), and what was summed before them."""
    conn.execute(FORGET_DRIVEN, (sorted({change.policy_key for change in changes if change.policy_key}),))
    conn.execute(FORGET_CHANGES, (sorted({change.trip_change_id for change in changes}),))
