"""A book's customers as columns: a row a policy, what is known of it added up over its years; and who asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet
from numpy.typing import NDArray

from portfolio.errors import BadBook

type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]
type Columns = dict[str, NDArray[Any]]  # numbers as floats, texts as they are

_COLUMNS = {
    "policies": ("policy", "territory", "declared_km_per_year", "household_vehicles", "consent_marketing", "pay_plan"),
    "exposure": (
        "policy", "exposure_years", "distance_km", "driver_age", "night_km_share", "liability_premium_cents",
        "collision_premium_cents", "liability_claims", "collision_claims",
    ),
    "claims": ("policy", "amount_cents"),
    "service": (
        "policy", "app_contacts", "web_contacts", "email_contacts", "call_centre_contacts", "letter_contacts",
        "cost_cents",
    ),
    "renewals": ("policy", "lapsed"),
    "quotes": ("territory", "driver_age", "declared_km_per_year", "pay_plan", "converted"),
}  # fmt: skip
CHANNELS = ("app", "web", "email", "call_centre", "letter")
USAGE_PRICED = ("per_km", "behaviour", "autograph")


@dataclass(frozen=True, slots=True)
class Asked:
    """Of q quotes of products priced by use, taken or not; arrays of shape (q,)."""

    declared_km_per_year: Floats
    age: Floats
    urban: Bools
    taken: Bools


@dataclass(frozen=True, slots=True)
class Customers:
    """Of n policies; arrays of shape (n,), `contacts` (n, channels). Money is euro over the whole exposure."""

    exposure_years: Floats
    km_per_year: Floats
    declared_km_per_year: Floats
    age: Floats
    territory: NDArray[np.str_]
    household_vehicles: Floats
    night_share: Floats  # NaN: not shared
    premium: Floats
    losses: Floats  # claims without an amount count as the mean of those with one
    claims: Floats
    service_cost: Floats
    contacts: Floats
    may_be_contacted: Bools
    pay_plan: NDArray[np.str_]
    renewed: Floats  # renewals kept
    left: Floats  # 1: ended at a renewal or between two

    def __len__(self) -> int:
        return len(self.exposure_years)

    @property
    def urban(self) -> Bools:
        """Whether they live in town."""
        return np.asarray(self.territory == "urban")


def read_customers(folder: Path) -> tuple[Customers, Asked]:
    """The customers of a book with any exposure, and who asked. Raises BadBook, naming file and column."""
    tables = {name: _columns(folder, name) for name in _COLUMNS}
    return _customers(tables), _asked(tables["quotes"])


def _asked(quotes: Columns) -> Asked:
    by_use = np.isin(quotes["pay_plan"], USAGE_PRICED)
    return Asked(
        quotes["declared_km_per_year"][by_use],
        quotes["driver_age"][by_use],
        quotes["territory"][by_use] == "urban",
        quotes["converted"][by_use].astype(np.bool_),
    )


def _customers(tables: dict[str, Columns]) -> Customers:
    policies, exposure = tables["policies"], tables["exposure"]
    rows = {int(key): row for row, key in enumerate(policies["policy"])}
    count = len(rows)

    def added(name: str, values: Floats) -> Floats:
        at = np.array([rows.get(int(key), -1) for key in tables[name]["policy"]], dtype=np.int64)
        if (at < 0).any():
            raise BadBook(name, "policy", f"{tables[name]['policy'][int(np.argmin(at))]} is not in policies.parquet")
        return np.bincount(at, values, minlength=count)

    years = added("exposure", exposure["exposure_years"])
    night = exposure["night_km_share"]
    shared_km = added("exposure", np.where(np.isnan(night), 0.0, exposure["distance_km"]))
    night_km = added("exposure", np.nan_to_num(night) * exposure["distance_km"])
    amounts = tables["claims"]["amount_cents"]
    amounts = np.where(np.isnan(amounts), np.nanmean(amounts) if len(amounts) else 0.0, amounts)
    premium = exposure["liability_premium_cents"] + exposure["collision_premium_cents"]
    has = years > 0
    safe = np.where(has, years, 1.0)
    whole = Customers(
        exposure_years=years,
        km_per_year=added("exposure", exposure["distance_km"]) / safe,
        declared_km_per_year=policies["declared_km_per_year"],
        age=added("exposure", exposure["driver_age"] * exposure["exposure_years"]) / safe,
        territory=policies["territory"],
        household_vehicles=policies["household_vehicles"],
        night_share=np.where(shared_km > 0, night_km / np.where(shared_km > 0, shared_km, 1.0), np.nan),
        premium=added("exposure", premium) / 100,
        losses=added("claims", amounts) / 100,
        claims=added("exposure", exposure["liability_claims"] + exposure["collision_claims"]),
        service_cost=added("service", tables["service"]["cost_cents"]) / 100,
        contacts=np.stack([added("service", tables["service"][f"{name}_contacts"]) for name in CHANNELS], axis=1),
        may_be_contacted=policies["consent_marketing"].astype(np.bool_),
        pay_plan=policies["pay_plan"],
        renewed=added("renewals", 1.0 - tables["renewals"]["lapsed"]),
        left=added("renewals", tables["renewals"]["lapsed"]),
    )
    return Customers(**{name: getattr(whole, name)[has] for name in Customers.__dataclass_fields__})


def _columns(folder: Path, name: str) -> Columns:
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise BadBook(name, "file", f"{path} is not there; `wayrate simulate book --out {folder}` makes such a folder")
    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise BadBook(name, "file", f"{path} is no Parquet file: {error}") from error
    missing = [column for column in _COLUMNS[name] if column not in schema.names]
    if missing:
        raise BadBook(name, missing[0], f"{path} has no such column")
    table = pyarrow.parquet.read_table(path, columns=list(_COLUMNS[name]))
    found = {}
    for column in _COLUMNS[name]:
        values = table[column]
        is_text = pyarrow.types.is_string(values.type) or pyarrow.types.is_dictionary(values.type)
        found[column] = np.array(values.to_pylist()) if is_text else pc.cast(values, pyarrow.float64()).to_numpy()
    return found
