"""The policies in force at the book's end as a rate plan reads them: what `wayrate rate` and a change of plan take."""

import numpy as np
import pyarrow as pa

from scoring.features import BY_NAME, Feature
from simulator.book.behaviour import COUNTS, FEATURES
from simulator.book.customers import Bools, Codes, Floats
from simulator.book.prices import PHONE
from simulator.book.tables import Table, named
from simulator.book.terms import Insured, Term, World

MEAN_SPEED_MPS = 11.0  # 40 km/h: turns metres into seconds, of which only shares count
M_A_KM = 1000


def in_force(world: World, insured: Insured, term: Term) -> Table:
    """One row a policy whose term runs at the book's end: its terms, whole metres, and where behaviour is shared the
    `totals` that give the features of the exposure table again, from which each plan's own score model predicts.

    No roads are simulated, so metres are of no road class (`unmatched`), and by hour those of the night are told apart.
    """
    runs = np.flatnonzero(term.ends == world.scope.after)
    insured, term = insured.chosen(runs), term.chosen(runs)
    people, formula = insured.customers, world.formula
    distance_m = np.round(M_A_KM * term.km).astype(np.int64)
    night_m = _share(term.features[:, FEATURES.index("night_km_share")], distance_m)
    totals = _totals(term.features, distance_m, people.is_phone)
    shares = insured.sharing > 0
    return {
        "policy": insured.policy,
        "pay_plan": named(insured.plan, list(formula.pay_plan)),
        "days": term.days,
        "covers": pa.array([list(formula.cover)] * len(insured), pa.list_(pa.string())),
        "territory": named(people.territory, list(formula.territory)),
        "vehicle_class": named(people.vehicle_class, list(formula.vehicle_class)),
        "driver_age": term.age,
        "declared_km_per_year": people.declared_km.astype(np.int64),
        "distance_m": distance_m,
        "m_unmatched_night": night_m,
        "m_unmatched_day": distance_m - night_m,
        "minutes": (distance_m / MEAN_SPEED_MPS / 60).astype(np.int64),
        "totals": pa.StructArray.from_arrays([np.where(shares, one, 0) for one in totals.values()], names=list(totals)),
    }


def _totals(features: Floats, distance_m: Codes, is_phone: Bools) -> dict[str, Codes]:
    """Counters of each driver from which the features are computed again: phone use only where a phone measures."""
    seconds = np.round(distance_m / MEAN_SPEED_MPS).astype(np.int64)
    found = {"distance_m": distance_m}
    for column, name in enumerate(FEATURES):
        feature = BY_NAME[name]
        assert isinstance(feature, Feature)
        (above,), (below,) = feature.numerator, feature.denominator
        measured = np.where(is_phone, 1, 0) if column == PHONE else 1
        found[below] = (seconds if below.endswith("_s") else distance_m) * measured
        of_scale = features[:, column] / feature.scale if COUNTS[column] else features[:, column]
        found[above] = _share(of_scale, found[below])
    return found | {"phone_measurable_m": np.where(is_phone, distance_m, 0)}


def _share(share: Floats, whole: Codes) -> Codes:
    return np.round(share * whole).astype(np.int64)
