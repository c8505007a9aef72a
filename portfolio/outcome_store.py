"""The SQL of outcomes that arrive by themselves: renewals and lapses, offers taken or held back. Role: policy."""

from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import tuple_row

from storage.pool import Conn

LAPSED_AFTER_DAYS = 14  # without a renewal after a term's end: some renew late
TAKEN_WITHIN = timedelta(days=30)

type Found = list[tuple[UUID, float, float | None]]

# The first end of a term since the experiment was built, of people whose policy was there before.
_STAYS = """
    with ends as (
        select p.person_key, 1.0 as outcome, c.made_at as known_at
          from policy.policy_change c join policy.policy p using (policy_key)
         where c.kind = 'renew' and c.made_at > %(since)s and c.made_at <= %(as_of)s and p.starts_on <= %(since)s::date
        union all
        select p.person_key, 0.0, c.made_at
          from policy.policy_change c join policy.policy p using (policy_key)
         where c.kind = 'cancel' and c.made_at > %(since)s and c.made_at <= %(as_of)s and p.starts_on <= %(since)s::date
        union all
        select p.person_key, 0.0, (p.ends_on + %(late)s)::timestamptz
          from policy.policy p
         where p.ends_on > %(since)s::date and p.ends_on + %(late)s <= %(as_of)s::date
           and p.starts_on <= %(since)s::date
           and not exists (select 1 from policy.policy_change c where c.policy_key = p.policy_key and c.kind = 'cancel')
    ), first_of as (select distinct on (person_key) * from ends order by person_key, known_at)
    select e.person_key, e.outcome,
           (not exists (select 1 from policy.touchpoint t
                         where t.person_key = e.person_key and t.kind = 'complaint'
                           and t.occurred_at > %(since)s and t.occurred_at <= e.known_at))::int::float8
      from first_of e
     where not exists (select 1 from policy.experiment_outcome o
                        where o.name = %(name)s and o.person_key = e.person_key)
"""
# From the offer, or from the day on which the lot alone held it back, whether its matter was done within the window.
_TAKES = """
    with came as (
        select person_key, made_at as at from policy.offer
         where template = %(template)s and made_at > %(since)s and made_at <= %(as_of)s
        union all
        select person_key, refused_at from policy.offer_refusal
         where template = %(template)s and refused_at > %(since)s and refused_at <= %(as_of)s
           and reasons = array[%(held)s]
    ), entered as (select person_key, min(at) as at from came group by person_key),
    seen as (
        select e.person_key, e.at,
               exists (select 1 from policy.offer o join policy.offer_answer a using (offer_id)
                        where o.person_key = e.person_key and o.template = %(template)s and o.made_at >= e.at
                          and a.taken and a.answered_at <= least(e.at + %(window)s, %(as_of)s))
            or exists (select 1 from policy.policy p join policy.policy_change c using (policy_key)
                        where p.person_key = e.person_key and c.kind in ('endorse', 'renew')
                          and c.terms ? %(about)s and c.made_at > e.at
                          and c.made_at <= least(e.at + %(window)s, %(as_of)s)) as done
          from entered e)
    select s.person_key, s.done::int::float8,
           (not exists (select 1 from policy.touchpoint t
                         where t.person_key = s.person_key and t.kind = 'complaint'
                           and t.occurred_at > s.at and t.occurred_at <= s.at + %(window)s))::int::float8
      from seen s
     where (s.done or s.at + %(window)s <= %(as_of)s)
       and not exists (select 1 from policy.experiment_outcome o
                        where o.name = %(name)s and o.person_key = s.person_key)
"""


def fetch_stays(conn: Conn, name: str, since: datetime, as_of: datetime) -> Found:
    """Person, 1 where the first term that ended since then was renewed and 0 where not, and 1 without a complaint.

    A term that ended without a renewal counts after LAPSED_AFTER_DAYS. Those that the experiment has are left out.
    """
    values = {"name": name, "since": since, "as_of": as_of, "late": LAPSED_AFTER_DAYS}
    with conn.cursor(row_factory=tuple_row) as cur:
        return [(UUID(str(row[0])), float(row[1]), row[2]) for row in cur.execute(_STAYS, values).fetchall()]


def fetch_takes(conn: Conn, name: str, template: str, about: str, held: str, since: datetime, as_of: datetime) -> Found:
    """Person, 1 where the offer was taken or its matter done within TAKEN_WITHIN, else 0, and 1 without a complaint.

    `about`: the term that the offer would change, "" for none; `held`: the one reason for which it was held back.
    """
    values = {
        "name": name,
        "template": template,
        "about": about,
        "held": held,
        "since": since,
        "as_of": as_of,
        "window": TAKEN_WITHIN,
    }
    with conn.cursor(row_factory=tuple_row) as cur:
        return [(UUID(str(row[0])), float(row[1]), row[2]) for row in cur.execute(_TAKES, values).fetchall()]
