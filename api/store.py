"""Accounts and sessions (policy schema). Only hashes of passwords and session tokens are stored."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

ACCOUNT_BY_EMAIL = """
    select account_key, email, password_hash, role, person_key
      from policy.account
     where email = %(email)s
"""

PERSON_BY_EMAIL = "select person_key from policy.person where email = %(email)s"

INSERT_PERSON = """
    insert into policy.person (person_key, name, email) values (%(person_key)s, %(name)s, %(email)s)
"""

INSERT_ACCOUNT = """
    insert into policy.account (account_key, email, password_hash, role, person_key, created_at)
    values (%(account_key)s, %(email)s, %(password_hash)s, %(role)s, %(person_key)s, %(created_at)s)
    on conflict (email) do nothing
"""

INSERT_SESSION = """
    insert into policy.session (token_hash, account_key, csrf_token, created_at, expires_at)
    values (%(token_hash)s, %(account_key)s, %(csrf_token)s, %(created_at)s, %(expires_at)s)
"""

SIGNED_IN = """
    select a.account_key, a.email, a.role, a.person_key, p.name, s.csrf_token, s.expires_at
      from policy.session s
      join policy.account a using (account_key)
      left join policy.person p using (person_key)
     where s.token_hash = %(token_hash)s and s.expires_at > %(as_of)s
"""

DELETE_SESSION = "delete from policy.session where token_hash = %(token_hash)s"
DELETE_EXPIRED = "delete from policy.session where expires_at <= %(as_of)s"


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account with its password hash: for signing in only."""

    account_key: UUID
    email: str
    password_hash: str
    role: str
    person_key: UUID | None


@dataclass(frozen=True, slots=True)
class Account:
    """The account behind a valid session, and the token its forms must carry."""

    account_key: UUID
    email: str
    role: str
    person_key: UUID | None
    name: str | None
    csrf_token: str
    expires_at: datetime


def fetch_stored_account(conn: Conn, email: str) -> StoredAccount | None:
    """The account of an e-mail address (lower case), with its password hash."""
    with conn.cursor(row_factory=class_row(StoredAccount)) as cur:
        return cur.execute(ACCOUNT_BY_EMAIL, {"email": email}).fetchone()


def fetch_person_key(conn: Conn, email: str) -> UUID | None:
    """The person known by this e-mail address, as a policy file brought them."""
    row = conn.execute(PERSON_BY_EMAIL, {"email": email}).fetchone()
    return row[0] if row else None


def insert_person(conn: Conn, person_key: UUID, name: str, email: str) -> None:
    """A person who is not on a policy yet."""
    conn.execute(INSERT_PERSON, {"person_key": person_key, "name": name, "email": email})


def insert_account(conn: Conn, account: StoredAccount, created_at: datetime) -> bool:
    """False when the e-mail address already has an account."""
    row = {
        "account_key": account.account_key,
        "email": account.email,
        "password_hash": account.password_hash,
        "role": account.role,
        "person_key": account.person_key,
        "created_at": created_at,
    }
    return conn.execute(INSERT_ACCOUNT, row).rowcount == 1


def insert_session(
    conn: Conn, token_hash: bytes, account_key: UUID, *, csrf_token: str, created_at: datetime, expires_at: datetime
) -> None:
    """A new session; expired ones of anybody are dropped on the way, so the table stays small."""
    conn.execute(DELETE_EXPIRED, {"as_of": created_at})
    row = {
        "token_hash": token_hash,
        "account_key": account_key,
        "csrf_token": csrf_token,
        "created_at": created_at,
        "expires_at": expires_at,
    }
    conn.execute(INSERT_SESSION, row)


def fetch_signed_in(conn: Conn, token_hash: bytes, as_of: datetime) -> Account | None:
    """The account of a session that has not expired at `as_of`."""
    with conn.cursor(row_factory=class_row(Account)) as cur:
        return cur.execute(SIGNED_IN, {"token_hash": token_hash, "as_of": as_of}).fetchone()


def delete_session(conn: Conn, token_hash: bytes) -> None:
    """Ends one session at once; ending one that is gone does nothing."""
    conn.execute(DELETE_SESSION, {"token_hash": token_hash})
