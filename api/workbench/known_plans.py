"""Plans that are published or wait, found by their hash, and approved: for the pages and for programs."""

from datetime import datetime
from typing import Annotated

from fastapi import Query

from api.errors import NotFound
from api.store import Account
from api.workbench.plan_view import live_hashes
from pricing.errors import PricingError
from pricing.plan import RatePlan, parse_plan
from pricing.policies import published_plans
from pricing.publishing import approve_and_publish, keep_refusal
from pricing.publishing_store import Submission, fetch_submission
from storage.pool import Conn, Database

MOST_PLAN_BYTES = 40_000
PlanHash = Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$")]


def approve_as(database: Database, plan: RatePlan, reader: Account, now: datetime) -> Submission:
    """Approves and publishes; what is refused is noted in a transaction of its own. Raises PricingError."""
    try:
        with database.role("policy") as conn:
            return approve_and_publish(conn, plan, reader.account_key, now)
    except PricingError as problem:
        with database.role("policy") as conn:
            keep_refusal(conn, plan, reader.account_key, problem, now)
        raise


def known_plan(conn: Conn, plan_hash: str) -> tuple[RatePlan, Submission | None, bool]:
    """A plan that is published or was submitted, its submission, and whether it is published. Raises NotFound."""
    published = next((one for one in published_plans(conn) if one.plan_hash == plan_hash), None)
    held = None if "\0" in plan_hash else fetch_submission(conn, plan_hash)
    if published is None and held is None:
        raise NotFound("rate plan", plan_hash)
    plan = published or parse_plan(held.content if held else "", plan_hash)
    return plan, held, published is not None


def live_plan(conn: Conn, name: str, now: datetime) -> RatePlan | None:
    """The plan of that name that is in effect today."""
    return next((one for one in live_plans(conn, now) if one.name == name), None)


def live_plans(conn: Conn, now: datetime) -> list[RatePlan]:
    """The plan of each name that is in effect today."""
    published = published_plans(conn)
    live = live_hashes(published, now.date())
    return [one for one in published if one.plan_hash in live]
