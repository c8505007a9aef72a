"""docs/scoring.md names every event, feature, weight and vehicle class with the numbers that the code has."""

from pathlib import Path

from scoring.events import KINDS
from scoring.features import FEATURES
from scoring.score import PRIOR_MODEL
from scoring.settings import THRESHOLDS
from scoring.yardstick import VENDORS

PAGE = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")


def test_every_feature_stands_there_with_unit_and_formula() -> None:
    missing = [one.name for one in FEATURES if f"| `{one.name}` | {one.unit} | {one.formula} |" not in PAGE]
    assert missing == []


def test_every_weight_stands_there_with_its_interval_and_reason() -> None:
    for weight in PRIOR_MODEL.weights:
        low, high = weight.beta_interval
        row = f"| `{weight.feature}` | {weight.beta:g} ({low:g} to {high:g}) | {weight.reference:g} |"
        assert row in PAGE
        assert weight.source in PAGE


def test_every_event_and_vehicle_class_stands_there() -> None:
    assert [kind for kind in KINDS if f"`{kind}`" not in PAGE] == []
    for name, limits in THRESHOLDS.items():
        assert f"`{name}` {limits.brake_mps2:g}, {limits.acceleration_mps2:g}, {limits.corner_mps2:g}" in PAGE


def test_every_key_of_the_yardstick_and_every_flag_of_the_accelerometer_stands_there() -> None:
    keys = (
        "tesla_v1_0",
        "tesla_v2_2",
        "samsara",
        "motive",
        "damoov_phone_penalty",
        "damoov_speeding",
        "zendrive_class",
        *VENDORS,
    )
    assert [key for key in (*keys, "imu_saturated", "imu_stuck", "imu_uncalibrated") if f"`{key}`" not in PAGE] == []
