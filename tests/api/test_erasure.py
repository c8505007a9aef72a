"""P14: after an erasure no byte of a person's name, address, device or places is in any table; the money adds up."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from psycopg import sql

from api.attempt_store import take_attempt
from ingest.accept import accept, accept_file
from ingest.decoded import Decoded
from ingest.decoders import traccar, wayrate
from ingest.devices import enrol, find_device
from ingest.enrolment import make_code
from ingest.errors import DeviceErased
from portfolio.erasure import Waits, ask, decide, lift, run, waits_for
from portfolio.erasure_store import fetch_locked
from portfolio.touchpoint_store import Meeting, log_touchpoint
from pricing.agreements import Asked, assess_claim, cancel, keep_claim
from pricing.close import close_period, post_adjustments
from pricing.contests import Dispute, contest, look_at_evidence
from pricing.contests import decide as decide_contest
from pricing.device_links import assign_device
from pricing.month import Month, rate_month
from pricing.plan import parse_plan
from pricing.policies import plan_of_hash, publish
from pricing.store import fetch_postings
from scoring.label_store import label_trip
from scoring.worker import work_once
from storage.audit import check_chain, entries
from storage.pool import Conn, Database
from tests.api.conftest import copied
from tests.api.test_book_sum_store import risks_are_those_of_the_rows
from tests.api.world import ANNA, BEN, NOW, POLICY_OF, World
from tests.scoring.driving import drive, profile

ROOT = Path(__file__).parents[2]
CANARY = "CANARY-9f3c41"
OFFICER = UUID(int=7)
ENDED = datetime(2026, 11, 30, 12, tzinfo=UTC)
LATER = datetime(2026, 12, 20, 12, tzinfo=UTC)
SAID = (
    """insert into policy.offer_refusal (person_key, template, words, reasons, refused_at, made_by)
       values (%(person)s, 't', %(canary)s, '{}', now(), %(account)s)""",
    """insert into policy.offer (offer_id, person_key, policy_key, template, words, reveals, made_at, made_by,
                                 idempotency_key)
       values (gen_random_uuid(), %(person)s, %(policy)s, 't', %(canary)s, '{}', now(), %(account)s, %(canary)s)""",
    """insert into policy.consent (person_key, purpose, granted, version, text_hash, said_at, said_by)
       values (%(person)s, 'coaching', true, 1, repeat('0', 64), now(), %(account)s)""",
)
SCHEMAS = ("telemetry", "policy", "link", "audit", "public")


@dataclass(frozen=True)
class Planted:
    """A book with canaries wherever a person's data can enter, and what to look for."""

    database: Database
    person_key: UUID
    policy_key: UUID
    needles: dict[str, bytes]


def dump(conn: Conn) -> Iterator[tuple[str, bytes]]:
    """Every table whole, as text and in binary: there a text, a key, a place and kept bytes stand as they are."""
    tables = conn.execute(
        """select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and n.nspname = any(%s) order by 1, 2""",
        (list(SCHEMAS),),
    ).fetchall()
    assert len(tables) > 40
    for schema, table in tables:
        name = sql.Identifier(str(schema), str(table))
        for form in ("text", "binary"):
            query = sql.SQL("copy (select * from {}) to stdout (format {})").format(name, sql.SQL(form))
            with conn.cursor() as cursor, cursor.copy(query) as copy:
                yield f"{schema}.{table}", b"".join(bytes(piece) for piece in copy)


def found_in(database: Database, needles: dict[str, bytes]) -> dict[str, set[str]]:
    """In which tables each needle is."""
    found: dict[str, set[str]] = {name: set() for name in needles}
    with database.role("owner") as conn:
        for table, content in dump(conn):
            for name, needle in needles.items():
                if needle in content:
                    found[name].add(table)
    return found


def one(conn: Conn, query: str, *values: object) -> Any:
    """The only value of a query's first row."""
    row = conn.execute(query, values).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0]


