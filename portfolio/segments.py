"""Segments for planning: a tree whose leaves can be said in a sentence, with what its people need, use and bring.

The tree splits by what everybody says before they are a customer (kilometres, age, place), so a segment can be reached
and its quotes counted, and so that those in a leaf are alike in use, risk, premium and service at once. It is for
planning products, never for a price: prices come from rates, and one customer's next step from the litmus test. A leaf
is never smaller than `least`, so nobody is looked at alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm
from sklearn.metrics import adjusted_rand_score
from sklearn.tree import DecisionTreeRegressor

from portfolio.customers_file import CHANNELS, Asked, Bools, Customers, Floats
from portfolio.errors import TooFewRows
from portfolio.needs import HIGH_KM, LOW_KM, NIGHT_SHARE, YOUNG
from portfolio.smallest_segment import Segment
from pricing.risk.credibility import fit_buhlmann_straub

TRAITS = ("declared_km_per_year", "age", "urban")
_SAID = {
    "declared_km_per_year": (
        "under {1:,.0f} km a year",
        "{0:,.0f} km a year or more",
        "{0:,.0f} to {1:,.0f} km a year",
    ),
    "age": ("younger than {1:.0f}", "{0:.0f} or older", "{0:.0f} to {1:.0f} years old"),
    "urban": ("outside towns", "in town", ""),
}
NEEDS = ("low mileage", "night worker", "several vehicles", "young driver", "high mileage")
SURE = 0.95

type Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PlanningSegment:
    """One group: who they are in words, how many, what they bring and need, how they can be reached. Euro a year."""

    name: str
    bounds: dict[str, tuple[float | None, float | None]]  # of each trait that it is made by: from, up to (None: open)
    customers: int
    exposure_years: float
    km_per_year: float
    premium: float
    loss_ratio: Estimate  # observed
    credibility: float  # of the observed loss ratio against the book's
    credible_loss_ratio: float
    value: Estimate  # premium less losses and service, a customer and year
    needs: dict[str, float]  # shares of customers; one may have several
    night_known: float  # share of customers whose night driving is known: only they can count as night workers
    reachable: float  # share who agreed to be contacted
    channels: dict[str, float]  # shares of their contacts
    take_up: Estimate | None  # of quotes priced by use; None: nobody had one
    choices: dict[str, Estimate]  # shares of customers by the pay plan they chose
    kept: Estimate | None  # share of terms that ended in a renewal; None: none has ended


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segments, the label of each customer (n,), and how alike re-runs on resampled customers come out, 0 to 1."""

    segments: tuple[PlanningSegment, ...]
    territories: tuple[PlanningSegment, ...]  # the same figures by where people say that they live
    labels: Labels
    stability: Estimate
    reruns: int


