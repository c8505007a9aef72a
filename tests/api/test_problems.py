"""A problem names the field that is wrong, as the request calls it."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api.app import create_api
from tests.api.conftest import begin_session, copied
from tests.api.matrix import REQUEST
from tests.api.world import ANNA, BEN, DESK, NOW, POLICY_OF, World

POLICY, CUSTOMER = (f"/api/v1/{what}/{POLICY_OF[ANNA]}" for what in ("policies", "customers"))
SUPPORT, OFFICER, ACTUARY = "support@example.org", "officer@example.org", "actuary@example.org"
ROLES = {ANNA: "policyholder", DESK: "underwriter", SUPPORT: "support", OFFICER: "privacy_officer", ACTUARY: "actuary"}
TERMS = REQUEST["POST /api/v1/bindings"].json
assert isinstance(TERMS, dict)
RISK = {"factors": {"vehicle_class": "suv", "territory": "rural", "driver_age": 44}, "declared_km_per_year": 8000}
HOUSEHOLD = {"vehicles": 1, "km_per_year": 1, "covers": [], "member": BEN}


@pytest.fixture(scope="module")
def own_world(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as copy:
        yield copy


@pytest.fixture
def client(own_world: World) -> Iterator[TestClient]:
    with TestClient(create_api(own_world.database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.mark.parametrize(
    ("email", "path", "sent", "field"),
    [
        (ANNA, f"{POLICY}/endorsements", {"effective_on": "2026-10-16", "pay_plan": "flat"}, "effective_on"),
        (ANNA, f"{POLICY}/endorsements", {"effective_on": "2027-03-01", "pay_plan": "flat"}, "effective_on"),
        (DESK, f"{POLICY}/endorsements", {"effective_on": "2025-03-01", "pay_plan": "flat"}, "effective_on"),
        (ANNA, f"{POLICY}/cancellation", {"ends_on": "2026-10-16"}, "ends_on"),
        (ANNA, f"{POLICY}/cancellation", {"ends_on": "2027-03-01"}, "ends_on"),
        (DESK, f"{POLICY}/renewals", {"starts_on": "2026-12-01", "ends_on": "2028-01-01"}, "starts_on"),
        (DESK, f"{POLICY}/renewals", {"starts_on": "2027-02-01", "ends_on": "2028-01-01"}, "starts_on"),
        (ANNA, "/api/v1/bindings", TERMS | {"starts_on": "2026-11-01", "ends_on": "2027-11-01"}, "starts_on"),
        (ANNA, "/api/v1/bindings", TERMS | {"plan": "none"}, "plan"),
        (DESK, "/api/v1/bindings", TERMS | {"name": "Kim", "devices": ["no-such-car"]}, "devices"),
        (ANNA, "/api/v1/bindings", TERMS | {"factors": {"driver_age": 40.5}}, "factors.driver_age"),
        (ANNA, "/api/v1/bindings", TERMS | {"factors": {"str": 40.5}}, "factors.str"),
        (ANNA, "/api/v1/bindings", {name: TERMS[name] for name in TERMS if name != "covers"}, "covers"),
        (ANNA, "/api/v1/bindings", TERMS | {"covers": ["liability", 7]}, "covers.1"),
        (SUPPORT, "/api/v1/quotes", RISK | {"factors": RISK["factors"] | {"driver_age": 1.5}}, "factors.driver_age"),  # type: ignore[operator]
        (SUPPORT, f"{CUSTOMER}/household", HOUSEHOLD | {"relation": "friend"}, "relation"),
        (SUPPORT, f"{CUSTOMER}/care", {"needs_care": True, "reason": "gossip"}, "reason"),
        (SUPPORT, f"{CUSTOMER}/offers", {"template": "none"}, "template"),
        (SUPPORT, f"{CUSTOMER}/offers", {"template": "pay_plan", "channel": "pigeon"}, "channel"),
        (SUPPORT, f"{POLICY}/touchpoints", {"channel": "call", "kind": "gossip"}, "kind"),
        (ACTUARY, "/api/v1/experiments/a-new-one", REQUEST["POST /api/v1/experiments/{name}"].json | {  # type: ignore[operator]
            "template": "none"}, "template"),
    ],
)  # fmt: skip
def test_a_problem_names_its_field(
    client: TestClient, own_world: World, email: str, path: str, sent: dict[str, object], field: str
) -> None:
    begin_session(client, own_world.database, email, ROLES[email])
    answer = client.post(path, json=sent, headers={"Idempotency-Key": uuid4().hex})
    assert (answer.status_code, answer.json().get("field")) == (422, field), answer.text