def plant(database: Database) -> tuple[UUID, UUID]:
    """Anna's policy is cancelled, and there is a canary in everything she may write or send; her keys."""
    with database.role("policy") as conn:
        person_key = one(conn, "select person_key from policy.person where email = %s", ANNA)
        account = one(conn, "select account_key from policy.account where email = %s", ANNA)
        policy_key = one(conn, "select policy_key from policy.policy where person_key = %s", person_key)
        trip_id = one(
            conn, "select trip_id from link.trip_of_policy where policy_key = %s order by 1 limit 1", policy_key
        )
        asked = Meeting("call", "question", words=CANARY)
        log_touchpoint(conn, person_key, policy_key, asked, made_by=account, key=f"touch {CANARY}", as_of=NOW)
        for statement in SAID:
            values = {"person": person_key, "policy": policy_key, "canary": CANARY, "account": account}
            conn.execute(statement, values)
    with database.role("link") as conn:
        label_trip(conn, trip_id, "passenger", said_by=account, said_at=NOW)
    dispute = Dispute(trip_id, None, None, None, "bad_data", CANARY, show_way=True)
    raised, _ = contest(database, dispute, raised_by=account, key=f"contest {CANARY}", as_of=NOW)
    look_at_evidence(database, raised.contest_id, OFFICER, NOW)
    words = f"To {CANARY}: as measured."
    decide_contest(database, raised.contest_id, upheld=False, words=words, decided_by=OFFICER, as_of=NOW)
    keep_claim(database, POLICY_OF[ANNA], CANARY, "collision", date(2026, 10, 20), NOW)
    assess_claim(database, CANARY, Decimal(900), False, NOW)
    cancel(database, POLICY_OF[ANNA], date(2026, 12, 1), Asked(account, f"cancel {CANARY}", NOW, False, CANARY))
    with database.role("telemetry") as conn:
        device = find_device(conn, "car-anna")
        make_code(conn, "car-anna", NOW)
        enrol(conn, "traccar-1", NOW)
        forwarder = find_device(conn, "traccar-1")
    bad = b'{"readings": [{"fix_time": "%s", "latitude_deg": 60.1, "longitude_deg": 24.9}]}' % CANARY.encode()
    accept(database, device, bad, wayrate.decode, received_at=NOW, channel="http", decoder_version=wayrate.VERSION,
           idempotency_key=f"upload {CANARY}")  # fmt: skip
    # Of a forwarder that may not bring it: kept under the forwarder's key, with the device's id in its bytes.
    foreign = b'{"device": {"uniqueId": "car-anna", "name": "' + CANARY.encode() + b'"}, "position": {}}'
    accept(
        database,
        forwarder,
        foreign,
        partial(traccar.decode, device_id="traccar-1"),
        received_at=NOW,
        channel="traccar",
        decoder_version="1",
    )
    return person_key, policy_key


@pytest.fixture
def planted(world: World, server_dsn: str) -> Iterator[Planted]:
    with copied(world, server_dsn) as own:
        person_key, policy_key = plant(own.database)
        with own.database.role("owner") as conn:
            places = conn.execute(
                """select latitude_deg, longitude_deg from telemetry.reading join telemetry.device using (device_key)
                    where device_id = 'car-anna' order by random() limit 40"""
            ).fetchall()
            device_key = one(conn, "select device_key from telemetry.device where device_id = 'car-anna'")
        needles = {
            "canary": CANARY.encode(),
            "name": b"Anna",
            "address": ANNA.encode(),
            "device": b"car-anna",
            "policy number": POLICY_OF[ANNA].encode(),
            "device key": struct.pack(">q", device_key),
        }
        for number, (latitude, longitude) in enumerate(places):
            # As the columns of a reading, and little-endian as in a drawn way.
            needles |= {f"place {number}": struct.pack(">d", latitude), f"way {number}": struct.pack("<d", longitude)}
        yield Planted(own.database, person_key, policy_key, needles)


def test_every_table_says_what_an_erasure_does_with_it(database: Database) -> None:
    with database.role("owner") as conn:
        tables = conn.execute(
            """select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where c.relkind in ('r', 'p') and n.nspname = any(%s) and not c.relispartition""",
            (["telemetry", "policy", "link", "audit"],),
        ).fetchall()
    page = (ROOT / "docs" / "privacy.md").read_text("utf-8")
    said = re.findall(r"^\| `((?:telemetry|policy|link|audit)\.\w+)` \| .+ \|$", page, re.MULTILINE)
    assert sorted(said) == sorted(table for (table,) in tables)


def close_all(database: Database) -> None:
    close_period(database, "2026-11", ENDED + timedelta(days=2))
    post_adjustments(database, ENDED + timedelta(days=2))


def granted(planted: Planted) -> UUID:
    with planted.database.role("policy") as conn:
        request, _ = ask(conn, planted.person_key, asked_by=UUID(int=3), as_of=NOW)
        decide(conn, request.request_id, granted=True, words="", decided_by=OFFICER, as_of=NOW)
    return request.request_id


