"""Several people behind one policy, and which share of what they have is with us. Role: policy.

Share of customer is held against what the household says itself, never against bought or guessed data; where it said
nothing, nothing is known, and the card says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from psycopg.rows import class_row

from portfolio.errors import UnknownWord
from storage.pool import Conn

RELATIONS = ("policyholder", "partner", "child", "other")
_HOUSEHOLD_OF = "select household_key from policy.household_member where person_key = %s"
_INSERT_MEMBER = """
    insert into policy.household_member (person_key, household_key, relation, since) values (%s, %s, %s, %s)
    on conflict (person_key) do nothing
"""
_MEMBERS = """
    select m.person_key, p.name, m.relation,
           (select count(*) from policy.policy o where o.person_key = m.person_key
               and o.starts_on <= %(day)s and o.ends_on > %(day)s) as policies,
           (select coalesce(sum(o.declared_km_per_year), 0) from policy.policy o where o.person_key = m.person_key
               and o.starts_on <= %(day)s and o.ends_on > %(day)s) as km_per_year,
           (select coalesce(array_agg(distinct cover), '{}') from policy.policy o, unnest(o.covers) cover
             where o.person_key = m.person_key and o.starts_on <= %(day)s and o.ends_on > %(day)s) as covers
      from policy.household_member m join policy.person p using (person_key)
     where m.household_key = (select household_key from policy.household_member where person_key = %(person_key)s)
     order by m.since, m.person_key
"""
_ANSWER = """
    insert into policy.household_answer (household_key, vehicles, km_per_year, covers, said_at, said_to)
    values (%s, %s, %s, %s, %s, %s)
"""
_LATEST_ANSWER = """
    select vehicles, km_per_year, covers, said_at from policy.household_answer
     where household_key = (select household_key from policy.household_member where person_key = %s)
     order by household_answer_id desc limit 1
"""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a household, with what of theirs is with us on a day."""

    person_key: UUID
    name: str
    relation: str
    policies: int
    km_per_year: int
    covers: list[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a household says that it has in all, with us or elsewhere."""

    vehicles: int
    km_per_year: int
    covers: list[str]
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Share:
    """Of a household's vehicles, kilometres and covers, how much is with us. None: it said that it has none."""

    vehicles: float | None
    km: float | None
    covers: float | None
    missing_vehicles: int
    worth_per_year: Decimal | None  # premium of the missing vehicles at what those with us pay; None: not known


def household_of(conn: Conn, person_key: UUID, as_of: datetime) -> UUID:
    """The household of a person; a person without one begins their own."""
    held = conn.execute(_HOUSEHOLD_OF, (person_key,)).fetchone()
    if held is None:
        conn.execute(_INSERT_MEMBER, (person_key, uuid4(), "policyholder", as_of))
        held = conn.execute(_HOUSEHOLD_OF, (person_key,)).fetchone()
    assert held is not None  # inserted by us or by somebody at the same time
    return UUID(str(held[0]))


def join_household(conn: Conn, household_key: UUID, person_key: UUID, relation: str, as_of: datetime) -> bool:
    """Adds a person; False where they are in a household already. Raises UnknownWord."""
    if relation not in RELATIONS:
        raise UnknownWord("relation", relation, RELATIONS)
    return conn.execute(_INSERT_MEMBER, (person_key, household_key, relation, as_of)).rowcount == 1


def fetch_members(conn: Conn, person_key: UUID, as_of: datetime) -> list[Member]:
    """Everybody of this person's household; [] where none is known."""
    with conn.cursor(row_factory=class_row(Member)) as cur:
        return cur.execute(_MEMBERS, {"person_key": person_key, "day": as_of.date()}).fetchall()


def say(conn: Conn, household_key: UUID, answer: Answer, said_to: UUID) -> None:
    """Keeps what a household says of itself beside what it said before."""
    row = (household_key, answer.vehicles, answer.km_per_year, answer.covers, answer.said_at, said_to)
    conn.execute(_ANSWER, row)


def fetch_answer(conn: Conn, person_key: UUID) -> Answer | None:
    """What this person's household said last."""
    with conn.cursor(row_factory=class_row(Answer)) as cur:
        return cur.execute(_LATEST_ANSWER, (person_key,)).fetchone()


def share_of_customer(members: Sequence[Member], answer: Answer, premium_each: Decimal | None) -> Share:
    """What is with us against what the household says it has.

    `premium_each`: what a vehicle of it that is with us pays a year. More with us than it said counts as all.
    """
    vehicles = sum(member.policies for member in members)
    km = sum(member.km_per_year for member in members)
    covers = {cover for member in members for cover in member.covers}
    missing = max(answer.vehicles - vehicles, 0)
    return Share(
        vehicles=_part(vehicles, answer.vehicles),
        km=_part(km, answer.km_per_year),
        covers=_part(len(covers & set(answer.covers)), len(set(answer.covers))),
        missing_vehicles=missing,
        worth_per_year=None if premium_each is None else (premium_each * missing).quantize(Decimal("0.01")),
    )


def _part(ours: int, of: int) -> float | None:
    return min(ours / of, 1.0) if of else None
