"""What people type: signs of any script, none that is not seen or turns what is seen; a name is one line."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from api.app import create_api
from api.texts import unshown
from tests.api.conftest import begin_session, copied
from tests.api.world import ANNA, BEN, DESK, NOW, POLICY_OF, World

SUPPORT, OFFICER, ACTUARY = "support@example.org", "officer@example.org", "actuary@example.org"
ROLES = {ANNA: "policyholder", DESK: "underwriter", SUPPORT: "support", OFFICER: "privacy_officer", ACTUARY: "actuary"}
POLICY, TRIP = f"/api/v1/policies/{POLICY_OF[ANNA]}", UUID(int=7)
NAMES = [
    "Kim Example", "Siobhán O’Connor", "D'Arcy", "Zoe\u0308 Mu\u0308ller", "Jean\u00a0Luc", "Łukasz Żółć", "Θεοδώρα",
    "Юлия", "نیما می\u200cخواهد", "שָׁלוֹם", "क्\u200dष", "张伟", "\u3000山田", "김민수", "Nguyễn Thị Ánh",
    "👩\u200d🔧", "\U0002ebf0",
]  # fmt: skip
HIDDEN = ["\x00", "\x07", "\x1b[31m", "\x7f", "\x85", "\u202e", "\u2066", "\u2028", "\ue000"]
DAY = {"effective_on": "2026-12-01", "pay_plan": "flat"}
TYPED = [
    (ANNA, f"{POLICY}/drivers", {"email": "kim@example.org"}, "name"),
    (ANNA, f"{POLICY}/endorsements", DAY, "reason"),
    (ANNA, f"{POLICY}/cancellation", {"ends_on": "2026-12-01"}, "reason"),
    (ANNA, f"{POLICY}/renewals", {"starts_on": "2027-01-01", "ends_on": "2028-01-01"}, "reason"),
    (DESK, "/api/v1/bindings", {}, "name"),
]
WRITTEN = [
    (ANNA, f"/api/v1/trips/{TRIP}/contests", {"reason": "bad_data"}, "words"),
    (DESK, f"/api/v1/contest-queue/{TRIP}/decision", {"upheld": False}, "words"),
    (SUPPORT, f"{POLICY}/touchpoints", {"channel": "call", "kind": "help"}, "words"),
    (SUPPORT, f"/api/v1/customers/{POLICY_OF[ANNA]}/care", {"needs_care": True}, "reason"),
    (OFFICER, f"/api/v1/erasure-queue/{TRIP}/decision", {"granted": False}, "words"),
    (OFFICER, f"{POLICY}/trips/{TRIP}/location", {"reason": "court"}, "words"),
    (ACTUARY, "/api/v1/experiments/a-new-one", {}, "hypothesis"),
]


@pytest.fixture(scope="module")
def own_world(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as copy:
        yield copy


@pytest.fixture
def client(own_world: World) -> Iterator[TestClient]:
    with TestClient(create_api(own_world.database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def answer(client: TestClient, path: str, sent: dict[str, object]) -> tuple[int, str | None]:
    got = client.post(path, json=sent, headers={"Idempotency-Key": uuid4().hex})
    return got.status_code, got.json().get("field") if got.status_code == 422 else None


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_script_are_shown(name: str) -> None:
    assert unshown(name) is None
    assert unshown(f"{name}\r\n\t{name}") is None
    assert unshown(f"\ufeffIt was a pas\u00adsen\u00adger,\u200b {name}.") is None


@pytest.mark.parametrize("sign", HIDDEN)
def test_what_is_not_seen_or_turns_what_is_seen_is_found(sign: str) -> None:
    assert unshown(f"Kim{sign}Example") == sign[0]


@pytest.mark.parametrize(("email", "path", "sent", "field"), [*TYPED, *WRITTEN])
def test_every_text_is_refused_with_its_field(
    client: TestClient, own_world: World, email: str, path: str, sent: dict[str, object], field: str
) -> None:
    begin_session(client, own_world.database, email, ROLES[email])
    for sign in ("\x07", "\u202e", "\u2066"):
        assert answer(client, path, sent | {field: f"Because{sign}elpmaxE"}) == (422, field)


@pytest.mark.parametrize(("email", "path", "sent", "field"), TYPED[:-1])
def test_a_name_and_a_short_reason_are_one_line(
    client: TestClient, own_world: World, email: str, path: str, sent: dict[str, object], field: str
) -> None:
    begin_session(client, own_world.database, email, ROLES[email])
    for blank in ("\n", "\r", "\t", "\u00ad", "\u200b", "\ufeff"):
        assert answer(client, path, sent | {field: f"Kim{blank}Example"}) == (422, field)


def test_ordinary_names_are_kept_as_they_are_and_a_note_has_its_lines(client: TestClient, own_world: World) -> None:
    begin_session(client, own_world.database, BEN, "policyholder")
    drivers = f"/api/v1/policies/{POLICY_OF[BEN]}/drivers"
    for number, name in enumerate(NAMES):
        assert answer(client, drivers, {"name": name, "email": f"driver-{number}@example.org"}) == (200, None)
    assert {one["name"] for one in client.get(drivers).json()} == {name.strip() for name in NAMES}
    begin_session(client, own_world.database, SUPPORT, "support")
    said = {"channel": "call", "kind": "help", "words": "First line.\nSecond line."}
    assert answer(client, f"{POLICY}/touchpoints", said) == (201, None)
    assert client.get(f"{POLICY}/touchpoints").json()[0]["words"] == said["words"]


def test_a_form_is_held_to_the_same(client: TestClient, own_world: World) -> None:
    token = begin_session(client, own_world.database, ANNA, "policyholder")
    form = {"form_token": token, "email": "kim@example.org"}
    path = f"/policies/{POLICY_OF[ANNA]}/drivers"
    refused = client.post(path, data=form | {"name": "Kim \u202eelpmaxE"})
    assert (refused.status_code, "name: holds a sign that is not shown (U+202E)" in refused.text) == (422, True)
    client.cookies.set("wayrate_language", "de")
    assert "name: enthält ein Zeichen" in client.post(path, data=form | {"name": "Kim \u202eelpmaxE"}).text
    for name in ("Kim\r\nExample", " "):
        assert client.post(path, data=form | {"name": name}).status_code == 422
    kept = client.post(path, data=form | {"name": "Siobhán O’Connor"}, follow_redirects=False)
    assert kept.status_code == 303
    assert "Siobhán O’Connor" in client.get("/privacy").text
