"""Renewals and lapses of the book in the database, with what was known before each. Role: policy.

What another insurer offered is not known here, nor what was offered to who left: price is how the premium of a day
moved over the last year of the term. The score is read only of who agrees to research now.
"""

from datetime import datetime

import numpy as np
from psycopg.rows import tuple_row

from portfolio.consent_store import purpose_named
from portfolio.lapse import Renewals
from storage.pool import Conn

LAPSED_AFTER_DAYS = 14

_RENEWALS = """
    with ends as (
        select p.policy_key, p.person_key, p.starts_on, c.effective_on as day, 0.0 as gone
          from policy.policy_change c join policy.policy p using (policy_key)
         where c.kind = 'renew' and c.made_at >= %(since)s and c.made_at <= %(as_of)s
        union all
        select p.policy_key, p.person_key, p.starts_on, p.ends_on, 1.0 from policy.policy p
         where p.ends_on >= %(since)s::date and p.ends_on + %(late)s <= %(as_of)s::date
           and not exists (select 1 from policy.policy_change c
                            where c.policy_key = p.policy_key and c.kind = 'cancel'))
    select e.day, e.gone, round((e.day - e.starts_on) / 365.25),
           exists (select 1 from policy.touchpoint t where t.person_key = e.person_key and t.kind = 'complaint'
                      and t.occurred_at < e.day and t.occurred_at >= e.day - 365)::int,
           exists (select 1 from policy.claim c where c.policy_key = e.policy_key
                      and c.occurred_on < e.day and c.occurred_on >= e.day - 365)::int,
           case when policy.agrees(e.person_key, 'research', %(research)s) then late.score - early.score end,
           ln(late.per_day / nullif(early.per_day, 0))
      from ends e
      left join lateral (select avg(score) as score, sum(premium) / nullif(sum(days), 0) as per_day
                           from policy.book_month m where m.policy_key = e.policy_key
                            and m.period < to_char(e.day, 'YYYY-MM')
                            and m.period >= to_char(e.day - interval '3 months', 'YYYY-MM')) late on true
      left join lateral (select avg(score) as score, sum(premium) / nullif(sum(days), 0) as per_day
                           from policy.book_month m where m.policy_key = e.policy_key
                            and m.period < to_char(e.day - interval '9 months', 'YYYY-MM')
                            and m.period >= to_char(e.day - interval '12 months', 'YYYY-MM')) early on true
     order by e.day, e.policy_key
"""
# Cancellations against the years of cover in the window: what ends policies beside their renewals.
_OTHER = """
    select 365.25 * (select count(*) from policy.policy_change
                      where kind = 'cancel' and made_at >= %(since)s and made_at <= %(as_of)s)
           / nullif(sum(greatest(least(ends_on, %(as_of)s::date) - greatest(starts_on, %(since)s::date), 0)), 0)
      from policy.policy
"""


def read_renewals(conn: Conn, since: datetime, as_of: datetime) -> tuple[Renewals, float]:
    """The renewals between, and the chance in a year that a policy is cancelled beside them."""
    values = {
        "since": since,
        "as_of": as_of,
        "late": LAPSED_AFTER_DAYS,
        "research": purpose_named("research").text_hash,
    }
    with conn.cursor(row_factory=tuple_row) as cur:
        rows = cur.execute(_RENEWALS, values).fetchall()
        other = cur.execute(_OTHER, values).fetchone()
    numbers = np.array(
        [[np.nan if value is None else float(value) for value in row[1:]] for row in rows], dtype=np.float64
    ).reshape(len(rows), 6)
    renewals = Renewals(
        log_price_ratio=np.full(len(rows), np.nan),
        increase=np.maximum(np.nan_to_num(numbers[:, 5]), 0.0),
        bad_service=numbers[:, 2],
        claim=numbers[:, 3],
        score_gain=numbers[:, 4],
        years_with_us=numbers[:, 1],
        action=np.zeros(len(rows), dtype=np.int64),
        left=numbers[:, 0],
        day=np.array([row[0] for row in rows], dtype="datetime64[D]"),
    )
    return renewals, float(str(other[0])) if other and other[0] is not None else 0.0
