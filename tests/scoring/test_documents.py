"""docs/scoring.md names every event, feature, weight and vehicle class with the numbers that the code has."""

from pathlib import Path

from scoring.events import KINDS
from scoring.features import FEATURES
from scoring.score import PRIOR_MODEL
from scoring.settings import THRESHOLDS

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
