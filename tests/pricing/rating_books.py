"""Plans and books for the columnar rating: plans of any number of factors, books with every pay plan."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pricing.plan import TIERS, RatePlan
from pricing.rating_book import EXPIRING
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from tests.pricing.cases import in_currency


def plan_of(
    factors: int = 15,
    *,
    currency: str = "EUR",
    decimals: int = 2,
    minimum: str = "3.00",
    tax: str = "0.24",
    seed: int = 1,
    tables: int = 0,
) -> RatePlan:
    """A plan of so many factors: named ones of four levels, age and declared km; covers as in the one that ships.

    `tables` of two of them: age by the first named one, declared km by age, and on.
    """
    shipped = Path("pricing/plans/wayrate-2026.toml").read_text()
    rng = np.random.default_rng(seed)
    rows = ""
    for number in range(factors - 2):
        levels = ", ".join(f'l{level} = "{rng.uniform(0.7, 1.5):.{decimals}f}"' for level in range(4))
        rows += f"[factors.f{number}]\nlevels = {{ {levels} }}\n\n"
    head, rest = shipped.split("[factors.vehicle_class]")
    text = head + rows + rest[rest.index("[factors.driver_age]") :]
    sides = ["driver_age", *(["f0"] if factors > 2 else []), "declared_km"]
    pairs = [(sides[number % len(sides)], sides[(number + 1) % len(sides)]) for number in range(tables)]
    text += "".join(_table(f"t{number}", pair, decimals, rng) for number, pair in enumerate(pairs))
    text = text.replace('minimum_premium = "3.00"', f'minimum_premium = "{minimum}"')
    return in_currency(text.replace('tax_rate = "0.24"', f'tax_rate = "{tax}"'), currency)


def _table(name: str, pair: tuple[str, str], decimals: int, rng: np.random.Generator) -> str:
    """A table of two in bands that begin anywhere, or at the four levels in an order of its own."""
    sides, sizes = [], []
    for factor in pair:
        levels = ", ".join(f'"l{level}"' for level in rng.permutation(4))
        low, below = {"driver_age": (17, 120), "declared_km": (0, 1_000_000)}.get(factor, (0, 0))
        ends = sorted({low, below, *(int(end) for end in rng.integers(low, below, 3))}) if below else []
        bands = ", ".join(f"{{ from = {one}, to = {two} }}" for one, two in pairwise(ends))
        sides.append(f'{{ factor = "{factor}", ' + (f"bands = [{bands}] }}" if below else f"levels = [{levels}] }}"))
        sizes.append(len(ends) - 1 if below else 4)
    cells = [", ".join(f'"{one:.{decimals}f}"' for one in rng.uniform(0.7, 1.5, sizes[1])) for _ in range(sizes[0])]
    rows = ", ".join(f"[{row}]" for row in cells)
    return f"\n[tables.{name}]\nrows = {sides[0]}\ncolumns = {sides[1]}\nrelativities = [{rows}]\n"


def write_book(path: Path, plan: RatePlan, rows: int, seed: int = 1, *, cells: int = 4) -> None:
    """A book of all pay plans, covers and levels; driving in the first `cells` cells."""
    rng = np.random.default_rng(seed)
    named = [factor for factor in plan.factors.values() if factor.levels]
    choices = [["liability"], ["collision"], ["liability", "collision"]]
    columns: dict[str, object] = {
        "policy": [f"P-{row}" for row in range(rows)],
        "pay_plan": rng.choice(sorted(plan.pay_plans), rows),
        "days": rng.integers(0, 32, rows),
        "covers": pa.array([choices[one] for one in rng.integers(0, 3, rows)]),
        "declared_km_per_year": rng.integers(0, 60_000, rows),
        "gap_m": rng.integers(0, 9_000, rows) * rng.integers(0, 2, rows),
        "claims_per_100000_km": pa.array(np.round(rng.lognormal(-0.2, 0.4, rows), 4), mask=rng.random(rows) < 0.2),
    }
    columns |= {factor.name: rng.choice(sorted(factor.levels), rows) for factor in named}
    for factor in plan.factors.values():
        if not factor.levels and factor.name != "declared_km":
            last = factor.bands[-1].below if factor.bands else factor.knots[-1].at + 1
            columns[factor.name] = rng.integers(factor.begins[0], last, rows)
    if any("minutes" in one.uses for one in plan.pay_plans.values()):
        columns["minutes"] = rng.integers(0, 3_000, rows)
    if plan.rules["unmeasured_days"] == "declared_km":
        columns["unmeasured_days"] = np.minimum(rng.integers(0, 9, rows), np.asarray(columns["days"]))
    if plan.behaviour.lowest_by_tier:
        columns["tier"] = rng.choice(TIERS, rows)
    if plan.smoothing is not None:
        for name in plan.covers:
            was = [Decimal(one).scaleb(-4) for one in rng.integers(0, 600_000, rows).tolist()]
            columns[f"{EXPIRING}{name}"] = pa.array(
                [None if new else one for one, new in zip(was, rng.random(rows) < 0.3, strict=True)],
                pa.decimal128(18, 4),
            )
    every = [(road, hour) for road in EXPOSURE_CLASSES for hour in HOUR_BANDS]
    driven = {f"m_{road}_{hour}": rng.integers(0, 300_000, rows) for road, hour in every[:cells]}
    columns |= driven | {"distance_m": np.sum(list(driven.values()), axis=0)}
    pq.write_table(pa.table(columns), path)
