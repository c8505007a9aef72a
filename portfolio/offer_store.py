"""The SQL of offers, their answers, and what was not sent: rows that are added, never edited. Role: policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from psycopg.rows import class_row, scalar_row

from storage.pool import Conn

SILENT_AFTER = timedelta(days=30)

_OTHERS = """
    select p.name from policy.household_member m
      join policy.household_member own on own.household_key = m.household_key and own.person_key = %(person_key)s
      join policy.person p on p.person_key = m.person_key
     where m.person_key <> %(person_key)s
"""
_COLUMNS = """
    select o.offer_id, o.template, o.words, o.reveals, o.made_at, a.taken, a.answered_at
      from policy.offer o left join policy.offer_answer a using (offer_id)
"""
_OF_PERSON = _COLUMNS + " where o.person_key = %s order by o.made_at desc, o.offer_id"
_BY_KEY = _COLUMNS + " where o.made_by = %s and o.idempotency_key = %s"
_INSERT = """
    insert into policy.offer (offer_id, person_key, policy_key, template, words, reveals, made_at, made_by,
                              idempotency_key)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (made_by, idempotency_key) do nothing
"""
_REFUSE = """
    insert into policy.offer_refusal (person_key, template, words, reasons, refused_at, made_by)
    values (%s, %s, %s, %s, %s, %s)
"""
_ANSWER = """
    insert into policy.offer_answer (offer_id, taken, answered_at)
    select offer_id, %s, %s from policy.offer where offer_id = %s and person_key = %s on conflict do nothing
"""
_NAME = "select name from policy.person where person_key = %s"
_MINE = "select 1 from policy.offer where offer_id = %s and person_key = %s"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person was offered, in the words that they see; `taken` None: no answer yet."""

    offer_id: UUID
    template: str
    words: str
    reveals: list[str]
    made_at: datetime
    taken: bool | None
    answered_at: datetime | None

    def state(self, as_of: datetime) -> str:
        """`taken`, `refused`, `open`, or `silent` where a month went by."""
        if self.taken is not None:
            return "taken" if self.taken else "refused"
        return "silent" if as_of - self.made_at > SILENT_AFTER else "open"


def insert_offer(
    conn: Conn,
    person_key: UUID,
    policy_key: UUID,
    template: str,
    words: str,
    *,
    reveals: Sequence[str],
    made_by: UUID,
    key: str,
    as_of: datetime,
) -> Offer | None:
    """Keeps an offer; what this account made under this key, now or before."""
    row = (uuid4(), person_key, policy_key, template, words, list(reveals), as_of, made_by, key)
    conn.execute(_INSERT, row)
    with conn.cursor(row_factory=class_row(Offer)) as cur:
        return cur.execute(_BY_KEY, (made_by, key)).fetchone()


def insert_refusal(
    conn: Conn, person_key: UUID, template: str, words: str, *, reasons: Sequence[str], made_by: UUID, as_of: datetime
) -> None:
    """Logs what was not sent, and why."""
    conn.execute(_REFUSE, (person_key, template, words, list(reasons), as_of, made_by))


def is_of(conn: Conn, person_key: UUID, offer_id: UUID) -> bool:
    """Whether that offer was made to this person."""
    return conn.execute(_MINE, (offer_id, person_key)).fetchone() is not None


def insert_answer(conn: Conn, person_key: UUID, offer_id: UUID, taken: bool, as_of: datetime) -> bool:
    """False where it was answered before."""
    return conn.execute(_ANSWER, (taken, as_of, offer_id, person_key)).rowcount == 1


def fetch_offers(conn: Conn, person_key: UUID) -> list[Offer]:
    """What a person was offered, the latest first."""
    with conn.cursor(row_factory=class_row(Offer)) as cur:
        return cur.execute(_OF_PERSON, (person_key,)).fetchall()


def fetch_names_of_others(conn: Conn, person_key: UUID) -> set[str]:
    """The parts of the names of the others in the household, without those of the person's own."""
    with conn.cursor(row_factory=scalar_row) as cur:
        others: list[str] = cur.execute(_OTHERS, {"person_key": person_key}).fetchall()
        own: str | None = cur.execute(_NAME, (person_key,)).fetchone()
    return {part for name in others for part in name.split()} - set((own or "").split())
