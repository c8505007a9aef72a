"""docs/examples/client.py does what it says, against the real application."""

import importlib.util
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.api.world import ANNA, PASSWORD, POLICY_OF

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "client.py"


@pytest.fixture
def anna(client: TestClient) -> Any:
    client.follow_redirects = False  # as httpx does by itself
    found = importlib.util.spec_from_file_location("client_example", EXAMPLE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.Client(client, ANNA, PASSWORD)


def test_each_operation_is_a_method(anna: Any) -> None:
    policy = POLICY_OF[ANNA]
    assert anna.read_me()["email"] == ANNA
    assert [one["policy"] for one in anna.read_policies()] == [policy]
    menu = anna.read_menu(policy_id=policy, period="2026-10")
    assert (menu["period"], menu["chosen"] in menu["offers"]) == ("2026-10", True)
    trips = list(anna.pages("read_trips", policy_id=policy))
    assert trips == anna.read_trips(policy_id=policy)
    with pytest.raises(AttributeError):
        anna.no_such_operation()


def test_a_refusal_is_raised_with_its_problem(anna: Any) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        anna.cancel_policy(policy_id="T-0000", body={"ends_on": "2026-12-15"})
    assert refused.value.response.json()["title"] == "Not found"


def test_a_post_without_a_body_has_its_key_too(anna: Any) -> None:
    asked: list[httpx.Request] = []
    anna.http.event_hooks = {"request": [asked.append]}
    with pytest.raises(httpx.HTTPStatusError) as refused:
        anna.rotate_device(device_id="car-anna")
    assert refused.value.response.status_code == 403
    assert len(asked[0].headers["Idempotency-Key"]) >= 8
