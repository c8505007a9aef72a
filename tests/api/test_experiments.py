"""The experiment board over HTTP: a plan is fixed, steps come in order, lots decide, the verdict is automatic."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from portfolio.board import keep_outcomes, plan_experiment, read_board, take_step
from portfolio.consent_store import purposes
from portfolio.errors import BadExperiment, StepOutOfOrder
from portfolio.experiments import Plan, is_treated
from storage.pool import Database
from tests.api.conftest import copied, sign_in
from tests.api.world import ANNA, BEN, NOW, PASSWORD, POLICY_OF, World

ACTUARY, SUPPORT = "count@example.org", "phone@example.org"
BOARD = "/api/v1/experiments"
PLAN = {
    "template": "coaching", "hypothesis": "Coaching keeps customers.", "measure": "stays",
    "treated_share": 0.5, "horizon": 2000, "least_effect": 0.02,
}  # fmt: skip


@pytest.fixture
def own_world(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as own:
        with own.database.role("policy") as conn:
            add_account(conn, ACTUARY, PASSWORD, "actuary", created_at=NOW)
            add_account(conn, SUPPORT, PASSWORD, "support", created_at=NOW)
        yield own


@pytest.fixture
def client(own_world: World) -> Iterator[TestClient]:
    with TestClient(create_api(own_world.database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def agree(client: TestClient, email: str, *purposes: str, granted: bool = True) -> None:
    sign_in(client, email)
    words = {one["purpose"]: one["text_hash"] for one in client.get("/api/v1/consents").json()}
    for purpose in purposes:
        said = {"granted": granted, "text_hash": words[purpose]}
        assert client.put(f"/api/v1/consents/{purpose}", json=said).status_code == 200


def step(client: TestClient, name: str, words: str = "Done.") -> int:
    return client.post("/api/v1/experiments/coaching-autumn/steps", json={"step": name, "words": words}).status_code


def test_a_cycle_runs_in_order_once_and_its_plan_stays(client: TestClient) -> None:
    agree(client, ANNA, "research")
    sign_in(client, ACTUARY)
    assert "/experiments" in client.get("/").text  # one of the links of the head
    assert client.post(f"{BOARD}/coaching-autumn", json=PLAN).status_code == 201
    assert client.post(f"{BOARD}/coaching-autumn", json=PLAN | {"treated_share": 0.9}).status_code == 409
    assert step(client, "assess") == 409
    outcome = [{"policy": POLICY_OF[ANNA], "outcome": 1}]
    path = "/api/v1/experiments/coaching-autumn/outcomes"
    assert client.post(path, json=outcome).status_code == 409  # nothing is built
    assert step(client, "build") == 200
    assert step(client, "build") == 409
    assert client.post(path, json=outcome).json() == {"kept": 1}
    assert client.post(path, json=outcome).json() == {"kept": 0}  # the first stands
    assert step(client, "execute") == 200
    assert step(client, "assess", "Too few to say.") == 200
    assert client.post(path, json=outcome).status_code == 409
    (card,) = client.get("/api/v1/experiments").json()["experiments"]
    assert (card["stands_at"], card["now"]["verdict"], card["taught"]) == ("assess", "undecided", "Too few to say.")
    assert client.get("/api/v1/experiments").json()["cycles_by_quarter"] == {"2026-Q4": 1}
    page = client.get("/experiments").text
    assert "Too few to say." in page
    assert "Nothing matches" in client.get("/experiments?step=build").text
    assert "Nothing matches" in client.get("/experiments?verdict=better&sort=-effect").text
    (row,) = csv.DictReader(io.StringIO(client.get("/experiments.csv?find=coaching&sort=-customers").text))
    assert (row["experiment"], row["step"], row["verdict"]) == ("coaching-autumn", "assess", "undecided")
    assert client.post("/api/v1/experiments/none/steps", json={"step": "build", "words": ""}).status_code == 404


def test_a_plan_is_made_by_a_form_and_its_contact_stands_on_the_card_of_who_was_drawn(client: TestClient) -> None:
    sign_in(client, ACTUARY)
    page = client.get("/experiments").text
    token = page.split('name="form_token" value="')[1].split('"')[0]
    form = {  # almost everybody is drawn: she is, whatever her random key
        "hypothesis": "Calls keep.", "measured_by": "stays", "action": "call", "horizon": "4000",
        "treated_percent": "99.9999", "least_effect_points": "2", "guard_points": "1.5", "form_token": token,
    }  # fmt: skip
    assert client.post("/experiments", data=form | {"name": "calls"}, follow_redirects=False).status_code == 303
    assert client.post("/experiments", data=form | {"name": "calls"}).status_code == 409
    assert client.post("/experiments", data=form | {"name": "With Space"}).status_code == 422
    assert client.post("/experiments", data=form | {"name": "b", "form_token": "x"}).status_code == 403
    (card,) = client.get(BOARD).json()["experiments"]
    plan = card["plan"]
    assert (plan["treated_share"], plan["least_effect"], plan["guard_below"]) == (0.999999, 0.02, 0.015)
    assert plan["measure"].startswith("stays at the next renewal")
    assert "outcomes come by themselves" in client.get("/experiments").text
    client.post(f"{BOARD}/calls/steps", json={"step": "build", "words": "Made."})
    path = f"/api/v1/customers/{POLICY_OF[ANNA]}"
    sign_in(client, SUPPORT)
    assert client.get(path).json()["next_step"]["name"] == "nothing"
    agree(client, ANNA, "research", "contact")
    sign_in(client, SUPPORT)
    step = client.get(path).json()["next_step"]  # her policy ends on 1 January
    assert (step["name"], "calls" in step["why"]) == ("experiment", True)
    logged = {"channel": "call", "kind": "help", "outbound": True}
    touched = f"/api/v1/policies/{POLICY_OF[ANNA]}/touchpoints"
    assert client.post(touched, json=logged, headers={"Idempotency-Key": uuid4().hex}).status_code == 201
    assert client.get(path).json()["next_step"]["name"] == "nothing"


@pytest.mark.parametrize(
    "wrong",
    [
        {"treated_share": 0}, {"treated_share": 1}, {"treated_share": "NaN"}, {"horizon": 10}, {"level": 0.5},
        {"least_effect": 0}, {"hypothesis": " "}, {"more": 1},
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(client: TestClient, wrong: dict[str, object]) -> None:
    sign_in(client, ACTUARY)
    assert client.post(f"{BOARD}/a", json=PLAN | wrong).status_code == 422
    assert client.post(f"{BOARD}/With%20Space", json=PLAN).status_code == 422
    assert client.post(f"{BOARD}/%00/steps", json={"step": "build", "words": ""}).status_code == 404
    assert client.get(BOARD).json()["experiments"] == []


def test_who_is_held_out_does_not_get_the_offer(client: TestClient, own_world: World) -> None:
    with own_world.database.role("policy") as conn:
        rows = conn.execute("select email, person_key from policy.person").fetchall()
    person = {str(email): UUID(str(key)) for email, key in rows}
    number = next(
        number
        for number in range(200)
        if is_treated(plan_of(f"try-{number}"), person[ANNA]) and not is_treated(plan_of(f"try-{number}"), person[BEN])
    )
    sign_in(client, ACTUARY)
    assert client.post(f"{BOARD}/try-{number}", json=PLAN).status_code == 201
    steps = f"/api/v1/experiments/try-{number}/steps"
    assert client.post(steps, json={"step": "build", "words": "Made."}).status_code == 200
    for email in (ANNA, BEN):
        agree(client, email, "coaching", "research")
    sign_in(client, SUPPORT)
    answers = {
        email: client.post(
            f"/api/v1/customers/{POLICY_OF[email]}/offers",
            json={"template": "coaching"},
            headers={"Idempotency-Key": uuid4().hex},
        )
        for email in (ANNA, BEN)
    }
    assert answers[ANNA].status_code == 201
    assert answers[BEN].status_code == 422
    assert "holds them out" in answers[BEN].json()["detail"]
    agree(client, BEN, "research", granted=False)  # and so they are in no experiment
    sign_in(client, SUPPORT)
    shown = client.get(f"/api/v1/customers/{POLICY_OF[BEN]}/offers", params={"template": "coaching"}).json()
    assert shown["allowed"]


def test_who_withdraws_from_research_is_out_of_the_next_look(client: TestClient) -> None:
    agree(client, ANNA, "research")
    agree(client, BEN, "research")
    sign_in(client, ACTUARY)
    client.post(f"{BOARD}/coaching-autumn", json=PLAN)
    assert step(client, "build") == 200
    path = f"{BOARD}/coaching-autumn/outcomes"
    both = [{"policy": POLICY_OF[ANNA], "outcome": 1}, {"policy": POLICY_OF[BEN], "outcome": 0}]
    assert client.post(path, json=both).json() == {"kept": 2}
    assert client.get(BOARD).json()["experiments"][0]["now"]["customers"] == 2
    agree(client, BEN, "research", granted=False)
    sign_in(client, ACTUARY)
    assert client.get(BOARD).json()["experiments"][0]["now"]["customers"] == 1


def plan_of(name: str) -> Plan:
    return Plan(name, "h", "m", 0.5, 2000, 0.02)


def test_a_real_difference_is_called_by_the_lots_alone(database: Database) -> None:
    rng = np.random.default_rng(5)
    people = [UUID(bytes=rng.bytes(16)) for _ in range(3000)]
    plan, by = plan_of("stays"), uuid4()
    with database.role("policy") as conn:
        conn.cursor().executemany("insert into policy.person values (%s, 'Somebody', null)", [(one,) for one in people])
        words = purposes()["research"].text_hash
        conn.cursor().executemany(
            "insert into policy.consent (person_key, purpose, granted, version, text_hash, said_at, said_by)"
            " values (%s, 'research', true, 2, %s, now(), %s)",
            [(one, words, one) for one in people],
        )
        plan_experiment(conn, plan, None, by=by, as_of=NOW)
        take_step(conn, "stays", "build", "Made.", by=by, as_of=NOW + timedelta(days=2))
        treated = np.array([is_treated(plan, one) for one in people])
        stays = (rng.random(3000) < np.where(treated, 0.9, 0.8)).astype(float).tolist()
        rows = [(person, outcome, None) for person, outcome in zip(people, stays, strict=True)]
        assert keep_outcomes(conn, "stays", rows, NOW) == 3000
        with pytest.raises(BadExperiment, match="outcome"):
            keep_outcomes(conn, "stays", [(people[0], float("nan"), None)], NOW)
        take_step(conn, "stays", "execute", "Ran.", by=by, as_of=NOW + timedelta(days=32))
        verdict = take_step(conn, "stays", "assess", "It keeps.", by=by, as_of=NOW + timedelta(days=33))
        assert verdict is not None
        assert verdict.verdict == "better"
        assert verdict.low < 0.1 < verdict.high
        with pytest.raises(StepOutOfOrder):
            take_step(conn, "stays", "assess", "Again.", by=by, as_of=NOW)
        board = read_board(conn, NOW + timedelta(days=40))
    assert board.median_days == {"build": 2.0, "execute": 30.0, "assess": 1.0}
