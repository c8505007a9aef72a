"""A phone's requests: what the gateway stores of them is what the device saw, and no token leaks into an error."""

import numpy as np
import pytest

from ingest.devices import enrol
from ingest.store import fetch_readings
from simulator.errors import GatewayUnavailable, UploadRefused
from simulator.osmand import osmand_queries, upload_osmand
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
        assert upload_osmand(url, device.token, some) == len(some["fix_time_us"])
        assert upload_osmand(url, device.token, some) == len(some["fix_time_us"])  # again: nothing is doubled
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


def test_an_unknown_phone_is_refused_and_its_token_is_in_no_error(database: Database, some: Columns) -> None:
    token = "never-enrolled-0123456789"
    with serving(database) as url, pytest.raises(UploadRefused, match="404") as refused:
        upload_osmand(url, token, some, pause=pytest.fail)
    assert token not in str(refused.value)


def test_a_gateway_that_is_away_is_asked_a_bounded_number_of_times(some: Columns) -> None:
    pauses: list[float] = []
    token = "never-enrolled-0123456789"
    with pytest.raises(GatewayUnavailable, match="3 attempts") as away:
        upload_osmand("http://127.0.0.1:9", token, some, attempts=3, pause=pauses.append)
    assert pauses == [0.25, 0.5]
    assert token not in str(away.value)
