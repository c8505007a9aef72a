"""Two people, one car: a trip is whose who says so, and only they decide who sees its way. Zones, places, looks."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response

from api.accounts import PERSON_ROLES
from api.app import create_api
from api.map_drawing import track_geojson
from api.roles import SESSION_COOKIE
from api.zones import distance_m, moved, without_zones
from portfolio.consent_store import purpose_named
from portfolio.driver_store import MAP, name_driver
from portfolio.erasure import ask, decide, run
from portfolio.location_store import territory_counts
from scoring.geodesy import haversine_m
from scoring.store import fetch_track
from scoring.tracks import Track
from scoring.worker import work_once
from storage.pool import Database
from tests.api.conftest import copied
from tests.api.test_matrix import session_of
from tests.api.test_privacy import exported, rows
from tests.api.world import ANNA, BEN, DESK, NOW, POLICY_OF, World
from tests.storage.test_roles import add_policy

KIM, OFFICER = "kim@example.net", "officer@example.org"


@dataclass
class Household:
    """Anna insures the car, Kim drives it, too; Ben is somebody else."""

    world: World
    anna: TestClient
    kim: TestClient
    ben: TestClient
    officer: TestClient
    desk: TestClient

    @property
    def database(self) -> Database:
        return self.world.database

    def trips(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.anna.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips").json()
        return found

    def contest(self, client: TestClient, trip: str, said: dict[str, object]) -> Response:
        return client.post(f"/api/v1/trips/{trip}/contests", json=said, headers={"Idempotency-Key": uuid4().hex})

    def claim(self, client: TestClient, trip: str, mine: bool = True) -> int:
        return client.put(f"/api/v1/trips/{trip}/driver", json={"mine": mine}).status_code


@pytest.fixture
def household(world: World, server_dsn: str) -> Iterator[Household]:
    with copied(world, server_dsn) as own, ExitStack() as opened:
        app = create_api(own.database, own.roads, lambda: NOW)
        with own.database.role("policy") as conn:
            (policy_key,) = conn.execute(
                "select policy_key from policy.policy where policy_id = %s", (POLICY_OF[ANNA],)
            ).fetchone() or (None,)
            assert isinstance(policy_key, UUID)
            since = NOW - timedelta(days=200)
            name_driver(conn, policy_key, uuid4(), "Kim Example", KIM, named_by=UUID(int=0), as_of=since)
        clients = []
        roles = {
            ANNA: "policyholder",
            KIM: "driver",
            BEN: "policyholder",
            OFFICER: "privacy_officer",
            DESK: "underwriter",
        }
        for email, role in roles.items():
            token, _ = session_of(own.database, email, role, email if role in PERSON_ROLES else None)
            client = opened.enter_context(TestClient(app, base_url="http://127.0.0.1"))
            client.cookies.set(SESSION_COOKIE, token)
            clients.append(client)
        yield Household(own, *clients)


def test_a_trip_without_a_known_driver_shows_no_map_until_it_is_claimed(household: Household) -> None:
    trips = household.trips()
    assert {(one["driver"], one["shows_map"]) for one in trips} == {("unknown", False)}
    trip = trips[0]["trip_id"]
    for client in (household.anna, household.kim):
        for part in ("track", "roads"):
            answer = client.get(f"/api/v1/trips/{trip}/{part}")
            assert (answer.status_code, answer.json()["title"]) == (403, "Not claimed yet")
        events = client.get(f"/api/v1/trips/{trip}/events").json()
        assert events
        assert {one["latitude_deg"] for one in events} == {None}
        assert '<svg class="trip-map"' not in client.get(f"/trips/{trip}").text
    assert household.claim(household.ben, trip) == 404
    assert household.claim(household.kim, trip) == 200
    assert household.kim.get(f"/api/v1/trips/{trip}/track").json()["features"]
    assert '<svg class="trip-map"' in household.kim.get(f"/trips/{trip}").text
    assert household.claim(household.anna, trip) == 409
    assert household.claim(household.kim, trip, mine=False) == 200
    assert household.claim(household.anna, trip) == 200
    assert household.kim.get(f"/api/v1/trips/{trip}").status_code == 404  # now it is Anna's alone
    assert household.claim(household.anna, trip, mine=False) == 200


def test_a_driver_who_is_taken_off_keeps_what_they_claimed_and_sees_nothing_after(household: Household) -> None:
    drivers = f"/api/v1/policies/{POLICY_OF[ANNA]}/drivers"
    (kim,) = household.anna.get(drivers).json()
    own, other, *_ = [one["trip_id"] for one in household.trips()]
    assert household.claim(household.kim, own) == 200
    assert household.ben.delete(f"{drivers}/{kim['driver_id']}").status_code == 404
    assert household.anna.delete(f"{drivers}/{uuid4()}").status_code == 404
    for _ in range(2):
        assert household.anna.delete(f"{drivers}/{kim['driver_id']}").status_code == 204
    assert household.anna.get(drivers).json() == []
    assert household.kim.get(f"/api/v1/trips/{own}/track").json()["features"]
    assert household.anna.get(f"/api/v1/trips/{own}/track").status_code == 403  # no consent to show it
    assert household.kim.get(f"/api/v1/trips/{other}").status_code == 200  # of their time, and nobody's yet
    with household.database.role("owner") as conn:
        conn.execute("update policy.policy_driver set until = '2026-05-01'")
    assert household.kim.get(f"/api/v1/trips/{other}").status_code == 404
    assert household.anna.get(f"/api/v1/trips/{other}/track").json()["features"]  # hers alone again
    named = household.anna.post(drivers, json={"name": "Kim", "email": KIM}).json()
    assert [one["driver_id"] for one in named] == [kim["driver_id"]]


def test_a_driver_sees_who_named_them_by_name_and_nothing_else(household: Household) -> None:
    said, pages = "Named you as a driver: Anna Example.", ("/drives", "/privacy")
    for page in pages:
        text = household.kim.get(page).text
        assert said in text
        assert not {ANNA, POLICY_OF[ANNA]} & set(re.findall(r"[\w.@-]+", text))
        assert "Named you as a driver" not in household.ben.get(page).text + household.anna.get(page).text
    household.ben.post(f"/api/v1/policies/{POLICY_OF[BEN]}/drivers", json={"name": "Kim", "email": KIM})
    (kim,) = household.anna.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/drivers").json()
    household.anna.delete(f"/api/v1/policies/{POLICY_OF[ANNA]}/drivers/{kim['driver_id']}")
    for page in pages:  # whose car they drove before sees of it what they agree to
        assert "Named you as a driver: Anna Example, Ben Example." in household.kim.get(page).text
    with household.database.role("owner") as conn:
        conn.execute("update policy.person set name = 'erased', email = null where email = %s", (ANNA,))
    for page in pages:
        assert "Named you as a driver: Ben Example." in household.kim.get(page).text


def test_the_policyholder_sees_anothers_kilometres_and_score_and_a_map_by_their_consent(household: Household) -> None:
    trip = household.trips()[0]["trip_id"]
    household.claim(household.kim, trip)
    seen = household.anna.get(f"/api/v1/trips/{trip}").json()
    whole = household.kim.get(f"/api/v1/trips/{trip}").json()
    assert (seen["driver"], whole["driver"]) == ("somebody else", "you")
    assert (seen["distance_m"], seen["score"]) == (whole["distance_m"], whole["score"])
    hidden = ("started_at", "ended_at", "duration_s")
    assert [seen[name] for name in hidden] == [None, None, None]
    assert all(whole[name] for name in hidden)
    for part in ("track", "roads", "events"):
        assert household.anna.get(f"/api/v1/trips/{trip}/{part}").status_code == 403
    clock = datetime.fromisoformat(whole["started_at"]).strftime(":%M")
    for page in (f"/trips/{trip}", f"/policies/{POLICY_OF[ANNA]}/trips", "/home"):
        assert household.anna.get(page).status_code == 200
    assert clock not in household.anna.get(f"/trips/{trip}").text.split("<main")[1].split("</main")[0]
    files = exported(household.anna)
    assert trip not in files["ways.geojson"] + files["events.csv"]
    (row,) = (one for one in rows(files["trips.csv"]) if one["trip_id"] == trip)
    assert (row["distance_m"], row["started_at"]) == (str(whole["distance_m"]), "")
    assert rows(files["readings.csv"]) == []  # every other trip may be Kim's, too
    own = exported(household.kim)
    assert trip in own["ways.geojson"]
    times = sorted(one["fix_time"] for one in rows(own["readings.csv"]))
    assert times
    assert times[0][:13] == whole["started_at"][:13].replace("T", " ")
    contest = {"reason": "bad_data", "words": "A tunnel.", "show_way": True}
    asked = household.anna.post(
        f"/api/v1/trips/{trip}/contests", json=contest, headers={"Idempotency-Key": uuid4().hex}
    )
    assert asked.status_code == 403  # whose way it is not to see cannot let others see it
    words = purpose_named(MAP).text_hash
    said = household.kim.put(f"/api/v1/consents/{MAP}", json={"granted": True, "text_hash": words})
    assert said.status_code == 200
    assert household.anna.get(f"/api/v1/trips/{trip}/track").json()["features"]
    assert household.anna.get(f"/api/v1/trips/{trip}").json()["started_at"] == whole["started_at"]
    household.kim.put(f"/api/v1/consents/{MAP}", json={"granted": False})
    assert household.anna.get(f"/api/v1/trips/{trip}/track").status_code == 403


def test_whoever_may_have_driven_may_claim_and_no_more(household: Household) -> None:
    trip = household.trips()[0]["trip_id"]
    assert household.kim.get(f"/api/v1/trips/{trip}").status_code == 200
    said = household.kim.put(f"/api/v1/trips/{trip}/label", json={"label": "passenger"})
    assert said.status_code == 404
    contest = {"reason": "bad_data", "words": "A tunnel."}
    assert household.contest(household.kim, trip, contest).status_code == 404
    drives = household.kim.get("/api/v1/drives").json()
    assert len(drives) == len(household.trips())
    assert household.kim.get("/home", follow_redirects=False).headers["location"] == "/drives"
    household.claim(household.kim, trip)
    assert household.kim.put(f"/api/v1/trips/{trip}/label", json={"label": "passenger"}).status_code == 200
    text = household.kim.get("/drives").text
    assert f"/trips/{trip}" in text
    assert "Was it you?" in text
    assert household.kim.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips").status_code == 404
    assert household.kim.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/statements").status_code == 404


def test_naming_a_driver_leaves_what_was_before_the_policyholders(household: Household) -> None:
    path = f"/api/v1/policies/{POLICY_OF[BEN]}/drivers"
    for _ in range(2):
        (kim,) = household.ben.post(path, json={"name": "Kim", "email": "KIM@example.net"}).json()
    assert (kim["name"], kim["shows_map"]) == ("Kim", False)
    trips = household.ben.get(f"/api/v1/policies/{POLICY_OF[BEN]}/trips").json()
    assert {(one["driver"], one["shows_map"]) for one in trips} == {("you", True)}
    assert "Kim Example" not in household.ben.get("/privacy").text


def places(answer: Any) -> np.ndarray[Any, Any]:
    """Every place of a GeoJSON answer: latitude and longitude, shape (n, 2)."""
    shapes = [one["geometry"] for one in answer.json()["features"]]
    lines = [one["coordinates"] if one["type"] == "LineString" else [one["coordinates"]] for one in shapes]
    return np.array([place for line in lines for place in line])[:, ::-1]


def nearest_m(found: np.ndarray[Any, Any], latitude_deg: float, longitude_deg: float) -> float:
    there = np.full(len(found), latitude_deg), np.full(len(found), longitude_deg)
    return float(haversine_m(found[:, 0], found[:, 1], *there).min())


def test_nothing_within_a_zone_is_shown_to_anybody(household: Household) -> None:
    trip = household.trips()[0]["trip_id"]
    household.claim(household.anna, trip)
    with household.database.role("telemetry") as conn:
        track = fetch_track(conn, UUID(trip))
    assert track is not None
    home = float(track.latitude_deg[0]), float(track.longitude_deg[0])
    before = household.anna.get(f"/api/v1/trips/{trip}/track")
    assert nearest_m(places(before), *home) < 5
    zone = household.anna.post(
        "/api/v1/privacy-zones", json={"latitude_deg": home[0], "longitude_deg": home[1], "radius_m": 400}
    )
    assert zone.status_code == 201
    again = household.anna.post(
        "/api/v1/privacy-zones", json={"latitude_deg": home[0], "longitude_deg": home[1], "radius_m": 400}
    )
    assert (again.status_code, again.json()) == (200, zone.json())
    contest = {"reason": "bad_data", "words": "A tunnel.", "show_way": True}
    raised = household.anna.post(
        f"/api/v1/trips/{trip}/contests", json=contest, headers={"Idempotency-Key": uuid4().hex}
    )
    shown = [
        household.anna.get(f"/api/v1/trips/{trip}/track"),
        household.officer.post(
            f"/api/v1/policies/{POLICY_OF[ANNA]}/trips/{trip}/location",
            json={"reason": "crash", "words": "No answer after a suspected crash."},
        ),
    ]
    for answer in shown:
        assert answer.status_code == 200
        assert nearest_m(places(answer), *home) > 400
    evidence = household.desk.get(f"/api/v1/contest-queue/{raised.json()['contest_id']}").json()["track"]
    if evidence is not None:  # the whole way may lie within 300 m of what is left of its ends
        lines = [one["geometry"]["coordinates"] for one in evidence["features"]]
        assert nearest_m(np.array([place for line in lines for place in line])[:, ::-1], *home) > 400
    assert household.ben.get("/api/v1/privacy-zones").json() == []
    zone_id = zone.json()["zone_id"]
    assert household.ben.delete(f"/api/v1/privacy-zones/{zone_id}").status_code == 404
    assert household.anna.delete(f"/api/v1/privacy-zones/{zone_id}").status_code == 204
    assert nearest_m(places(household.anna.get(f"/api/v1/trips/{trip}/track")), *home) < 5


def test_a_zone_does_not_tell_its_place_and_holds_the_asked_circle() -> None:
    found = [moved(60.17, 24.94, 400, NOW) for _ in range(200)]
    away = np.array([distance_m(zone, 60.17, 24.94) for zone in found])
    radius = np.array([zone.radius_m for zone in found])
    assert (away + 400 <= radius + 0.5).all()
    assert (away >= 95).all()
    assert radius.max() <= 702


def test_a_way_is_never_drawn_across_a_zone() -> None:
    count = 200  # along a meridian at 20 m/s, a fix a second: the zone hides 20 s, less than a gap in a drawing
    latitude = 60.0 + np.arange(count) * 20 / 111_195
    track = Track(np.arange(count) * 1.0, latitude, np.full(count, 25.0), np.full(count, 20.0), np.full(count, 22.0),
                  np.ones(count, dtype=np.bool_))  # fmt: skip
    zone = moved(float(latitude[100]), 25.0, 100, NOW)
    cut = without_zones(track, [zone])
    assert cut is not None
    lines = [np.array(one["geometry"]["coordinates"]) for one in track_geojson(cut, [])["features"]]  # type: ignore[index]
    assert len(lines) == 2
    assert lines[0][:, 1].max() < latitude[95]
    assert lines[1][:, 1].min() > latitude[105]


def test_a_privacy_officer_sees_a_way_with_a_reason_that_the_person_reads(household: Household) -> None:
    trip = household.trips()[0]["trip_id"]
    path = f"/api/v1/policies/{POLICY_OF[ANNA]}/trips/{trip}/location"
    for wrong in ({"reason": "crash", "words": "short"}, {"reason": "curious", "words": "I would like to know."}):
        assert household.officer.post(path, json=wrong).status_code == 422
    why = {"reason": "court", "words": "Order 12 of the district court."}
    assert household.desk.post(path, json=why).status_code == 403
    foreign = f"/api/v1/policies/{POLICY_OF[BEN]}/trips/{trip}/location"
    assert household.officer.post(foreign, json=why).status_code == 404
    assert household.officer.post(path, json=why).json()["features"]
    text = household.anna.get("/privacy").text
    assert "Order 12 of the district court." in text
    assert "A court or an authority ordered it" in text
    look = household.anna.get("/api/v1/access-log").json()[0]
    assert (look["action"], look["role"], look["object"]) == ("location_read", "privacy_officer", trip)
    with household.database.role("owner") as conn:
        details = conn.execute("select details from audit.entry where action = 'location_read'").fetchall()
    assert details == [('{"reason": "court"}',)]  # the words stand where an erasure finds them


def test_a_person_asks_to_be_erased_and_an_officer_answers(household: Household) -> None:
    first = household.kim.post("/api/v1/erasures")
    assert (first.status_code, first.json()["state"]) == (201, "waits for a decision")
    assert household.kim.post("/api/v1/erasures").status_code == 200
    (waiting,) = household.officer.get("/api/v1/erasure-queue").json()
    path = f"/api/v1/erasure-queue/{waiting['request_id']}/decision"
    assert household.officer.post(path, json={"granted": False}).status_code == 422
    refused = household.officer.post(path, json={"granted": False, "words": "Say it once more, please."})
    assert refused.json()["state"] == "refused"
    assert household.officer.post(path, json={"granted": True}).status_code == 409
    assert "Say it once more, please." in household.kim.get("/privacy").text
    anew = household.kim.post("/api/v1/erasures").json()["request_id"]
    granted = household.officer.post(f"/api/v1/erasure-queue/{anew}/decision", json={"granted": True}).json()
    assert (granted["state"], granted["waits_for"]) == ("granted", [])


def test_an_erased_driver_leaves_the_policyholders_kilometres_as_they_are(household: Household) -> None:
    database = household.database
    trips = household.trips()
    trip = trips[0]["trip_id"]
    household.claim(household.kim, trip)
    household.kim.post("/api/v1/privacy-zones", json={"latitude_deg": 60.2, "longitude_deg": 24.9, "radius_m": 300})
    span = household.kim.get(f"/api/v1/trips/{trip}").json()
    with database.role("policy") as conn:
        (person_key,) = conn.execute("select person_key from policy.person where email = %s", (KIM,)).fetchone() or ()
        request, _ = ask(conn, person_key, asked_by=UUID(int=3), as_of=NOW)  # type: ignore[arg-type]
        decide(conn, request.request_id, granted=True, words="", decided_by=UUID(int=7), as_of=NOW)
    (done,) = run(database, NOW)
    assert (done.waits, done.devices) == ((), 0)
    within = "fix_time between %s and %s and device_key = (select device_key from telemetry.trip where trip_id = %s)"
    with database.role("owner") as conn:
        values = (span["started_at"], span["ended_at"], trip)
        for query in (
            f"select count(*) from telemetry.reading where {within}",
            "select count(*) from telemetry.trip_path where trip_id = %s",
            "select count(*) from telemetry.event where trip_id = %s and latitude_deg is not null",
        ):
            asked = values if "fix_time" in query else (trip,)
            assert conn.execute(query, asked).fetchone() == (0,)  # type: ignore[call-overload]
        assert conn.execute("select count(*) from telemetry.privacy_zone").fetchone() == (0,)
        # Late marks of that time cut nothing anew: its readings are gone, and the kilometres are the policyholder's.
        conn.execute(
            """insert into telemetry.dirty_window (device_key, from_time, to_time, marked_at)
               select device_key, started_at - interval '2 days', ended_at + interval '2 days', now()
                 from telemetry.trip where trip_id = %s""",
            (trip,),
        )
    assert work_once(database, None, None, as_of=NOW) == 1
    after = {one["trip_id"]: one["distance_m"] for one in household.trips()}
    assert after[trip] == span["distance_m"]
    assert after.keys() == {one["trip_id"] for one in trips}


TRIP_IN = """
    insert into telemetry.trip (trip_id, device_key, started_at, ended_at, time_zone, local_month, distance_m, gap_m,
                                duration_s, grade, quality, not_measurable, totals, features, versions, content_digest)
    values (gen_random_uuid(), %s, '2026-05-01', '2026-05-01', 'UTC', '2026-05', 1000, 0, 60, 'A', '{}', '{}',
            jsonb_build_object('territory:' || %s || '_m', 1000, 'distance_m', 1000), '{}', '{}', '')
