"""`wayrate score FILE`: the same physics through the front door, and every key that its JSON promises."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from ingest.readings import Readings
from tests.scoring.conformance.physics import G, Journey, Leg, World, journey, seen

BRAKE = journey(15, [Leg(120), Leg(15 / (0.45 * G), -0.45 * G), Leg(5), Leg(20, 0.75), Leg(120)])
TWO_BRAKES = journey(27, [Leg(120), Leg(2, -0.45 * G), Leg(5), Leg(2, -0.45 * G), Leg(120)])
GENTLE = journey(15, [Leg(120), Leg(15 / (0.1 * G), -0.1 * G), Leg(10), Leg(15, 1.0), Leg(120)])
CORNER = journey(12, [Leg(120), Leg(3, 0, 0.45 * G / 144), Leg(120)])
PARKED = Journey(np.array([0.0, 28_800.0]), *[np.zeros(2)] * 7)
KINDS = {"hard_brake", "hard_acceleration", "hard_corner", "speeding", "phone_use", "seat_belt_off", "suspected_crash"}
KEYS = {
    "trip_id",
    "started_at",
    "ended_at",
    "distance_km",
    "duration_s",
    "sampling_interval_s",
    "quality",
    "events",
    "not_measurable",
    "features",
    "gap_km",
    "score",
    "yardstick",
    "quarantined",
}


def scored(folder: Path, *tables: str, plan: str | None = None) -> list[dict[str, Any]]:
    """What the command prints, its process this one: the machine code of scoring is loaded once."""
    files = []
    for number, table in enumerate(tables):
        files.append(folder / f"car{number}.csv")
        files[-1].write_text(table, "utf-8")
    asked = [] if plan is None else ["--plan", plan]
    done = CliRunner().invoke(app, ["score", *map(str, files), "--as-of", "2026-12-31", *asked])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def table_of(readings: Readings, times: list[str] | None = None) -> str:
    """The readings as a stranger writes them: ISO times to the millisecond, seven decimals, unknown left empty."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    said = times or [
        (start + timedelta(microseconds=int(time_us))).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for time_us in readings.fix_time_us
    ]
    columns = [
        said,
        [f"{value:.7f}" for value in readings.latitude_deg],
        [f"{value:.7f}" for value in readings.longitude_deg],
        ["" if np.isnan(value) else f"{value:.2f}" for value in readings.speed_mps],
        ["" if np.isnan(value) else f"{value:.1f}" for value in readings.heading_deg],
    ]
    rows = [",".join(row) for row in zip(*columns, strict=True)]
    return "\n".join(["fix_time,latitude_deg,longitude_deg,speed_mps,heading_deg", *rows]) + "\n"


def kinds(trip: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in trip["events"]]


def test_every_promised_key_is_there_with_its_type(tmp_path: Path) -> None:
    (trip,) = scored(tmp_path, table_of(seen(BRAKE, World(noise="white"))))
    assert trip.keys() >= KEYS
    (event,) = trip["events"]
    assert event.keys() >= {"kind", "started_at", "ended_at", "peak_mps2", "latitude_deg", "longitude_deg", "source"}
    assert event["kind"] == "hard_brake"
    assert event["peak_mps2"] == pytest.approx(0.45 * G, rel=0.06)
    assert event["latitude_deg"] == pytest.approx(60.17, abs=0.01)
    assert event["source"] == "gps_speed"
    assert trip["quality"].keys() >= {"grade", "coverage", "flags"}
    assert trip["score"].keys() >= {"value", "claims_per_100000_km", "interval", "reasons"}
    assert len(trip["score"]["interval"]) == 2
    assert set(trip["not_measurable"]) == KINDS - {"hard_brake", "hard_acceleration", "hard_corner"}
    assert trip["distance_km"] == pytest.approx(BRAKE.way_m / 1000, rel=0.01)
    assert (trip["gap_km"], trip["quarantined"], trip["sampling_interval_s"]) == (0, 0, 1.0)
    assert isinstance(trip["features"], dict)
    assert isinstance(trip["yardstick"], dict)
    # by a rate plan's model: the same trip, other reasons
    (other,) = scored(tmp_path, table_of(seen(BRAKE, World(noise="white"))), plan="docs/examples/rate-plan.toml")
    assert [one["feature"] for one in other["score"]["reasons"]] == ["over_20_km_share", "hard_brakes_per_100km"]
    assert trip["score"]["model"].startswith("frequency-prior-")
    assert other["score"]["model"] == other["versions"]["model"] != trip["score"]["model"]
    assert {one["feature"] for one in other["coaching"]} == {"hard_brakes_per_100km"}
    assert other["totals"] == trip["totals"]
    began, ended = (datetime.fromisoformat(trip[key]) for key in ("started_at", "ended_at"))
    assert (ended - began).total_seconds() == pytest.approx(trip["duration_s"], abs=1)


