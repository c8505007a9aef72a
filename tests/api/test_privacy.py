"""The privacy centre: all that is held of a person and nothing of another, when it goes, and who looked."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zipfile import ZipFile

import pytest
from fastapi.testclient import TestClient

from api.app import create_api
from portfolio.consent_store import purposes
from pricing.agreements import assess_claim, keep_claim
from tests.api.conftest import copied, sign_in
from tests.api.unmarked import english_in
from tests.api.world import ANNA, BEN, DESK, NOW, POLICY_OF, World
from tests.storage.engine import week_of


def exported(client: TestClient) -> dict[str, str]:
    answer = client.get("/api/v1/export")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_export_holds_every_row_of_the_person(client: TestClient, world: World) -> None:
    sign_in(client, ANNA)
    files = exported(client)
    with world.database.role("owner") as conn:
        counted = conn.execute(
            """select count(*), (select count(*) from telemetry.trip where device_key = d.device_key),
                      (select count(*) from telemetry.event e join telemetry.trip t using (trip_id)
                        where t.device_key = d.device_key)
                 from telemetry.device d join telemetry.reading using (device_key)
                where d.device_id = 'car-anna' group by d.device_key"""
        ).fetchone()
    readings, trips, events = rows(files["readings.csv"]), rows(files["trips.csv"]), rows(files["events.csv"])
    assert (len(readings), len(trips), len(events)) == counted
    assert {row["device_id"] for row in readings} == {"car-anna"}
    statements = json.loads(files["statements.json"])
    assert statements == client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/statements").json()
    policies = json.loads(files["policies.json"])
    assert [policy["policy"] for policy in policies] == [POLICY_OF[ANNA]]
    assert policies[0]["changes"][0]["kind"] == "bind"
    ways = json.loads(files["ways.geojson"])["features"]
    assert {way["properties"]["trip_id"] for way in ways} == {trip["trip_id"] for trip in trips}
    first = readings[0]
    (way,) = (one for one in ways if one["properties"]["trip_id"] == trips[-1]["trip_id"])
    assert way["geometry"]["coordinates"][0] == pytest.approx(
        [float(first["longitude_deg"]), float(first["latitude_deg"])]
    )


def test_the_export_holds_the_claims_as_they_are_known(world: World, server_dsn: str) -> None:
    with copied(world, server_dsn) as own:
        keep_claim(own.database, POLICY_OF[ANNA], "C-1", "liability", date(2026, 10, 7), NOW)
        assess_claim(own.database, "C-1", Decimal("812.50"), True, NOW, 51)
        keep_claim(own.database, POLICY_OF[BEN], "C-2", "liability", date(2026, 10, 8), NOW)
        with TestClient(create_api(own.database, own.roads, lambda: NOW), base_url="http://127.0.0.1") as person:
            sign_in(person, ANNA)
            assert json.loads(exported(person)["claims.json"]) == [
                {"policy": POLICY_OF[ANNA], "occurred_on": "2026-10-07", "cover": "liability", "at_fault_percent": 51,
                 "incurred": "812.50"}
            ]  # fmt: skip


def test_the_export_names_nobody_else(client: TestClient) -> None:
    sign_in(client, BEN)
    everything = "".join(exported(client).values())
    assert "car-ben" in everything
    assert not any(word in everything for word in (ANNA, POLICY_OF[ANNA], "car-anna", "Anna"))


def test_a_look_at_evidence_is_shown_with_its_time(world: World, server_dsn: str) -> None:
    with copied(world, server_dsn) as own:
        app = create_api(own.database, own.roads, lambda: NOW)
        with (
            TestClient(app, base_url="http://127.0.0.1") as person,
            TestClient(app, base_url="http://127.0.0.1") as desk,
        ):
            sign_in(person, ANNA)
            sign_in(desk, DESK)
            assert "Evidence of a contest" not in person.get("/privacy").text
            trip = person.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips").json()[0]["trip_id"]
            contest = person.post(
                f"/api/v1/trips/{trip}/contests",
                json={"reason": "bad_data", "words": "A tunnel.", "show_way": True},
                headers={"Idempotency-Key": uuid4().hex},
            ).json()
            desk.get(f"/api/v1/contest-queue/{contest['contest_id']}")
            text = person.get("/privacy").text
            assert ">Underwriter<" in text
            assert "with the way, without its ends" in text
            assert "3 Nov" in text
            assert "19:30" in text  # by the clock of Helsinki
            (look,) = json.loads(exported(person)["looks.json"])
            assert (look["by"], look["trip_id"], look["with_way"]) == ("underwriter", trip, True)


def test_the_page_counts_down(client: TestClient) -> None:
    sign_in(client, ANNA)
    text = client.get("/privacy").text
    # Of 5 October, a Monday; the week's end is the 12th and 90 days later is 10 January. It is 3 November, 17:30.
    gone_on = week_of(datetime(2026, 10, 5, tzinfo=UTC)) + timedelta(days=7 + 90)
    assert f"in {(gone_on - datetime(2026, 11, 3, 17, 30, tzinfo=UTC)).days} days" in text


def test_what_is_agreed_to_is_read_in_the_language_of_the_page_and_kept_in_its_own_words(client: TestClient) -> None:
    sign_in(client, ANNA)
    english = client.get("/privacy").text
    german = client.get("/privacy", headers={"accept-language": "de"}).text
    for purpose in purposes().values():
        assert purpose.words in english
        assert f'<span lang="en">{purpose.words}</span>' in german
        assert german.count(f'value="{purpose.text_hash}"') == english.count(f'value="{purpose.text_hash}"') == 1
    assert "Der Wortlaut, wie er festgehalten wird" in german
    assert "Wir dürfen Ihnen zu Produkten, die Sie nicht haben, schreiben oder Sie anrufen." in german
    assert english_in(german) == []
