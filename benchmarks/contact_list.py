"""Whom to contact over a whole book, read from PostgreSQL: seconds, beside one pass over the touchpoints in it.

Run `uv run python -m benchmarks.contact_list [--policies N]`. The book is that of `benchmarks.customer_card` (ten
posted months, 20 touchpoints and every consent of each policy), its terms spread evenly over the year; a finished
experiment has decided calls, by customer. Everybody whose policy ends within sixty days is asked.
"""

import argparse
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import numpy as np

from benchmarks.customer_card import copy_book
from portfolio.contacts import keep_contacts, list_contacts
from portfolio.experiment_store import insert_experiment, insert_step
from portfolio.experiments import Assessment, Plan
from portfolio.planning_store import keep_result
from portfolio.standings import Standings, told_by
from portfolio.uplift import Uplift
from storage.open import open_database
from storage.pool import Conn
from tests.api.test_worth import MODEL, SEGMENTS
from tests.api.world import NOW, build_world


def finish_calls(conn: Conn) -> None:
    """An experiment that found calls to keep four in a hundred, more of those who pay more."""
    plan = Plan("calls", "Calls keep.", "stays", 0.5, 4000, 0.01, measured_by="stays", action="call")
    names = tuple(told_by(Standings(*(np.zeros(1) for _ in Standings.__slots__))))
    slope = np.zeros(2 + 2 * len(names))
    slope[[0, 1 + len(names), 2 + len(names)]] = (1.5, 0.3, 0.1)
    by_customer = Uplift(names, np.zeros(len(names)), np.ones(len(names)), slope, 0.04, 0.8, 0.2, 20_000)
    insert_experiment(conn, plan, None, uuid4(), NOW - timedelta(days=90))
    found = Assessment(20_000, 10_000, 0.04, 0.02, 0.06, None, "better")
    for days, step in enumerate(("plan", "build", "execute", "assess")):
        last = step == "assess"
        insert_step(
            conn, plan.name, step, "Done.", by=uuid4(), as_of=NOW - timedelta(days=90 - days),
            verdict=found if last else None, by_customer=by_customer.as_json() if last else None,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_database(Path(folder), None) as database:
        build_world(database)
        copy_book(database, arguments.policies, 1, statements=False)
        with database.role("owner") as conn:
            conn.execute(
                "update policy.policy set ends_on = %s::date + (hashtext(policy_id) & 1023) %% 365,"
                " starts_on = %s::date - 365",
                (NOW.date(), NOW.date()),
            )
            conn.execute("analyze policy.policy")
        with database.role("policy") as conn:
            keep_result(conn, "segments", SEGMENTS, NOW)
            keep_result(conn, "leaving", MODEL.as_json(), NOW)
            finish_calls(conn)
        for name, most in (("no limit", None), ("1,000 contacts", 1_000)):
            with database.role("policy") as conn:
                begin = perf_counter()
                conn.execute("select sum(minutes) from policy.touchpoint where occurred_at >= '2026-01-01'").fetchone()
                plain_s = perf_counter() - begin
                begin = perf_counter()
                found = list_contacts(conn, NOW, most=most)
                listed_s = perf_counter() - begin
                keep_contacts(conn, found, NOW)
                kept_s = perf_counter() - begin - listed_s
            asked = found.customers - found.why_not["no renewal within 60 days"]
            print(
                f"{found.customers:,} customers, {asked:,} near a renewal, {name:<15} {listed_s:6.2f} s, kept in "
                f"{kept_s:.2f} s; {len(found.contacts):,} contacts; a plain pass over the touchpoints {plain_s:.2f} s"
            )


if __name__ == "__main__":
    main()
