"""People with a policy each in a database, for what is counted over many of them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

import numpy as np
from psycopg.types.json import Jsonb

from portfolio.consent_store import purposes
from pricing.policies import publish_packaged_plan
from storage.pool import Conn

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def key(number: int, kind: int = 1) -> UUID:
    """The key of a person (kind 1) or of their policy (2)."""
    return UUID(bytes=np.random.default_rng((kind, number)).bytes(16))


def add_people(conn: Conn, count: int, *, ends_on: date = date(2027, 1, 1), **terms: object) -> None:
    """Persons 0 to count - 1 with a policy P-0, P-1, ... each; `terms` are columns of the policy, the same for all."""
    row = {
        "starts_on": date(2026, 1, 1), "ends_on": ends_on, "plan_name": "wayrate-2026", "pay_plan": "flat",
        "covers": ["liability"], "factors": Jsonb({"territory": "urban", "driver_age": 40, "vehicle_class": "small"}),
        "declared_km_per_year": 9000, "time_zone": "Europe/Helsinki",
    } | terms  # fmt: skip
    with conn.cursor() as cur:
        people = [(key(number), f"Person {number}", f"p{number}@example.org") for number in range(count)]
        cur.executemany("insert into policy.person values (%s, %s, %s)", people)
        cur.executemany(
            "insert into policy.policy (policy_key, policy_id, person_key, starts_on, ends_on, plan_name, pay_plan,"
            " covers, factors, declared_km_per_year, time_zone) values (%(key)s, %(id)s, %(person)s, %(starts_on)s,"
            " %(ends_on)s, %(plan_name)s, %(pay_plan)s, %(covers)s, %(factors)s, %(declared_km_per_year)s,"
            " %(time_zone)s)",
            [row | {"key": key(number, 2), "id": f"P-{number}", "person": key(number)} for number in range(count)],
        )


def agree(conn: Conn, numbers: Sequence[int], purpose: str, granted: bool = True) -> None:
    """What these people say of a purpose."""
    words = purposes()[purpose].text_hash
    conn.cursor().executemany(
        "insert into policy.consent (person_key, purpose, granted, version, text_hash, said_at, said_by)"
        " values (%s, %s, %s, 1, %s, now(), %s)",
        [(key(number), purpose, granted, words, key(number)) for number in numbers],
    )


def change(conn: Conn, number: int, kind: str, at: datetime, **terms: object) -> None:
    """A row of what was agreed; what it comes to is not summed up."""
    held = conn.execute("select count(*) from policy.policy_change where policy_key = %s", (key(number, 2),)).fetchone()
    sequence = 1 + int(str(held[0])) if held else 1
    ends_on = None if kind == "endorse" else date(2028, 1, 1)
    conn.execute(
        "insert into policy.policy_change (change_id, policy_key, sequence, kind, effective_on, ends_on, terms, reason,"
        " made_by, made_at, idempotency_key, request_digest, plan_hash)"
        " values (gen_random_uuid(), %s, %s, %s, %s, %s, %s, 'said', %s, %s, %s, '', %s)",
        (key(number, 2), sequence, kind, at.date(), ends_on, Jsonb(terms), key(number), at, f"k{number}-{sequence}",
         publish_packaged_plan(conn, BEGAN).plan_hash if kind == "renew" else None),
    )  # fmt: skip
