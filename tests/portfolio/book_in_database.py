"""A simulated book put into a database as if it had been served there: terms, months, claims, meetings, consents."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
from psycopg.types.json import Jsonb

from portfolio.consent_store import purposes
from pricing.policies import publish_packaged_plan
from simulator.book.behaviour import read_behaviour
from simulator.book.formula import read_formula
from simulator.book.terms import Scope, World
from simulator.book.world import simulate_book
from storage.pool import Conn, Database

CHANNELS = {"app": "app", "web": "web", "email": "email", "call_centre": "call", "letter": "letter"}

type Rows = list[dict[str, Any]]


def simulated(policies: int, years: int, seed: int) -> dict[str, Rows]:
    """The tables of a book as rows."""
    scope = Scope(policies, years, np.datetime64("2024-01-01", "D"), seed)
    parts: dict[str, list[pa.Table]] = {}
    for block in simulate_book(World(scope, read_formula(), read_behaviour())):
        for name, table in block.items():
            parts.setdefault(name, []).append(table)
    return {name: pa.concat_tables(ones).to_pylist() for name, ones in parts.items()}


def key(kind: str, number: int) -> UUID:
    """The key of a person or policy, the same in every run."""
    return UUID(int=(len(kind) << 64) + number)


def put_book(database: Database, tables: dict[str, Rows], *, research_share: float = 0.6, seed: int = 1) -> None:
    """Everything of the book; `research_share` of the people agree to research, contact as their policy says."""
    rng = np.random.default_rng(seed)
    research = {row["policy"]: bool(rng.random() < research_share) for row in tables["policies"]}
    with database.role("policy") as conn:
        _people(conn, tables)
        _terms(conn, tables)
        _months(conn, tables)
        _claims(conn, tables)
        _meetings(conn, tables, rng)
        _consents(conn, tables, research)


def _copy(conn: Conn, into: str, rows: Iterable[Sequence[Any]]) -> None:
    with conn.cursor() as cur, cur.copy(f"copy policy.{into} from stdin") as copy:  # type: ignore[arg-type]
        for row in rows:
            copy.write_row(row)


def _people(conn: Conn, tables: dict[str, Rows]) -> None:
    rows, last = tables["policies"], _last_begins(tables)
    _copy(
        conn,
        "person (person_key, name, email)",
        ((key("person", row["policy"]), f"Person {row['policy']}", f"s{row['policy']}@example.org") for row in rows),
    )
    _copy(conn, "policy (policy_key, policy_id, person_key, starts_on, ends_on, plan_name, pay_plan, covers, factors,"
          " declared_km_per_year, time_zone)",
          ((key("policy", row["policy"]), f"S-{row['policy']}", key("person", row["policy"]), row["starts_on"],
            row["ended_on"] or last[row["policy"]] + timedelta(days=365), "wayrate-2026", row["pay_plan"],
            ["liability", "collision"], Jsonb(_factors(row)),
            row["declared_km_per_year"], "Europe/Helsinki") for row in rows))  # fmt: skip
    _copy(conn, "household_member (person_key, household_key, relation, since)",
          ((key("person", row["policy"]), key("household", row["policy"]), "policyholder", _noon(row["starts_on"]))
           for row in rows))  # fmt: skip
    _copy(conn, "household_answer (household_key, vehicles, km_per_year, covers, said_at, said_to)",
          ((key("household", row["policy"]), row["household_vehicles"], 0, [], _noon(row["starts_on"]), uuid4())
           for row in rows))  # fmt: skip


def _factors(row: dict[str, Any]) -> dict[str, Any]:
    age = row["starts_on"].year - row["birth_year"]
    return {"territory": row["territory"], "vehicle_class": row["vehicle_class"], "driver_age": age}


def _last_begins(tables: dict[str, Rows]) -> dict[int, date]:
    """When the last term of each policy began."""
    found: dict[int, date] = {}
    for row in tables["exposure"]:
        found[row["policy"]] = max(found.get(row["policy"], row["starts_on"]), row["starts_on"])
    return found


def _terms(conn: Conn, tables: dict[str, Rows]) -> None:
    plan_hash = publish_packaged_plan(conn, datetime(2023, 12, 1, tzinfo=UTC)).plan_hash
    changes = []
    for row in tables["policies"]:
        terms = {"pay_plan": row["pay_plan"], "declared_km_per_year": row["declared_km_per_year"]}
        changes.append((row["policy"], 0, "bind", row["starts_on"], terms))
    for row in tables["renewals"]:
        if not row["lapsed"]:
            changes.append((row["policy"], row["term"] + 1, "renew", row["renews_on"], {}))
    for row in tables["policies"]:
        if row["end_reason"] == "other_reason":
            changes.append((row["policy"], 99, "cancel", row["ended_on"], {}))
    _copy(conn, "policy_change (change_id, policy_key, sequence, kind, effective_on, ends_on, terms, reason, made_by,"
          " made_at, idempotency_key, request_digest, plan_hash)",
          ((uuid4(), key("policy", policy), number, kind, day, day + timedelta(days=365), Jsonb(terms), "said", uuid4(),
            _noon(day), "k", "", None if kind == "cancel" else plan_hash)
           for policy, number, kind, day, terms in changes))  # fmt: skip


def _months(conn: Conn, tables: dict[str, Rows]) -> None:
    """A term as one month's row: sums are what is read of them."""
    rows = []
    for row in tables["exposure"]:
        metres = int(1000 * row["distance_km"])
        cells = [0] * 8
        if row["night_km_share"] is not None:
            cells[0] = int(metres * row["night_km_share"])
            cells[2] = metres - cells[0]
        premium = (row["liability_premium_cents"] + row["collision_premium_cents"]) / 100
        days = max(round(365.25 * row["exposure_years"]), 1)
        rows.append((key("policy", row["policy"]), f"{row['starts_on']:%Y-%m}", days, 100, metres, metres, 0, 0,
                     cells, None, row["score"], 0.0, premium, 0, 0, "EUR"))  # fmt: skip
    _copy(conn, "book_month (policy_key, period, days, trips, driven_m, charged_m, relabelled_m, gap_m, cells_m,"
          " claims_per_100000_km, score, expected_claims, premium, adjusted, tax, currency)", rows)  # fmt: skip


