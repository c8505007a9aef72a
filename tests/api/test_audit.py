"""What people do through the pages is in the audit log, in one whole chain, without a name."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from api.roles import SESSION_COOKIE
from storage.audit import Entry, check_chain, entries
from tests.api.conftest import copied, sign_in
from tests.api.test_matrix import session_of
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
    assert first[0]["action"] == "audit_read"  # this look
    before = client.get(newest.links["next"]["url"].replace("limit=1", "limit=1000")).json()
    assert before[0]["action"] == "policy_read"
    assert [one["sequence"] for one in before] == list(range(first[0]["sequence"] - 1, 0, -1))
    assert client.get("/api/v1/audit", params={"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk"}).status_code == 422


def test_whatever_of_somebody_staff_look_at_is_noted(own_world: World) -> None:
    app, path = create_api(own_world.database, own_world.roads, lambda: NOW), f"/api/v1/policies/{POLICY_OF[ANNA]}"
    support = f"/api/v1/customers/{POLICY_OF[ANNA]}"
    for role, address, action in (
        ("underwriter", f"{path}/changes", "policy_read"),
        ("underwriter", f"/api/v1/book/{POLICY_OF[ANNA]}/statements", "policy_read"),
        ("support", f"{path}/touchpoints", "card_opened"),
        ("support", f"{support}/offers", "card_opened"),
        ("support", support, "card_opened"),
        ("privacy_officer", f"/locations?policy={POLICY_OF[ANNA]}", "policy_read"),
        ("admin", "/api/v1/audit", "audit_read"),
        ("underwriter", f"{path}/menu", "menu_read"),
        ("support", f"{path}/menu", "menu_read"),
        ("underwriter", f"/policies/{POLICY_OF[ANNA]}/menu?pay_plan=flat", "menu_read"),
        ("underwriter", "/contests", "contest_list_opened"),
        ("underwriter", "/api/v1/contest-queue", "contest_list_opened"),
    ):
        staff = TestClient(app, base_url="http://127.0.0.1")
        staff.cookies.set(SESSION_COOKIE, session_of(own_world.database, f"{role}@x.org", role, None)[0])
        before = noted(own_world)
        assert staff.get(address).status_code in (200, 422), address  # nothing to offer: looked at all the same
        added = noted(own_world)[len(before) :]
        assert [(one.action, one.role) for one in added] == [(action, role)], address


def test_a_menu_that_staff_look_at_is_told_to_the_person_and_their_own_look_writes_nothing(
    client: TestClient, own_world: World
) -> None:
    menus = (f"/api/v1/policies/{POLICY_OF[ANNA]}/menu", f"/policies/{POLICY_OF[ANNA]}/menu")
    sign_in(client, ANNA)
    before = noted(own_world)
    assert [client.get(menu).status_code for menu in menus] == [200, 200]
    assert noted(own_world) == before
    assert "What your policy could be and cost" not in client.get("/privacy").text
    sign_in(client, DESK)
    assert client.get(menus[0]).status_code == 200
    assert client.get(menus[0].replace(POLICY_OF[ANNA], "none")).status_code == 404
    (added,) = noted(own_world)[len(before) :]
    sign_in(client, ANNA)
    assert client.get("/api/v1/access-log").json()[0]["action"] == added.action == "menu_read"
    assert "What your policy could be and cost" in client.get("/privacy").text


def test_a_relabelled_trip_is_noted_once(own_world: World) -> None:
    with TestClient(create_api(own_world.database, own_world.roads, lambda: NOW), base_url="http://127.0.0.1") as anna:
        sign_in(anna, ANNA)
        trip = anna.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips").json()[0]["trip_id"]
        before = noted(own_world)
        for _ in range(2):
            assert anna.put(f"/api/v1/trips/{trip}/label", json={"label": "passenger"}).status_code == 200
        (added,) = noted(own_world)[len(before) :]
        assert (added.action, added.object, added.details) == ("trip_relabelled", trip, '{"label": "passenger"}')


def noted(world: World) -> list[Entry]:
    with world.database.role("policy") as conn:
        return list(entries(conn))
