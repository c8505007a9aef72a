"""Whom to contact: the list's answer is the card's, every reason not to holds, and who withdraws is off it at once."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.accounts import add_account
from api.app import create_api
from api.customer_card import open_card
from cli.contacts_table import write_contacts
from cli.main import app
from portfolio.board import plan_experiment, take_step
from portfolio.circumstance_store import say_care
from portfolio.contacts import (
    ALONE,
    BUDGET_SPENT,
    DOES_NOT_PAY,
    FAR,
    IN_EXPERIMENT,
    MET,
    NOT_AGREED,
    NOT_KNOWN,
    WHY_NOT,
    answers_for,
    keep_contacts,
    list_contacts,
)
from portfolio.experiment_store import insert_experiment, insert_step
from portfolio.experiments import Assessment, Plan, Verdict, is_treated
from portfolio.lapse import LapseModel
from portfolio.offer_store import insert_answer, insert_offer
from portfolio.planning_store import keep_result
from portfolio.standing_store import fetch_near
from portfolio.touchpoint_store import Meeting, log_touchpoint
from storage.pool import Conn, Database
from tests.api.conftest import sign_in
from tests.api.world import PASSWORD
from tests.portfolio.people import add_people, agree, key

NOW = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
SUPPORT, ACTUARY = "phone@example.org", "rates@example.org"
SEGMENTS = {
    "segments": [
        {"name": "everybody", "bounds": {}, "credible_loss_ratio": 0.6, "credibility": 0.8,
         "loss_ratio": {"value": 0.6, "low": 0.5, "high": 0.7}},
    ]
}  # fmt: skip
MODEL = LapseModel(("intercept", "bad_service"), np.array([-2.0, 0.9]), np.diag([0.01, 0.02]), 3000, 0.04)
BY = uuid4()
NEAR, FAR_OFF = date(2027, 1, 1), date(2027, 8, 1)
PEOPLE = 24


def finished(conn: Conn, action: str, effect: float, verdict: Verdict = "better") -> None:
    plan = Plan(
        f"{action.replace('_', '-')}s", "It keeps.", "stays", 0.5, 4000, 0.01, measured_by="stays", action=action
    )
    insert_experiment(conn, plan, None, BY, NOW - timedelta(days=300))
    found = Assessment(4000, 2000, effect, effect - 0.02, effect + 0.02, None, verdict)
    for days, step in enumerate(("plan", "build", "execute", "assess")):
        at = NOW - timedelta(days=300 - days)
        insert_step(conn, plan.name, step, "Done.", by=BY, as_of=at, verdict=found if step == "assess" else None)


def premium(conn: Conn, numbers: Sequence[int], a_month: float) -> None:
    for number in numbers:
        conn.cursor().executemany(
            "insert into policy.book_month (policy_key, period, days, trips, driven_m, charged_m, relabelled_m, gap_m,"
            " cells_m, expected_claims, premium, adjusted, tax, currency)"
            " values (%s, %s, 30, 0, 0, 0, 0, 0, '{0}', 0, %s, 0, 0, 'EUR')",
            [(key(number, 2), f"2026-{month:02}", a_month) for month in range(1, 11)],
        )


def met(conn: Conn, number: int, days_ago: int, kind: str, *, outbound: bool = True) -> None:
    meeting = Meeting("call", kind, outbound=outbound)
    at = NOW - timedelta(days=days_ago)
    log_touchpoint(conn, key(number), None, meeting, made_by=BY, key=uuid4().hex, as_of=at)


def refused(conn: Conn, number: int, template: str) -> None:
    at = NOW - timedelta(days=60)
    offer = insert_offer(conn, key(number), key(number, 2), template, "Words.", reveals=[], made_by=BY, key=uuid4().hex,
                         as_of=at)  # fmt: skip
    assert offer is not None
    insert_answer(conn, key(number), offer.offer_id, False, at + timedelta(days=1))


@pytest.fixture
def book(database: Database) -> Database:
    """Number by number: 0 to 9 may be called; then each reason not to; 19 brings little; 20 has nothing posted."""
    with database.role("policy") as conn:
        add_people(conn, PEOPLE, ends_on=NEAR)
        agree(conn, [one for one in range(PEOPLE) if one != 11], "contact")
        keep_result(conn, "segments", SEGMENTS, NOW)
        keep_result(conn, "leaving", MODEL.as_json(), NOW)
        finished(conn, "call", 0.06)
        finished(conn, "coaching", 0.05)
        premium(conn, [one for one in range(PEOPLE) if one not in (19, 20)], 60.0)
        premium(conn, [19], 2.0)
        conn.execute("update policy.policy set ends_on = %s where policy_id = 'P-10'", (FAR_OFF,))
        conn.execute("insert into policy.claim (claim_id, policy_key, cover, occurred_on, reported_at)"
                     " values ('C-1', %s, 'liability', '2026-11-01', now())", (key(12, 2),))  # fmt: skip
        met(conn, 13, 3, "complaint", outbound=False)
        say_care(conn, key(14), True, "money", said_by=BY, as_of=NOW)
        met(conn, 15, 3, "help")
        met(conn, 15, 2, "help")  # twice in thirty days
        met(conn, 16, 20, "question")  # once, since the renewal came near
        refused(conn, 17, "coaching")
        met(conn, 18, 3, "visit", outbound=False)
    return database


def why(conn: Conn, number: int) -> str | None:
    return list_contacts(conn, NOW).why_each.get(f"P-{number}")


def test_the_list_says_of_each_what_their_card_says(book: Database) -> None:
    with book.role("policy") as conn:
        near = fetch_near(conn, NOW, 60)
        answers = answers_for(conn, near, NOW)
        listed = {one.near.policy_id: one for one in list_contacts(conn, NOW).contacts}
    assert len(near) == PEOPLE - 1
    for row, one in enumerate(near):
        card = open_card(book, one.policy_id, NOW)
        assert card.judged.litmus == answers.judged.answer(row)
        assert card.judged.worth == answers.judged.worth_at(row)
        is_listed = one.policy_id in listed
        assert (card.judged.to_make is not None) == is_listed
        if is_listed:
            assert card.judged.litmus is not None
            assert card.judged.litmus.gain == listed[one.policy_id].gain
            assert card.step.name == "litmus"
            assert card.step.why == f"{listed[one.policy_id].why}."


def test_every_reason_not_to_go_to_somebody_holds(book: Database) -> None:
    with book.role("policy") as conn:
        found = list_contacts(conn, NOW)
        reasons = {number: why(conn, number) for number in (11, 12, 13, 14, 15, 16, 19, 20)}
        listed = {one.near.policy_id: one.action for one in found.contacts}
    assert reasons == {11: NOT_AGREED, 12: ALONE, 13: ALONE, 14: ALONE, 15: ALONE, 16: MET, 19: DOES_NOT_PAY,
                       20: NOT_KNOWN}  # fmt: skip
    assert found.why_not[FAR] == 1
    assert found.customers == PEOPLE
    assert sum(found.why_not.values()) + len(found.contacts) == PEOPLE
    assert list(found.why_not) == list(WHY_NOT)
    assert listed["P-0"] == "call"
    assert listed["P-17"] == "call"
    gains = [one.gain for one in found.contacts]
    assert gains == sorted(gains, key=lambda gain: -(gain or 0.0))


def test_a_budget_goes_to_who_gains_most_and_experiments_come_first(book: Database) -> None:
    with book.role("policy") as conn:
        conn.execute("update policy.book_month set premium = 3 * premium where policy_key = any(%s)",
                     ([key(0, 2), key(1, 2)],))  # fmt: skip
        two = list_contacts(conn, NOW, most=2)
        assert {one.near.policy_id for one in two.contacts} == {"P-0", "P-1"}
        assert two.why_each["P-5"] == BUDGET_SPENT
        by_minutes = list_contacts(conn, NOW, minutes=17.0)
        assert by_minutes.sums()["minutes"] <= 17.0
        assert list_contacts(conn, NOW, most=0).contacts == ()
        plan = Plan("letters", "Letters keep.", "stays", 0.5, 4000, 0.01, measured_by="stays", action="letter")
        plan_experiment(conn, plan, None, by=BY, as_of=NOW - timedelta(days=9))
        take_step(conn, plan.name, "build", "Made.", by=BY, as_of=NOW - timedelta(days=8))
        agree(conn, range(10), "research")
        treated = {f"P-{number}" for number in range(10) if is_treated(plan, key(number))}
        held = {f"P-{number}" for number in range(10)} - treated
        assert treated
        assert held
        found = list_contacts(conn, NOW)
        owed = [one for one in found.contacts if one.experiment == "letters"]
        assert {one.near.policy_id for one in owed} == treated
        assert [one.action for one in owed] == ["letter"] * len(treated)
        assert found.contacts[: len(owed)] == tuple(owed)
        assert {found.why_each[one] for one in held} == {IN_EXPERIMENT}  # nothing else either: it would count for none
        narrow = list_contacts(conn, NOW, most=1)
        assert [one.experiment for one in narrow.contacts] == ["letters"]
        agree(conn, range(10), "research", granted=False)  # in no experiment any more
        assert {one.experiment for one in list_contacts(conn, NOW).contacts} == {None}
        agree(conn, range(10), "research")
        take_step(conn, plan.name, "execute", "Done.", by=BY, as_of=NOW)
        assert {found.why_each[one] for one in held} == {IN_EXPERIMENT}
        assert {why(conn, int(one[2:])) for one in treated | held} == {IN_EXPERIMENT}


def test_an_answer_to_an_offer_counts_in_the_next_decision(book: Database) -> None:
    """Coaching alone would pay: who refused it is not asked again, who let a personal offer pass gets none."""
    with book.role("policy") as conn:
        finished(conn, "letter", 0.0, "no difference that matters")
        plan = Plan("calls-2", "It keeps.", "stays", 0.5, 4000, 0.01, measured_by="stays", action="call")
        insert_experiment(conn, plan, None, BY, NOW - timedelta(days=30))
        none = Assessment(4000, 2000, -0.05, -0.07, -0.03, None, "worse")
        for days, step in enumerate(("plan", "build", "execute", "assess")):
            at = NOW - timedelta(days=30 - days)
            insert_step(conn, plan.name, step, "Done.", by=BY, as_of=at, verdict=none if step == "assess" else None)
        listed = {one.near.policy_id: one.action for one in list_contacts(conn, NOW).contacts}
        assert listed["P-0"] == "coaching"
        assert "P-17" not in listed
        assert why(conn, 17) == DOES_NOT_PAY
        refused(conn, 0, "coaching")
        assert why(conn, 0) == DOES_NOT_PAY  # from the next decision on
        insert_offer(conn, key(1), key(1, 2), "coaching", "Words.", reveals=[], made_by=BY, key="silent",
                     as_of=NOW - timedelta(days=40))  # fmt: skip
        assert why(conn, 1) == DOES_NOT_PAY  # silence is an answer


@pytest.fixture
def client(book: Database) -> Iterator[TestClient]:
    with book.role("policy") as conn:
        for email, role in ((SUPPORT, "support"), (ACTUARY, "actuary")):
            add_account(conn, email, PASSWORD, role, created_at=NOW)
        keep_contacts(conn, list_contacts(conn, NOW), NOW)
    with TestClient(create_api(book, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def test_the_page_shows_who_may_still_be_gone_to(client: TestClient, book: Database) -> None:
    sign_in(client, SUPPORT)
    on_it = [one["policy"] for one in client.get("/api/v1/contacts").json()]
    assert "P-0" in on_it
    assert "Person 0" in client.get("/contacts").text
    rows = list(csv.DictReader(io.StringIO(client.get("/contacts.csv").text)))
    assert [row["policy"] for row in rows] == on_it
    with book.role("policy") as conn:
        agree(conn, [0], "contact", granted=False)
        say_care(conn, key(1), True, "asked", said_by=BY, as_of=NOW)
        log_touchpoint(conn, key(2), None, Meeting("call", "help", outbound=True), made_by=BY, key="done-2",
                       as_of=NOW + timedelta(hours=1))  # fmt: skip
        conn.execute("update policy.policy set ends_on = '2028-01-01' where policy_id = 'P-3'")
    after = {one["policy"]: one["is_done"] for one in client.get("/api/v1/contacts").json()}
    assert "P-0" not in after  # at once
    assert "P-1" not in after
    assert "P-3" not in after
    assert after["P-2"] is True
    assert ">Person 2<" not in client.get("/contacts").text
    sign_in(client, ACTUARY)
    page = client.get("/contacts").text
    assert "Person" not in page
    assert client.get("/contacts.csv").status_code == 403
    sums = client.get("/api/v1/contact-sums").json()
    assert sums["contacts"] == len(on_it)
    assert "P-" not in json.dumps(sums)


def test_the_file_has_a_reason_for_everybody_near(book: Database, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("list") / "contacts.csv"
    with book.role("policy") as conn:
        found = list_contacts(conn, NOW)
    write_contacts(found, path)
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert len(rows) == PEOPLE - 1
    assert {row["policy"]: row["why"] for row in rows}["P-16"] == MET


def test_a_budget_counts_one_thing() -> None:
    answer = CliRunner().invoke(app, ["portfolio", "contacts", "--most", "3", "--minutes", "9"])
    assert answer.exit_code == 2
    assert "not both" in " ".join(answer.output.replace("│", " ").split())


def test_the_card_says_which_claims_keep_them_alone_and_what_to_do(client: TestClient, book: Database) -> None:
    sign_in(client, SUPPORT)
    page = client.get("/customers/P-12").text
    assert "until every claim is settled here: C-1" in page
    assert "wayrate policy assess" in page
    with book.role("policy") as conn:
        conn.execute("insert into policy.claim_assessment (claim_id, incurred, settled, known_at)"
                     " values ('C-1', 900, true, now())")  # fmt: skip
    assert "until every claim is settled" not in client.get("/customers/P-12").text
    assert client.get("/api/v1/customers/P-12").json()["left_alone"] == []


def test_the_list_is_read_in_german(client: TestClient) -> None:
    sign_in(client, SUPPORT)
    page = client.get("/contacts", headers={"Accept-Language": "de"}).text
    assert "Wen ansprechen" in page
    assert "Call hält im Mittel" in page or "Anruf hält im Mittel" in page
    assert "Nicht einverstanden, angesprochen zu werden" in page
    assert "Keine Verlängerung binnen 60 Tagen" in page
    assert page.index("Keine Verlängerung") < page.index("Nicht einverstanden") < page.index("Kein Kontakt lohnt")
