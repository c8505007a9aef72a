"""Relabelling: a fact of a person about a time. It counts at once, is taken back exactly, late data do not move it."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import sql

from api.labelling import NAMES
from api.trip_view import EXCLUSIONS
from ingest.accept import accept_file
from ingest.decoded import Decoded
from ingest.devices import enrol
from ingest.readings import Readings
from pricing.close import close_period, post_adjustments
from pricing.policies import add_policy
from pricing.store import fetch_policy, fetch_posted_periods, fetch_statement_of_period
from scoring.label_store import label_trip
from scoring.labels import DRIVER, EXCLUSION, LABELS
from scoring.worker import work_once
from storage.pool import Database
from tests.api.conftest import sign_in
from tests.api.world import ANNA, BEN, DESK, NOW, PASSWORD, POLICY_OF, World, policy_document
from tests.scoring.driving import drive, profile

WHO = UUID(int=1)
SAID_AT = datetime(2026, 12, 2, 12, tzinfo=UTC)
MORNING = datetime(2026, 10, 6, 6, tzinfo=UTC)


def ways() -> dict[str, Readings]:
    """Four drives of October and November; `late` fills the silence inside `torn`, which without it is two trips."""
    found = {}
    for number, name in enumerate(("bus", "own", "whole", "november")):
        start = MORNING + timedelta(days=2 * number) if name != "november" else datetime(2026, 11, 5, 6, tzinfo=UTC)
        speed = profile((0, 0), (10, 15), (600, 15), (603, 3), (620, 14), (1490, 14), (1500, 0))
        found[name] = drive(
            1500.0, speed, noise_m=2.0, start_us=int(start.timestamp() * 1e6), seed=number, origin=(60.1, 24.9)
        )
    whole = found.pop("whole")
    second = (whole.fix_time_us - whole.fix_time_us[0]) / 1e6
    silent = (second > 500) & (second < 950)
    return found | {"torn": whole.take(~silent), "late": whole.take(silent)}


def upload(database: Database, readings: Readings) -> None:
    decoded = Decoded(readings, len(readings), (), np.arange(len(readings)), lambda _: b"")
    accept_file(database, "car-1", decoded, datetime(2026, 11, 6, tzinfo=UTC))


def insured(database: Database) -> None:
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", datetime(2026, 1, 1, tzinfo=UTC))
    add_policy(database, policy_document(ANNA, "car-1"), NOW)


def trip_at(database: Database, moment: datetime) -> UUID:
    with database.role("link") as conn:
        row = conn.execute(
            "select trip_id from link.trip_of_policy where started_at <= %(at)s and ended_at >= %(at)s", {"at": moment}
        ).fetchone()
    assert row is not None
    assert isinstance(row[0], UUID)
    return row[0]


def say(database: Database, moment: datetime, label: str) -> bool:
    trip_id = trip_at(database, moment)
    with database.role("link") as conn:
        return label_trip(conn, trip_id, label, said_by=WHO, said_at=SAID_AT)


def postings(database: Database) -> dict[str, list[Decimal]]:
    with database.role("policy") as conn:
        policy = fetch_policy(conn, POLICY_OF[ANNA])
        assert policy is not None
        found = {}
        for period in fetch_posted_periods(conn, policy.policy_key, "2026-01"):
            statement = fetch_statement_of_period(conn, policy.policy_id, period)
            assert statement is not None
            found[period] = [posting.amount for posting in statement.postings]
        return found


def totals(database: Database) -> dict[str, Decimal]:
    return {period: sum(amounts, Decimal(0)) for period, amounts in postings(database).items()}


def numbers(database: Database) -> list[tuple[object, ...]]:
    """All that pricing and pages read of the trips, and what scoring stored of them."""
    with database.role("link") as conn:
        seen = conn.execute("select * from link.trip_of_policy order by started_at").fetchall()
    with database.role("telemetry") as conn:
        return [*seen, *conn.execute("select * from telemetry.trip order by started_at").fetchall()]


def close_all(database: Database) -> None:
    for period in ("2026-10", "2026-11"):
        close_period(database, period, SAID_AT)


def work(database: Database) -> None:
    work_once(database, None, None, as_of=SAID_AT)
    post_adjustments(database, SAID_AT)


@pytest.fixture
def books(server_dsn: str, _template: str) -> Iterator[Callable[[], Database]]:
    """Makes fresh databases, each with the one policy and its device."""
    with psycopg.connect(server_dsn, autocommit=True) as conn, ExitStack() as opened:

        def book() -> Database:
            name = sql.Identifier(f"wayrate_labels_{uuid4().hex[:12]}")
            conn.execute(sql.SQL("create database {} template {}").format(name, sql.Identifier(_template)))
            opened.callback(lambda: conn.execute(sql.SQL("drop database {} with (force)").format(name)))
            dsn = psycopg.conninfo.make_conninfo(server_dsn, dbname=name.as_string().strip('"'))
            database = opened.enter_context(Database(dsn))
            insured(database)
            return database

        yield book


TORN = MORNING + timedelta(days=4)
EARLY, LATER = (TORN + timedelta(minutes=5)), (TORN + timedelta(minutes=20))


def test_a_label_in_a_posted_month_ends_at_the_price_of_one_said_on_time(books: Callable[[], Database]) -> None:
    on_time, later = books(), books()
    for database in (on_time, later):
        for readings in ways().values():
            upload(database, readings)
        work(database)
    assert say(on_time, MORNING, "bus")
    for database in (on_time, later):
        close_all(database)
    before, rows = totals(later), numbers(later)
    assert {len(amounts) for amounts in postings(on_time).values()} == {1}
    assert totals(on_time)["2026-10"] < before["2026-10"]

    assert say(later, MORNING, "bus")
    work(later)
    assert totals(later) == totals(on_time)
    with later.role("policy") as conn:
        statement = fetch_statement_of_period(conn, POLICY_OF[ANNA], "2026-10")
    assert statement is not None
    assert [posting.reason for posting in statement.postings[1:]] == ["1 trip(s) relabelled"]
    trips = statement.postings[1].inputs["trips"]
    assert [trip["not_charged"] for trip in trips] == ["excluded: relabelled_bus", None, None]  # type: ignore[attr-defined]

    assert say(later, MORNING, DRIVER)
    work(later)
    assert totals(later) == before
    assert numbers(later) == rows


def test_the_order_of_label_late_data_and_close_does_not_matter(books: Callable[[], Database]) -> None:
    parts = ways()
    late = parts.pop("late")
    found = []
    for order in permutations(("label", "late", "close")):
        database = books()
        for readings in parts.values():
            upload(database, readings)
        work(database)
        for step in order:
            if step == "label":
                assert say(database, EARLY, "passenger")
            elif step == "late":
                upload(database, late)
            else:
                close_all(database)
            work(database)
        found.append((totals(database), of_torn(database)))
    assert found == [found[0]] * 6
    assert found[0][0].keys() == {"2026-10", "2026-11"}
    ((label, excluded, score, distance_m),) = found[0][1]
    assert (label, excluded, score) == ("passenger", "relabelled_passenger", None)
    assert distance_m == pytest.approx(21_000, rel=0.05)


def of_torn(database: Database) -> list[tuple[object, ...]]:
    with database.role("link") as conn:
        return conn.execute(
            "select label, excluded, score, distance_m from link.trip_of_policy where started_at between %s and %s",
            (TORN - timedelta(hours=1), TORN + timedelta(hours=1)),
        ).fetchall()


def test_a_neighbour_that_a_later_cut_moves_into_the_labelled_time_is_not_labelled(database: Database) -> None:
    insured(database)
    upload(database, ways()["torn"])
    work(database)
    say(database, EARLY, "ferry")
    with database.role("link") as conn:
        conn.execute(
            """
            insert into link.trip_label (device_key, from_time, to_time, label, said_by, said_at)
            select device_key, to_time - interval '9 min', to_time + interval '8 min', 'bus', said_by, said_at
              from link.trip_label
            """
        )
        labels = conn.execute("select label from link.trip_of_policy order by started_at").fetchall()
    # Of 500 s of the first trip 540 s of 1020 s overlap; of 550 s of the second some 30 s: too little for a label.
    assert labels == [("bus",), (None,)]


def test_the_same_label_is_one_fact_and_facts_are_never_changed(database: Database) -> None:
    insured(database)
    upload(database, ways()["bus"])
    work(database)
    assert [say(database, MORNING, label) for label in (DRIVER, "bus", "bus", "train", DRIVER, DRIVER)] == [
        False, True, False, True, True, False,
    ]  # fmt: skip
    with database.role("link") as conn:
        kept = conn.execute("select label, said_by from link.trip_label order by trip_label_id").fetchall()
        assert not label_trip(conn, uuid4(), "bus", said_by=WHO, said_at=SAID_AT)
    assert kept == [("bus", WHO), ("train", WHO), (DRIVER, WHO)]
    for statement in ("update link.trip_label set label = 'bus'", "delete from link.trip_label"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), database.role("link") as conn:
            conn.execute(statement)
    for role in ("telemetry", "policy"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), database.role(role) as conn:
            conn.execute("select * from link.trip_label")


def test_every_label_has_its_words_and_is_known_to_the_database(database: Database) -> None:
    assert set(NAMES) == set(LABELS) - {DRIVER}
    assert {f"{EXCLUSION}{label}" for label in NAMES} <= EXCLUSIONS.keys()
    insured(database)
    upload(database, ways()["bus"])
    work(database)
    assert [say(database, MORNING, label) for label in (*LABELS[1:], DRIVER)] == [True] * len(LABELS)


def test_a_person_relabels_an_own_trip_by_page_and_by_api(world: World, client: TestClient) -> None:
    sign_in(client, ANNA)
    trips = client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips").json()
    trip = trips[0]  # of the month that is still open
    address = f"/trips/{trip['trip_id']}"
    page = client.get(address).text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    for wrong in ("", "made-up"):
        assert client.post(address, data={"label": "train", "form_token": wrong}).status_code == 403
    assert client.get(f"/api/v1{address}/label").json() == {"label": "driver", "excluded": None, "said": []}
    sent = client.post(address, data={"label": "train", "form_token": token[1]}, follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{address}#label")
    assert "You said: <strong>It was a train or a tram</strong>" in client.get(address).text
    assert "It counts in full." not in client.get(address).text
    shown = client.get(f"/api/v1{address}").json()
    assert (shown["label"], shown["excluded"], shown["score"]) == ("train", "relabelled_train", None)
    assert client.put(f"/api/v1{address}/label", json={"label": "a horse"}).status_code == 422
    again = client.put(f"/api/v1{address}/label", json={"label": "train"}).json()
    assert [(one["label"], one["by_you"]) for one in again["said"]] == [("train", True)]
    desk = TestClient(client.app, base_url="http://127.0.0.1")
    sign_in(desk, DESK)
    month = trip["started_at"][:7]
    post_adjustments(world.database, NOW)  # as the worker does: the book is summed up where the driving changed
    line = next(line for line in desk.get(f"/api/v1/book?period={month}").json() if line["policy"] == POLICY_OF[ANNA])
    assert line["relabelled_m"] == trip["distance_m"]
    share = 100 * line["relabelled_m"] / line["driven_m"]
    assert share > 0
    assert f'<td class="n">{share:.0f}\xa0%</td></tr>' in desk.get(f"/book?period={month}").text
    back = client.put(f"/api/v1{address}/label", json={"label": "driver"}).json()
    assert (back["label"], back["excluded"]) == ("driver", None)
    assert client.get(f"/api/v1{address}").json() == trip
    assert post_adjustments(world.database, NOW) == []


def test_a_foreign_trip_cannot_be_relabelled_and_an_underwriter_may_not(client: TestClient) -> None:
    sign_in(client, ANNA)
    trip_id = client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips").json()[-1]["trip_id"]
    for email, status in ((BEN, 404), (DESK, 403)):
        other = TestClient(client.app, base_url="http://127.0.0.1")
        sign_in(other, email, PASSWORD)
        token = re.search(r'name="form_token" value="([^"]+)"', other.get("/", follow_redirects=True).text)
        assert token is not None
        for trip in (trip_id, str(uuid4())):
            form = {"label": "bus", "form_token": token[1]}
            assert other.post(f"/trips/{trip}", data=form, follow_redirects=False).status_code == status
            assert other.put(f"/api/v1/trips/{trip}/label", json={"label": "bus"}).status_code == status
    nobody = TestClient(client.app, base_url="http://127.0.0.1")
    assert nobody.put(f"/api/v1/trips/{trip_id}/label", json={"label": "bus"}).status_code == 401
    assert client.get(f"/api/v1/trips/{trip_id}/label").json()["said"] == []