def _claims(conn: Conn, tables: dict[str, Rows]) -> None:
    named = [(f"C-{number}", row) for number, row in enumerate(tables["claims"])]
    _copy(conn, "claim (claim_id, policy_key, cover, occurred_on, reported_at)",
          ((name, key("policy", row["policy"]), row["cover"], row["occurred_on"], _noon(row["reported_on"]))
           for name, row in named))  # fmt: skip
    _copy(conn, "claim_assessment (claim_id, incurred, settled, known_at)",
          ((name, row["amount_cents"] / 100, True, _noon(row["settled_on"]))
           for name, row in named if row["amount_cents"] is not None))  # fmt: skip


def _meetings(conn: Conn, tables: dict[str, Rows], rng: np.random.Generator) -> None:
    """Contacts spread over their term; who left with a bad experience complained, and it was closed."""
    begins = {(row["policy"], row["term"]): (row["starts_on"], row["ends_on"]) for row in tables["exposure"]}
    rows = []
    for row in tables["service"]:
        first, after = begins[row["policy"], row["term"]]
        days = max((after - first).days, 1)
        met = [(channel, "question" if channel == "call" else "visit", 8 if channel == "call" else 0)
               for name, channel in CHANNELS.items() for _ in range(row[f"{name}_contacts"])]  # fmt: skip
        if row["bad_service"]:
            met += [("call", "complaint", 10), ("call", "complaint_closed", 5)]
        at = np.sort(rng.integers(0, days, len(met))).tolist()
        rows += [(key("person", row["policy"]), channel, kind, False, _noon(first + timedelta(days=day)), minutes)
                 for day, (channel, kind, minutes) in zip(at, met, strict=True)]  # fmt: skip
    _copy(conn, "touchpoint (person_key, channel, kind, outbound, occurred_at, minutes, made_by, idempotency_key)",
          ((*row, row[0], str(number)) for number, row in enumerate(rows)))  # fmt: skip


def _consents(conn: Conn, tables: dict[str, Rows], research: dict[int, bool]) -> None:
    rows = []
    for row in tables["policies"]:
        person = key("person", row["policy"])
        said = {"research": research[row["policy"]], "contact": row["consent_marketing"]}
        rows += [(person, purpose, granted, 1, purposes()[purpose].text_hash, _noon(row["starts_on"]), person)
                 for purpose, granted in said.items()]  # fmt: skip
    _copy(conn, "consent (person_key, purpose, granted, version, text_hash, said_at, said_by)", rows)


def _noon(day: date) -> datetime:
    return datetime.fromisoformat(f"{day.isoformat()}T12:00:00+00:00")
