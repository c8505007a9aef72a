"""A phone's requests: what the gateway stores of them is what the device saw."""

import httpx
import numpy as np
import pytest

from ingest.devices import enrol
from ingest.store import fetch_readings
from simulator.frames import osmand_queries
from simulator.world import Columns, SimulatedTrip
from storage.pool import Database
from tests.simulator.conftest import NOW, serving


@pytest.fixture
def some(trips: list[SimulatedTrip]) -> Columns:
    """Twelve readings of one trip, standing (no heading) and driving."""
    columns = trips[0].columns
    moving = int(np.argmax(np.isfinite(columns["heading_deg"])))
    rows = slice(moving - 6, moving + 6)
    return {name: values[rows] for name, values in columns.items()}


def test_every_reading_is_stored_as_the_device_saw_it(database: Database, some: Columns) -> None:
    with database.role("telemetry") as conn:
        device = enrol(conn, "phone-1", NOW)
    with serving(database) as url:
        for query in osmand_queries(some, device.token) * 2:  # again: nothing is doubled
            assert httpx.get(f"{url}/osmand", params=query).status_code == 200
    first_us, last_us = some["fix_time_us"][[0, -1]].tolist()
    with database.role("telemetry") as conn:
        stored = fetch_readings(conn, device.device_key, first_us - 1, last_us + 1)
    np.testing.assert_array_equal(stored.fix_time_us, some["fix_time_us"])
    for name in ("latitude_deg", "longitude_deg", "speed_mps", "heading_deg", "hdop", "satellites", "accuracy_m"):
        np.testing.assert_allclose(getattr(stored, name), some[name], rtol=1e-6, atol=0, err_msg=name)
    assert np.isnan(stored.heading_deg).any()


def test_a_heading_that_is_not_known_is_not_sent(some: Columns) -> None:
    said = ["bearing" in query for query in osmand_queries(some, "token")]
    assert said == np.isfinite(some["heading_deg"]).tolist()
