"""Requests a second of the people's side from a big database: whole menus and scores, beside one bare row.

Run `uv run python -m benchmarks.people_load [--policies N] [--drivers N] [--seconds S]`; it needs wrk.

Policies are copies of a real one (benchmarks/people_book.py); menus and scores are asked for who drives, at random,
by the sessions of these people themselves; once menus by those of forty underwriters, each of whose looks is noted. The
bare read is one row by psycopg in the same application and run: no session, no transaction, no role. `--workers`
processes serve, as `wayrate serve` runs them.
"""

import argparse
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import httpx
from fastapi import FastAPI, Response
from psycopg_pool import ConnectionPool

from api import accounts, store
from api.app import create_api
from benchmarks.people_book import copy_book
from cli.asgi import PAGE_THREADS, keep_loaded, server
from cli.workers import bind_each, running
from pricing.kept_driving import inputs_of_month, month_of
from storage.open import open_database
from storage.pool import Database
from tests.api.world import NOW, build_world

PERIOD = "2026-10"
SESSIONS = 40
BARE = "select policy_id, pay_plan, starts_on from policy.policy where policy_id = %s"

LUA = """
local tokens = {{ {tokens} }}
local paths = {{ {paths} }}
local n = 0
init = function(args) math.randomseed({seed} + tonumber(tostring({{}}):sub(8), 16) % 100000) end
request = function()
  local i = math.random(#paths)
  return wrk.format("GET", paths[i], {{ ["Cookie"] = "wayrate_session=" .. tokens[(i - 1) % #tokens + 1] }})
end
"""


def sessions(database: Database, role: str, persons: list[int]) -> list[str]:
    """Tokens of fresh sessions, one a person (0: somebody of the staff)."""
    tokens = []
    with database.role("policy") as conn:
        for number, person in enumerate(persons):
            key, token = uuid4(), uuid4().hex
            email = f"{role}-{number}-{key.hex[:6]}@example.org"
            person_key = conn.execute("select person_key from policy.person where email = %s",
                                      (f"p{person}@example.org",)).fetchone()  # fmt: skip
            account = store.StoredAccount(key, email, "none", role, person_key[0] if person_key else None)  # type: ignore[arg-type]
            assert store.insert_account(conn, account, NOW)
            store.insert_session(conn, accounts.token_hash(token), key, csrf_token=uuid4().hex, created_at=NOW,
                                 expires_at=NOW + timedelta(days=9))  # fmt: skip
            tokens.append(token)
    return tokens


def with_bare(app: FastAPI, dsn: str) -> FastAPI:
    """The application with one more route: the bare read."""
    pool = ConnectionPool(dsn, min_size=8, max_size=12, kwargs={"autocommit": True, "prepare_threshold": 0})

    @app.get("/bare/{policy_id}")
    def bare(policy_id: str) -> Response:
        with pool.connection() as conn:
            row = conn.execute(BARE, (policy_id,)).fetchone()
        assert row is not None
        return Response(f'{{"policy":"{row[0]}"}}', media_type="application/json")

    return app


def serve_with_bare(dsn: str, listener: socket.socket) -> None:
    """What each process does."""
    with Database(dsn) as database:
        app = with_bare(create_api(database, None, lambda: NOW), dsn)
        keep_loaded()
        server(app, threads=PAGE_THREADS).run(sockets=[listener])


@contextmanager
def serving(dsn: str, workers: int) -> Iterator[tuple[str, list[int]]]:
    """So many processes on one port, as `wayrate serve --workers` runs them."""
    listeners = bind_each("127.0.0.1", 0, workers)
    with running(listeners, partial(serve_with_bare, dsn)) as started:
        address = f"http://127.0.0.1:{listeners[0].getsockname()[1]}"
        for _ in range(8 * workers):  # each connection comes to one of them: all are there
            httpx.get(f"{address}/health", timeout=60)
        yield address, [process.pid for process in started.processes if process.pid]


def cpu_s(processes: list[int]) -> float:
    """Seconds of the processors that these have taken."""
    stats = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in processes]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def wrk(address: str, name: str, tokens: list[str], paths: list[str], seconds: int, workers: list[int]) -> float:
    """Requests a second, printed with the latency of the middle and of the slowest hundredth, and the time of the
    processors that the workers took for each: that one is told even beside other load.
    """
    answer = httpx.get(address + paths[0], cookies={"wayrate_session": tokens[0]})
    assert answer.status_code == 200, answer.text
    quoted = (", ".join(f'"{one}"' for one in part) for part in (tokens, paths))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA.format(tokens=next(quoted), paths=next(quoted), seed=1))
        script.flush()
        command = ["wrk", "-t2", "-c32", f"-d{seconds}s", "--latency", "-s", script.name, address]
        before = cpu_s(workers)
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    taken = cpu_s(workers) - before
    done = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    p50, p99 = (re.search(rf"^\s+{part}%\s+(\S+)", said, re.MULTILINE)[1] for part in ("50", "99"))  # type: ignore[index]
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    print(f"{name:20} {rate:8.0f} requests/s   p50 {p50:>9}   p99 {p99:>9}   {1e3 * taken / done:6.2f} ms of workers"
          f"   {len(answer.content):>7,} bytes"
          f"{'   ' + wrong[0] if wrong else ''}", flush=True)  # fmt: skip
    return rate


def menu_of(numbers: list[int]) -> list[str]:
    """The addresses of their menus."""
    return [f"/api/v1/policies/B-{number}/menu?period={PERIOD}" for number in numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=100_000)
    parser.add_argument("--drivers", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data-dir", type=Path, help="keep the database there, and take it from there the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_database(arguments.data_dir or Path(folder), None) as database:
        with database.role("policy") as conn:
            made = conn.execute("select 1 from policy.policy where policy_id = 'B-1'").fetchone()
        if made is None:
            build_world(database)
            copy_book(database, arguments.policies, arguments.drivers)
        numbers = list(range(1, arguments.drivers + 1))
        desk = sessions(database, "underwriter", [0] * SESSIONS)
        own = sessions(database, "policyholder", numbers)
        begin = perf_counter()
        for number in numbers:
            kept = month_of(database, f"B-{number}", PERIOD, None)
            assert kept is not None
            inputs_of_month(database, kept)
        first_ms = 1e3 * (perf_counter() - begin) / len(numbers)
        print(f"a month's driving is summed up and kept before: {first_ms:.2f} ms each", flush=True)
        with serving(database.dsn, arguments.workers) as (address, workers):

            def run(name: str, tokens: list[str], paths: list[str]) -> float:
                return wrk(address, name, tokens, paths, arguments.seconds, workers)

            bare = run("bare row", desk, [f"/bare/B-{n}" for n in range(1, arguments.policies, 17)])
            rates = {
                "menu of 6": run("whole menu, 6 ways", own[1::2], menu_of(numbers[1::2])),
                "menu of 704": run("whole menu, 704 ways", own[::2], menu_of(numbers[::2])),
                "menu of 6 by staff": run("by staff, noted", desk, menu_of(numbers[1::2])),
                "score": run("score", own[:400], [f"/api/v1/policies/B-{n}/score" for n in numbers[:400]]),
                "home": run("page of the score", own[:400], [f"/home?policy=B-{n}" for n in numbers[:400]]),
            }
            bare = max(bare, run("bare row again", desk, [f"/bare/B-{n}" for n in range(1, arguments.policies, 17)]))
        print(", ".join(f"{name} {rate / bare:.2f} of the bare row" for name, rate in rates.items()))


if __name__ == "__main__":
    main()
