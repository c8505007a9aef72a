"""How drivers drive, as distributions measured on simulated trips, so that book and trips are of one world.

`behaviour.toml` holds, for each feature, quantiles over drivers of the long-run value, the correlation of their normal
scores, and how much one driver's value moves with the kilometres. `measure` renews it from scored trips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from scoring.features import BY_NAME, Totals, sum_totals
from simulator.errors import BadFormula

type Floats = NDArray[np.float64]

MEASURED = Path(__file__).with_name("behaviour.toml")
# Finer where few drivers make most of the events.
PROBABILITIES = np.append(np.linspace(0.0, 0.95, 20), (0.975, 0.99, 1.0))
FEATURES = (
    "night_km_share",
    "over_0_10_km_share",
    "over_10_20_km_share",
    "over_20_km_share",
    "phone_time_share",
    "hard_brakes_per_100km",
    "hard_accelerations_per_100km",
    "hard_corners_per_100km",
)
COUNTS = tuple(name.endswith("_per_100km") for name in FEATURES)
LEAST_DRIVERS = 30


class _Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature: quantiles over drivers at PROBABILITIES; the spread of a year's value about the driver's own.

    `km_per_draw`: a share moves as if so many kilometres were one independent draw. `dispersion`: a count has so many
    times the variance of a Poisson one.
    """

    quantiles: tuple[float, ...]
    km_per_draw: float = 0.0
    dispersion: float = 1.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    correlation: tuple[tuple[float, ...], ...]
    feature: dict[str, _Column]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Marginals and dependence of the features in the order of FEATURES."""

    source: str
    quantiles: Floats  # (features, len(PROBABILITIES))
    spread: Floats  # (features,): km_per_draw of shares, dispersion of counts
    correlation: Floats  # (features, features), of normal scores

    def drivers(self, style: Floats, rng: np.random.Generator) -> Floats:
        """Long-run values, shape (n, features). `style` (n,) is standard normal: the part that all features share.

        The dependence on `style` is that of the correlation's first axis, so the marginals stay as measured.
        """
        own = rng.standard_normal((len(style), len(FEATURES)))
        axes, variances = self._axes()
        own[:, 0] = style
        normal = own * np.sqrt(variances) @ axes.T
        values = [np.interp(ndtr(normal[:, j]), PROBABILITIES, self.quantiles[j]) for j in range(len(FEATURES))]
        return np.stack(values, axis=1)

    def driven(self, mean: Floats, km: Floats, rng: np.random.Generator) -> Floats:
        """What is driven in a term, shape (n, features), of drivers with long-run values `mean` over `km` (n,)."""
        values = np.empty_like(mean)
        for j, is_count in enumerate(COUNTS):
            if is_count:
                expected = mean[:, j] * km / 100.0
                # gamma-Poisson with variance `dispersion` x mean
                extra = max(self.spread[j] - 1.0, 1e-3)
                counts = rng.poisson(rng.gamma(np.maximum(expected, 1e-9) / extra) * extra)
                values[:, j] = 100.0 * counts / km
            else:
                draws = np.maximum(km / self.spread[j], 1.0)
                share = np.clip(mean[:, j], 1e-6, 1 - 1e-6)
                values[:, j] = rng.beta(share * draws, (1.0 - share) * draws)
        return values

    def _axes(self) -> tuple[Floats, Floats]:
        """Principal axes of the correlation, largest first, the first pointing to more risk; no variance under 0."""
        variances, axes = np.linalg.eigh(self.correlation)
        order = np.argsort(variances)[::-1]
        variances, axes = np.maximum(variances[order], 0.0), axes[:, order]
        axes = axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)
        scale = np.sqrt((axes**2 * variances).sum(axis=1))
        return axes / scale[:, None], variances


def read_behaviour(path: Path = MEASURED) -> Behaviour:
    """The measured behaviour. Raises BadFormula."""
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as err:
        raise BadFormula(path, str(err)) from err
    if tuple(found.feature) != FEATURES:
        raise BadFormula(path, f"features are {', '.join(found.feature)}; they must be {', '.join(FEATURES)}")
    columns = list(found.feature.values())
    if any(len(c.quantiles) != len(PROBABILITIES) or list(c.quantiles) != sorted(c.quantiles) for c in columns):
        raise BadFormula(path, f"a feature has {len(PROBABILITIES)} quantiles that do not fall")
    spread = [c.dispersion if is_count else c.km_per_draw for c, is_count in zip(columns, COUNTS, strict=True)]
    return Behaviour(
        found.source,
        np.array([c.quantiles for c in columns]),
        np.array(spread),
        np.array(found.correlation),
    )


def measure(halves: Sequence[tuple[Sequence[Totals], Sequence[Totals]]], source: str) -> str:
    """The text of a `behaviour.toml` from scored trips: two disjoint halves of the trips of each driver.

    What the halves differ by is how a driver's own value moves with the kilometres; the rest is between drivers. A
    driver's value is pulled to the mean by as much as its own kilometres leave in doubt, so that few of them do not
    make an extreme. Raises ValueError on too few drivers.
    """
    whole = [sum_totals([*a, *b]) for a, b in halves]
    km = np.array([max(totals.get("distance_m", 0) / 1000.0, 1e-3) for totals in whole])
    columns, scores = {}, []
    for name, is_count in zip(FEATURES, COUNTS, strict=True):
        values = np.array([_value(totals, name) for totals in whole])
        known = ~np.isnan(values)
        if np.count_nonzero(known) < LEAST_DRIVERS:
            raise ValueError(f"{name}: measured on {np.count_nonzero(known)} drivers; {LEAST_DRIVERS} are needed")
        spread = _spread(halves, name, is_count)
        quantiles = np.quantile(_long_run(values[known], km[known], spread, is_count), PROBABILITIES)
        columns[name] = (quantiles, "dispersion" if is_count else "km_per_draw", spread)
        scores.append(_normal_scores(values))
    return _as_toml(columns, _correlation(np.stack(scores, axis=1)), source)


def _value(totals: Mapping[str, int], name: str) -> float:
    value = BY_NAME[name].of(totals)
    return np.nan if value is None else value


def _spread(halves: Sequence[tuple[Sequence[Totals], Sequence[Totals]]], name: str, is_count: bool) -> float:
    """km per draw of a share, or the dispersion of a count."""
    sums = [(sum_totals(a), sum_totals(b)) for a, b in halves]
    pairs = np.array([(_value(a, name), _value(b, name)) for a, b in sums])
    km = np.array([[t.get("distance_m", 0) / 1000.0 for t in pair] for pair in sums])
    use = ~np.isnan(pairs).any(axis=1) & (km > 1.0).all(axis=1)
    pairs, km = pairs[use], km[use]
    apart = (pairs[:, 0] - pairs[:, 1]) ** 2
    # Var(a - b) = spread x unit x (1 / km_a + 1 / km_b)
    unit = _unit_variance((pairs * km).sum(axis=1) / km.sum(axis=1), is_count)
    return max(float(apart.sum() / max((unit * (1.0 / km).sum(axis=1)).sum(), 1e-12)), 1.0)


def _unit_variance(value: Floats | float, is_count: bool) -> Floats:
    """Of one draw, over a kilometre: p (1 - p) of a share, 100 x rate of a count per 100 km."""
    return np.asarray(100.0 * value if is_count else value * (1.0 - value))


def _long_run(values: Floats, km: Floats, spread: float, is_count: bool) -> Floats:
    """What drivers would show over very many kilometres, as far as theirs can tell (empirical Bayes, moments)."""
    centre = float(np.average(values, weights=km))
    noise = spread * float(_unit_variance(centre, is_count)) / km
    # Weighted by km: sum w (x - c)^2 has the expectation of sum w (tau^2 + noise).
    between = max(float(np.average((values - centre) ** 2 - noise, weights=km)), 0.0025 * centre**2, 1e-12)
    return np.maximum(centre + np.sqrt(between / (between + noise)) * (values - centre), 0.0)


def _normal_scores(values: Floats) -> Floats:
    known = ~np.isnan(values)
    scores = np.full(len(values), np.nan)
    _, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    mid_rank = np.cumsum(counts) - counts / 2.0  # equal values share one
    scores[known] = ndtri(mid_rank[place] / len(place))
    return scores


def _correlation(scores: Floats) -> Floats:
    """Pairwise over the drivers on whom both are known."""
    masked = np.ma.masked_invalid(scores)
    correlation = np.asarray(np.ma.corrcoef(masked, rowvar=False).filled(0.0))
    np.fill_diagonal(correlation, 1.0)  # also of a feature that nobody shows
    return correlation


def _as_toml(columns: Mapping[str, tuple[Floats, str, float]], correlation: Floats, source: str) -> str:
    def row(numbers: Floats, digits: int) -> str:
        return "[" + ", ".join(f"{number:.{digits}f}" for number in numbers) + "]"

    lines = [
        "# Measured on simulated trips, not on people: `wayrate simulate behaviour` writes this file.",
        f'source = "{source}"',
        "correlation = [",
        *(f"    {row(numbers, 3)}," for numbers in correlation),
        "]",
    ]
    for name, (quantiles, kind, spread) in columns.items():
        lines += ["", f"[feature.{name}]", f"quantiles = {row(quantiles, 5)}", f"{kind} = {spread:.3f}"]
    return "\n".join(lines) + "\n"
