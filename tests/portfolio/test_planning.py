"""Segments of the book in the database: as it was served, kept by version, without what nobody agreed to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from portfolio.customers_store import read_book
from portfolio.errors import TooFewRows
from portfolio.outlines import outlines_of, tiles
from portfolio.planning import Wanted, plan_segments
from portfolio.planning_store import fetch_result, fetch_versions
from portfolio.segments import segments_of
from storage.pool import Conn, Database
from tests.portfolio.book_in_database import key, put_book, simulated
from tests.portfolio.people import add_people, agree, change
from tests.portfolio.people import key as person_key

TABLES = simulated(1500, 2, 3)
END = datetime(2026, 1, 1, tzinfo=UTC)
SINCE = datetime(2023, 12, 1, tzinfo=UTC)
FLAT = ("flat",)


@contextmanager
def policy(database: Database) -> Iterator[Conn]:
    with database.role("policy") as conn:
        yield conn


def test_the_book_in_the_database_is_the_book_that_was_served(database: Database) -> None:
    put_book(database, TABLES, research_share=0.6)
    with policy(database) as conn:
        found = read_book(conn, SINCE, END, FLAT)
        customers = found.customers
        assert (len(customers), found.currency, found.left_out) == (1500, "EUR", 0)
        exposure, claims = TABLES["exposure"], TABLES["claims"]
        assert customers.exposure_years.sum() == pytest.approx(sum(row["exposure_years"] for row in exposure), rel=0.01)
        premium = sum(row["liability_premium_cents"] + row["collision_premium_cents"] for row in exposure) / 100
        assert customers.premium.sum() == pytest.approx(premium)
        amounts = [row["amount_cents"] / 100 for row in claims if row["amount_cents"] is not None]
        assert customers.losses.sum() == pytest.approx(np.mean(amounts) * len(claims))
        renewals = TABLES["renewals"]
        assert customers.renewed.sum() == sum(not row["lapsed"] for row in renewals)
        assert customers.left.sum() == pytest.approx(
            sum(row["ended_on"] is not None for row in TABLES["policies"]), abs=60
        )
        calls = sum(row["call_centre_contacts"] + 2 * row["bad_service"] for row in TABLES["service"])
        assert customers.contacts[:, 3].sum() == pytest.approx(calls)

        agreed = float(np.mean(customers.km_per_year != customers.declared_km_per_year))
        assert 0.5 < agreed < 0.7
        known = np.isfinite(customers.night_share).sum()
        words = conn.execute("select text_hash from policy.consent where purpose = 'research' limit 1").fetchone()
        assert words is not None
        withdrawn = [(key("person", row["policy"]), words[0], uuid4()) for row in TABLES["policies"]]
        conn.cursor().executemany(
            "insert into policy.consent (person_key, purpose, granted, version, text_hash, said_at, said_by)"
            " values (%s, 'research', false, 2, %s, now(), %s)",
            withdrawn,
        )
        after = read_book(conn, SINCE, END, FLAT).customers
        assert known > 0
        assert np.isfinite(after.night_share).sum() == 0
        assert (after.km_per_year == after.declared_km_per_year).all()


def test_versions_are_kept_and_every_customer_finds_their_segment(database: Database) -> None:
    with pytest.raises(TooFewRows):
        plan_segments(database, Wanted(), END)
    put_book(database, TABLES)
    wanted = Wanted(most=4, least=200)
    assert [plan_segments(database, wanted, END) for _ in range(2)] == [1, 2]
    with policy(database) as conn:
        assert fetch_versions(conn, "segments") == [2, 1]
        first, second = fetch_result(conn, "segments", 1), fetch_result(conn, "segments")
    with pytest.raises(psycopg.Error, match="never edited"), database.role("owner") as conn:
        conn.execute("delete from policy.planning_result")
    assert first is not None
    assert second is not None
    assert first.found["alike_before"] is None
    assert second.found["alike_before"] == pytest.approx(1.0)
    assert second.found["segments"] == first.found["segments"]
    segments = second.found["segments"]
    assert sum(one["customers"] for one in segments) == 1500
    traits = ("declared_km_per_year", "age", "urban")
    people = np.array(list(product((3000.0, 12000.0, 40000.0), (19.0, 45.0, 80.0), (0.0, 1.0))))
    assert (segments_of(segments, dict(zip(traits, people.T, strict=True))) >= 0).all()
    assert segments_of(segments, dict.fromkeys(traits, np.array([np.nan]))).tolist() == [-1]
    assert {one["name"] for one in second.found["territories"]} == {"urban", "suburban", "rural"}
    assert second.found["outlines"]["drawn"] is False


def test_interest_is_of_those_who_asked_and_were_not_priced_by_use(database: Database) -> None:
    asked_at = datetime(2026, 3, 1, tzinfo=UTC)
    with policy(database) as conn:
        add_people(conn, 5)
        agree(conn, [0], "research")
        for number in range(5):
            conn.execute(
                "insert into policy.touchpoint (person_key, channel, kind, outbound, occurred_at, minutes, made_by,"
                " idempotency_key) values (%s, 'web', 'quote', false, %s, 0, %s, 'q')",
                (person_key(number), asked_at, uuid4()),
            )
        change(conn, 0, "endorse", asked_at + timedelta(days=3), pay_plan="per_km")
        change(conn, 1, "endorse", asked_at + timedelta(days=3), covers=["liability"])
        change(conn, 2, "endorse", asked_at + timedelta(days=40), pay_plan="per_km")  # too late to be of that quote
        change(conn, 3, "endorse", asked_at - timedelta(days=3), pay_plan="autograph")  # had it before
        asked = read_book(conn, SINCE, datetime(2026, 6, 1, tzinfo=UTC), FLAT).asked
        assert sorted(asked.taken.tolist()) == [False, False, False, True]
        early = read_book(conn, SINCE, asked_at + timedelta(days=5), FLAT).asked
        assert len(early.taken) == 0  # whether they take it is not known yet


def test_territories_are_drawn_as_shapes_without_their_place(tmp_path: Path) -> None:
    square = [[24.9, 60.1], [25.0, 60.1], [25.0, 60.2], [24.9, 60.2], [24.9, 60.1]]
    beside = [[x + 0.1, y] for x, y in square]
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for name, ring in (("urban", square), ("rural", beside))
    ]
    file = tmp_path / "places.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    drawn = outlines_of(file)
    assert drawn.drawn
    assert drawn.height == pytest.approx(1000, rel=0.01)  # 0.2 degrees wide at 60 degrees north is 0.1 high
    assert set(drawn.paths) == {"urban", "rural"}
    assert "60.1" not in "".join(drawn.paths.values())
    assert drawn.paths["urban"] == "M0 1005L500 1005L500 0L0 0z"
    assert len(tiles(["a", "b"]).paths) == 2
