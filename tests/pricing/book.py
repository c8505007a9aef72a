"""A small book in a real database: policies from documents, trips as scoring would have stored them."""

import hashlib
from datetime import UTC, date, datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from pricing.device_links import assign_device
from pricing.policies import PolicyDocument, add_policy
from pricing.store import Policy
from storage.pool import Database

CLOSED_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
DEVICE_KEY = 7
FIELDS: dict[str, object] = {
    "policy": "P-1",
    "name": "Test policyholder",
    "email": "one@example.com",
    "starts_on": date(2026, 1, 1),
    "ends_on": date(2027, 1, 1),
    "plan": "wayrate-2026",
    "pay_plan": "autograph",
    "covers": ["liability", "collision"],
    "declared_km_per_year": 12000,
    "time_zone": "Europe/Helsinki",
    "factors": {"vehicle_class": "compact", "territory": "urban", "driver_age": 38},
}


def document(**changes: object) -> PolicyDocument:
    return PolicyDocument("test.toml", FIELDS | changes)


def add_with_device(database: Database, **changes: object) -> Policy:
    """A policy and the device car-1 that measures it."""
    with database.role("telemetry") as conn:
        conn.execute(
            "insert into telemetry.device (device_key, device_id, enrolled_at) values (%s, 'car-1', now())"
            " on conflict do nothing",
            (DEVICE_KEY,),
        )
    policy = add_policy(database, document(**changes), CLOSED_AT)
    assign_device(database, policy.policy_id, "car-1")
    return policy


def put_trip(
    database: Database,
    started_at: datetime,
    *,
    metres: int = 10_000,
    road_class: str = "residential",
    hour_band: str = "day",
    gap_m: int = 0,
    grade: str = "A",
    excluded: str | None = None,
    hard_brakes: int = 0,
    flags: tuple[str, ...] = (),
    tier: str = "tls",
    duration_s: int = 600,
) -> UUID:
    """One trip, replaced if it began at that instant before, with its note to pricing."""
    trip_id = UUID(bytes=hashlib.blake2b(started_at.isoformat().encode(), digest_size=16).digest())
    month = f"{started_at:%Y-%m}"
    totals = {"distance_m": metres, "brake_measurable_m": metres, "hard_brake_events": hard_brakes, "limit_known_m": 0}
    with database.role("telemetry") as conn:
        conn.execute("delete from telemetry.trip where trip_id = %s", (trip_id,))
        conn.execute(
            """
            insert into telemetry.trip (trip_id, device_key, started_at, ended_at, time_zone, local_month, distance_m,
                gap_m, duration_s, excluded, grade, quality, not_measurable, totals, features, versions, content_digest)
            values (%s, %s, %s, %s, 'Europe/Helsinki', %s, %s, %s, %s, %s, %s, %s, '{}', %s, '{}', %s, '')
            """,
            (trip_id, DEVICE_KEY, started_at, started_at, month, metres, gap_m, duration_s, excluded, grade,
             Jsonb({"flags": list(flags), "tier": tier}), Jsonb(totals),
             Jsonb({"map": "m", "model": "prior", "thresholds": "t", "settings": "s"})),
        )  # fmt: skip
        conn.execute(
            "insert into telemetry.trip_exposure values (%s, %s, %s, 'within', %s, 600)",
            (trip_id, road_class, hour_band, metres),
        )
        conn.execute(
            "insert into telemetry.trip_change (device_key, from_month, changed_at) values (%s, %s, now())",
            (DEVICE_KEY, month),
        )
    return trip_id
