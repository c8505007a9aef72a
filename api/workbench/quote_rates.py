"""What a quote is made with: the plans that have a menu, and how the book drives."""

from api.workbench.book_store import fetch_posted_period
from api.workbench.book_sum_store import fetch_driven_cells
from api.workbench.quote_view import quotable
from pricing.plan import RatePlan
from pricing.policies import published_plans
from storage.pool import Database


def quote_rates(database: Database) -> tuple[list[RatePlan], list[int]]:
    """The plans that can be quoted, and the metres of the book's latest posted month by road and hour."""
    with database.role("policy") as conn:
        plans = quotable(published_plans(conn))
        period = fetch_posted_period(conn)
        return plans, list(fetch_driven_cells(conn, period)) if period else []
