"""What people do through the pages is in the audit log, in one whole chain, without a name."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from storage.audit import check_chain, entries
from tests.api.conftest import copied, sign_in
from tests.api.world import ANNA, BEN, DESK, NOW, PASSWORD, POLICY_OF, World

ADMIN = "admin@example.org"


@pytest.fixture
def own_world(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as own:
        with own.database.role("policy") as conn:
            add_account(conn, ADMIN, PASSWORD, "admin", created_at=NOW)
        yield own


@pytest.fixture
def client(own_world: World) -> Iterator[TestClient]:
    with TestClient(create_api(own_world.database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def test_looks_and_decisions_are_noted_in_one_chain_without_a_name(client: TestClient, own_world: World) -> None:
    sign_in(client, ANNA)
    trip = client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips").json()[0]["trip_id"]
    raised = client.post(
        f"/api/v1/trips/{trip}/contests",
        json={"reason": "bad_data", "words": "A tunnel."},
        headers={"Idempotency-Key": "a-fresh-key"},
    ).json()["contest_id"]
    sign_in(client, DESK)
    assert client.get(f"/book/{POLICY_OF[ANNA]}").status_code == 200
    assert client.get(f"/book/{POLICY_OF[BEN]}/statements/2026-10").status_code == 200
    assert client.get(f"/api/v1/contest-queue/{raised}").status_code == 200
    decision = {"upheld": False, "words": "As measured."}
    assert client.post(f"/api/v1/contest-queue/{raised}/decision", json=decision,
                       headers={"Idempotency-Key": "another-key"}).status_code == 200  # fmt: skip
    with own_world.database.role("policy") as conn:
        rows = list(entries(conn))
        head, broken = check_chain(rows)
    assert (head.sequence, broken) == (len(rows), None)
    assert [one.action for one in rows if one.role == "underwriter"][-4:] == [  # others have looked before
        "policy_read", "policy_read", "evidence_opened", "contest_decided",
    ]  # fmt: skip
    assert {"policy_bind"} <= {one.action for one in rows}
    assert rows[-1].object == raised
    text = repr(rows)
    for word in ("Anna", "anna@", "Ben", "desk@", "tunnel", "measured", POLICY_OF[ANNA]):
        assert word not in text


def test_each_person_sees_what_others_did_with_theirs_and_admins_see_all(client: TestClient) -> None:
    sign_in(client, DESK)
    client.get(f"/book/{POLICY_OF[ANNA]}")
    assert client.get("/api/v1/access-log").status_code == 403
    sign_in(client, ANNA)
    assert client.get("/api/v1/access-log").json()[0]["action"] == "policy_read"
    assert client.get("/api/v1/audit").status_code == 403
    sign_in(client, BEN)
    assert "policy_read" not in client.get("/api/v1/access-log").text
    sign_in(client, ADMIN)
    newest = client.get("/api/v1/audit", params={"limit": 1})
    first = newest.json()
    assert first[0]["action"] == "policy_read"
    before = client.get(newest.links["next"]["url"].replace("limit=1", "limit=1000")).json()
    assert [one["sequence"] for one in before] == list(range(first[0]["sequence"] - 1, 0, -1))
    assert client.get("/api/v1/audit", params={"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk"}).status_code == 422
