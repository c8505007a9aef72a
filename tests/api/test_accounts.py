"""Accounts on a real database: what is stored, what opens a session, and when a session ends."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from api import accounts
from api.accounts import SESSION_LENGTH, add_account, sign_in, sign_out, signed_in
from api.attempt_store import MOST_IN_WINDOW, take_attempt
from api.errors import AccountExists, TooManyAttempts, UnknownRole, WeakPassword, WrongCredentials
from storage.pool import Database

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
EMAIL, PASSWORD = "driver@example.org", "a quiet road at night"


def test_neither_password_nor_token_is_stored(database: Database) -> None:
    with database.role("policy") as conn:
        add_account(conn, EMAIL, PASSWORD, "policyholder", created_at=NOON)
    session = sign_in(database, EMAIL, PASSWORD, NOON)
    with database.role("policy") as conn:
        row = conn.execute("select password_hash from policy.account").fetchone()
        token = conn.execute("select token_hash from policy.session").fetchone()
    assert row is not None
    assert str(row[0]).startswith("$argon2id$")
    assert token == (accounts.token_hash(session.token),)


def test_a_session_ends_after_its_length_and_at_sign_out(database: Database) -> None:
    with database.role("policy") as conn:
        add_account(conn, EMAIL, PASSWORD, "policyholder", created_at=NOON)
    session = sign_in(database, EMAIL.upper(), PASSWORD, NOON)
    with database.role("policy") as conn:
        reader = signed_in(conn, session.token, NOON + SESSION_LENGTH - timedelta(seconds=1))
        assert reader is not None
        assert reader.email == EMAIL
        assert signed_in(conn, session.token, NOON + SESSION_LENGTH) is None
        sign_out(conn, session.token)
        assert signed_in(conn, session.token, NOON) is None


@pytest.mark.parametrize(("email", "password"), [(EMAIL, "not the password"), ("nobody@example.org", PASSWORD)])
def test_wrong_password_and_unknown_address_are_the_same_error(database: Database, email: str, password: str) -> None:
    with database.role("policy") as conn:
        add_account(conn, EMAIL, PASSWORD, "underwriter", created_at=NOON)
    with pytest.raises(WrongCredentials):
        sign_in(database, email, password, NOON)


def test_the_ninth_attempt_within_ten_minutes_waits(database: Database) -> None:
    with database.role("policy") as conn:
        add_account(conn, EMAIL, PASSWORD, "underwriter", created_at=NOON)
        for second in range(MOST_IN_WINDOW):
            assert take_attempt(conn, EMAIL, NOON + timedelta(seconds=second)) is None
    with pytest.raises(TooManyAttempts) as error:
        sign_in(database, EMAIL, PASSWORD, NOON + timedelta(minutes=5))
    assert error.value.wait_s == 300
    sign_in(database, EMAIL, PASSWORD, NOON + timedelta(minutes=10, seconds=1))
    with database.role("policy") as conn:
        assert conn.execute("select from policy.sign_in_attempt").fetchall() == []


def test_processes_that_guess_at_once_have_no_more_tries_than_one(database: Database, database_dsn: str) -> None:
    """Each has connections of its own; a try that is under way counts. What is over goes with the next try."""

    def guess(guesser: Database) -> str:
        try:
            sign_in(guesser, EMAIL, "not the password", NOON)
        except (WrongCredentials, TooManyAttempts) as error:
            return type(error).__name__
        return "in"

    with Database(database_dsn) as other, ThreadPoolExecutor(12) as guessers:
        said = Counter(guessers.map(guess, [database, other] * 6))
    assert said == {"WrongCredentials": MOST_IN_WINDOW, "TooManyAttempts": 12 - MOST_IN_WINDOW}
    with database.role("policy") as conn:
        assert take_attempt(conn, "another@example.org", NOON + timedelta(minutes=11)) is None
        rows = conn.execute("select tried_at from policy.sign_in_attempt").fetchall()
    assert rows == [([NOON + timedelta(minutes=11)],)]


def test_who_waits_for_an_address_holds_no_other(database: Database, database_dsn: str) -> None:
    """Else two that sign in at once could wait for each other for ever."""
    waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with database.role("policy") as conn:
        take_attempt(conn, "long.ago@example.org", NOON - timedelta(days=1))

    def try_too(other: Database) -> None:
        with other.role("policy") as conn:
            take_attempt(conn, EMAIL, NOON)

    with Database(database_dsn) as other, ThreadPoolExecutor(1) as threads:
        with database.role("policy") as conn:
            row = (EMAIL.encode(), NOON, NOON)
            conn.execute("insert into policy.sign_in_attempt values (sha256(%s), array[%s], %s)", row)
            second = threads.submit(try_too, other)
            for _ in range(3000):
                with database.role(
                    "owner"
                ) as watcher:  # each look in a transaction of its own: in one it stays the first
                    if watcher.execute(waiting).fetchall():
                        break
                assert not second.done()
                time.sleep(0.01)
            with database.role("owner") as watcher:
                held = watcher.execute("select from policy.sign_in_attempt for update nowait").fetchall()
        second.result()
    assert len(held) == 1


def test_a_policyholder_is_the_person_their_policy_names(database: Database) -> None:
    person = "6f1e36c1-58a0-4b56-9d33-4b4b9c1d2c11"
    with database.role("policy") as conn:
        conn.execute("insert into policy.person values (%s, 'On the policy', %s)", (person, EMAIL))
        add_account(conn, EMAIL, PASSWORD, "policyholder", created_at=NOON)
        add_account(conn, "desk@example.org", PASSWORD, "underwriter", created_at=NOON)
        rows = conn.execute("select role, person_key::text from policy.account order by role").fetchall()
    assert rows == [("policyholder", person), ("underwriter", None)]


def test_refused_accounts(database: Database) -> None:
    with database.role("policy") as conn:
        add_account(conn, EMAIL, PASSWORD, "policyholder", created_at=NOON)
        with pytest.raises(AccountExists):
            add_account(conn, f" {EMAIL.upper()} ", PASSWORD, "policyholder", created_at=NOON)
        with pytest.raises(WeakPassword):
            add_account(conn, "short@example.org", "short", "policyholder", created_at=NOON)
        with pytest.raises(UnknownRole, match="use one of policyholder"):
            add_account(conn, "other@example.org", PASSWORD, "owner", created_at=NOON)
