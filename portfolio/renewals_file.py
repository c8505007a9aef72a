"""A book's renewals as columns, with what was known before each: service, claims, the score's change."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from portfolio.errors import BadBook
from portfolio.lapse import Renewals, price_terms

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int64]

NOTHING = "nothing"
TERMS = 1000  # more than any policy has


@dataclass(frozen=True, slots=True)
class RenewalBook:
    """The renewals, which policy and term each is of, the offered premium (euro a year), and the actions by code."""

    renewals: Renewals
    policy: Codes
    term: Codes
    offered: Floats
    actions: tuple[str, ...]  # of the codes from 1 on


def read_renewals(folder: Path) -> RenewalBook:
    """Every renewal of a book. Raises BadBook, naming the file that is not there."""
    renewal, service, exposure = (read_table(folder, name) for name in ("renewals", "service", "exposure"))
    at = renewal["policy"] * TERMS + renewal["term"]
    bad = looked_up(service["policy"] * TERMS + service["term"], service["bad_service"].astype(np.float64), at)
    terms = exposure["policy"] * TERMS + exposure["term"]
    claims = exposure["liability_claims"] + exposure["collision_claims"]
    score = exposure["score"].astype(np.float64)
    gain = looked_up(terms, score, at) - looked_up(terms, score, at - 1)
    actions = sorted(set(renewal["action"].tolist()) - {NOTHING})
    codes = {NOTHING: 0} | {name: code for code, name in enumerate(actions, 1)}
    offered, last, market = (renewal[f"{name}_premium_cents"] / 100.0 for name in ("offered", "last", "market"))
    ratio, increase = price_terms(offered, last, market)
    return RenewalBook(
        Renewals(
            log_price_ratio=ratio,
            increase=increase,
            bad_service=bad,
            claim=(looked_up(terms, claims.astype(np.float64), at) > 0).astype(np.float64),
            score_gain=gain,
            years_with_us=renewal["term"] + 1.0,
            action=np.array([codes[name] for name in renewal["action"].tolist()]),
            left=renewal["lapsed"].astype(np.float64),
            day=renewal["renews_on"].astype("datetime64[D]"),
        ),
        renewal["policy"],
        renewal["term"],
        offered,
        tuple(actions),
    )


def other_ends(folder: Path) -> float:
    """The chance in a year that a policy ends for another reason than leaving at a renewal."""
    policies, exposure = read_table(folder, "policies"), read_table(folder, "exposure")
    return float((policies["end_reason"] == "other_reason").sum() / exposure["exposure_years"].sum())


def true_chances(folder: Path, book: RenewalBook) -> Floats:
    """The true chance of leaving at each renewal, under the action that was taken, shape (n,)."""
    truth = read_table(folder, "truth_renewals")
    at = book.policy * TERMS + book.term
    by_action = np.stack(
        [
            looked_up(truth["policy"] * TERMS + truth["term"], truth[f"lapse_chance_{name}"], at)
            for name in (NOTHING, *book.actions)
        ]
    )
    return np.asarray(by_action[book.renewals.action, np.arange(len(at))])


def looked_up(keys: Codes, values: Floats, wanted: Codes) -> Floats:
    """The value of each wanted key, NaN where there is none."""
    order = np.argsort(keys)
    place = np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)
    found = order[place]
    return np.where(keys[found] == wanted, values[found], np.nan)


def read_table(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """The columns of one table of a book. Raises BadBook."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise BadBook(name, "file", f"{path} is not there; `wayrate simulate book --out {folder}` makes such a folder")
    table = pyarrow.parquet.read_table(path)
    return {column: table[column].to_numpy() for column in table.column_names}
