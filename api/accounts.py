"""Local accounts: argon2id passwords, short sessions under random tokens of which only the hash is stored."""

import hashlib
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api import store
from api.attempt_store import forget_attempts, take_attempt
from api.errors import AccountExists, NoAccountHere, TooManyAttempts, UnknownRole, WeakPassword, WrongCredentials
from api.store import Account, StoredAccount
from storage.pool import Conn, Database

ROLES = ("policyholder", "driver", "underwriter", "actuary", "support", "privacy_officer", "admin")
PERSON_ROLES = ("policyholder", "driver")  # they are on policies, so their account hangs on a person
SESSION_LENGTH = timedelta(hours=1)
PASSWORD_LENGTH = (10, 200)

_HASHER = PasswordHasher()
_HASHING = threading.BoundedSemaphore(2)  # each hash takes 64 MiB: more at once would let strangers fill the memory


@dataclass(frozen=True, slots=True)
class Session:
    """A fresh session: the token goes into the browser's cookie and nowhere else."""

    token: str
    role: str
    expires_at: datetime


@cache
def _nobody() -> str:
    """Verified when the address is unknown, so that an answer's time does not tell which addresses have accounts."""
    return _HASHER.hash(secrets.token_urlsafe(16))


def add_account(
    conn: Conn, email: str, password: str, role: str, *, created_at: datetime, name: str | None = None
) -> UUID:
    """A new account; policyholders and drivers are tied to the person their policy names by this e-mail address.

    `conn` has the policy role. A policyholder who is on no policy yet becomes a person named `name` (or the address).
    Raises AccountExists, WeakPassword, UnknownRole.
    """
    if role not in ROLES:
        raise UnknownRole(role, ROLES)
    least, most = PASSWORD_LENGTH
    if not least <= len(password) <= most:
        raise WeakPassword(least, most)
    email = normal_email(email)
    person_key = store.fetch_person_key(conn, email)
    if person_key is None and role in PERSON_ROLES:
        person_key = uuid4()
        store.insert_person(conn, person_key, name or email, email)
    account = StoredAccount(uuid4(), email, _HASHER.hash(password), role, person_key if role in PERSON_ROLES else None)
    if not store.insert_account(conn, account, created_at):
        raise AccountExists(email)
    return account.account_key


def sign_in(database: Database, email: str, password: str, as_of: datetime, *, instead_of: str = "") -> Session:
    """A session of one hour, in place of the one of a token. Raises WrongCredentials or TooManyAttempts.

    The same for an unknown address.
    """
    account = known_account(database, email, password, as_of)
    with database.role("policy") as conn:
        sign_out(conn, instead_of)
        return _opened(conn, account, as_of)


def sign_in_as(conn: Conn, issuer: str, subject: str, verified_email: str | None, as_of: datetime) -> Session:
    """A session for whom an identity provider vouches for. Raises NoAccountHere.

    An account belongs to an issuer and subject from the first sign-in on, when it is found by the address that the
    provider has verified; from then on the address does not matter. The role is the account's own.
    """
    account = store.fetch_account_of_identity(conn, issuer, subject)
    if account is None:
        known = verified_email and store.fetch_stored_account(conn, normal_email(verified_email))
        if not known or not store.link_identity(conn, issuer, subject, known.account_key, as_of):
            raise NoAccountHere
        account = known
    return _opened(conn, account, as_of)


def _opened(conn: Conn, account: StoredAccount, as_of: datetime) -> Session:
    token = secrets.token_urlsafe(32)
    expires_at = as_of + SESSION_LENGTH
    store.insert_session(
        conn,
        token_hash(token),
        account.account_key,
        csrf_token=secrets.token_urlsafe(24),
        created_at=as_of,
        expires_at=expires_at,
    )
    return Session(token, account.role, expires_at)


def known_account(database: Database, email: str, password: str, as_of: datetime) -> StoredAccount:
    """The account of that address and password. Raises WrongCredentials or TooManyAttempts.

    The try is counted, and that is committed, before the password is looked at: tries at one time, by however many
    processes, are no more than those one after another.
    """
    email = normal_email(email)
    with database.role("policy") as conn:
        opens_at = take_attempt(conn, email, as_of)
        account = None if "\0" in email else store.fetch_stored_account(conn, email)  # PostgreSQL's text holds no NUL
    if opens_at is not None:
        raise TooManyAttempts(max(1, int((opens_at - as_of).total_seconds())))
    if not _verified(account.password_hash if account else _nobody(), password) or account is None:
        raise WrongCredentials
    with database.role("policy") as conn:
        forget_attempts(conn, email)
    return account


def signed_in(conn: Conn, token: str, as_of: datetime) -> Account | None:
    """The account behind a session token, or None when it is unknown or has expired."""
    return store.fetch_signed_in(conn, token_hash(token), as_of)


def sign_out(conn: Conn, token: str) -> None:
    """Ends the session on the server, whatever the browser keeps."""
    store.delete_session(conn, token_hash(token))


def token_hash(token: str) -> bytes:
    """SHA-256 of the token: it is random and long, so it needs no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def normal_email(email: str) -> str:
    """The form an address is stored and looked up in."""
    return email.strip().lower()


def _verified(password_hash: str, password: str) -> bool:
    with _HASHING:
        try:
            return _HASHER.verify(password_hash, password[: PASSWORD_LENGTH[1] + 1])
        except (VerificationError, InvalidHashError):
            return False
