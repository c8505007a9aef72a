import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.geodesy import EARTH_RADIUS_M, from_local_xy_m, haversine_m, local_xy_m, wrapped_deg

LATITUDES = st.floats(-80.0, 80.0)
LONGITUDES = st.floats(-180.0, 179.999)


def test_a_quarter_of_the_equator_is_a_quarter_of_the_circumference() -> None:
    assert haversine_m(0.0, 0.0, 0.0, 90.0) == pytest.approx(EARTH_RADIUS_M * np.pi / 2.0)


def test_helsinki_to_tallinn_is_82_km() -> None:
    assert haversine_m(60.1699, 24.9384, 59.4370, 24.7536) == pytest.approx(82_140, abs=200)


def test_longitude_180_is_no_wall() -> None:
    assert haversine_m(0.0, 179.9, 0.0, -179.9) == pytest.approx(haversine_m(0.0, -0.1, 0.0, 0.1))
    x_m, _ = local_xy_m(0.0, -179.9, 0.0, 179.9)
    assert x_m == pytest.approx(haversine_m(0.0, 179.9, 0.0, -179.9), rel=1e-9)


def test_a_turn_from_359_to_1_is_2_degrees() -> None:
    assert wrapped_deg(1.0 - 359.0) == pytest.approx(2.0)
    assert wrapped_deg(359.0 - 1.0) == pytest.approx(-2.0)


def test_an_unknown_position_has_an_unknown_distance() -> None:
    assert np.isnan(haversine_m(np.nan, 0.0, 0.0, 0.0))


@given(LATITUDES, LONGITUDES, st.floats(-2000.0, 2000.0), st.floats(-2000.0, 2000.0))
def test_local_coordinates_go_there_and_back(latitude_deg: float, longitude_deg: float, x_m: float, y_m: float) -> None:
    there = from_local_xy_m(x_m, y_m, latitude_deg, longitude_deg)
    assert np.allclose(local_xy_m(*there, latitude_deg, longitude_deg), (x_m, y_m), atol=1e-5)


@given(LATITUDES, LONGITUDES, st.floats(-1000.0, 1000.0), st.floats(-1000.0, 1000.0))
def test_local_distance_is_the_great_circle_within_a_thousandth(
    latitude_deg: float, longitude_deg: float, x_m: float, y_m: float
) -> None:
    there = from_local_xy_m(x_m, y_m, latitude_deg, longitude_deg)
    expected_m = np.hypot(x_m, y_m)
    assert haversine_m(latitude_deg, longitude_deg, *there) == pytest.approx(expected_m, rel=1e-3, abs=1e-3)
