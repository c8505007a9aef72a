"""What our own pages log of a customer: a visit, a quote, a change, a contest, a decision. Never more than that."""

from datetime import date, datetime
from uuid import UUID

from api.accounts import PERSON_ROLES
from api.store import Account
from portfolio.touchpoint_store import Meeting, log_of_policy
from storage.pool import Database

VISIT, QUOTE, CHANGE, CONTEST = (Meeting("web", kind) for kind in ("visit", "quote", "change", "contest"))
# By this process, in which database: it is asked once a day, not at each page.
_logged: set[tuple[str, UUID, UUID, str, date]] = set()
_MOST_LOGGED = 50_000
DECISION = Meeting("web", "decision", outbound=True)


def met(database: Database, reader: Account, policy_key: UUID, meeting: Meeting, key: str, now: datetime) -> None:
    """Logs one under a key, by which it is logged once however often it comes. What staff open is no meeting."""
    if meeting.outbound or reader.role in PERSON_ROLES:
        with database.role("policy") as conn:
            log_of_policy(conn, policy_key, meeting, made_by=reader.account_key, key=f"{meeting.kind} {key}", as_of=now)


def met_today(database: Database, reader: Account, policy_key: UUID, meeting: Meeting, now: datetime) -> None:
    """The same once a day and policy."""
    today = (database.dsn, reader.account_key, policy_key, meeting.kind, now.date())
    if today in _logged:
        return
    met(database, reader, policy_key, meeting, f"{policy_key} {now:%Y-%m-%d}", now)
    if len(_logged) >= _MOST_LOGGED:
        _logged.clear()
    _logged.add(today)
