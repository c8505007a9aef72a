"""Scores and statements of the whole book for programs: sums of groups that are large enough, never one policy."""

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.problems import PROBLEMS
from api.roles import BookSumReader, Store
from api.workbench.book_store import fetch_posted_period
from api.workbench.book_sum_store import MonthBand
from api.workbench.places import LEAST_VEHICLES
from api.workbench.portfolio_store import (
    SCORE_STEP,
    Months,
    fetch_currency,
    fetch_months,
    fetch_statement_totals,
)
from pricing.periods import MONTH_PATTERN, month_bounds
from storage.pool import Conn

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
Period = Annotated[str | None, Query(pattern=MONTH_PATTERN, description="A month; none: the latest that is posted")]
WITHHELD = f"Groups of fewer than {LEAST_VEHICLES} policies, of which nothing is told"


class ScoreBandOut(BaseModel):
    """Policies whose score lies in [from_score, below_score); null: those without a score."""

    from_score: int | None
    below_score: int | None
    policies: int
    driven_m: int


class ScoreDistributionOut(BaseModel):
    """How the scores lie that a month's premiums were made with."""

    period: str | None
    bands: list[ScoreBandOut]
    withheld: int = Field(description=WITHHELD)


class StatementTotalsOut(BaseModel):
    """What is posted to the policies of one pay plan: `premium` holds tax and adjustments."""

    currency: str
    pay_plan: str
    policies: int
    days: int
    driven_m: int
    premium: Decimal
    adjusted: Decimal
    tax: Decimal


class StatementSumsOut(BaseModel):
    """A month's statements by currency and pay plan."""

    period: str | None
    totals: list[StatementTotalsOut]
    withheld: int = Field(description=WITHHELD)


@router.get("/score-distribution")
def read_score_distribution(reader: BookSumReader, database: Store, period: Period = None) -> ScoreDistributionOut:
    """The scores of a posted month by tens, in the currency of most of the book."""
    with database.role("policy") as conn:
        asked = period or fetch_posted_period(conn)
        found = _bands(conn, asked) if asked else []
    told = [one for one in found if one.policies >= LEAST_VEHICLES]
    bands = [
        ScoreBandOut(
            from_score=None if one.score_band < 0 else one.score_band * SCORE_STEP,
            below_score=None if one.score_band < 0 else (one.score_band + 1) * SCORE_STEP,
            policies=one.policies,
            driven_m=one.driven_m,
        )
        for one in told
    ]
    return ScoreDistributionOut(period=asked, bands=bands, withheld=len(found) - len(told))


@router.get("/statement-totals")
def read_statement_totals(reader: BookSumReader, database: Store, period: Period = None) -> StatementSumsOut:
    """What is posted of a month: premium, adjustments and tax by currency and pay plan."""
    with database.role("policy") as conn:
        asked = period or fetch_posted_period(conn)
        found = fetch_statement_totals(conn, asked) if asked else []
    told = [one for one in found if one.policies >= LEAST_VEHICLES]
    totals = [StatementTotalsOut(**asdict(one)) for one in told]
    return StatementSumsOut(period=asked, totals=totals, withheld=len(found) - len(told))


def _bands(conn: Conn, period: str) -> list[MonthBand]:
    currency = fetch_currency(conn, period)
    first, after = month_bounds(period)
    return [] if currency is None else fetch_months(conn, Months(period, period, first, after, currency))
