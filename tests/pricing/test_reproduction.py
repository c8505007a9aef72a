"""Law: a posted premium can be computed again from what was posted, in another process, zone and hash seed (P5)."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from pricing.close import close_period, post_adjustments
from pricing.month import Month, rate_month
from pricing.policies import plan_of_hash
from pricing.store import fetch_plan_by_hash, fetch_postings
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, put_trip

ROOT = Path(__file__).parents[2]
AGAIN = """
import json, sys
from pricing.plan import parse_plan
from pricing.rating import Inputs, rate_period
posted = json.load(sys.stdin)
inputs = Inputs.from_json({k: v for k, v in posted["inputs"].items()})
premium = rate_period(parse_plan(posted["plan"], "posted"), inputs)
print(json.dumps({
    "lines": [{"name": line.name, "amount": format(line.amount, "f")} for line in premium.lines],
    "worksheet": [step.as_json() for step in premium.worksheet],
    "inputs_digest": premium.inputs_digest,
    "plan_hash": premium.plan_hash,
    "trip_costs": {trip: format(cost, "f") for trip, cost in premium.trip_costs.items()},
}))
"""


@pytest.mark.parametrize("pay_plan", ["flat", "per_km", "autograph"])
def test_a_posted_premium_is_computed_again_from_its_posting(database: Database, pay_plan: str) -> None:
    policy = add_with_device(database, pay_plan=pay_plan)
    for day, road_class in enumerate(("residential", "motorway", "primary"), start=3):
        put_trip(database, datetime(2026, 10, day, 9, tzinfo=UTC), road_class=road_class, hard_brakes=day, gap_m=77)
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
        plan = fetch_plan_by_hash(conn, posting.plan_hash)
    for seed, zone in (("1", "Pacific/Kiritimati"), ("2", "America/St_Johns")):
        done = subprocess.run(
            [sys.executable, "-c", AGAIN],
            input=json.dumps({"plan": plan, "inputs": posting.inputs}),
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == {
            "lines": posting.lines,
            "worksheet": posting.worksheet,
            "inputs_digest": posting.inputs_digest,
            "plan_hash": posting.plan_hash,
            "trip_costs": posting.inputs["trip_costs"],
        }


def test_a_posting_from_before_policies_were_named_by_their_keys_is_priced_and_adjusted(database: Database) -> None:
    """The first postings held `policy_id` and when each trip began."""
    policy = add_with_device(database)
    for day in (3, 4):
        put_trip(database, datetime(2026, 10, day, 9, tzinfo=UTC), hard_brakes=day)
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
    stored = {name: value for name, value in posting.inputs.items() if name != "policy"} | {"policy_id": "P-1"}
    trips = stored["trips"]
    assert isinstance(trips, list)
    stored["trips"] = [trip | {"started_at": "2026-10-03T09:00:00+00:00"} for trip in trips]
    with database.role("owner") as conn:
        conn.execute("alter table policy.statement disable trigger user")
        conn.execute("update policy.statement set inputs = %s", (Jsonb(stored),))
        conn.execute("alter table policy.statement enable trigger user")
    with database.role("policy") as conn:
        again = rate_month(plan_of_hash(conn, posting.plan_hash), Month.from_json(stored, partial(plan_of_hash, conn)))
    assert [step.as_json() for step in again.worksheet] == posting.worksheet
    put_trip(database, datetime(2026, 10, 20, 9, tzinfo=UTC))
    (adjustment,) = post_adjustments(database, CLOSED_AT.replace(day=9))
    assert adjustment.reason == "late data: 1 trip(s) added"
