"""The one list of features: code, models, pages and documents read it. All are ratios of sums of trips' totals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scoring.classes import EXPOSURE_CLASSES

type Totals = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Feature:
    """`scale` x sum of the numerator's totals / sum of the denominator's; None where the denominator is 0."""

    name: str
    unit: str
    scale: float
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        """The formula as documents show it."""
        above = " + ".join(self.numerator)
        scaled = above if self.scale == 1 else f"{self.scale:g} x ({above})"
        return f"{scaled} / ({' + '.join(self.denominator)})" if self.denominator else scaled

    def of(self, totals: Totals) -> float | None:
        """The feature's value; a total that is absent counts 0."""
        above = self.scale * sum(totals.get(name, 0) for name in self.numerator)
        if not self.denominator:
            return above
        below = sum(totals.get(name, 0) for name in self.denominator)
        return above / below if below else None


_OVER = ("over_0_10", "over_10_20", "over_20")

FEATURES: tuple[Feature, ...] = (
    Feature("distance_km", "km", 0.001, ("distance_m",)),
    Feature("trip_count", "1", 1, ("trips",)),
    Feature("duration_h", "h", 1 / 3600, ("duration_s",)),
    Feature("mean_trip_km", "km", 0.001, ("distance_m",), ("trips",)),
    Feature("mean_speed_kmh", "km/h", 3.6, ("distance_m",), ("measured_s",)),
    Feature("gap_km_share", "1", 1, ("gap_m",), ("distance_m", "gap_m")),
    Feature("matched_km_share", "1", 1, ("matched_m",), ("distance_m",)),
    Feature("night_km_share", "1", 1, ("night_m",), ("distance_m",)),
    *(Feature(f"{name}_km_share", "1", 1, (f"{name}_m",), ("distance_m",)) for name in EXPOSURE_CLASSES),
    Feature("limit_known_km_share", "1", 1, ("limit_known_m",), ("distance_m",)),
    *(Feature(f"{band}_km_share", "1", 1, (f"{band}_m",), ("limit_known_m",)) for band in _OVER),
    Feature("over_limit_time_share", "1", 1, tuple(f"{band}_s" for band in _OVER), ("limit_known_s",)),
    Feature("over_reported_limit_time_share", "1", 1, ("reported_over_s",), ("reported_limit_s",)),
    Feature("speeding_per_100km", "1/100 km", 100_000, ("speeding_events",), ("limit_known_m",)),
    Feature("hard_brakes_per_100km", "1/100 km", 100_000, ("hard_brake_events",), ("brake_measurable_m",)),
    Feature(
        "hard_accelerations_per_100km",
        "1/100 km",
        100_000,
        ("hard_acceleration_events",),
        ("acceleration_measurable_m",),
    ),
    Feature("hard_corners_per_100km", "1/100 km", 100_000, ("hard_corner_events",), ("corner_measurable_m",)),
    Feature("phone_time_share", "1", 1, ("phone_s",), ("phone_measurable_s",)),
    Feature("belt_off_time_share", "1", 1, ("belt_off_s",), ("belt_measurable_s",)),
)
BY_NAME = {feature.name: feature for feature in FEATURES}


def features_of(totals: Totals) -> dict[str, float | None]:
    """Every feature of a trip or of any set of trips, to 6 decimals; None: not measurable."""
    values = {feature.name: feature.of(totals) for feature in FEATURES}
    return {name: None if value is None else round(value, 6) for name, value in values.items()}


def sum_totals(trips: Iterable[Totals]) -> dict[str, int]:
    """The totals of a set of trips."""
    summed: dict[str, int] = {}
    for totals in trips:
        for name, count in totals.items():
            summed[name] = summed.get(name, 0) + count
    return summed
