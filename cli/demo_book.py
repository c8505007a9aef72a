"""The rest of the demo's book, by the simulator of books: policies without a device, their closed months, their claims.

Fourteen drivers of one month have next to no claims; a loss ratio or a frequency needs more years of cover than that.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from cli import demo_world as world
from pricing.agreements import assess_claim, keep_claim
from pricing.close import close_period
from pricing.policies import PolicyDocument, add_policy
from simulator.book.behaviour import read_behaviour
from simulator.book.formula import read_formula
from simulator.book.terms import Scope, World
from simulator.book.world import simulate_book
from storage.pool import Database

POLICIES = 150
FIRST_DAY = date(2025, 10, 1)
MONTHS = ("2026-05", "2026-06", "2026-07", "2026-08", "2026-09")  # before the month that is driven
YEAR = timedelta(days=365)

type Rows = list[dict[str, Any]]


def add_book(database: Database, progress: Callable[[int, int], None] | None = None) -> None:
    """The policies that are in force in the demo's month, their earlier months posted, their claims; repeatable."""
    tables = _simulated()
    held = [row for row in tables["policies"] if row["ended_on"] is None or row["ended_on"] > world.UNDER_WAY]
    for number, row in enumerate(held):
        add_policy(database, PolicyDocument("demo", _policy(row)), world.UPLOADED_AT)
        if progress:
            progress(number + 1, len(held) + len(MONTHS))
    for number, period in enumerate(MONTHS):
        close_period(database, period, world.UPLOADED_AT)
        if progress:
            progress(len(held) + number + 1, len(held) + len(MONTHS))
    _keep_claims(database, tables["claims"], {row["policy"] for row in held})


def _simulated() -> dict[str, Rows]:
    scope = Scope(POLICIES, 2, np.datetime64(FIRST_DAY, "D"), world.SEED)
    parts: dict[str, list[pa.Table]] = {}
    for block in simulate_book(World(scope, read_formula(), read_behaviour())):
        for name in ("policies", "claims"):
            parts.setdefault(name, []).append(block[name])
    return {name: pa.concat_tables(ones).to_pylist() for name, ones in parts.items()}


def _policy(row: dict[str, Any]) -> dict[str, object]:
    """As a file would describe it. Nothing measures it, so it pays by the kilometres that it declares."""
    starts_on = row["starts_on"]
    return {
        "policy": f"OTHER-{row['policy']:03}",
        "name": f"Simulated customer {row['policy']:03}",
        "email": f"customer{row['policy']:03}@demo.example",
        "starts_on": starts_on,
        "ends_on": max(starts_on + YEAR, world.UNDER_WAY + YEAR),
        "time_zone": world.TIME_ZONE,
        "plan": "wayrate-2026",
        "pay_plan": "flat",
        "covers": ["liability", "collision"],
        "declared_km_per_year": row["declared_km_per_year"],
        "factors": {
            "vehicle_class": row["vehicle_class"],
            "territory": row["territory"],
            "driver_age": starts_on.year - row["birth_year"],
        },
    }


def _keep_claims(database: Database, claims: Rows, held: set[int]) -> None:
    """Those that happened in a month that is posted and are known when the demo's month is closed."""
    first = date.fromisoformat(f"{MONTHS[0]}-01")
    for number, row in enumerate(claims):
        known = row["reported_on"] <= world.CLOSED_AT.date() and first <= row["occurred_on"] < world.UNDER_WAY
        if row["policy"] not in held or not known:
            continue
        claim_id = f"CLAIM-{number:03}"
        policy_id, reported_at = f"OTHER-{row['policy']:03}", _noon(row["reported_on"])
        keep_claim(database, policy_id, claim_id, row["cover"], row["occurred_on"], reported_at)
        if row["amount_cents"] is not None and row["settled_on"] <= world.CLOSED_AT.date():
            amount = Decimal(row["amount_cents"]) / 100
            assess_claim(database, claim_id, amount, settled=True, as_of=_noon(row["settled_on"]))


def _noon(day: date) -> datetime:
    return datetime.fromisoformat(f"{day.isoformat()}T12:00:00+00:00")
