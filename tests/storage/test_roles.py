"""The database itself keeps the three rooms apart, whoever writes the SQL."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest
from psycopg import conninfo, errors, sql

from storage.pool import Conn, Database, Role

ROOMS: tuple[Role, ...] = ("telemetry", "policy", "link")
OWN: dict[Role, str] = {
    "telemetry": "select from telemetry.device",
    "policy": "select from policy.person",
    "link": "select from link.assignment",
}
FORBIDDEN: list[tuple[Role, str]] = [
    ("telemetry", "select * from policy.policy"),
    ("telemetry", "select * from policy.person"),
    ("telemetry", "select * from link.assignment"),
    ("telemetry", "select * from link.trip_of_policy"),
    ("policy", "select * from telemetry.reading"),
    ("policy", "select * from telemetry.trip"),
    ("policy", "select * from telemetry.trip_path"),
    ("policy", "select * from telemetry.device"),
    ("policy", "select * from link.assignment"),
    ("policy", "select telemetry.expire_readings(now())"),
    ("telemetry", "select * from link.zone_owner"),
    ("telemetry", "select * from link.trip_driver"),
    ("telemetry", "select * from telemetry.tombstone_key"),
    ("telemetry", "select telemetry.tombstone('car-1')"),
    ("policy", "select * from telemetry.privacy_zone"),
    ("policy", "select * from link.zone_owner"),
    ("policy", "select * from link.trip_driver"),
    ("policy", "select * from link.location_look"),
    ("link", "select * from telemetry.privacy_zone"),
    ("link", "select * from telemetry.erased_device"),
    ("link", "select * from telemetry.reading"),
    ("link", "select * from telemetry.trip_path"),
    ("link", "select * from telemetry.event"),
    ("link", "select * from policy.statement"),
    ("link", "select * from policy.person"),
    ("link", "select * from policy.account"),
]


@pytest.mark.parametrize(("role", "query"), FORBIDDEN, ids=lambda part: part.removeprefix("select * from "))
def test_a_role_sees_nothing_of_the_other_rooms(database: Database, role: Role, query: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege), database.role(role) as conn:
        conn.execute(query)  # type: ignore[call-overload]


@pytest.mark.parametrize("role", ROOMS)
def test_who_connects_as_one_role_sees_nothing_of_the_other_rooms_and_takes_no_other_role(
    database: Database, role: Role
) -> None:
    """A login that is of one role alone: whatever SQL it sends."""
    login = sql.Identifier(f"wayrate_login_{uuid.uuid4().hex[:12]}")
    with database.role("owner") as conn:
        of = sql.Identifier(f"wayrate_{role}")
        conn.execute(sql.SQL("create role {} login password 'of-a-test' in role {}").format(login, of))
    try:
        own = conninfo.make_conninfo(database.dsn, user=login.as_string().strip('"'), password="of-a-test")
        with psycopg.connect(own, autocommit=True) as conn:
            conn.execute(OWN[role])  # type: ignore[call-overload]
            for query in [query for whose, query in FORBIDDEN if whose == role]:
                with pytest.raises(errors.InsufficientPrivilege):
                    conn.execute(query)  # type: ignore[call-overload]
            for other in set(ROOMS) - {role}:
                with pytest.raises(errors.InsufficientPrivilege):
                    conn.execute(sql.SQL("set role {}").format(sql.Identifier(f"wayrate_{other}")))
            conn.execute("reset role")
            assert conn.execute("select current_user::text = session_user::text").fetchone() == (True,)
    finally:
        with database.role("owner") as conn:
            conn.execute(sql.SQL("drop role {}").format(login))


def test_no_coordinate_is_reachable_with_the_policy_role(database: Database) -> None:
    """Every column the policy role may select, in any schema: none is a place or a path, none names the device."""
    with database.role("owner") as conn:
        rows = conn.execute(
            """select n.nspname || '.' || c.relname, a.attname
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                where n.nspname in ('telemetry', 'policy', 'link')
                  and has_schema_privilege('wayrate_policy', n.oid, 'usage')
                  and has_column_privilege('wayrate_policy', c.oid, a.attnum, 'select')"""
        ).fetchall()
    assert ("link.trip_of_policy", "distance_m") in rows
    places = ("latitude", "longitude", "path", "geom", "device_key", "altitude", "heading")
    assert [row for row in rows if any(place in str(row[1]) for place in places)] == []


def test_pricing_reads_a_policys_driving_through_the_link_alone(database: Database) -> None:
    policy_key = uuid.uuid4()
    with database.role("owner") as conn:
        add_policy(conn, policy_key)
        add_trip(conn, device_key=1, started_at=datetime(2026, 10, 3, 8, tzinfo=UTC), distance_m=4200)
        add_trip(conn, device_key=1, started_at=datetime(2026, 11, 3, 8, tzinfo=UTC), distance_m=9900)
    with database.role("link") as conn:
        conn.execute(
            "insert into link.assignment values (1, %s, %s, %s)",
            (policy_key, datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        )
    with database.role("policy") as conn:
        trips = conn.execute("select policy_key, distance_m from link.trip_of_policy").fetchall()
        exposure = conn.execute("select policy_key, road_class, distance_m from link.exposure_of_policy").fetchall()
    # The second trip is after the assignment ended: somebody else's.
    assert trips == [(policy_key, 4200)]
    assert exposure == [(policy_key, "residential", 4200)]


def test_the_role_ends_with_its_transaction(database_dsn: str) -> None:
    with Database(database_dsn, max_connections=1) as single:
        with single.role("policy") as conn:
            assert conn.execute("select current_user").fetchone() == ("wayrate_policy",)
            backend = conn.info.backend_pid
        with single.role("owner") as conn:
            assert conn.info.backend_pid == backend
            assert conn.execute("select current_user = session_user").fetchone() == (True,)


def test_an_error_rolls_the_transaction_back(database: Database) -> None:
    def fail_after_a_write() -> None:
        with database.role("telemetry") as conn:
            conn.execute("insert into telemetry.device values (1, 'car-1', now())")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_a_write()
    with database.role("telemetry") as conn:
        assert conn.execute("select count(*) from telemetry.device").fetchone() == (0,)


CHANGES = [
    "update policy.statement set amount = 0",
    "delete from policy.statement",
    "truncate policy.statement",
    "update policy.rate_plan set content = ''",
    "truncate policy.rate_plan cascade",
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ["policy", "owner"])
def test_what_is_posted_is_never_edited(database: Database, role: Role, change: str) -> None:
    with database.role("owner") as conn:
        policy_key = uuid.uuid4()
        add_policy(conn, policy_key)
        conn.execute("insert into policy.rate_plan values ('h', 'p', '1', '2026-01-01', 'EUR', 'toml', now(), true)")
        conn.execute(
            """insert into policy.statement values (gen_random_uuid(), %s, '2026-10', 'statement', 0, 12.30, 'EUR',
               '[]', '[]', '{}', 'd', 'h', '{}', 'month', now())""",
            (policy_key,),
        )
    # The policy role has no right to truncate at all; the owner has, and the trigger says no.
    with pytest.raises((errors.RestrictViolation, errors.InsufficientPrivilege)), database.role(role) as conn:
        conn.execute(change)  # type: ignore[call-overload]
    with database.role("policy") as conn:
        assert conn.execute("select sum(amount) from policy.statement").fetchone() == (Decimal("12.30"),)


def test_a_ledger_line_that_loses_a_record_is_refused(database: Database) -> None:
    with database.role("telemetry") as conn:
        conn.execute("insert into telemetry.device values (1, 'car-1', now())")
    with pytest.raises(errors.CheckViolation), database.role("telemetry") as conn:
        conn.execute(
            """insert into telemetry.upload (device_key, received_at, channel, tier, decoder_version, body_sha256,
                   records_received, records_stored, records_duplicate, records_quarantined)
               values (1, now(), 'http', 'claim', '1', '', 10, 8, 1, 0)"""
        )


def add_policy(conn: Conn, policy_key: uuid.UUID, policy_id: str = "P-1") -> None:
    person_key = uuid.uuid4()
    conn.execute("insert into policy.person values (%s, 'Test Person', null)", (person_key,))
    conn.execute(
        """insert into policy.policy
           values (%s, %s, %s, %s, %s, 'plan', 'per_km', '{liability}', '{}', 9000, 'UTC')""",
        (policy_key, policy_id, person_key, date(2026, 1, 1), date(2027, 1, 1)),
    )


def add_trip(conn: Conn, *, device_key: int, started_at: datetime, distance_m: int) -> None:
    conn.execute(
        "insert into telemetry.device values (%s, %s, now()) on conflict do nothing", (device_key, f"car-{device_key}")
    )
    trip_id = uuid.uuid4()
    conn.execute(
        """insert into telemetry.trip values (%s, %s, %s, %s, 'UTC', %s, %s, 0, 600, 1.0, null, 'A', '{}', '{}', '{}',
               '{}', null, '{}', '')""",
        (trip_id, device_key, started_at, started_at, f"{started_at:%Y-%m}", distance_m),
    )
    conn.execute(
        "insert into telemetry.trip_exposure values (%s, 'residential', 'morning', 'within', %s, 600)",
        (trip_id, distance_m),
    )
