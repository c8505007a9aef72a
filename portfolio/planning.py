"""The segments of the book in the database, kept by version: made by a command, read by pages."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sklearn.metrics import adjusted_rand_score

from portfolio.customers_file import Asked, Customers
from portfolio.customers_store import Book, read_book
from portfolio.lapse import LapseModel, fit_lapse
from portfolio.outlines import outlines_of, tiles
from portfolio.planning_store import Result, fetch_result, keep_result
from portfolio.renewals_store import read_renewals
from portfolio.segments import Segmentation, offers_of_their_own, segment_customers, segments_of, traits_of
from portfolio.smallest_segment import Demand, chance_of_paying, paying_segments, smallest_size
from pricing.policies import packaged_plan
from storage.pool import Database

YEARS = 3  # of the book that are looked at


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the segments: at most so many, of so many customers at least, and what an offer costs a year."""

    most: int = 8
    least: int = 500
    fixed: float = 5000.0
    cost: float = 60.0
    seed: int = 1


def found_as_json(customers: Customers, asked: Asked, wanted: Wanted) -> tuple[Segmentation, dict[str, Any]]:
    """The segments, and all that is kept of them: figures, territories, which pay. Raises TooFewRows."""
    found = segment_customers(customers, asked, most=wanted.most, least=wanted.least, seed=wanted.seed)
    own = offers_of_their_own(found, customers, wanted.cost)
    demand = Demand(wanted.fixed)
    own_offer = [{"smallest": smallest_size(one, demand), "chance": chance_of_paying(one, demand)} for one in own]
    return found, {
        "wanted": asdict(wanted),
        "customers": len(customers),
        "segments": [asdict(one) | more for one, more in zip(found.segments, own_offer, strict=True)],
        "territories": [asdict(one) for one in found.territories],
        "stability": asdict(found.stability),
        "reruns": found.reruns,
        "paying": [{"names": one.names, "policies": one.policies} for one in paying_segments(own, demand)],
    }


def plan_segments(
    database: Database, wanted: Wanted, as_of: datetime, *, territories: Path | None = None, field: str | None = None
) -> int:
    """Segments the book of the last YEARS years and keeps them: the version. Raises TooFewRows, BadLayer."""
    flat = tuple(name for name, plan in packaged_plan().pay_plans.items() if set(plan.uses) <= {"declared_km"})
    since = as_of - timedelta(days=YEARS * 365.25)
    with database.role("policy") as conn:
        book = read_book(conn, since, as_of, flat)
        before = fetch_result(conn, "segments")
    found, content = found_as_json(book.customers, book.asked, wanted)
    drawn = outlines_of(territories, field) if territories else tiles([one.name for one in found.territories])
    content |= {
        "since": since.isoformat(),
        "currency": book.currency,
        "left_out": book.left_out,
        "alike_before": _alike(book, found, before),
        "outlines": asdict(drawn),
    }
    with database.role("policy") as conn:
        return keep_result(conn, "segments", content, as_of)


def plan_leaving(database: Database, as_of: datetime) -> tuple[int, LapseModel]:
    """How customers left in the last YEARS years, kept for the customer card: version and model. Raises TooFewRows."""
    with database.role("policy") as conn:
        renewals, other = read_renewals(conn, as_of - timedelta(days=YEARS * 365.25), as_of)
        model = fit_lapse(renewals, other)
        return keep_result(conn, "leaving", model.as_json(), as_of), model


def _alike(book: Book, found: Segmentation, before: Result | None) -> float | None:
    """How alike the version before would divide these customers, 0 to 1; None without one."""
    if before is None:
        return None
    last = segments_of(before.found["segments"], traits_of(book.customers))
    return float(adjusted_rand_score(last, found.labels))
