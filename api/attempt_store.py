"""Tries to sign in by e-mail address, counted by all processes together. Role: policy."""

import hashlib
from datetime import datetime, timedelta

from storage.pool import Conn

WINDOW = timedelta(minutes=10)
MOST_IN_WINDOW = 8

# One statement: the row's lock lets no two tries count as one.
_TAKE = """
    insert into policy.sign_in_attempt as held (email_hash, tried_at, last_at) values (%(who)s, array[%(now)s], %(now)s)
    on conflict (email_hash) do update
       set tried_at = (select array_agg(at order by at) from unnest(held.tried_at || excluded.tried_at) at
                        where at > %(since)s), last_at = excluded.last_at
     where (select count(*) from unnest(held.tried_at) at where at > %(since)s) < %(most)s
"""
_EARLIEST = """
    select min(at) from policy.sign_in_attempt, unnest(tried_at) at where email_hash = %(who)s and at > %(since)s
"""
_FORGET = "delete from policy.sign_in_attempt where email_hash = %s"
_FORGET_OLD = """
    delete from policy.sign_in_attempt where email_hash in (
        select email_hash from policy.sign_in_attempt where last_at <= %(since)s limit 100 for update skip locked)
"""


def take_attempt(conn: Conn, email: str, as_of: datetime) -> datetime | None:
    """Counts a try, before its password is looked at; None, or when the next may be where it is one too many.

    Commit it then: a try that is under way counts for every other. What is over goes.
    """
    values = {"who": _hashed(email), "now": as_of, "since": as_of - WINDOW, "most": MOST_IN_WINDOW}
    taken = conn.execute(_TAKE, values).rowcount
    conn.execute(_FORGET_OLD, values)  # behind it: whoever waits for an address must hold no other
    if taken:
        return None
    row = conn.execute(_EARLIEST, values).fetchone()
    earliest = row[0] if row else None
    return (earliest if isinstance(earliest, datetime) else as_of) + WINDOW


def forget_attempts(conn: Conn, email: str) -> None:
    """A right password clears the address."""
    conn.execute(_FORGET, (_hashed(email),))


def _hashed(email: str) -> bytes:
    return hashlib.sha256(email.encode(errors="replace")).digest()
