"""Two people publish a plan, and the database holds them to it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import errors
from typer.testing import CliRunner

from api.accounts import add_account
from cli.main import app
from pricing.errors import BadPlan, PlanVersionTaken
from pricing.plan import RatePlan, parse_plan
from pricing.policies import plan_on, publish_packaged_plan
from pricing.publishing import approve_and_publish, submit
from pricing.publishing_errors import NoBiasTest, NotSubmitted, OwnApproval, WrongBiasTest
from storage.pool import Database
from tests.pricing.rating_books import write_book
from tests.pricing.test_profiles import SHIPPED, text_for

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
PASSWORD = "a long password"


def plan(version: str = "2", fee: str = "1.50", content: str = SHIPPED) -> RatePlan:
    text = content.replace('version = "1"', f'version = "{version}"').replace('fee = "1.50"', f'fee = "{fee}"')
    return parse_plan(text.replace("2019-01-01", "2026-12-01"), "new.toml")


@pytest.fixture
def people(database: Database) -> tuple[UUID, UUID]:
    with database.role("policy") as conn:
        ada = add_account(conn, "ada@insurer.example", PASSWORD, "actuary", created_at=NOW)
        una = add_account(conn, "una@insurer.example", PASSWORD, "actuary", created_at=NOW)
        add_account(conn, "sue@insurer.example", PASSWORD, "support", created_at=NOW)
        add_account(conn, "ben@insurer.example", PASSWORD, "underwriter", created_at=NOW)
    return ada, una


def test_one_submits_another_approves_and_the_plan_prices(database: Database, people: tuple[UUID, UUID]) -> None:
    ada, una = people
    with database.role("policy") as conn:
        submit(conn, plan(), ada, None, NOW)
        held = approve_and_publish(conn, plan(), una, NOW)
        assert (held.author_email, held.approver_email) == ("ada@insurer.example", "una@insurer.example")
        assert plan_on(conn, "wayrate-2026", NOW.date().replace(month=12)).plan_hash == plan().plan_hash


def test_the_author_cannot_approve_even_in_sql(database: Database, people: tuple[UUID, UUID]) -> None:
    ada, _ = people
    with database.role("policy") as conn:
        submit(conn, plan(), ada, None, NOW)
    with pytest.raises(OwnApproval, match="ada@insurer"), database.role("policy") as conn:
        approve_and_publish(conn, plan(), ada, NOW)
    with pytest.raises(errors.CheckViolation, match="second person"), database.role("owner") as conn:
        conn.execute("insert into policy.plan_approval values (%s, %s, now())", (plan().plan_hash, ada))


def test_a_plan_edited_after_it_was_submitted_is_another_plan(database: Database, people: tuple[UUID, UUID]) -> None:
    ada, una = people
    with database.role("policy") as conn:
        submit(conn, plan(), ada, None, NOW)
    with pytest.raises(NotSubmitted, match="is not what was submitted"), database.role("policy") as conn:
        approve_and_publish(conn, plan(fee="1.51"), una, NOW)
    with pytest.raises(NotSubmitted, match="by anybody"), database.role("policy") as conn:
        approve_and_publish(conn, plan(version="3"), una, NOW)
    commented = parse_plan("# read twice\n" + plan().content, "commented.toml")
    with database.role("policy") as conn:
        approve_and_publish(conn, commented, una, NOW)
        row = conn.execute("select content from policy.rate_plan where not ships").fetchone()
    assert row == (plan().content,)  # what the author submitted, not what the approver had beside it


def test_a_version_is_published_once(database: Database, people: tuple[UUID, UUID]) -> None:
    ada, una = people
    with database.role("policy") as conn:
        for one in (plan(), plan(fee="1.51")):
            submit(conn, one, ada, None, NOW)
        approve_and_publish(conn, plan(), una, NOW)
        approve_and_publish(conn, plan(), una, NOW)  # again: nothing changes
    with pytest.raises(PlanVersionTaken), database.role("policy") as conn:
        approve_and_publish(conn, plan(fee="1.51"), una, NOW)


@pytest.mark.parametrize(
    "change",
    [
        "update policy.plan_submission set content = content || ' '",
        "delete from policy.plan_submission",
        "update policy.plan_approval set approver = approver",
        "delete from policy.plan_approval",
        "truncate policy.plan_approval",
        "insert into policy.rate_plan select plan_hash || 'x', name, '9', '2026-12-01', 'EUR', content, now(), false"
        " from policy.plan_submission",
        "insert into policy.rate_plan select plan_hash, name, '9', '2026-12-01', 'EUR', content || ' ', now(), false"
        " from policy.plan_submission",
    ],
)
def test_nothing_of_it_can_be_edited_or_gone_round(database: Database, people: tuple[UUID, UUID], change: str) -> None:
    ada, una = people
    with database.role("policy") as conn:
        submit(conn, plan(), ada, None, NOW)
        conn.execute("insert into policy.plan_approval values (%s, %s, now())", (plan().plan_hash, una))
    with pytest.raises(psycopg.Error, match=r"never edited|not approved"), database.role("owner") as conn:
        conn.execute(change)  # type: ignore[call-overload]


def follows(effective_from: str, jurisdiction: str = "", currency: str = "EUR") -> RatePlan:
    content = text_for(jurisdiction) if jurisdiction else SHIPPED
    text = content.replace('version = "1"', 'version = "2"').replace("2019-01-01", effective_from)
    return parse_plan(text.replace('currency = "EUR"', f'currency = "{currency}"'), "next.toml")


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (
            follows("2026-11-19"),
            "is 2026-11-19, and the versions in the book price the days that have passed: 2026-11-20",
        ),
        (follows("2019-06-01"), "2026-11-20 is the first day"),
        (follows("2027-01-03", "maryland"), "maryland asks that who is to pay more is told 45 days before: 2027-01-04"),
        (follows("2026-11-20", currency="USD"), "currency: is USD, and the versions in the book charge EUR"),
    ],
)
def test_a_further_version_begins_in_time_and_in_the_same_currency(
    database: Database, people: tuple[UUID, UUID], found: RatePlan, problem: str
) -> None:
    ada, una = people
    with database.role("policy") as conn:
        submit(conn, found, ada, None, NOW)  # a first version may be of the past
        publish_packaged_plan(conn, NOW)
    for attempt in (
        lambda conn: submit(conn, found, ada, None, NOW),
        lambda conn: approve_and_publish(conn, found, una, NOW),
    ):
        with pytest.raises(BadPlan, match=problem), database.role("policy") as conn:
            attempt(conn)


@pytest.mark.parametrize("found", [follows("2026-11-20"), follows("2027-01-04", "maryland")])
def test_a_further_version_in_time_is_published(database: Database, people: tuple[UUID, UUID], found: RatePlan) -> None:
    ada, una = people
    with database.role("policy") as conn:
        publish_packaged_plan(conn, NOW)
        submit(conn, found, ada, None, NOW)
        approve_and_publish(conn, found, una, NOW)
        later = NOW.replace(year=2027)
        approve_and_publish(conn, found, una, later)  # again, and much later: nothing changes


def test_colorado_publishes_with_a_bias_test_of_this_very_plan(
    database: Database, people: tuple[UUID, UUID], tmp_path: Path
) -> None:
    ada, una = people
    governed = plan(content=text_for("colorado"))
    with pytest.raises(NoBiasTest, match="colorado"), database.role("policy") as conn:
        submit(conn, governed, ada, None, NOW)
    with pytest.raises(WrongBiasTest), database.role("policy") as conn:
        submit(conn, governed, ada, {"plan": {"hash": plan().plan_hash}}, NOW)
    with database.role("policy") as conn:
        submit(conn, governed, ada, {"plan": {"hash": governed.plan_hash}}, NOW)
        assert approve_and_publish(conn, governed, una, NOW).has_bias_test


def test_the_commands(
    database: Database, people: tuple[UUID, UUID], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYRATE_DSN", database.dsn)
    monkeypatch.setenv("WAYRATE_PASSWORD", PASSWORD)
    path = tmp_path / "new.toml"
    path.write_text(plan().content)

    def run(*words: object) -> tuple[str, str]:
        answer = CliRunner().invoke(app, ["plan", *map(str, words)])
        return answer.stdout, str(answer.exception or "")

    assert "sign in as support" in run("submit", path, "--as", "sue@insurer.example")[1].replace("signs", "sign")
    assert "cannot be read" in run("submit", path, "--as", "ada@insurer.example", "--model", path)[1]
    assert run("submissions")[0] == "", "a plan with a file that is no model is not submitted"
    assert run("submit", path, "--as", "ada@insurer.example") == (plan().plan_hash + "\n", "")
    assert "  waits" in run("submissions")[0]
    assert "another person" in run("publish", path, "--as", "ada@insurer.example")[1]
    assert "underwriter" in run("publish", path, "--as", "ben@insurer.example")[1]
    assert run("publish", path, "--as", "una@insurer.example") == (plan().plan_hash + "\n", "")
    assert "approved by una@insurer.example" in run("submissions")[0]
    monkeypatch.setenv("WAYRATE_PASSWORD", "a wrong password")
    assert run("publish", path, "--as", "una@insurer.example")[1]
    write_book(tmp_path / "book.parquet", plan(), 200)
    assert "no such column" in run("audit", path, tmp_path / "book.parquet")[1]
    said = json.loads(run("audit", path, tmp_path / "book.parquet", "--group", "territory", "--json")[0])
    assert said["plan"]["hash"] == plan().plan_hash
