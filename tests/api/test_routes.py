"""Who gets in where, what comes back when not, and what every answer carries. On a real database with a real book."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

import api
from api.app import create_api
from api.roles import SESSION_COOKIE, SignedInAs, SignedInAsOrNobody
from api.seen_month import SeenBy
from storage.pool import Database
from tests.api.allowed import ALLOWED, ANY_ACCOUNT, PUBLIC
from tests.api.conftest import sign_in
from tests.api.world import ANNA, BEN, DESK, NOW, POLICY_OF, World


def api_routes(routes: object) -> list[APIRoute]:
    """All routes, however the framework nests what `include_router` brought in."""
    found: list[APIRoute] = []
    for route in routes:  # type: ignore[attr-defined]
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "original_router"):
            found += api_routes(route.original_router.routes)
    return found


def roles_of(route: APIRoute) -> set[str] | None:
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, SignedInAs | SignedInAsOrNobody | SeenBy):
            return set(dependency.call.roles)
    return None


def roles_by_path(world: World) -> dict[str, set[str]]:
    """Who may ask anything at a path; which of its methods, the matrix says cell by cell."""
    found: dict[str, set[str]] = {}
    for route in api_routes(create_api(world.database, None, lambda: NOW).routes):
        found.setdefault(route.path, set()).update(roles_of(route) or ())
    return found


def latest_trip(client: TestClient, email: str) -> str:
    trips = client.get(f"/api/v1/policies/{POLICY_OF[email]}/trips").json()
    return str(trips[0]["trip_id"])


def test_every_route_names_its_role_as_the_matrix_says(world: World) -> None:
    found = roles_by_path(world)
    assert found.keys() - PUBLIC - ANY_ACCOUNT == ALLOWED.keys()
    for path, roles in found.items():
        if path not in PUBLIC | ANY_ACCOUNT:
            assert roles == ALLOWED[path], path
        elif path in ANY_ACCOUNT:
            assert roles, path


def test_signing_in_and_out(client: TestClient) -> None:
    assert client.get("/home", follow_redirects=False).headers["location"] == "/"
    assert sign_in(client, ANNA) == 303
    assert client.get("/api/v1/me").json()["role"] == "policyholder"
    token = re.search(r'action="/sign-out".*?name="form_token" value="([^"]+)"', client.get("/home").text, re.DOTALL)
    assert token is not None
    kept = client.cookies[SESSION_COOKIE]
    assert client.post("/sign-out", data={"form_token": token[1]}, follow_redirects=False).status_code == 303
    client.cookies.set(SESSION_COOKIE, kept)  # a thief's copy
    assert client.get("/api/v1/me").status_code == 401


def test_the_session_cookie_cannot_be_read_by_script_or_sent_by_other_sites(client: TestClient) -> None:
    client.get("/")
    form = {"email": ANNA, "password": "a quiet road at night", "form_token": client.cookies["wayrate_form"]}
    cookie = client.post("/sign-in", data=form, follow_redirects=False).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Max-Age=3600" in cookie


def test_an_address_that_nobody_can_have_is_refused(client: TestClient) -> None:
    assert sign_in(client, "anna\0@example.org") == 422


def test_a_wrong_password_signs_nobody_in(client: TestClient) -> None:
    assert sign_in(client, BEN, "not the password") == 401
    assert SESSION_COOKIE not in client.cookies
    assert 'name="password"' in client.get("/sign-in").text  # the address bar of the refusal, opened again


@pytest.mark.parametrize("token", ["", "made-up"])
def test_a_form_without_its_token_is_refused(client: TestClient, token: str) -> None:
    client.get("/")
    form = {"email": ANNA, "password": "a quiet road at night", "form_token": token}
    assert client.post("/sign-in", data=form).status_code == 403
    sign_in(client, ANNA)
    assert client.post("/sign-out", data={"form_token": token}).status_code == 403
    assert client.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        lambda trip: f"/trips/{trip}",
        lambda trip: f"/api/v1/trips/{trip}",
        lambda trip: f"/api/v1/trips/{trip}/events",
        lambda trip: f"/api/v1/trips/{trip}/track",
        lambda trip: f"/api/v1/trips/{trip}/roads",
        lambda _: f"/home?policy={POLICY_OF[ANNA]}",
        lambda _: f"/policies/{POLICY_OF[ANNA]}/trips",
        lambda _: f"/policies/{POLICY_OF[ANNA]}/statements/2026-10",
        lambda _: f"/api/v1/policies/{POLICY_OF[ANNA]}",
        lambda _: f"/api/v1/policies/{POLICY_OF[ANNA]}/score",
        lambda _: f"/api/v1/policies/{POLICY_OF[ANNA]}/trips",
        lambda _: f"/api/v1/policies/{POLICY_OF[ANNA]}/statements",
        lambda _: f"/api/v1/policies/{POLICY_OF[ANNA]}/statements/2026-10",
    ],
)
def test_a_foreign_object_is_not_found_and_an_underwriter_is_forbidden(
    world: World, path: Callable[[str], str]
) -> None:
    answers = {}
    trip = ""
    for email in (ANNA, BEN, DESK):
        client = TestClient(create_api(world.database, world.roads, lambda: NOW), base_url="http://127.0.0.1")
        sign_in(client, email)
        trip = trip or latest_trip(client, ANNA)
        answers[email] = client.get(path(trip)).status_code
    assert answers == {ANNA: 200, BEN: 404, DESK: 403}


@pytest.mark.parametrize("path", ["/book", f"/book/{POLICY_OF[ANNA]}", "/api/v1/book?period=2026-10"])
def test_the_book_is_for_underwriters(client: TestClient, path: str) -> None:
    sign_in(client, ANNA)
    assert client.get(path).status_code == 403


def test_no_place_reaches_an_underwriter(client: TestClient) -> None:
    sign_in(client, DESK)
    for path in (
        "/book",
        f"/book/{POLICY_OF[ANNA]}",
        f"/book/{POLICY_OF[ANNA]}/statements/2026-10",
        "/api/v1/book?period=2026-10",
    ):
        text = client.get(path).text
        assert "latitude" not in text
        assert not re.search(r"\b(60\.1[5-9]|24\.9)\d{3,}", text), path


@pytest.mark.parametrize(
    "path", ["/", "/home", "/nothing", "/api/v1/me", "/vendor/maplibre-gl.js", "/static/wayrate.css"]
)
def test_every_answer_carries_the_strict_policy(client: TestClient, path: str) -> None:
    headers = client.get(path, follow_redirects=False).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == (
        "no-store" if not path.startswith(("/vendor", "/static")) else "public, max-age=3600"
    )


def test_no_template_or_page_has_inline_script_or_style(client: TestClient) -> None:
    sign_in(client, ANNA)
    pages = [client.get(path).text for path in ("/home", f"/trips/{latest_trip(client, ANNA)}")]
    pages += [path.read_text() for path in (Path(api.__file__).parent / "templates").rglob("*.html")]
    for text in pages:
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
        assert not re.search(r'(src|href)="(https?:)?//', text)


def test_problems_say_what_is_wrong_and_what_to_do(client: TestClient) -> None:
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert set(answer.json()) == {"title", "status", "detail", "what_to_do"}
    sign_in(client, ANNA)
    wrong = client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips?limit=0")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "limit")
    assert client.get("/api/v1/nothing").json()["status"] == 404


def test_a_body_larger_than_any_form_is_refused(client: TestClient) -> None:
    client.get("/")
    form = {"email": ANNA, "password": "x" * 70_000, "form_token": client.cookies["wayrate_form"]}
    assert client.post("/sign-in", data=form).status_code == 413
    chunks = (b"password=" + b"x" * 40_000 for _ in range(2))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/sign-in", content=chunks, headers=headers).status_code == 413


def test_without_a_database_the_answer_is_503_and_says_to_wait() -> None:
    with Database("host=127.0.0.1 port=1 user=nobody dbname=none", wait_s=0.5) as gone:
        client = TestClient(create_api(gone, None, lambda: NOW), base_url="http://127.0.0.1")
        client.cookies.set(SESSION_COOKIE, "a token")
        for path in ("/api/v1/me", "/home"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert client.get("/health").status_code == 200


def test_the_page_about_the_api_names_every_route_with_its_roles(world: World) -> None:
    rows = {
        cells[1].strip().strip("`"): cells[2].strip()
        for line in (Path(api.__file__).parents[1] / "docs" / "api.md").read_text().splitlines()
        if len(cells := line.split("|")) > 3 and "`/" in line
    }
    for path, roles in roles_by_path(world).items():
        said = "anyone" if not roles else "any account" if path in ANY_ACCOUNT else ", ".join(sorted(roles))
        assert rows[path] == said, path


def test_the_description_is_served_and_names_every_data_route(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {path for path in ALLOWED if path.startswith("/api/")} <= set(paths)
    assert client.get("/docs").status_code == 404


def test_statement_page_receipt_and_ledger_agree_to_the_cent(client: TestClient) -> None:
    sign_in(client, ANNA)
    statement = client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/statements/2026-10").json()
    posted = sum(Decimal(posting["amount"]) for posting in statement["postings"])
    assert [posting["kind"] for posting in statement["postings"]] == ["statement", "adjustment"]
    assert Decimal(statement["total"]) == posted
    page = client.get(f"/policies/{POLICY_OF[ANNA]}/statements/2026-10").text
    assert f">€{posted:.2f}<" in page
    assert re.search(
        r"Without these events.*Hard brakes</th><td class=\"n\">4</td><td class=\"n\">−€0\.\d\d<", page, re.S
    )
    home = client.get("/home").text
    assert f"€{posted:.2f}" in home


def test_a_statement_leads_to_every_trip_that_caused_it_and_the_underwriters_to_none(world: World) -> None:
    person, desk = (
        TestClient(create_api(world.database, None, lambda: NOW), base_url="http://127.0.0.1") for _ in range(2)
    )
    sign_in(person, ANNA)
    sign_in(desk, DESK)
    inputs = person.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/statements/2026-10").json()["postings"][-1]["inputs"]
    trips = inputs["trips"]
    page, file = (
        asked.get(f"/{folder}/{POLICY_OF[ANNA]}/statements/2026-10").text
        for asked, folder in ((person, "policies"), (desk, "book"))
    )
    assert sorted(re.findall(r'href="/trips/([^"]+)"', page)) == sorted(trip["trip_id"] for trip in trips)
    assert all(person.get(f"/trips/{trip['trip_id']}").status_code == 200 for trip in trips)
    assert (
        page.count(">added later<") == file.count(">added later<") == 1
    )  # the drive of 30 October came after the close
    assert "/trips/" not in file
    assert not any(trip["trip_id"] in file for trip in trips)
    costs = [re.findall(r'<td class="n">(€\d+\.\d{4})</td>', text) for text in (page, file)]
    assert costs[0] == costs[1]
    assert len(costs[0]) >= len(trips)


@pytest.mark.parametrize("name", ["xx", "7", "00000000-0000-4000-8000-000000000000"])
def test_an_id_that_no_trip_can_have_is_not_found_like_one_that_none_has(client: TestClient, name: str) -> None:
    routes = api_routes(client.app.routes)  # type: ignore[attr-defined]
    paths = [route.path for route in routes if "{trip_id}" in route.path and "GET" in route.methods]
    assert len(paths) >= 5
    asked = [path.replace("{trip_id}", name) for path in paths]
    assert {client.get(path, follow_redirects=False).status_code for path in asked} == {303, 401}
    sign_in(client, ANNA)
    for path in asked:
        answer = client.get(path)
        assert answer.status_code == 404, path
        said = f"There is no trip &#39;{name}&#39; in your account." if path.startswith("/trips") else ""
        assert said in answer.text
        if not said:
            assert answer.json()["detail"] == f"There is no trip '{name}' in your account."
    sign_in(client, DESK)
    assert {client.get(path).status_code for path in asked} == {403}


@pytest.mark.parametrize("name", ["none", "%00"])
def test_an_id_that_no_policy_can_have_is_not_found(client: TestClient, name: str) -> None:
    sign_in(client, DESK)
    for path in (f"/book/{name}", f"/book/{name}/statements/2026-10", f"/api/v1/book/{name}/statements"):
        assert client.get(path).status_code == 404, path


def test_the_book_shows_the_policyholders_own_numbers(world: World) -> None:
    person, desk = (
        TestClient(create_api(world.database, None, lambda: NOW), base_url="http://127.0.0.1") for _ in range(2)
    )
    sign_in(person, ANNA)
    sign_in(desk, DESK)
    statement = person.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/statements/2026-10").json()
    line = next(line for line in desk.get("/api/v1/book?period=2026-10").json() if line["policy"] == POLICY_OF[ANNA])
    assert Decimal(line["premium"]) == Decimal(statement["total"])
    trips = statement["postings"][-1]["inputs"]["trips"]
    assert line["driven_m"] == sum(trip["distance_m"] for trip in trips)
    claims = statement["postings"][-1]["inputs"]["behaviour"]["claims_per_100000_km"]
    assert float(claims) > 0
    shown = desk.get(f"/book/{POLICY_OF[ANNA]}").text
    assert f"€{Decimal(statement['total']):.2f}" in shown


def test_the_book_filters_and_sorts(client: TestClient) -> None:
    sign_in(client, DESK)

    def order(query: str) -> list[str]:
        return re.findall(r'<th scope="row"><a href="/book/(T-\d+)"', client.get(f"/book?{query}").text)

    assert order("") == ["T-1001", "T-1002"]
    assert order("sort=-policy") == ["T-1002", "T-1001"]
    assert order("sort=-premium") == ["T-1001", "T-1002"]
    assert order("find=T-1002") == ["T-1002"]
    assert order("find=%25") == []
    assert order("pay_plan=per_km") == ["T-1002"]
    assert order("territory=rural") == []
    assert order("vehicle_class=compact&quality=95-up") == ["T-1001", "T-1002"]
    assert order("score=no-such-band") == []
    assert order("change=none&page=2") == []
    assert order("find=%3Cscript%3E") == []
    assert "<script>" not in client.get("/book?find=%3Cscript%3E").text


def test_a_trips_cost_is_the_one_in_its_statement(client: TestClient) -> None:
    sign_in(client, ANNA)
    inputs = client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/statements/2026-10").json()["postings"][-1]["inputs"]
    trip, cost = next(iter(inputs["trip_costs"].items()))
    page = client.get(f"/trips/{trip}").text
    assert f"€{Decimal(cost):.2f}</span>" in page
    assert "posted in the statement of October 2026" in page


def test_the_map_draws_the_trip_on_its_roads(client: TestClient) -> None:
    sign_in(client, ANNA)
    trip = latest_trip(client, ANNA)
    track = client.get(f"/api/v1/trips/{trip}/track").json()
    west, south, east, north = track["bbox"]
    points = [
        point
        for feature in track["features"]
        if feature["properties"]["kind"] == "path"
        for point in feature["geometry"]["coordinates"]
    ]
    assert len(points) > 100
    assert all(west <= x <= east and south <= y <= north for x, y in points)
    roads = client.get(f"/api/v1/trips/{trip}/roads").json()["features"]
    assert {feature["geometry"]["type"] for feature in roads} == {"LineString"}
    assert len(roads) > 100
    page = client.get(f"/trips/{trip}").text
    assert page.count('class="road ') >= 3
    assert "© OpenStreetMap contributors" in page
