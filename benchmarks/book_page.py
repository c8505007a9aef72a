"""How long the pages of the workbench take in a database of many policies.

Run `uv run python -m benchmarks.book_page [--policies N] [--times N]`.

The small real book of the tests is copied until there are N policies, each with its rows of the book for ten months and
what was driven in the last three of them; terms, kilometres, scores and premiums vary. Two drafts are held against the
book: other relativities, and another score model, which has to predict everybody anew. Pages are asked one by one, in
the process of the application, as an underwriter asks them; the bare read of one row beside them says what a round trip
costs here.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import psycopg
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from api.paging import sealed
from benchmarks.customer_card import COPIES
from pricing.plan import parse_plan
from pricing.plan_text import toml_text
from pricing.policies import packaged_plan
from pricing.publishing import submit
from pricing.score_model import content_of
from scoring.score import PRIOR_MODEL
from storage.open import open_database
from storage.pool import Database
from tests.api.conftest import sign_in
from tests.api.world import ANNA, DESK, NOW, PASSWORD, POLICY_OF, build_world

_VARIED = (
    """update policy.policy set pay_plan = (array['autograph', 'per_km', 'flat'])[1 + mod(n, 3)],
              factors = factors || jsonb_build_object(
                  'territory', (array['rural', 'suburban', 'urban'])[1 + mod(n / 3, 3)],
                  'vehicle_class', (array['small', 'compact', 'suv'])[1 + mod(n / 9, 3)])
         from (select policy_key, row_number() over (order by policy_id) as n from policy.policy) numbered
        where policy.policy_key = numbered.policy_key""",
    """insert into policy.book_month
       select md5('k' || n)::uuid, '2026-' || lpad(m::text, 2, '0'), 30, 20 + mod(n, 30),
              100 * mod(n * 79 + m, 20000), 95 * mod(n * 79 + m, 20000), mod(n, 13) * 100, 0, b.cells_m,
              0.6 + mod(n, 500) / 500.0,
              30 + mod(n * 31 + m * 17, 65), 0.004, 20 + mod(n * 107 + m * 13, 9000) / 100.0, 0, 4, 'EUR', 0.8,
              %(scored_by)s
         from (select cells_m from policy.book_month limit 1) b, generate_series(1, %(count)s) n,
              generate_series(1, 10) m
        order by m on conflict do nothing""",
    """with one as materialized (
           select totals from policy.book_month_driving where totals <> '{}' limit 1
       ), varied as materialized (
           select v, jsonb_object_agg(name, metres::bigint * (1 + mod(v * 31 + length(name) * 7, 97)) / 20) as totals
             from one, jsonb_each_text(totals) each(name, metres), generate_series(0, 996) v group by v)
       insert into policy.book_month_driving
       select md5('k' || n)::uuid, '2026-' || lpad(m::text, 2, '0'), totals,
              (array['signed', 'tls', 'claim'])[1 + mod(n, 3)], 40 + mod(n * 17 + m, 900), null
         from generate_series(1, %(count)s) n, generate_series(8, 10) m, varied where v = mod(n * 13 + m, 997)""",
    """insert into policy.claim
       select 'C-' || n || '-' || m, md5('k' || n)::uuid, 'liability', make_date(2026, m, 1 + mod(n, 28)), now()
         from generate_series(1, %(count)s, 211) n, generate_series(1, 10) m""",
)
_VACUUM = (
    "policy.policy",
    "policy.book_month",
    "policy.book_month_driving",
    "policy.claim",
)  # as autovacuum leaves them
PATHS = {
    "book": "/book?period=2026-10",
    "book by score, falling": "/book?period=2026-10&sort=-score",
    "book by change": "/book?period=2026-10&sort=-change",
    "book, last page": "/book?period=2026-10&page=2000",
    "urban, 60 to 69, rose": "/book?period=2026-10&territory=urban&score=60-70&change=up-10",
    "number begins B-77": "/book?period=2026-10&find=B-77",
    "portfolio, 10 months": "/portfolio",
    "monitoring, 10 months": "/monitoring",
    "quote, whole menu": "/quote",
    "desk": "/desk",
    "JSON, 100 rows": "/api/v1/book?period=2026-10&limit=100",
    "JSON, the last 100": f"/api/v1/book?period=2026-10&limit=100&cursor={sealed('B-99899')}",
}


def copy_book(database: Database, count: int) -> None:
    """People and policies, with terms and months that differ, so that filters and orders have something to do."""
    with database.role("owner") as conn:
        for statement in (*COPIES[:2], *_VARIED):
            values = {"count": count, "like": POLICY_OF[ANNA], "scored_by": packaged_plan().scored_by}
            conn.execute(statement, {name: one for name, one in values.items() if f"%({name})s" in statement} or None)
    with psycopg.connect(database.dsn, autocommit=True) as conn:
        for table in _VACUUM:
            conn.execute(f"vacuum analyze {table}")


def dislocations(database: Database) -> dict[str, str]:
    """The pages of two drafts that wait, by what they change."""
    live = packaged_plan()
    dearer = live.content.replace('urban = "1.10"', 'urban = "1.25"')
    other = live.content + "\n" + toml_text({"score_model": content_of(replace(PRIOR_MODEL, minimum_km=50.0))})
    paths = {}
    with database.role("policy") as conn:
        author = add_account(conn, "author@example.org", PASSWORD, "actuary", created_at=NOW)
        for name, content in (("other relativities", dearer), ("another score model", other)):
            draft = parse_plan(content, name)
            assert draft.plan_hash != live.plan_hash, name
            submit(conn, draft, author, None, NOW)
            paths[f"dislocation, {name}"] = f"/rate-plans/{draft.plan_hash}/dislocation"
    return paths


def timed(times: int, run: Callable[[], object]) -> str:
    """p50 and p99 of so many runs, one by one, after one that is not counted."""
    run()
    taken = []
    for _ in range(times):
        begin = perf_counter()
        run()
        taken.append(perf_counter() - begin)
    p50, p99 = np.quantile(taken, [0.5, 0.99]) * 1e3
    return f"p50 {p50:7.1f} ms   p99 {p99:7.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_database(Path(folder), None) as database:
        build_world(database)
        copy_book(database, arguments.policies)
        with TestClient(create_api(database, None, lambda: NOW), base_url="http://127.0.0.1") as client:
            assert sign_in(client, DESK) == 303

            def bare() -> None:
                with database.role("policy") as conn:
                    conn.execute("select * from policy.policy where policy_id = 'B-77'").fetchone()

            print(f"{'bare read':34}{timed(arguments.times, bare)}")
            for name, path in (PATHS | dislocations(database)).items():
                assert client.get(path).status_code == 200, path
                print(f"{name:34}{timed(arguments.times, lambda path=path: client.get(path))}")  # type: ignore[misc]
            begin = perf_counter()
            rows = client.get("/book.csv?period=2026-10").text.count("\n")
            print(f"{'all as CSV':34}{perf_counter() - begin:.1f} s for {rows:,} lines")


if __name__ == "__main__":
    main()
