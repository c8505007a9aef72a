"""The consent ledger: what a person agreed to, for which purpose, under which words. Role: policy.

Pricing is no consent: what of the driving a premium reads is part of the contract and is chosen, and changed, with the
pay plan. A withdrawal counts from the moment it is said: whoever uses data for a purpose asks here, in the same
transaction.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from uuid import UUID

from psycopg.rows import class_row

from portfolio.errors import OtherWords, UnknownWord
from storage.pool import Conn

_LATEST = """
    select distinct on (purpose) purpose, granted, version, text_hash, said_at from policy.consent
     where person_key = %s order by purpose, consent_id desc
"""
_HISTORY = """
    select purpose, granted, version, text_hash, said_at from policy.consent where person_key = %s order by consent_id
"""
_INSERT = """
    insert into policy.consent (person_key, purpose, granted, version, text_hash, said_at, said_by)
    values (%s, %s, %s, %s, %s, %s, %s)
"""
_LOCK = "select 1 from policy.person where person_key = %s for update"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What may be agreed to, in the words that are shown."""

    name: str
    version: int
    title: str
    words: str

    @property
    def text_hash(self) -> str:
        """SHA-256 of the words."""
        return hashlib.sha256(self.words.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said of a purpose once."""

    purpose: str
    granted: bool
    version: int
    text_hash: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A purpose and where a person stands: `said` None or of other words: not agreed."""

    purpose: Purpose
    said: Said | None

    @property
    def granted(self) -> bool:
        """Agreed to these very words."""
        said = self.said
        return said is not None and said.granted and said.text_hash == self.purpose.text_hash


@cache
def purposes() -> dict[str, Purpose]:
    """Every purpose, as shipped."""
    table = tomllib.loads((files("portfolio") / "consents.toml").read_text("utf-8"))
    return {name: Purpose(name, fields["version"], fields["title"], fields["words"]) for name, fields in table.items()}


def purpose_named(name: str) -> Purpose:
    """One of them. Raises UnknownWord."""
    if name not in purposes():
        raise UnknownWord("purpose", name, tuple(purposes()))
    return purposes()[name]


def say(
    conn: Conn, person_key: UUID, purpose: str, granted: bool, text_hash: str, *, said_by: UUID, as_of: datetime
) -> bool:
    """Keeps what a person says; False where it stands so already. To withdraw, any words will do.

    Raises UnknownWord; OtherWords where the words they saw are not today's: nobody agrees to what they have not read.
    """
    wanted = purpose_named(purpose)
    if granted and text_hash != wanted.text_hash:
        raise OtherWords(purpose)
    conn.execute(_LOCK, (person_key,))
    held = next(one for one in standings(conn, person_key) if one.purpose == wanted)
    if held.granted == granted and (granted or held.said is not None):
        return False
    row = (person_key, purpose, granted, wanted.version, wanted.text_hash, as_of, said_by)
    conn.execute(_INSERT, row)
    return True


def standings(conn: Conn, person_key: UUID) -> list[Standing]:
    """Every purpose with what the person said of it last."""
    with conn.cursor(row_factory=class_row(Said)) as cur:
        said = {one.purpose: one for one in cur.execute(_LATEST, (person_key,)).fetchall()}
    return [Standing(purpose, said.get(name)) for name, purpose in purposes().items()]


def agreed(conn: Conn, person_key: UUID, purpose: str) -> bool:
    """Whether data may be used for this purpose now."""
    wanted = purpose_named(purpose)
    return next(one.granted for one in standings(conn, person_key) if one.purpose == wanted)


def history(conn: Conn, person_key: UUID) -> list[Said]:
    """Everything that was ever said, in order: for the person's own export."""
    with conn.cursor(row_factory=class_row(Said)) as cur:
        return cur.execute(_HISTORY, (person_key,)).fetchall()
