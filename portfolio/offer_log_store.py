"""The SQL of how offers fare: what was made and answered, what was not sent and why. Role: policy."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from portfolio.offer_store import SILENT_AFTER
from storage.pool import Conn

_FARED = """
    select o.template, count(*) as made, count(distinct o.person_key) as people,
           count(*) filter (where a.taken) as taken, count(*) filter (where not a.taken) as refused,
           count(*) filter (where a.offer_id is null and o.made_at + %(silent)s < %(as_of)s) as silent
      from policy.offer o left join policy.offer_answer a using (offer_id)
     where o.made_at >= %(since)s
     group by o.template having count(distinct o.person_key) >= %(least)s order by o.template
"""
# What was found in the words stands in brackets and is left out: it may be a name or a place.
_REASONS = """
    select r.template, trim(split_part(reason, '(', 1)) as reason, count(*) as refusals,
           count(distinct r.person_key) as people
      from policy.offer_refusal r, unnest(r.reasons) reason
     where r.refused_at >= %(since)s group by 1, 2 having count(distinct r.person_key) >= %(least)s
     order by refusals desc, 1, 2
"""
_REFUSALS = """
    select r.refused_at, p.name, (select policy_id from policy.policy o where o.person_key = r.person_key
                                   order by o.ends_on desc, o.policy_id limit 1) as policy_id,
           r.template, r.words, r.reasons
      from policy.offer_refusal r join policy.person p using (person_key)
     order by r.refused_at desc, r.offer_refusal_id desc limit %s
"""


@dataclass(frozen=True, slots=True)
class Fared:
    """How an offer fared: how often it was made, and how it was answered."""

    template: str
    made: int
    people: int
    taken: int
    refused: int
    silent: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often an offer was not sent for a reason."""

    template: str
    reason: str
    refusals: int
    people: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not sent to whom, in the words that they would have read."""

    refused_at: datetime
    name: str
    policy_id: str | None
    template: str
    words: str
    reasons: list[str]


def fetch_fared(conn: Conn, since: datetime, as_of: datetime, least_people: int) -> list[Fared]:
    """Of each offer; of fewer people than that nothing is told."""
    values = {"since": since, "as_of": as_of, "silent": SILENT_AFTER, "least": least_people}
    with conn.cursor(row_factory=class_row(Fared)) as cur:
        return cur.execute(_FARED, values).fetchall()


def fetch_reasons(conn: Conn, since: datetime, least_people: int) -> list[ReasonCount]:
    """Why offers were not sent, the most frequent reason first; of fewer people nothing is told."""
    with conn.cursor(row_factory=class_row(ReasonCount)) as cur:
        return cur.execute(_REASONS, {"since": since, "least": least_people}).fetchall()


def fetch_refusals(conn: Conn, most: int) -> list[Refusal]:
    """The latest of them."""
    with conn.cursor(row_factory=class_row(Refusal)) as cur:
        return cur.execute(_REFUSALS, (most,)).fetchall()