def test_p14_no_byte_of_the_person_is_left_and_the_money_adds_up(planted: Planted) -> None:
    database = planted.database
    before = found_in(database, planted.needles)
    missed = [name for name, tables in before.items() if not tables]  # the search finds each of them,
    assert {name.split()[0] for name in missed} <= {"way"}  # but for a reading that no drawn way holds
    assert len(missed) < 20
    assert before["canary"] >= {
        "policy.touchpoint", "policy.offer", "policy.offer_refusal", "policy.claim", "policy.claim_assessment",
        "policy.policy_change", "link.contest", "link.contest_decision", "telemetry.quarantine", "telemetry.upload",
    }  # fmt: skip
    assert "telemetry.trip_path" in set().union(*(before[name] for name in before if name.startswith("way")))
    close_all(database)
    with database.role("policy") as conn:
        postings = fetch_postings(conn, planted.policy_key)
    bands = risks_are_those_of_the_rows(database)
    request_id = granted(planted)
    (done,) = run(database, LATER)
    assert (done.request_id, done.waits, done.devices, done.identity_until) == (request_id, (), 1, None)
    assert risks_are_those_of_the_rows(database) == bands > 0  # monitoring loses nothing
    after = found_in(database, planted.needles)
    assert {name: tables for name, tables in after.items() if tables} == {}
    with database.role("policy") as conn:
        assert fetch_postings(conn, planted.policy_key) == postings
        for posting in postings:  # P5 holds of what is left
            month = Month.from_json(posting.inputs, partial(plan_of_hash, conn))
            premium = rate_month(plan_of_hash(conn, posting.plan_hash), month)
            assert premium.inputs_digest == posting.inputs_digest
        _, broken = check_chain(entries(conn))
        assert broken is None
        acts = "select action from audit.entry where person_key = %s order by sequence"
        actions = [action for (action,) in conn.execute(acts, (planted.person_key,)).fetchall()]
        assert actions[-3:] == ["erasure_asked", "erasure_granted", "erasure_completed"]
        assert one(conn, "select count(*) from policy.policy where policy_id = %s", POLICY_OF[BEN]) == 1
    assert run(database, LATER) == []
    with database.role("telemetry") as conn, pytest.raises(DeviceErased, match="erasure lift car-anna"):
        enrol(conn, "car-anna", LATER)
    assert lift(database, "car-anna")
    with database.role("telemetry") as conn:
        enrol(conn, "car-anna", LATER)


OF_BEN = (
    "select * from telemetry.reading join telemetry.device using (device_key) where device_id = 'car-ben' order by 2",
    "select * from telemetry.trip join telemetry.device using (device_key) where device_id = 'car-ben' order by 2",
    "select * from link.trip_of_policy join policy.policy using (policy_key) where policy_id = 'T-1002' order by 2",
    "select * from policy.person where email = 'ben@example.org'",
    "select * from policy.account where email = 'ben@example.org'",
)


def test_what_is_somebody_elses_stays_byte_for_byte(planted: Planted) -> None:
    database = planted.database
    close_all(database)

    def of_ben() -> list[object]:
        with database.role("owner") as conn:
            return [conn.execute(query).fetchall() for query in OF_BEN]

    held = of_ben()
    assert all(held)
    granted(planted)
    run(database, LATER)
    assert of_ben() == held


def test_it_waits_for_the_end_of_the_contract_and_its_statements(world: World, server_dsn: str) -> None:
    with copied(world, server_dsn) as own:
        database = own.database
        with database.role("policy") as conn:
            person_key = one(conn, "select person_key from policy.person where email = %s", BEN)
            request, _ = ask(conn, person_key, asked_by=UUID(int=3), as_of=NOW)
            assert ask(conn, person_key, asked_by=UUID(int=3), as_of=LATER) == (request, True)
            decide(conn, request.request_id, granted=True, words="", decided_by=OFFICER, as_of=NOW)
        in_the_way = (Waits.POLICY_IN_FORCE, Waits.STATEMENT_MISSING)
        assert waits_for(database, person_key, NOW.date()) == in_the_way
        (done,) = run(database, NOW)
        assert done.waits == in_the_way
        assert "telemetry.device" in found_in(database, {"device": b"car-ben"})["device"]
        cancel(database, POLICY_OF[BEN], date(2026, 11, 1), Asked(UUID(int=3), "cancel-it", NOW, True, "moving"))
        assert waits_for(database, person_key, NOW.date()) == ()
        (done,) = run(database, NOW)
        assert (done.waits, done.devices) == ((), 1)


