"""The book's figures, its map, and a quote that is bound: what the pages say is what the database holds."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.app import create_api
from api.workbench.places import LEAST_VEHICLES, SQUARE_DEG, Driven, places_view, squares_of
from portfolio.zone_store import Zone
from pricing.agreements import assess_claim, keep_claim
from pricing.close import close_period
from pricing.policies import add_policy
from pricing.store import fetch_policy
from scoring.tracks import Track, pack
from storage.audit import entries
from storage.pool import Database
from tests.api.conftest import begin_session
from tests.api.unmarked import english_in
from tests.pricing.book import CLOSED_AT, add_with_device, document, put_trip

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
UNA, ADA = "una@example.org", "ada@example.org"
RISK = "plan=wayrate-2026&vehicle_class=compact&territory=urban&driver_age=38&declared_km=12000"


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with seven_policies(database) as opened:
        yield opened


@contextmanager
def seven_policies(database: Database) -> Iterator[TestClient]:
    """Seven policies of October, one of them driven, two claims of which one has an amount."""
    add_with_device(database)
    for number in range(2, 8):
        territory = "rural" if number == 7 else "urban"
        factors = {"vehicle_class": "compact", "territory": territory, "driver_age": 38}
        add_policy(database, document(policy=f"P-{number}", email=f"p{number}@example.com", factors=factors), CLOSED_AT)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC), metres=40_000, road_class="primary")
    close_period(database, "2026-10", CLOSED_AT)
    for claim, day in (("C-1", 3), ("C-2", 30)):
        keep_claim(database, "P-2", claim, "liability", date(2026, 10, day), NOW)
    assess_claim(database, "C-1", D("120.00"), settled=True, as_of=NOW)
    with TestClient(create_api(database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def test_the_figures_are_those_of_the_statements_and_claims(client: TestClient, database: Database) -> None:
    begin_session(client, database, UNA, "underwriter")
    (month,) = csv.DictReader(io.StringIO(client.get("/portfolio.csv").text))
    with database.role("policy") as conn:
        row = conn.execute(
            "select sum((line ->> 'amount')::numeric) from policy.statement, jsonb_array_elements(lines) line"
            " where line ->> 'name' <> 'insurance premium tax'"
        ).fetchone()
    assert row is not None
    assert (month["policies"], D(month["earned_premium"])) == ("7", row[0])
    assert (month["claims"], month["assessed"], month["incurred"]) == ("2", "1", "120.00")
    assert month["driven_m"] == "40000"
    text = client.get("/portfolio").text
    assert f"{100 * 120 / float(str(row[0])):.0f}\xa0%" in text
    years = 7 * 31 / 365
    assert f"{2 / years * 1000:,.0f} (" in text
    assert ">Urban<" in text
    assert ">Rural<" not in text  # one vehicle alone
    assert client.get("/book?period=2026-10").text.count('title="Why this premium"') == 7


def test_monitoring_says_when_it_can_say_nothing(client: TestClient, database: Database) -> None:
    begin_session(client, database, ADA, "actuary")
    assert "too few to say anything of the model" in client.get("/monitoring").text
    with database.role("owner") as conn:
        conn.execute("update policy.book_month set expected_claims = 0.2, claims_per_100000_km = class_mean * 0.95")
    assert english_in(client.get("/monitoring", headers={"accept-language": "de"}).text) == []
    text = client.get("/monitoring").text
    assert "2 claims, 1.40 expected" in text
    assert "1.43" in text
    assert "lies inside it" in text
    band = text[text.index('<th scope="row">0.9–1</th>') :]
    assert re.findall(r">([^<]+)</td>", band)[:3] == ["2", "1.4", "1.43 (0.17–5.16)"]
    assert "More than 20 km/h over the limit" in client.get("/score-model").text


def track(latitude: float, longitude: float) -> bytes:
    points = np.linspace(0, 0.0005, 5)
    return pack(
        Track(np.arange(5.0), latitude + points, longitude + points, np.ones(5), np.ones(5), np.ones(5, dtype=np.bool_))
    )


def test_a_square_of_too_few_vehicles_is_not_told(client: TestClient, database: Database) -> None:
    here, there = (60.17 // SQUARE_DEG * SQUARE_DEG + 0.001, 24.95), (60.2 // SQUARE_DEG * SQUARE_DEG + 0.001, 24.95)
    cars = [uuid4() for _ in range(LEAST_VEHICLES)]
    trips = [Driven(car, track(*here), ()) for car in cars]
    trips += [Driven(cars[turn % 2], track(*there), ()) for turn in range(3 * LEAST_VEHICLES)]  # many trips of two
    squares, hidden, count = squares_of(trips)
    assert [(one.vehicles, one.trips) for one in squares] == [(LEAST_VEHICLES, LEAST_VEHICLES)]
    assert (hidden, count) == (1, 4 * LEAST_VEHICLES)
    west, south, east, north = squares[0].bounds
    assert south <= here[0] < north
    assert west <= here[1] < east
    shown = places_view(trips, None)
    assert shown.svg.count("<rect") == 1
    assert f"{LEAST_VEHICLES} vehicles" in shown.svg
    assert places_view(trips[: LEAST_VEHICLES - 1], None).svg == ""
    at_home = replace(trips[0], zones=[Zone(uuid4(), *here, 300.0, NOW)])  # and in a zone it is nobody's
    assert squares_of([at_home, *trips[1:LEAST_VEHICLES]])[:2] == ([], 1)
    begin_session(client, database, UNA, "underwriter")
    assert "nothing is shown" in client.get("/portfolio/map").text


def test_a_risk_is_quoted_and_bound_once(client: TestClient, database: Database) -> None:
    begin_session(client, database, UNA, "underwriter")
    priced = client.get(f"/quote?{RISK}&pay_plan=flat&cover-liability=liability").text
    assert "€" in priced
    assert "Car and driver" in priced
    assert "is none of" in client.get(f"/quote?{RISK.replace('38', '5')}").text
    assert "is no whole number" in client.get(f"/quote?{RISK.replace('38', 'x')}").text
    assert client.get("/quote?plan=none").status_code == 404
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', priced[priced.index("/quote/binding") :])
    form: dict[str, list[str]] = {}
    for name, value in hidden:
        form.setdefault(name, []).append(value)
    form |= {"name": ["New Holder"], "email": ["new@example.org"], "starts_on": ["2026-12-01"],
             "ends_on": ["2027-12-01"], "time_zone": ["Europe/Helsinki"]}  # fmt: skip
    made = [client.post("/quote/binding", data=form, follow_redirects=False) for _ in range(2)]
    assert [one.status_code for one in made] == [303, 303]
    assert made[0].headers["location"] == made[1].headers["location"]
    file = client.get(made[0].headers["location"]).text
    assert "New Holder" in file
    assert "Nothing is posted yet" in file
    with database.role("policy") as conn:
        policy = fetch_policy(conn, made[0].headers["location"].removeprefix("/book/"))
        acts = [one.action for one in entries(conn)]
    assert policy is not None
    assert (policy.pay_plan, policy.covers, policy.factors["driver_age"]) == ("flat", ["liability"], 38)
    assert acts.count("policy_bind") == 7 + 1
    assert client.post("/quote/binding", data=form | {"form_token": ["x"]}).status_code == 403


def test_an_actuary_quotes_and_does_not_bind(client: TestClient, database: Database) -> None:
    begin_session(client, database, ADA, "actuary")
    assert "Bind it" not in client.get(f"/quote?{RISK}").text
    assert client.post("/quote/binding", data={"plan": "wayrate-2026"}).status_code == 403
