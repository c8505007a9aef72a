"""The book in the database, rated by a plan that is not live yet: what publishing it would do to whom."""

from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from pricing.book_month_store import RatedMonth, fetch_rated_months
from pricing.book_rating import compile_plan
from pricing.driving import counts_days
from pricing.plan import CLASS_MEAN_PERCENT, OWN_CLAIMS, TIERS, RatePlan
from pricing.plan_change import impact
from pricing.rating_book import DECLARED_KM, TOTALS, rating_book_of
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.features import sum_totals
from storage.pool import Conn

CELLS = tuple(product(EXPOSURE_CLASSES, HOUR_BANDS))  # the order of policy.book_month.cells_m


def live_impact(conn: Conn, period: str, old: RatePlan, new: RatePlan) -> dict[str, Any] | None:
    """`plan_change.impact` of both plans on a posted month of the policies of the old one; None: it has none.

    Each on its present terms for the days that the month covered, as it was driven, scored by each plan's own model
    over each plan's own window. `days_not_counted`: policies whose days without readings only the new plan asks for.
    Raises BadRatingBook where a policy has what the new plan does not know.
    """
    compiled, books, not_counted = [], [], 0
    for plan in (old, new):
        months = fetch_rated_months(conn, period, old.name, plan.behaviour.window_months)
        if not months:
            return None
        compiled.append(compile_plan(plan))
        books.append(rating_book_of(_table(months, plan), f"the book of {period}", compiled[-1]))
        not_counted = sum(one.unmeasured_days is None for one in months) if counts_days(plan) else 0
    return impact(compiled[0], books[0], compiled[1], books[1]) | {"days_not_counted": not_counted}


def _table(months: list[RatedMonth], plan: RatePlan) -> pa.Table:
    """The months as `rating_book` reads them; a factor that not every policy declares is missing where it is."""
    cells = np.array([one.cells_m or [0] * len(CELLS) for one in months], dtype=np.int64)
    columns: dict[str, Any] = {
        "policy": [one.policy_id for one in months],
        "pay_plan": [one.pay_plan for one in months],
        "days": [one.days for one in months],
        "covers": [one.covers for one in months],
        DECLARED_KM: [one.declared_km_per_year for one in months],
        "distance_m": np.array([one.charged_m for one in months], dtype=np.int64),
        "gap_m": [one.gap_m for one in months],
        "minutes": [one.minutes for one in months],
        "unmeasured_days": [one.unmeasured_days or 0 if counts_days(plan) else 0 for one in months],
        TOTALS: pa.array([list(sum_totals(one.totals).items()) for one in months], pa.map_(pa.string(), pa.int64())),
        "tier": [min(one.tiers, key=TIERS.index, default=TIERS[0]) for one in months],
    }
    own = {OWN_CLAIMS: CLASS_MEAN_PERCENT}
    names = dict.fromkeys(name for one in months for name in one.factors)
    columns |= {name: [one.factors.get(name, own.get(name)) for one in months] for name in names}
    columns |= {f"m_{road}_{hour}": cells[:, place] for place, (road, hour) in enumerate(CELLS)}
    return pa.table(columns)
