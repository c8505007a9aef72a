"""How long a customer card takes to put together, in a database of many policies.

Run `uv run python -m benchmarks.customer_card [--policies N] [--cards N]`.

The small real book of the tests is copied until there are N policies: each with ten posted months (the worksheet of a
real premium), 20 touchpoints and every consent; those whose cards are opened with 100 trips too; segments and a lapse
model are kept. A card is everything that
`GET /api/v1/customers/...` reads; the bare read of one row beside it says what a round trip costs here.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from psycopg import Cursor

from api.customer_card import open_card
from portfolio.consent_store import purposes
from portfolio.planning_store import keep_result
from storage.open import open_database
from storage.pool import Database
from tests.api.test_worth import MODEL, SEGMENTS
from tests.api.world import ANNA, NOW, POLICY_OF, build_world

COPIES = (
    """insert into policy.person select md5('p' || n)::uuid, 'Person ' || n, 'p' || n || '@example.org'
         from generate_series(1, %(count)s) n""",
    """insert into policy.policy (policy_key, policy_id, person_key, starts_on, ends_on, plan_name, pay_plan, covers,
                                  factors, declared_km_per_year, time_zone)
       select md5('k' || n)::uuid, 'B-' || n, md5('p' || n)::uuid, starts_on, ends_on, plan_name, pay_plan, covers,
              factors, declared_km_per_year, time_zone
         from policy.policy, generate_series(1, %(count)s) n where policy_id = %(like)s""",
    """insert into policy.policy_change (change_id, policy_key, sequence, kind, effective_on, ends_on, terms, reason,
                                         made_by, made_at, idempotency_key, request_digest, plan_hash)
       select gen_random_uuid(), p.policy_key, 0, 'bind', p.starts_on, p.ends_on, '{}', 'bound',
              '00000000-0000-0000-0000-000000000000', now(), 'file ' || p.policy_id, '',
              (select r.plan_hash from policy.rate_plan r where r.name = p.plan_name limit 1)
         from policy.policy p where p.policy_id like 'B-%%'""",
    """insert into policy.statement (statement_id, policy_key, period, kind, revision, amount, currency, lines,
                                     worksheet, inputs, inputs_digest, plan_hash, versions, reason, posted_at)
       select gen_random_uuid(), md5('k' || n)::uuid, '2026-' || lpad(m::text, 2, '0'), kind, revision, amount,
              currency, lines, worksheet, inputs, inputs_digest, plan_hash, versions, reason, posted_at
         from (select s.* from policy.statement s join policy.policy using (policy_key)
                where policy_id = %(like)s and revision = 0 limit 1) s,
              generate_series(1, %(count)s) n, generate_series(1, 10) m""",
    """insert into policy.book_month
       select md5('k' || n)::uuid, '2026-' || lpad(m::text, 2, '0'), days, trips, driven_m, charged_m, relabelled_m,
              gap_m, cells_m, claims_per_100000_km, score, expected_claims, premium, adjusted, tax, currency
         from (select b.* from policy.book_month b join policy.policy using (policy_key)
                where policy_id = %(like)s and premium is not null limit 1) b,
              generate_series(1, %(count)s) n, generate_series(1, 10) m""",
    """insert into policy.consent (person_key, purpose, granted, version, text_hash, said_at, said_by)
       select md5('p' || n)::uuid, purpose, true, 1, words, now(), md5('p' || n)::uuid
         from generate_series(1, %(count)s) n, unnest(%(purposes)s::text[], %(words)s::text[]) one(purpose, words)""",
    """insert into policy.touchpoint (person_key, policy_key, channel, kind, outbound, occurred_at, minutes, made_by,
                                      idempotency_key)
       select md5('p' || n)::uuid, md5('k' || n)::uuid, 'web', 'visit', false,
              timestamptz '2026-11-01' - make_interval(days => t * 9), 0, md5('p' || n)::uuid, 'v' || t
         from generate_series(1, %(count)s) n, generate_series(1, 20) t""",
    "insert into telemetry.device (device_key, device_id, enrolled_at) select n, 'd' || n, now()"
    "  from generate_series(1, %(cards)s) n",
    """insert into link.assignment (device_key, policy_key, from_time)
       select n, md5('k' || n)::uuid, '2026-01-01' from generate_series(1, %(cards)s) n""",
    """insert into telemetry.trip
       select gen_random_uuid(), n, started_at - make_interval(days => d), ended_at - make_interval(days => d),
              time_zone, to_char(started_at - make_interval(days => d), 'YYYY-MM'), distance_m, gap_m, duration_s,
              sampling_interval_s, excluded, grade, quality, not_measurable, totals, features, score, versions,
              content_digest
         from (select * from telemetry.trip where excluded is null order by started_at limit 1) t,
              generate_series(1, %(cards)s) n, generate_series(1, 100) d""",
)


def copy_book(database: Database, count: int, cards: int, *, statements: bool = True) -> None:
    """The book, copied."""
    values = {
        "count": count,
        "cards": cards,
        "like": POLICY_OF[ANNA],
        "purposes": list(purposes()),
        "words": [one.text_hash for one in purposes().values()],
    }
    with database.role("owner") as conn:
        for copy in (one for one in COPIES if statements or "policy.statement" not in one):
            done: Cursor[tuple[object, ...]] = conn.execute(copy, values)
            table = copy.split("insert into ")[1].split()[0]
            print(f"{done.rowcount:>11,} rows  {table}")
    with database.role("owner") as conn:
        for table in (
            "policy.person",
            "policy.policy",
            "policy.statement",
            "policy.touchpoint",
            "policy.book_month",
            "policy.consent",
            "telemetry.trip",
        ):
            conn.execute(f"analyze {table}")


def timed(asked: list[str], run: object) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Seconds of each, and seconds of this process's own work on average."""
    taken, worked = [], process_time()
    for one in asked:
        begin = perf_counter()
        run(one)  # type: ignore[operator]
        taken.append(perf_counter() - begin)
    return np.array(taken), (process_time() - worked) / len(asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=100_000)
    parser.add_argument("--cards", type=int, default=2_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_database(Path(folder), None) as database:
        build_world(database)
        copy_book(database, arguments.policies, arguments.cards)
        with database.role("policy") as conn:
            keep_result(conn, "segments", SEGMENTS, NOW)
            keep_result(conn, "leaving", MODEL.as_json(), NOW)
        order = np.random.default_rng(1).permutation(arguments.cards) + 1
        asked = [f"B-{number}" for number in order.tolist()]

        def bare(policy_id: str) -> None:
            with database.role("policy") as conn:
                conn.execute("select * from policy.policy where policy_id = %s", (policy_id,)).fetchone()

        rows = {"bare read": timed(asked, bare), "card": timed(asked, lambda one: open_card(database, one, NOW))}
        for name, (seconds, worked) in rows.items():
            p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1e3
            print(
                f"{name:10} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   own work {worked * 1e3:5.2f} ms   "
                f"{len(seconds):,} asked one by one"
            )


if __name__ == "__main__":
    main()
