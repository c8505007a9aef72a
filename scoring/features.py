"""The one list of features: code, models, pages and documents read it. All come from sums of trips' integer totals."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS, OVER_LIMIT_BANDS

type Totals = Mapping[str, int]

LONG_DRIVE_S = 7200  # of one trip, that is without a stop of five minutes: what comes after it is long driving
SEVERE_FACTOR = 1.5  # a manoeuvre whose peak reaches so many thresholds of its vehicle class is severe
SEVERE_OVER_KMH = 20.0
STARTS = "starts_"  # counters of trips by local hour of departure, on workdays and at weekends apart
TERRITORY = "territory:"  # counters of metres by territory


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
        above = 0
        for name in self.numerator:
            above += totals.get(name, 0)
        if not self.denominator:
            return self.scale * above
        below = 0
        for name in self.denominator:
            below += totals.get(name, 0)
        return self.scale * above / below if below else None


@dataclass(frozen=True, slots=True)
class Sameness:
    """The chance that two different ones of the counted, drawn blindly, fall into the same cell (Simpson's index).

    Unbiased for any number of them, so a month and a year compare; None for fewer than two.
    """

    name: str
    unit: str
    prefix: str

    @property
    def formula(self) -> str:
        """The formula as documents show it."""
        return f"sum of n (n - 1) / (N (N - 1)); n: {self.prefix}*, N: their sum"

    def of(self, totals: Totals) -> float | None:
        """The feature's value."""
        counts = [count for name, count in totals.items() if name.startswith(self.prefix)]
        pairs = sum(counts) * (sum(counts) - 1)
        return sum(count * (count - 1) for count in counts) / pairs if pairs else None


_OVER = ("over_0_10", "over_10_20", "over_20")


def _per_100km(name: str, counter: str, measurable: str) -> Feature:
    return Feature(name, "1/100 km", 100_000, (counter,), (measurable,))


FEATURES: tuple[Feature | Sameness, ...] = (
    Feature("distance_km", "km", 0.001, ("distance_m",)),
    Feature("trip_count", "1", 1, ("trips",)),
    Feature("duration_h", "h", 1 / 3600, ("duration_s",)),
    Feature("mean_trip_km", "km", 0.001, ("distance_m",), ("trips",)),
    Feature("mean_speed_kmh", "km/h", 3.6, ("distance_m",), ("measured_s",)),
    Feature("gap_km_share", "1", 1, ("gap_m",), ("distance_m", "gap_m")),
    Feature("matched_km_share", "1", 1, ("matched_m",), ("distance_m",)),
    *(Feature(f"{name}_km_share", "1", 1, (f"{name}_m",), ("distance_m",)) for name in HOUR_BANDS),
    *(Feature(f"{name}_time_share", "1", 1, (f"{name}_s",), ("measured_s",)) for name in HOUR_BANDS),
    *(Feature(f"{name}_km_share", "1", 1, (f"{name}_m",), ("distance_m",)) for name in EXPOSURE_CLASSES),
    *(Feature(f"{name}_time_share", "1", 1, (f"{name}_s",), ("measured_s",)) for name in EXPOSURE_CLASSES),
    Feature("limit_known_km_share", "1", 1, ("limit_known_m",), ("distance_m",)),
    *(Feature(f"{band}_km_share", "1", 1, (f"{band}_m",), ("limit_known_m",)) for band in _OVER),
    *(Feature(f"{band}_time_share", "1", 1, (f"{band}_s",), ("limit_known_s",)) for band in _OVER),
    Feature("over_limit_time_share", "1", 1, tuple(f"{band}_s" for band in _OVER), ("limit_known_s",)),
    Feature("over_reported_limit_time_share", "1", 1, ("reported_over_s",), ("reported_limit_s",)),
    _per_100km("speeding_per_100km", "speeding_events", "limit_known_m"),
    _per_100km("severe_speeding_per_100km", "severe_speeding_events", "limit_known_m"),
    _per_100km("hard_brakes_per_100km", "hard_brake_events", "brake_measurable_m"),
    _per_100km("severe_hard_brakes_per_100km", "severe_hard_brake_events", "brake_measurable_m"),
    _per_100km("hard_accelerations_per_100km", "hard_acceleration_events", "acceleration_measurable_m"),
    _per_100km("severe_hard_accelerations_per_100km", "severe_hard_acceleration_events", "acceleration_measurable_m"),
    _per_100km("hard_corners_per_100km", "hard_corner_events", "corner_measurable_m"),
    _per_100km("severe_hard_corners_per_100km", "severe_hard_corner_events", "corner_measurable_m"),
    Feature("phone_time_share", "1", 1, ("phone_s",), ("phone_measurable_s",)),
    Feature("phone_s_per_100km", "s/100 km", 100_000, ("phone_s",), ("phone_measurable_m",)),
    Feature("belt_off_time_share", "1", 1, ("belt_off_s",), ("belt_measurable_s",)),
    Feature("long_drive_time_share", "1", 1, ("long_drive_s",), ("measured_s",)),
    Feature("long_drive_trip_share", "1", 1, ("long_drives",), ("trips",)),
    Sameness("trip_regularity", "1", STARTS),
    Feature("accident_density_ratio", "1", 0.001, ("accident_density_mm",), ("accident_known_m",)),
)
BY_NAME = {feature.name: feature for feature in FEATURES}

# Kilometres and minutes of every road class x hour band x over-limit band, from the exposure cells: for models.
CELLS: tuple[tuple[str, str, str], ...] = tuple(
    (road_class, hour_band, band)
    for road_class in EXPOSURE_CLASSES
    for hour_band in HOUR_BANDS
    for band in OVER_LIMIT_BANDS
)
CELL_FEATURES: tuple[Feature, ...] = tuple(
    Feature("_".join((*cell, unit)), unit, scale, ("_".join((*cell, total)),))
    for cell in CELLS
    for unit, scale, total in (("km", 0.001, "m"), ("min", 1 / 60, "s"))
)
TERRITORY_SHARE = Feature("territory_km_share:*", "1", 1, (f"{TERRITORY}*_m",), ("distance_m",))
FEATURES_VERSION = (
    "features-"
    + hashlib.sha256(
        repr(
            (
                [(one.name, one.unit, one.formula) for one in (*FEATURES, *CELL_FEATURES, TERRITORY_SHARE)],
                (LONG_DRIVE_S, SEVERE_FACTOR, SEVERE_OVER_KMH),
            )
        ).encode()
    ).hexdigest()[:12]
)


def features_of(totals: Totals) -> dict[str, float | None]:
    """Every feature of a trip or of any set of trips, to 6 decimals; None: not measurable.

    Without a territory file there are none of `territory_km_share:...`; with one, those of the territories driven in.
    """
    values = {feature.name: feature.of(totals) for feature in FEATURES}
    for name in sorted(totals):
        if name.startswith(TERRITORY) and (driven_m := totals.get("distance_m", 0)):
            values[f"territory_km_share:{name.removeprefix(TERRITORY).removesuffix('_m')}"] = totals[name] / driven_m
    return {name: None if value is None else round(value, 6) for name, value in values.items()}


def trip_features(names: tuple[str, ...], totals: NDArray[np.int64]) -> NDArray[np.float64]:
    """`FEATURES` of t trips, each by itself, from counters under `names`, shape (t, names): shape (t, FEATURES).

    The same numbers as `of` gives, NaN for None. What compares trips (`Sameness`) has no answer for one.
    """
    above, below, scale, plain = _matrices(names)
    counted = totals.astype(np.float64)
    divisor = counted @ below
    divisor[:, plain] = 1.0
    divisor[divisor == 0.0] = np.nan
    values: NDArray[np.float64] = scale * (counted @ above) / divisor
    return values


@lru_cache(maxsize=4)
def _matrices(
    names: tuple[str, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Which counters stand above and below the line of each feature, (names, FEATURES), and which have no line."""
    above, below = np.zeros((2, len(names), len(FEATURES)))
    scale, plain = np.ones(len(FEATURES)), np.zeros(len(FEATURES), dtype=np.bool_)
    for column, feature in enumerate(FEATURES):
        if not isinstance(feature, Feature):
            continue
        scale[column], plain[column] = feature.scale, not feature.denominator
        for matrix, wanted in ((above, feature.numerator), (below, feature.denominator)):
            for name in set(wanted) & set(names):
                matrix[names.index(name), column] = 1.0
    return above, below, scale, plain


def sum_totals(trips: Iterable[Totals]) -> dict[str, int]:
    """The totals of a set of trips."""
    summed: dict[str, int] = {}
    for totals in trips:
        for name, count in totals.items():
            summed[name] = summed.get(name, 0) + count
    return summed
