"""How often a session and an address may ask: 429 with Retry-After, and nobody takes another's share."""

import pytest
from fastapi.testclient import TestClient

from api.app import create_api
from api.errors import TooManyRequests
from api.pace import Pace
from api.roles import SESSION_COOKIE
from tests.api.conftest import begin_session
from tests.api.world import DESK, NOW, World


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def taken(pace: Pace, token: str | None, address: str, times: int) -> int:
    """How many of so many requests pass."""
    passed = 0
    for _ in range(times):
        try:
            pace.take(token, address)
            passed += 1
        except TooManyRequests:
            pass
    return passed


def test_a_minutes_worth_at_once_and_then_the_pace() -> None:
    pace = Pace(60, clock := Clock())
    assert taken(pace, None, "192.0.2.1", 80) == 60
    with pytest.raises(TooManyRequests) as refused:
        pace.take(None, "192.0.2.1")
    assert refused.value.wait_s == 1
    clock.now_s += 10
    assert taken(pace, None, "192.0.2.1", 80) == 10
    clock.now_s += 3_600
    assert taken(pace, None, "192.0.2.1", 80) == 60


def test_a_session_counts_by_itself_and_a_made_up_token_with_its_address() -> None:
    pace = Pace(60, Clock())
    pace.know("good")
    assert taken(pace, "good", "192.0.2.1", 80) == 60
    assert sum(taken(pace, f"made up {number}", "192.0.2.1", 1) for number in range(80)) == 60
    assert taken(pace, None, "192.0.2.1", 5) == 0
    assert taken(pace, None, "2001:db8::1", 30) + taken(pace, None, "2001:db8::2", 60) == 60, "one /64"


def test_who_has_rested_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.pace.MOST_KEPT", 100)
    pace = Pace(60, clock := Clock())
    for number in range(150):
        clock.now_s += 1
        pace.take(None, f"192.0.2.{number}")
    assert len(pace._full_at) <= 100
    for number in range(150):
        pace.take(None, f"198.51.100.{number}")
    assert len(pace._full_at) <= 101


def test_over_http_it_is_429_with_what_to_do_for_that_session_alone(world: World) -> None:
    app = create_api(world.database, None, lambda: NOW, most_a_minute=5)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        begin_session(client, world.database, DESK, "underwriter")
        token = client.cookies[SESSION_COOKIE]
        statuses = [client.get("/api/v1/me").status_code for _ in range(9)]
        assert statuses == [200] * 6 + [429] * 3, "the first is the address's: the token was not known yet"
        refused = client.get("/api/v1/me")
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert refused.json()["title"] == "Too many requests"
        assert "nosniff" in refused.headers["x-content-type-options"]
        assert client.get("/home").status_code == 429, "pages too"
        assert client.get("/static/wayrate.css").status_code == client.get("/health").status_code == 200
        client.cookies.clear()
        assert client.get("/api/v1/me").status_code == 401, "the address has its own"
        begin_session(client, world.database, DESK, "underwriter")
        assert client.cookies[SESSION_COOKIE] != token
        assert client.get("/api/v1/me").status_code == 200, "so has another session of that account"
