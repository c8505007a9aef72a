"""A month of a policy as whoever signed in may see it: session and month in one statement (policy role)."""

from datetime import datetime
from uuid import UUID

from psycopg.rows import TupleRow

from pricing.kept_driving_store import OF_LATEST, OF_PERIOD, KeptMonth, kept_of
from storage.pool import Conn

# Visibility stands in the query: of a person's own policies, or for staff of any. A month without a policy is NULLs.
_SEEN = """
    select s.account_key, s.role, k.* from (
        select a.account_key, a.role, a.person_key from policy.session s join policy.account a using (account_key)
         where s.token_hash = %(token_hash)s and s.expires_at > %(now)s
      ) s
      left join lateral ({month} and (p.person_key = s.person_key or s.role <> all(%(persons)s))) k on true
"""
_MONTH, _LATEST_MONTH = _SEEN.format(month=OF_PERIOD), _SEEN.format(month=OF_LATEST)


def fetch_seen(
    conn: Conn, token_hash: bytes, policy_id: str, period: str | None, now: datetime, persons: list[str]
) -> tuple[UUID, str, KeptMonth | None] | None:
    """Account and role of a session, and the month (None: the latest) of the policy where it may see that.

    None: no session. `persons`: the roles that see their own policies alone.
    """
    values = {"token_hash": token_hash, "policy_id": policy_id, "now": now, "persons": persons}
    asked = (_LATEST_MONTH, values) if period is None else (_MONTH, values | {"period": period})
    row: TupleRow | None = conn.execute(*asked).fetchone()
    if row is None:
        return None
    account_key, role, *month = row
    return account_key, role, None if month[0] is None else kept_of(month)
