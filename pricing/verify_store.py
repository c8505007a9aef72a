"""The SQL of the proof about money: what each policy's month comes to, postings that do not add up. Role: policy."""

import hashlib

from psycopg import sql

from storage.pool import Conn

# By line and without the postings themselves: how many it took to get there is history, the sum is the law.
_TOTALS = """
    select p.policy_id, s.period, s.currency, line ->> 'name' as name, sum((line ->> 'amount')::numeric) as amount
      from policy.statement s join policy.policy p using (policy_key) cross join jsonb_array_elements(s.lines) line
     group by 1, 2, 3, 4 having sum((line ->> 'amount')::numeric) <> 0
     order by p.policy_id collate "C", s.period, s.currency, (line ->> 'name') collate "C"
"""
_UNEQUAL = """
    select p.policy_id, s.period, s.revision from policy.statement s join policy.policy p using (policy_key)
     where s.amount <> (select coalesce(sum((line ->> 'amount')::numeric), 0) from jsonb_array_elements(s.lines) line)
     order by 1, 2, 3
"""
_MISSING = """
    select p.policy_id, s.period from policy.statement s join policy.policy p using (policy_key)
     group by 1, 2 having max(s.revision) <> count(*) - 1 order by 1, 2
"""


def digest_totals(conn: Conn) -> tuple[int, str]:
    """How many lines the months of all policies have, and the SHA-256 of what each comes to."""
    digest, rows = hashlib.sha256(), 0
    with conn.cursor() as cursor, cursor.copy(sql.SQL("copy ({}) to stdout").format(sql.SQL(_TOTALS))) as copy:
        for line in copy:
            digest.update(line)
            rows += bytes(line).count(b"\n")
    return rows, digest.hexdigest()


def fetch_unequal(conn: Conn) -> list[tuple[str, str, int]]:
    """Policy, period and revision of the postings whose amount is not the sum of their lines."""
    return [(str(row[0]), str(row[1]), int(str(row[2]))) for row in conn.execute(_UNEQUAL).fetchall()]


def fetch_missing(conn: Conn) -> list[tuple[str, str]]:
    """Policy and period where a revision is missing between the statement and its last adjustment."""
    return [(str(row[0]), str(row[1])) for row in conn.execute(_MISSING).fetchall()]
