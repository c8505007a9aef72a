"""Worth and litmus test on the card: out of what is kept and finished, and what is not known is said until then."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from psycopg.types.json import Jsonb

from api.accounts import add_account
from api.app import create_api
from portfolio.board import plan_experiment, take_step
from portfolio.consent_store import purposes
from portfolio.experiment_store import insert_outcomes
from portfolio.experiments import Plan, is_treated
from portfolio.lapse import LapseModel
from portfolio.planning_store import keep_result
from tests.api.conftest import copied, sign_in
from tests.api.world import ANNA, NOW, PASSWORD, POLICY_OF, World

SUPPORT = "phone@example.org"
CARD = f"/api/v1/customers/{POLICY_OF[ANNA]}"
SEGMENTS = {
    "segments": [
        {
            "name": "under 6,000 km a year",
            "bounds": {"declared_km_per_year": [None, 6000.0]},
            "credible_loss_ratio": 0.9,
            "credibility": 0.5,
            "loss_ratio": {"value": 0.9, "low": 0.7, "high": 1.1},
        },
        {
            "name": "6,000 km a year or more",
            "bounds": {"declared_km_per_year": [6000.0, None]},
            "credible_loss_ratio": 0.6,
            "credibility": 0.8,
            "loss_ratio": {"value": 0.6, "low": 0.5, "high": 0.7},
        },
    ]
}
MODEL = LapseModel(("intercept", "bad_service"), np.array([-2.0, 0.9]), np.diag([0.01, 0.02]), 3000, 0.04)


@pytest.fixture
def own(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as own:
        with own.database.role("policy") as conn:
            add_account(conn, SUPPORT, PASSWORD, "support", created_at=NOW)
        yield own


@pytest.fixture
def client(own: World) -> Iterator[TestClient]:
    with TestClient(create_api(own.database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def keep(own: World) -> None:
    with own.database.role("policy") as conn:
        keep_result(conn, "segments", SEGMENTS, NOW)
        keep_result(conn, "leaving", MODEL.as_json(), NOW)


def finish(own: World, effect: float) -> None:
    """An experiment of calls with 4,000 people, of whom those called stay more often by `effect`."""
    plan, by = Plan("calls", "Calls keep.", "stays", 0.5, 4000, 0.01, measured_by="stays", action="call"), uuid4()
    rng = np.random.default_rng(1)
    people = [UUID(bytes=rng.bytes(16)) for _ in range(4000)]
    words = purposes()["research"].text_hash
    with own.database.role("policy") as conn:
        cur = conn.cursor()
        cur.executemany("insert into policy.person values (%s, 'Somebody', null)", [(one,) for one in people])
        cur.executemany(
            "insert into policy.consent (person_key, purpose, granted, version, text_hash, said_at, said_by)"
            " values (%s, 'research', true, 2, %s, now(), %s)",
            [(one, words, one) for one in people],
        )
        plan_experiment(conn, plan, None, by=by, as_of=NOW)
        take_step(conn, "calls", "build", "Made.", by=by, as_of=NOW)
        treated = np.array([is_treated(plan, one) for one in people])
        stays = (rng.random(4000) < np.where(treated, 0.7 + effect, 0.7)).astype(float).tolist()
        insert_outcomes(conn, "calls", [(one, stay, None) for one, stay in zip(people, stays, strict=True)], NOW)
        take_step(conn, "calls", "execute", "Done.", by=by, as_of=NOW)
        verdict = take_step(conn, "calls", "assess", "Calls keep.", by=by, as_of=NOW)
    assert verdict is not None
    assert verdict.verdict == "better"


def agree(client: TestClient, purpose: str, granted: bool = True) -> None:
    sign_in(client, ANNA)
    said = {"granted": granted, "text_hash": purposes()[purpose].text_hash}
    assert client.put(f"/api/v1/consents/{purpose}", json=said).status_code == 200
    sign_in(client, SUPPORT)


def test_what_is_not_known_is_said_until_it_is(client: TestClient, own: World) -> None:
    sign_in(client, SUPPORT)
    before = client.get(CARD).json()
    assert (before["segment"], before["value"], before["litmus"]) == (None, None, None)
    unknown = " ".join(before["not_known"])
    for words in ("no segments are kept", "no model of leaving is kept", "no finished experiment"):
        assert words in unknown
    keep(own)
    after = client.get(CARD).json()
    assert after["segment"] == "6,000 km a year or more"  # she declared 9,000
    assert after["value"]["low"] < after["value"]["mean"] < after["value"]["high"]
    assert "no finished experiment" in " ".join(after["not_known"])
    assert after["litmus"] is None
    logged = {"channel": "call", "kind": "complaint"}
    path = f"/api/v1/policies/{POLICY_OF[ANNA]}/touchpoints"
    client.post(path, json=logged, headers={"Idempotency-Key": uuid4().hex})
    worse = client.get(CARD).json()["value"]["mean"]
    assert worse < after["value"]["mean"]  # bad service, and what it cost to serve


def test_a_finished_experiment_makes_the_next_step_where_it_pays_and_may_be(client: TestClient, own: World) -> None:
    keep(own)
    finish(own, 0.12)
    sign_in(client, SUPPORT)
    card = client.get(CARD).json()
    assert card["litmus"]["action"] == "call"
    assert card["litmus"]["gain"] == pytest.approx(float(card["litmus"]["why"].split(": ")[-1].split(" ")[0]), abs=0.01)
    assert card["next_step"]["name"] == "nothing"  # she has not agreed to be called
    agree(client, "contact")
    step = client.get(CARD).json()["next_step"]
    assert step["name"] == "litmus"
    assert "experiment calls" in step["why"]
    page = client.get(f"/customers/{POLICY_OF[ANNA]}").text
    assert "expected over 6 years" in page
    agree(client, "contact", granted=False)
    assert client.get(CARD).json()["next_step"]["name"] == "nothing"
    agree(client, "contact")
    client.post(f"{CARD}/care", json={"needs_care": True, "reason": "asked"})
    assert client.get(CARD).json()["next_step"]["name"] == "nothing"


def test_who_brings_little_is_left_to_the_segments_treatment(client: TestClient, own: World) -> None:
    keep(own)
    finish(own, 0.12)
    with own.database.role("policy") as conn:
        conn.execute("update policy.book_month set premium = premium / 20 where premium is not null")
        conn.execute("update policy.policy set factors = factors || %s", (Jsonb({"territory": "rural"}),))
    sign_in(client, SUPPORT)
    agree(client, "contact")
    card = client.get(CARD).json()
    assert card["litmus"]["action"] is None
    assert card["litmus"]["why"].startswith("No contact pays")
    assert card["next_step"]["name"] == "nothing"
