"""What stands in the way of an erasure, each asked in the room of its role."""

from datetime import date
from uuid import UUID

from storage.pool import Conn

_IN_FORCE = "select exists (select from policy.policy where person_key = %(person)s and ends_on > %(day)s)"
_NOT_POSTED = """
    select exists (
        select from policy.policy p
          cross join lateral (
              select to_char(p.ends_on - 1, 'YYYY-MM') as month where p.ends_on > p.starts_on
              union
              select t.local_month from link.trip_of_policy t
               where t.policy_key = p.policy_key
                 and t.local_month between to_char(p.starts_on, 'YYYY-MM') and to_char(p.ends_on - 1, 'YYYY-MM')) due
         where p.person_key = %(person)s
           and not exists (select from policy.statement s where s.policy_key = p.policy_key and s.period = due.month))
"""
_CONTEST_OPEN = """
    select exists (select from link.contest c join policy.policy p using (policy_key)
                    where p.person_key = %(person)s
                      and not exists (select from link.contest_decision d where d.contest_id = c.contest_id))
"""
_NOT_ADJUSTED = """
    select exists (select from telemetry.trip_change c join link.assignment a using (device_key)
                     join policy.policy p using (policy_key) where p.person_key = %(person)s)
"""
# Who shares a device loses what is not scored yet: beside erased time nothing is cut that was received before.
_NOT_SCORED = """
    select exists (select from telemetry.dirty_window where device_key in (
        select own.device_key from link.assignment own join policy.policy p using (policy_key)
         where p.person_key = %(person)s
           and exists (select from link.assignment other join policy.policy q using (policy_key)
                        where other.device_key = own.device_key and q.person_key <> %(person)s)
        union select device_key from link.trip_driver where person_key = %(person)s))
"""


def has_policy_in_force(conn: Conn, person_key: UUID, day: date) -> bool:
    """Whether a policy of the person covers that day or a later one (role policy)."""
    return _asked(conn, _IN_FORCE, {"person": person_key, "day": day})


def has_month_to_post(conn: Conn, person_key: UUID) -> bool:
    """Whether a month of cover with trips, or the last one, has no statement (role policy)."""
    return _asked(conn, _NOT_POSTED, {"person": person_key})


def has_open_contest(conn: Conn, person_key: UUID) -> bool:
    """Whether a contest waits for its decision (role link)."""
    return _asked(conn, _CONTEST_OPEN, {"person": person_key})


def has_change_to_follow(conn: Conn, person_key: UUID) -> bool:
    """Whether trips changed and pricing has not followed yet (role link)."""
    return _asked(conn, _NOT_ADJUSTED, {"person": person_key})


def has_driving_to_score(conn: Conn, person_key: UUID) -> bool:
    """Whether readings of a device that the person shared, or of a car of another's that they drove, wait for a worker.

    Role link.
    """
    return _asked(conn, _NOT_SCORED, {"person": person_key})


def _asked(conn: Conn, query: str, values: dict[str, object]) -> bool:
    row = conn.execute(query, values).fetchone()
    return bool(row and row[0])
