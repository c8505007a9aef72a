"""The book in the database, rated by a plan that is not live yet: what publishing it would do to whom."""

from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from pricing.book_month_store import RatedMonth, fetch_rated_months
from pricing.book_rating import compile_plan
from pricing.plan import RatePlan
from pricing.plan_change import impact
from pricing.rating_book import DECLARED_KM, FREQUENCY, rating_book_of
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.score import PRIOR_MODEL
from storage.pool import Conn

CELLS = tuple(product(EXPOSURE_CLASSES, HOUR_BANDS))  # the order of policy.book_month.cells_m


def live_impact(conn: Conn, period: str, old: RatePlan, new: RatePlan) -> dict[str, Any] | None:
    """`plan_change.impact` of both plans on a posted month of the policies of the old one; None: it has none.

    Each on its present terms for the days that the month covered, as it was driven. Raises BadRatingBook where a
    policy has what the new plan does not know.
    """
    months = fetch_rated_months(conn, period, old.name)
    if not months:
        return None
    table, mean = _table(months), Decimal(str(PRIOR_MODEL.base_claims_per_100000_km))
    before, after = compile_plan(old), compile_plan(new)
    books = [rating_book_of(table, f"the book of {period}", one, mean) for one in (before, after)]
    return impact(before, books[0], after, books[1])


def _table(months: list[RatedMonth]) -> pa.Table:
    """The months as `rating_book` reads them; a factor that not every policy declares is missing where it is."""
    cells = np.array([one.cells_m or [0] * len(CELLS) for one in months], dtype=np.int64)
    charged = np.array([one.charged_m for one in months], dtype=np.int64)
    columns: dict[str, Any] = {
        "policy": [one.policy_id for one in months],
        "pay_plan": [one.pay_plan for one in months],
        "days": [one.days for one in months],
        "covers": [one.covers for one in months],
        DECLARED_KM: [one.declared_km_per_year for one in months],
        "distance_m": charged,
        "gap_m": [one.gap_m for one in months],
        FREQUENCY: pa.array([_decimal(one.claims_per_100000_km) for one in months], pa.float64()),
    }
    columns |= {name: [one.factors.get(name) for one in months] for name in dict.fromkeys(months[0].factors)}
    columns |= {f"m_{road}_{hour}": cells[:, place] for place, (road, hour) in enumerate(CELLS)}
    return pa.table(columns)


def _decimal(frequency: object) -> float | None:
    return None if frequency is None else float(str(frequency))