def under_uk_law(database: Database) -> None:
    """Anna's policy is priced by a plan of that jurisdiction."""
    with database.role("owner") as conn:
        content = str(one(conn, "select content from policy.rate_plan where name = 'wayrate-2026'"))
        law = 'jurisdiction = "uk"\n' + content.replace('name = "wayrate-2026"', 'name = "of-the-uk"', 1)
        plan = parse_plan(law + '\n[duties]\nrenewal_price = "the actuary, each year"\n', "uk.toml")
        publish(conn, plan, NOW)
        conn.execute("update policy.policy set plan_name = 'of-the-uk' where policy_id = %s", (POLICY_OF[ANNA],))
        conn.execute("alter table policy.policy_change disable trigger policy_change_is_immutable")
        conn.execute(
            "update policy.policy_change set plan_hash = %s where kind = 'bind' and policy_key ="
            " (select policy_key from policy.policy where policy_id = %s)",
            (plan.plan_hash, POLICY_OF[ANNA]),
        )
        conn.execute("alter table policy.policy_change enable trigger policy_change_is_immutable")


def test_an_identity_that_a_law_keeps_is_locked_until_its_day_and_erased_then(planted: Planted) -> None:
    database = planted.database
    close_all(database)
    under_uk_law(database)
    granted(planted)
    with database.role("policy") as conn:
        for address in (ANNA, "a.stranger@example.org"):
            take_attempt(conn, address, LATER)
        take_attempt(conn, "long.ago@example.org", LATER - timedelta(days=1))  # behind them, so that nobody takes it
    (done,) = run(database, LATER)
    assert done.identity_until == date(2032, 12, 1)
    with database.role("policy") as conn:
        assert len(conn.execute("select from policy.sign_in_attempt").fetchall()) == 1, "the stranger's, who may try on"
    with database.role("policy") as conn:
        locked = fetch_locked(conn, planted.person_key)
    assert locked is not None
    assert (locked.name, locked.email, locked.until) == ("Anna Example", ANNA, date(2032, 12, 1))
    assert "six years" in locked.because
    gone = {name: needle for name, needle in planted.needles.items() if name.startswith(("place", "way", "dev"))}
    assert {name: tables for name, tables in found_in(database, gone).items() if tables} == {}
    held = found_in(database, {"name": b"Anna", "address": ANNA.encode()})
    assert held == {"name": {"policy.locked_identity"}, "address": {"policy.locked_identity", "policy.account"}}
    assert run(database, datetime(2032, 11, 30, tzinfo=UTC)) == []
    (done,) = run(database, datetime(2032, 12, 1, tzinfo=UTC))
    assert (done.person_key, done.request_id) == (planted.person_key, None)
    assert {name: tables for name, tables in found_in(database, planted.needles).items() if tables} == {}


def arrives(database: Database, begins: datetime, received_at: datetime) -> None:
    """A drive of twenty minutes, stored and not scored."""
    speed = profile((0, 0), (10, 14), (1190, 14), (1200, 0))
    readings = drive(1200.0, speed, noise_m=2.0, start_us=round(begins.timestamp() * 1e6), origin=(60.2, 24.9))
    decoded = Decoded(readings, len(readings), (), np.arange(len(readings)), lambda _: b"raw")
    accept_file(database, "car-anna", decoded, received_at)


def test_who_has_the_device_now_loses_nothing_that_waits_to_be_scored(planted: Planted) -> None:
    """Nor what is received before the erasure begins and stored after it."""
    database = planted.database
    close_all(database)
    assign_device(database, POLICY_OF[BEN], "car-anna", datetime(2026, 12, 2, tzinfo=UTC))
    post_adjustments(database, LATER)
    first, second = LATER - timedelta(days=3), LATER - timedelta(days=3, hours=2)
    arrives(database, first, first + timedelta(hours=1))
    granted(planted)
    assert waits_for(database, planted.person_key, LATER.date()) == (Waits.SCORING_MISSING,)
    (done,) = run(database, LATER)
    assert done.waits == (Waits.SCORING_MISSING,)
    assert "policy.person" in found_in(database, {"name": b"Anna"})["name"]
    work_once(database, None, None, as_of=LATER)
    post_adjustments(database, LATER)
    (done,) = run(database, LATER)
    assert (done.waits, done.devices) == ((), 0)  # the device is Ben's, and stays
    arrives(database, second, LATER - timedelta(seconds=1))
    work_once(database, None, None, as_of=LATER)
    with database.role("telemetry") as conn:
        starts = conn.execute(
            "select started_at from telemetry.trip join telemetry.device using (device_key) "
            "where device_id = 'car-anna' order by 1"
        ).fetchall()
        assert [round((start - first) / timedelta(hours=1)) for (start,) in starts] == [-2, 0]
        assert conn.execute("select from telemetry.refused_window").fetchall() == []
