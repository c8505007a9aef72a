"""Small books of policies for the risk models, drawn from a known formula."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pricing.risk.book import read_book
from pricing.risk.columns import Book
from pricing.risk.contract import Contract, read_contract

CONTRACT = """
name = "test"
[policies]
file = "policies.parquet"
policy = "policy"
exposure_years = "years"
claims = "claims"
starts_on = "starts_on"
ends_on = "ends_on"
[claims]
file = "claims.parquet"
policy = "policy"
amount = "amount"
occurred_on = "occurred_on"
large_above = 50000
[test]
modulus = 5
remainder = 0
[[factor]]
name = "km"
log = true
[[factor]]
name = "town"
kind = "categorical"
levels = ["city", "land"]
[[factor]]
name = "noise"
[boosting]
rounds = 40
folds = 2
leaves = 6
least_rows = 100
"""
KM_EXPONENT, CITY = 0.7, 1.5


def columns(rows: int = 8000, seed: int = 1, *, signal: bool = True) -> dict[str, np.ndarray]:
    """One row a policy and year; claims follow 0.2 (km / 10,000) ^ 0.7, and half as many again in the city."""
    rng = np.random.default_rng(seed)
    km = rng.lognormal(np.log(10_000), 0.6, rows)
    city = rng.random(rows) < 0.5
    rate = 0.2 * ((km / 10_000) ** KM_EXPONENT * np.where(city, CITY, 1.0) if signal else np.ones(rows))
    days = np.full(rows, np.datetime64("2025-01-01"))
    return {
        "policy": np.arange(rows),
        "years": np.ones(rows),
        "claims": rng.poisson(rate).astype(np.float64),
        "starts_on": days,
        "ends_on": days + np.timedelta64(365, "D"),
        "km": km,
        "town": np.where(city, "city", "land"),
        "noise": rng.standard_normal(rows),
    }


def claims_of(policies: dict[str, np.ndarray], seed: int = 2) -> dict[str, np.ndarray]:
    """A claim a row, gamma amounts of mean 2,000."""
    rng = np.random.default_rng(seed)
    of_policy = np.repeat(policies["policy"], np.maximum(policies["claims"], 0).astype(np.int64))
    return {
        "policy": of_policy,
        "amount": rng.gamma(2.0, 1000.0, len(of_policy)),
        "occurred_on": np.full(len(of_policy), np.datetime64("2025-06-01")),
    }


def write(folder: Path, policies: dict[str, np.ndarray], claims: dict[str, np.ndarray] | None = None) -> Contract:
    """The files of the contract in a folder; the contract."""
    pq.write_table(pa.table({name: pa.array(values) for name, values in policies.items()}), folder / "policies.parquet")
    rows = claims_of(policies) if claims is None else claims
    pq.write_table(pa.table({name: pa.array(values) for name, values in rows.items()}), folder / "claims.parquet")
    (folder / "contract.toml").write_text(CONTRACT)
    return read_contract(folder / "contract.toml")


def book(folder: Path, **changes: object) -> tuple[Book, Contract]:
    """A book as it is read, and its contract."""
    contract = write(folder, columns(**changes))  # type: ignore[arg-type]
    return read_book(folder, contract), contract
