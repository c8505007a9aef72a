"""The book in the database, rated by a plan that is not live yet: what publishing it would do to whom."""

import json
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pricing import book_month_store as store
from pricing.book_month_store import RatedMonths
from pricing.book_rating import CompiledPlan, RatingBook, compile_plan
from pricing.driving import counts_days
from pricing.plan import CLASS_MEAN_PERCENT, OWN_CLAIMS, TIERS, RatePlan
from pricing.plan_change import impact
from pricing.rating_book import DECLARED_KM, FREQUENCY, TOTALS, rating_book_of
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.score_columns import counters_of
from storage.pool import Conn

CELLS = tuple(product(EXPOSURE_CLASSES, HOUR_BANDS))  # the order of policy.book_month.cells_m
ARRAY_HEAD, ELEMENT = 20, 8  # bytes of an array as PostgreSQL sends it, of which 4 an element are its length

type Columns = dict[str, Any]


def live_impact(conn: Conn, period: str, old: RatePlan, new: RatePlan) -> dict[str, Any] | None:
    """`plan_change.impact` of both plans on a posted month of the policies of the old one; None: it has none.

    Each on its present terms for the days that the month covered, as it was driven, scored by each plan's own model
    over each plan's own window. `days_not_counted`: policies whose days without readings only the new plan asks for.
    Raises BadRatingBook where a policy has what the new plan does not know.
    """
    months = store.fetch_rated_months(conn, period, old.name)
    if months is None:
        return None
    columns = _columns(months)
    days: list[int | None] = [None] * len(months.days)
    if any(_reads_minutes(plan) or counts_days(plan) for plan in (old, new)):
        found = store.fetch_minutes(conn, period, old.name)
        columns["minutes"] = pa.array([found.get(policy, (0, None))[0] for policy in months.policy_id])
        days = [found.get(policy, (0, None))[1] for policy in months.policy_id]
    compiled = [compile_plan(plan) for plan in (old, new)]
    books = [_book(conn, period, old.name, one, months, columns, days) for one in compiled]
    not_counted = sum(one is None for one in days) if counts_days(new) else 0
    return impact(compiled[0], books[0], compiled[1], books[1]) | {"days_not_counted": not_counted}


def _book(
    conn: Conn,
    period: str,
    plan_name: str,
    compiled: CompiledPlan,
    months: RatedMonths,
    columns: Columns,
    days: list[int | None],
) -> RatingBook:
    """The months as a plan reads them, with what its own model predicts, kept or from the driving itself."""
    plan = compiled.plan
    if counts_days(plan):
        columns = columns | {"unmeasured_days": pa.array([one or 0 for one in days])}
    window = plan.behaviour.window_months
    if plan.behaviour.lowest_by_tier:
        tiers = store.fetch_tiers(conn, period, plan_name, window)
        weakest = [min(tiers.get(policy, TIERS[:1]), key=TIERS.index) for policy in months.policy_id]
        columns = columns | {"tier": pa.array(weakest)}
    if set(months.scored_by) == {plan.scored_by}:
        kept = pa.array(months.claims_per_100000_km, pa.string())
        book = rating_book_of(pa.table(columns | {FREQUENCY: kept}), f"the book of {period}", compiled)
        return replace(book, is_predicted=True)
    names = (*counters_of(plan.score_model), "trips")
    sums = store.fetch_counters(conn, period, plan_name, window, names)
    none = (0,) * len(names)
    counts = np.array([sums.get(policy, none) for policy in months.policy_id], dtype=np.int64)
    totals = pa.StructArray.from_arrays(list(counts.T.copy()), names=list(names))
    return rating_book_of(pa.table(columns | {TOTALS: totals}), f"the book of {period}", compiled)


def _columns(months: RatedMonths) -> Columns:
    """What any plan reads of the months; a factor that not every policy declares is missing where it is."""
    terms, of_row = _unlike(months.factors)
    own = {OWN_CLAIMS: CLASS_MEAN_PERCENT}
    names = dict.fromkeys(name for one in terms for name in one)
    covers, covers_of_row = _unlike(months.covers)
    cells = _cells_m(months.cells_m)
    return {
        "policy": pa.array(months.policy_id),
        "pay_plan": pa.array(months.pay_plan),
        "days": pa.array(months.days),
        "covers": pa.array(covers).take(covers_of_row),
        DECLARED_KM: pa.array(months.declared_km_per_year),
        "distance_m": pa.array(months.charged_m),
        "gap_m": pa.array(months.gap_m),
        **{name: pa.array([one.get(name, own.get(name)) for one in terms]).take(of_row) for name in names},
        **{f"m_{road}_{hour}": pa.array(cells[place]) for place, (road, hour) in enumerate(CELLS)},
    }


def _unlike(texts: tuple[str, ...]) -> tuple[list[Any], pa.Array]:
    """What the texts say as JSON, each once, and where that of each row stands."""
    place: dict[str, int] = {}
    of_row = [place.setdefault(text, len(place)) for text in texts]
    return [json.loads(text) for text in place], pa.array(of_row)


def _cells_m(sent: tuple[bytes, ...]) -> NDArray[np.int64]:
    """Whole metres (cells, n) of arrays as PostgreSQL sends them; of an empty one none."""
    width = ARRAY_HEAD + ELEMENT * len(CELLS)
    whole = b"".join(one if len(one) == width else bytes(width) for one in sent)
    words = np.frombuffer(whole, dtype=">i4").reshape(len(sent), width // 4)
    return words[:, ARRAY_HEAD // 4 + 1 :: ELEMENT // 4].T.astype(np.int64, order="C")


def _reads_minutes(plan: RatePlan) -> bool:
    return any("minutes" in one.uses for one in plan.pay_plans.values())