@pytest.mark.parametrize("hz", [10.0, 1.0, 0.5, 0.2, 0.1])
def test_a_fleet_of_files_at_one_rate_is_each_what_it_is_alone(hz: float, tmp_path: Path) -> None:
    """A brake, two, none, a corner and a parked car, all in one call."""
    journeys = [BRAKE, TWO_BRAKES, GENTLE, CORNER]
    tables = [table_of(seen(one, World(hz=hz, noise="white", seed=seed))) for seed, one in enumerate(journeys)]
    drift = table_of(seen(PARKED, World(hz=min(hz, 0.2), noise="white", with_speed=False)))
    together = scored(tmp_path, *tables, drift)
    assert [trip["device_id"] for trip in together] == ["car0", "car1", "car2", "car3"]
    expected = [["hard_brake"], ["hard_brake"] * 2, [], ["hard_corner"]]
    assert [kinds(trip) for trip in together] == (expected if hz >= 1.0 else [[]] * 4)
    for trip, truth in zip(together, journeys, strict=True):
        assert ("hard_brake" in trip["not_measurable"]) is (hz < 1.0)
        assert trip["distance_km"] == pytest.approx(truth.way_m / 1000, rel=0.01 if hz >= 0.5 else 0.06)
    assert scored(tmp_path, tables[0]) == together[:1]


def test_reversed_and_doubled_files_give_the_same_object(tmp_path: Path) -> None:
    table = table_of(seen(TWO_BRAKES, World(noise="correlated")))
    head, *rows = table.splitlines()
    first = scored(tmp_path, table)
    for variant in (rows[::-1], rows + rows, rows[100:] + rows[:120]):
        assert scored(tmp_path, "\n".join([head, *variant]) + "\n") == first


def test_a_leap_second_and_the_zones_of_a_fold_keep_their_order(tmp_path: Path) -> None:
    """2016 ended with 23:59:60; Helsinki's 03:30 came twice on 25 October 2026, told apart by its offset."""
    count = 600
    truth = seen(journey(15, [Leg(600)]), World()).take(slice(0, count))
    leap = datetime(2016, 12, 31, 23, 55, tzinfo=UTC)
    times = [(leap + timedelta(seconds=row - (row > 300))).isoformat() for row in range(count)]
    times[300] = "2016-12-31T23:59:60Z"
    (trip,) = scored(tmp_path, table_of(truth, times))
    assert (kinds(trip), trip["quarantined"]) == ([], 0)
    assert trip["distance_km"] == pytest.approx(9.0, rel=0.01)
    fold = datetime(2026, 10, 25, 0, 55, tzinfo=UTC)
    times = []
    for row in range(count):
        hours = 3 if row < 300 else 2
        local = fold + timedelta(seconds=row, hours=hours)
        times.append(local.replace(tzinfo=None).isoformat() + f"+0{hours}:00")
    (trip,) = scored(tmp_path, table_of(truth, times))
    assert (trip["started_at"], trip["duration_s"]) == ("2026-10-25T00:55:00Z", 599)
    assert trip["distance_km"] == pytest.approx(9.0, rel=0.01)


def test_one_point_and_no_movement_are_no_error(tmp_path: Path) -> None:
    assert scored(tmp_path, table_of(seen(BRAKE, World()).take(slice(0, 1)))) == []
    assert scored(tmp_path, table_of(seen(PARKED, World(hz=0.1, noise="white")))) == []


def test_a_row_of_nonsense_is_counted_and_the_others_are_scored(tmp_path: Path) -> None:
    head, *rows = table_of(seen(BRAKE, World())).splitlines()
    rows[50] = rows[50].replace(",60.", ",96.", 1)
    (trip,) = scored(tmp_path, "\n".join([head, *rows]) + "\n")
    assert (trip["quarantined"], kinds(trip)) == (1, ["hard_brake"])