"""


def test_territories_of_few_vehicles_are_not_told(database: Database) -> None:
    policies = [uuid4() for _ in range(7)]
    with database.role("owner") as conn:
        for number, policy_key in enumerate(policies):
            add_policy(conn, policy_key, f"P-{number}")
        for key in range(1, 11):  # the last ones are all in one car
            policy_key = policies[min(key, 7) - 1]
            conn.execute("insert into telemetry.device values (%s, %s, now())", (key, f"car-{key}"))
            conn.execute("insert into link.assignment values (%s, %s, '2026-01-01')", (key, policy_key))
            conn.execute(TRIP_IN, (key, "busy" if key <= 5 else "quiet"))
    with database.role("policy") as conn:
        found = [(one.territory, one.vehicles, one.distance_m) for one in territory_counts(conn)]
        assert found == [("busy", 5, 5000)]
        assert territory_counts(conn, 1) == territory_counts(conn, 5)  # the database holds to it
        assert territory_counts(conn, 6) == []


def test_a_driver_has_the_name_that_the_policyholder_wrote_whoever_has_the_address(household: Household) -> None:
    """Else an address would tell who is a customer, and under which name."""
    drivers = f"/api/v1/policies/{POLICY_OF[ANNA]}/drivers"
    for email in (BEN, "nobody.yet@example.org"):
        named = household.anna.post(drivers, json={"name": "Somebody", "email": email}).json()
        assert named[-1]["name"] == "Somebody"
    told = household.anna.get("/privacy").text + household.anna.get(drivers).text
    assert "Ben Example" not in told
    assert told.count("Somebody") >= 4