def segment_customers(
    customers: Customers, asked: Asked, *, most: int = 8, least: int = 500, reruns: int = 20, seed: int = 1
) -> Segmentation:
    """At most `most` segments of at least `least` customers each. Raises TooFewRows."""
    if len(customers) < 2 * least:
        raise TooFewRows("customers", len(customers), 2 * least)
    traits, wanted = _traits(customers), _wanted(customers)
    tree = _tree(traits, wanted, customers.exposure_years, most, least)
    leaf = tree.apply(traits)
    order = sorted(set(leaf.tolist()), key=lambda one: -int((leaf == one).sum()))
    number = np.full(tree.tree_.node_count, -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    bounds = _leaf_bounds(tree)
    rng = np.random.default_rng(seed)
    alike: list[float] = []
    for _ in range(reruns):
        rows = rng.integers(0, len(customers), len(customers))
        again = _tree(traits[rows], wanted[rows], customers.exposure_years[rows], most, least)
        alike.append(adjusted_rand_score(leaf, again.apply(traits)))
    quoted = number[tree.apply(_traits(asked))] if len(asked.taken) else np.zeros(0, dtype=np.int64)
    leaves = [bounds[one] for one in order]
    found = _described(customers, number[leaf], [(_name(one), one) for one in leaves], (quoted, asked.taken))
    low, high = (float(np.quantile(alike, share)) for share in ((1 - SURE) / 2, (1 + SURE) / 2))
    places, where = np.unique(customers.territory, return_inverse=True)
    nobody = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    territories = _described(customers, where, [(str(place), {}) for place in places], nobody)
    stability = Estimate(float(np.mean(alike)), low, high)
    return Segmentation(found, territories, number[leaf], stability, reruns)


def traits_of(customers: Customers) -> dict[str, Floats]:
    """What each customer is placed by."""
    return dict(zip(TRAITS, _traits(customers).T, strict=True))


def segments_of(segments: Sequence[Mapping[str, Any]], traits: Mapping[str, Floats]) -> Labels:
    """The place of the segment (as kept) that each customer falls into, shape (n,); -1 where what it asks for is not
    known (NaN).
    """
    found = np.full(len(next(iter(traits.values()))), -1, dtype=np.int64)
    for place, segment in reversed(list(enumerate(segments))):
        within = np.ones(len(found), dtype=np.bool_)
        for name, (low, high) in segment["bounds"].items():
            within &= np.isfinite(traits[name])
            within &= (traits[name] > (-np.inf if low is None else low)) & (
                traits[name] <= (np.inf if high is None else high)
            )
        found[within] = place
    return found


def offers_of_their_own(found: Segmentation, customers: Customers, cost: float) -> list[Segment]:
    """The same as segments whose own offer has to pay: `smallest_segment` says which do."""
    segments = []
    for number, one in enumerate(found.segments):
        rows = found.labels == number
        years = customers.exposure_years[rows]
        losses = customers.losses[rows] / years
        mean = float(np.average(losses, weights=years))
        sd = float(np.sqrt(np.average((losses - mean) ** 2, weights=years)))
        level_sd = (one.loss_ratio.high - one.loss_ratio.low) / (2 * norm.ppf((1 + SURE) / 2)) * one.credibility
        segments.append(
            Segment((one.name,), one.customers, one.premium, one.credible_loss_ratio, sd, float(level_sd), cost)
        )
    return segments


def _traits(people: Customers | Asked) -> Floats:
    return np.stack([np.asarray(getattr(people, name), dtype=np.float64) for name in TRAITS], axis=1)


def _wanted(customers: Customers) -> Floats:
    """What those of a leaf should be alike in: use, risk, premium, service; each by its own spread, logs where skew."""
    years = customers.exposure_years
    columns = [
        np.log(np.maximum(customers.km_per_year, 100.0)),
        np.minimum(customers.claims / years, 2.0),
        np.log(np.maximum(customers.premium / years, 1.0)),
        customers.contacts[:, CHANNELS.index("call_centre")] / years,
    ]
    table = np.stack(columns, axis=1)
    return np.asarray((table - table.mean(axis=0)) / np.where(table.std(axis=0) > 0, table.std(axis=0), 1.0))


def _tree(traits: Floats, wanted: Floats, weight: Floats, most: int, least: int) -> DecisionTreeRegressor:
    tree = DecisionTreeRegressor(max_leaf_nodes=max(most, 2), min_samples_leaf=least, random_state=0)
    return tree.fit(traits, wanted, sample_weight=weight)


type Bounds = dict[str, tuple[float | None, float | None]]


def _leaf_bounds(tree: DecisionTreeRegressor) -> dict[int, Bounds]:
    """The tightest bounds of each trait on the way to each leaf: above the first, up to the second."""
    made = tree.tree_
    found: dict[int, Bounds] = {}

    def walk(node: int, bounds: Bounds) -> None:
        if made.children_left[node] < 0:
            found[node] = {trait: bounds[trait] for trait in TRAITS if trait in bounds}
            return
        trait, edge = TRAITS[int(made.feature[node])], float(made.threshold[node])
        low, high = bounds.get(trait, (None, None))
        walk(int(made.children_left[node]), bounds | {trait: (low, edge if high is None else min(edge, high))})
        walk(int(made.children_right[node]), bounds | {trait: (edge if low is None else max(edge, low), high)})

    walk(0, {})
    return found


def _name(bounds: Bounds) -> str:
    words = [_SAID[trait][0 if low is None else 1 if high is None else 2].format(low or 0.0, high or 0.0)
             for trait, (low, high) in bounds.items()]  # fmt: skip
    return ", ".join(word for word in words if word) or "everybody"


def _described(
    customers: Customers, labels: Labels, groups: Sequence[tuple[str, Bounds]], quotes: tuple[Labels, Bools]
) -> tuple[PlanningSegment, ...]:
    quoted, taken = quotes
    ratio = customers.losses / np.maximum(customers.premium, 1e-9)
    credible = fit_buhlmann_straub(labels, ratio, customers.premium)
    found = []
    for number, (name, bounds) in enumerate(groups):
        rows = labels == number
        years, premium = customers.exposure_years[rows], customers.premium[rows]
        weight = float(premium.sum())
        observed = _ratio(customers.losses[rows], premium)
        z = float(credible.credibility(np.array([weight]))[0])
        margin = premium - customers.losses[rows] - customers.service_cost[rows]
        of_quotes = quoted == number
        contacts = customers.contacts[rows].sum(axis=0)
        night = customers.night_share[rows]
        found.append(
            PlanningSegment(
                name=name,
                bounds=bounds,
                customers=int(rows.sum()),
                exposure_years=float(years.sum()),
                km_per_year=float(np.average(customers.km_per_year[rows], weights=years)),
                premium=weight / float(years.sum()),
                loss_ratio=observed,
                credibility=z,
                credible_loss_ratio=float(credible.estimate(np.array([observed.value]), np.array([weight]))[0]),
                value=_ratio(margin, years),
                needs=_needs(customers, rows),
                night_known=float(np.isfinite(night).mean()),
                reachable=float(customers.may_be_contacted[rows].mean()),
                channels=dict(zip(CHANNELS, (contacts / max(contacts.sum(), 1.0)).tolist(), strict=True)),
                take_up=_share(int(taken[of_quotes].sum()), int(of_quotes.sum())) if of_quotes.any() else None,
                choices=_choices(customers.pay_plan[rows]),
                kept=_kept(customers, rows),
            )
        )
    return tuple(found)


def _needs(customers: Customers, rows: NDArray[np.bool_]) -> dict[str, float]:
    km = customers.km_per_year[rows]
    with np.errstate(invalid="ignore"):
        night = customers.night_share[rows] >= NIGHT_SHARE  # not shared is not known, and counts for nobody
    held = (km < LOW_KM, night, customers.household_vehicles[rows] > 1, customers.age[rows] < YOUNG, km >= HIGH_KM)
    return {name: float(np.mean(one)) for name, one in zip(NEEDS, held, strict=True)}


def _kept(customers: Customers, rows: NDArray[np.bool_]) -> Estimate | None:
    renewed, left = int(customers.renewed[rows].sum()), int(customers.left[rows].sum())
    return _share(renewed, renewed + left) if renewed + left else None


def _choices(plans: NDArray[np.str_]) -> dict[str, Estimate]:
    names, counts = np.unique(plans, return_counts=True)
    return {str(name): _share(int(count), len(plans)) for name, count in zip(names, counts, strict=True)}


def _ratio(above: Floats, below: Floats) -> Estimate:
    """The ratio of two sums over customers, its interval by the linearised (delta) standard error."""
    value = float(above.sum() / below.sum())
    error = float(np.sqrt(((above - value * below) ** 2).sum()) / below.sum())
    z = float(norm.ppf((1 + SURE) / 2))
    return Estimate(value, value - z * error, value + z * error)


def _share(count: int, of: int) -> Estimate:
    """A share with the interval of Clopper and Pearson (1934)."""
    tail = (1 - SURE) / 2
    low = float(beta.ppf(tail, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, of - count)) if count < of else 1.0
    return Estimate(count / of, low, high)
