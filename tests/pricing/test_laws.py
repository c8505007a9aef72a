"""The laws of money (P5 to P8), on generated histories and 64 racers, with real connections."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import conninfo, errors, sql

from pricing.agreements import Asked, cancel, endorse, renew
from pricing.close import close_period, post_adjustments
from pricing.contests import Dispute, contest, decide, look_at_evidence
from pricing.month import Month, rate_month
from pricing.plan import RatePlan, parse_plan
from pricing.policies import packaged_plan, plan_of_hash
from pricing.rating import recompute
from pricing.statement import Posting
from pricing.store import fetch_postings
from pricing.verify import verify_statements
from scoring.label_store import label_trip
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, put_trip
from tests.pricing.test_plan_in_force import FIRST as EVERYTHING
from tests.pricing.test_plan_in_force import TERMS, put_into_the_book

ROOT = Path(__file__).parents[2]
WHO = UUID(int=9)
LATER = datetime(2026, 12, 9, tzinfo=UTC)
MONTHS = ("2026-09", "2026-10")
NUMBERS = count()

Step = tuple[str, object]
TRIPS = [datetime(2026, 9, 4, 6, tzinfo=UTC) + timedelta(days=9 * number) for number in range(5)]


def drive(database: Database, number: int, brakes: int = 2) -> None:
    """A trip of the month with brakes whose events can be contested; the same number again cuts it anew."""
    start = TRIPS[number]
    trip_id = put_trip(database, start, metres=31_000 + 7_001 * number, hard_brakes=brakes, hour_band="evening")
    with database.role("telemetry") as conn:
        end = start + timedelta(minutes=20)
        conn.execute("update telemetry.trip set ended_at = %s where trip_id = %s", (end, trip_id))
        for ordinal in range(brakes):
            at = start + timedelta(minutes=3 * (ordinal + 1))
            conn.execute(
                """insert into telemetry.event values (%s, %s, 'hard_brake', %s, %s, 4.0, 'mps2', null, null,
                       'gps_speed', 1.0, 't', '{"hard_brake_events": 1}')""",
                (trip_id, ordinal, at, at + timedelta(seconds=2)),
            )


def trip_of(database: Database, number: int) -> UUID:
    with database.role("telemetry") as conn:
        row = conn.execute("select trip_id from telemetry.trip where started_at = %s", (TRIPS[number],)).fetchone()
    assert row is not None
    assert isinstance(row[0], UUID)
    return row[0]


def say(database: Database, number: int, label: str) -> None:
    with database.role("link") as conn:
        label_trip(conn, trip_of(database, number), label, said_by=WHO, said_at=LATER)


def uphold(database: Database, number: int, *, whole: bool) -> None:
    at = TRIPS[number] + timedelta(minutes=3)
    event = (None, None, None) if whole else ("hard_brake", at, at + timedelta(seconds=2))
    dispute = Dispute(trip_of(database, number), *event, "bad_data", "Not so.", show_way=False)
    key = f"{number} {whole}"
    raised, _ = contest(database, dispute, raised_by=WHO, key=key, as_of=TRIPS[number] + timedelta(days=59))
    look_at_evidence(database, raised.contest_id, WHO, LATER)
    decide(database, raised.contest_id, upheld=True, words="Right.", decided_by=WHO, as_of=LATER)


def agree(database: Database, day: date, terms: dict[str, object]) -> None:
    endorse(database, "P-1", day, terms, Asked(WHO, f"{day} {terms}", LATER, may_backdate=True))


def stop(database: Database) -> None:
    cancel(database, "P-1", date(2026, 10, 25), Asked(WHO, "cancel", LATER, may_backdate=True))


@dataclass(frozen=True)
class Form:
    """How a policy is charged: a plan (None: the one that ships), what it declares, and the pay plan it changes to;
    `second`: the plan of a term that follows from RENEWED_FROM on.
    """

    plan: RatePlan | None
    terms: dict[str, object]
    then: str
    second: RatePlan | None = None


RENEWED_FROM = date(2026, 10, 6)


def follow_on(database: Database, form: Form) -> None:
    """The next term, in the middle of a month; of a form of one term nothing."""
    if form.second is not None:
        asked = Asked(WHO, "renew", LATER, may_backdate=True)
        renew(database, "P-1", RENEWED_FROM, date(2027, 10, 6), {}, asked)


SHIPPED = Form(None, {}, "per_km")
DISCOUNT_ONLY = parse_plan(
    'jurisdiction = "discount-only"\n'
    + packaged_plan().content.replace('highest = "1.30"', 'highest = "1"').replace('"wayrate-2026"', '"discount-only"'),
    "discount-only",
)
# Dearer by the day and the km, over another window, more for a brake, and held to 1.15 times what the first would cost.
DEARER = parse_plan(
    EVERYTHING.content.replace('version = "1"', 'version = "2"').replace("2019-01-01", RENEWED_FROM.isoformat())
    .replace('per_year = "153.30"', 'per_year = "170.00"').replace('fee = "1.50"', 'fee = "1.75"')
    .replace("window_months = 3", "window_months = 1").replace('beta = "0.03"', 'beta = "0.08"')
    .replace('residential = { night = "0.0', 'residential = { night = "0.1'),
    "dearer",
)  # fmt: skip
OTHER_FORMS = {
    "per km, then Autograph": Form(None, {"pay_plan": "per_km"}, "autograph"),
    "flat, then Autograph": Form(None, {"pay_plan": "flat"}, "autograph"),
    "discount-only, then flat": Form(DISCOUNT_ONLY, {"plan": DISCOUNT_ONLY.name}, "flat"),
    "everything, then per km": Form(EVERYTHING, TERMS, "per_km"),
    "renewed within a month by another version": Form(EVERYTHING, TERMS | {"ends_on": RENEWED_FROM}, "per_km", DEARER),
}

# Every fact of a history. What needs its trip to be there comes after it; else any order is allowed.
FACTS: dict[str, tuple[Callable[[Database, Form], object], tuple[str, ...]]] = {
    **{f"trip {n}": (lambda database, _, n=n: drive(database, n), ()) for n in range(5)},  # type: ignore[misc]
    "trip 1 cut anew": (lambda database, _: drive(database, 1, brakes=3), ("trip 1",)),
    "trip 2 was a bus": (lambda database, _: say(database, 2, "bus"), ("trip 2",)),
    "event of 1 upheld": (lambda database, _: uphold(database, 1, whole=False), ("trip 1",)),
    "trip 3 upheld": (lambda database, _: uphold(database, 3, whole=True), ("trip 3",)),
    "van from 10 September": (
        lambda database, _: agree(database, date(2026, 9, 10), {"factors": {"vehicle_class": "van"}}), (),
    ),
    "the next term": (follow_on, ()),
    "other pay plan from 15 October": (
        lambda database, form: agree(database, date(2026, 10, 15), {"pay_plan": form.then}), ("the next term",),
    ),
    "cancelled on 25 October": (
        lambda database, _: stop(database), ("other pay plan from 15 October", "van from 10 September"),
    ),
    "close 2026-09": (lambda database, _: close_period(database, "2026-09", CLOSED_AT), ()),
    "close 2026-10": (lambda database, _: close_period(database, "2026-10", CLOSED_AT), ()),
}  # fmt: skip
ON_TIME = [name for name in FACTS if not name.startswith("close")] + ["close 2026-09", "close 2026-10"]


def in_order(wanted: Sequence[str]) -> list[str]:
    """The names as wanted, each after what it needs."""
    found: list[str] = []

    def put(name: str) -> None:
        if name not in found:
            for needed in FACTS[name][1]:
                put(needed)
            found.append(name)

    for name in wanted:
        put(name)
    return found


def postings_of(database: Database) -> list[Posting]:
    with database.role("policy") as conn:
        row = conn.execute("select policy_key from policy.policy").fetchone()
        assert row is not None
        assert isinstance(row[0], UUID)
        return fetch_postings(conn, row[0])


def lines_of(postings: Sequence[Posting]) -> dict[tuple[str, str], Decimal]:
    """What each month comes to by line, whatever it took to get there."""
    sums: dict[tuple[str, str], Decimal] = {}
    for posting in postings:
        for line in posting.lines:
            key = posting.period, line["name"]
            sums[key] = sums.get(key, Decimal(0)) + Decimal(line["amount"])
    return {key: amount for key, amount in sums.items() if amount}


def live(dsn: str, template: str, steps: Sequence[str], follow: Sequence[bool], form: Form = SHIPPED) -> list[Posting]:
    """A history in a database of its own; after a step that is followed, the worker posts what it changed."""
    name = f"wayrate_laws_{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            with Database(conninfo.make_conninfo(dsn, dbname=name)) as database:
                if form.plan is not None:
                    put_into_the_book(database, form.plan, *([form.second] if form.second else []))
                add_with_device(database, **form.terms)
                for step, followed in zip(steps, follow, strict=True):
                    FACTS[step][0](database, form)
                    if followed:
                        post_adjustments(database, LATER)
                post_adjustments(database, LATER)
                assert post_adjustments(database, LATER) == []
                assert verify_statements(database)[1] == ()
                found = postings_of(database)
                check_recomputed(database, found)
                return found
        finally:
            conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def check_recomputed(database: Database, postings: Sequence[Posting]) -> None:
    """P5: the inputs and the plan of the latest posting of a month give its total and worksheet again, to the cent."""
    with database.role("policy") as conn:
        for period in MONTHS:
            of_month = [posting for posting in postings if posting.period == period]
            month = Month.from_json(of_month[-1].inputs, partial(plan_of_hash, conn))
            plan = plan_of_hash(conn, of_month[-1].plan_hash)
            premium = rate_month(plan, month)
            assert premium.amount == sum((posting.amount for posting in of_month), Decimal(0))
            assert premium.inputs_digest == of_month[-1].inputs_digest
            assert [step.as_json() for step in premium.worksheet] == of_month[-1].worksheet
            assert recompute(of_month[-1].worksheet, "EUR") == premium.amount


type Lines = dict[tuple[str, str], Decimal]
type Life = Callable[[Sequence[str], Sequence[bool]], list[Posting]]


@pytest.fixture(scope="module")
def lived(server_dsn: str, _template: str) -> Life:
    """Lives a history in a fresh database; its postings."""
    return lambda steps, follow: live(server_dsn, _template, steps, follow)


@pytest.fixture(scope="module")
def on_time(lived: Life) -> Lines:
    """What a history costs whose every fact is there before its month is closed."""
    postings = lived(in_order(ON_TIME), [False] * len(FACTS))
    assert [posting.kind for posting in postings] == ["statement"] * 2
    return lines_of(postings)


def _histories(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


ANY_HISTORY = given(
    wanted=st.permutations(list(FACTS)), follow=st.lists(st.booleans(), min_size=len(FACTS), max_size=len(FACTS))
)


@_histories(3)
@ANY_HISTORY
def test_p8_any_order_of_late_data_labels_contests_and_agreements_ends_at_the_on_time_price(
    lived: Life, on_time: Lines, wanted: list[str], follow: list[bool]
) -> None:
    assert lines_of(lived(in_order(wanted), follow)) == on_time


@pytest.fixture(scope="module")
def lived_by_everything(server_dsn: str, _template: str) -> Life:
    """As `lived`, by the plan of every feature."""
    return lambda steps, follow: live(server_dsn, _template, steps, follow, OTHER_FORMS["everything, then per km"])


@pytest.fixture(scope="module")
def lived_renewed(server_dsn: str, _template: str) -> Life:
    """As `lived`, with another term by another version from the sixth of October on."""
    form = OTHER_FORMS["renewed within a month by another version"]
    return lambda steps, follow: live(server_dsn, _template, steps, follow, form)


def test_p8_holds_by_a_plan_of_tiers_and_days_without_readings(lived_by_everything: Life) -> None:
    """Everything is late, and followed one by one: a trip of a day that was charged by declared km measures it."""
    on_time = lived_by_everything(in_order(ON_TIME), [False] * len(FACTS))
    assert any("declared km" in step["label"] for posting in on_time for step in posting.worksheet)
    late = lived_by_everything(in_order([*FACTS][::-1]), [True] * len(FACTS))
    assert len(late) > len(on_time)
    assert lines_of(late) == lines_of(on_time)


def test_p8_holds_of_a_month_in_which_another_term_by_another_plan_begins(lived_renewed: Life) -> None:
    """October is posted for five days, then renewed from the sixth on, and everything else comes later still."""
    on_time = lived_renewed(in_order(ON_TIME), [False] * len(FACTS))
    parts = on_time[-1].inputs["parts"]
    assert isinstance(parts, list)
    assert [part.get("plan_hash") for part in parts] == [EVERYTHING.plan_hash, None, None]
    assert parts[1]["expiring"] != parts[0]["expiring"] == {}
    late = lived_renewed(in_order([*FACTS][::-1]), [True] * len(FACTS))
    assert late[-1].kind == "adjustment"
    assert lines_of(late) == lines_of(on_time)


@pytest.mark.long
@_histories(150)
@ANY_HISTORY
def test_p8_in_many_orders(lived: Life, on_time: Lines, wanted: list[str], follow: list[bool]) -> None:
    assert lines_of(lived(in_order(wanted), follow)) == on_time


@pytest.fixture(scope="module", params=OTHER_FORMS)
def lived_otherwise(request: pytest.FixtureRequest, server_dsn: str, _template: str) -> tuple[Life, Lines]:
    """As `lived`, in another form; and what it costs on time."""
    form = OTHER_FORMS[request.param]

    def life(steps: Sequence[str], follow: Sequence[bool]) -> list[Posting]:
        return live(server_dsn, _template, steps, follow, form)

    return life, lines_of(life(in_order(ON_TIME), [False] * len(FACTS)))


@pytest.mark.long
@_histories(50)
@ANY_HISTORY
def test_p8_in_many_orders_of_every_form(
    lived_otherwise: tuple[Life, Lines], wanted: list[str], follow: list[bool]
) -> None:
    life, on_time = lived_otherwise
    assert lines_of(life(in_order(wanted), follow)) == on_time


def test_p6_64_racing_posters_and_workers_make_one_row_of_each_revision(database_dsn: str) -> None:
    with Database(database_dsn, max_connections=64, wait_s=120) as database:
        add_with_device(database)
        drive(database, 3)
        start_together = [lambda: close_period(database, "2026-10", CLOSED_AT)] * 48
        start_together += [lambda: post_adjustments(database, LATER)] * 16
        with ThreadPoolExecutor(64) as racers:
            list(racers.map(lambda poster: poster(), start_together))
        drive(database, 4)
        with ThreadPoolExecutor(64) as racers:
            posted = list(racers.map(lambda _: post_adjustments(database, LATER), range(64)))
        assert sum(len(rows) for rows in posted) == 1
        assert [(row.kind, row.revision) for row in postings_of(database)] == [("statement", 0), ("adjustment", 1)]


POSTER = """
import sys
from datetime import datetime
from pricing.close import close_period, post_adjustments
from storage.pool import Database
with Database(sys.argv[1]) as database:
    print("ready", flush=True)
    while True:
        close_period(database, "2026-10", datetime.fromisoformat(sys.argv[2]))
        post_adjustments(database, datetime.fromisoformat(sys.argv[2]))
"""


def test_p6_posters_killed_between_steps_leave_one_row_of_each_revision_and_no_change_behind(database_dsn: str) -> None:
    with Database(database_dsn, wait_s=60) as database:
        add_with_device(database)
        for number in range(3, 5):
            posters = [
                subprocess.Popen(
                    [sys.executable, "-c", POSTER, database_dsn, LATER.isoformat()],
                    env=os.environ | {"PYTHONPATH": str(ROOT)},
                    stdout=subprocess.PIPE,
                )
                for _ in range(2)
            ]
            for poster in posters:
                assert poster.stdout is not None
                assert poster.stdout.readline() == b"ready\n"
            drive(database, number)
            time.sleep(0.02 * number)  # somewhere in the middle; the laws hold wherever it is
            for poster in posters:
                poster.send_signal(signal.SIGKILL)
                poster.wait()
        close_period(database, "2026-10", LATER)
        post_adjustments(database, LATER)
        postings = postings_of(database)
        assert [row.revision for row in postings] == list(range(len(postings)))
        assert verify_statements(database)[1] == ()
        with database.role("policy") as conn:
            month = Month.from_json(postings[-1].inputs, partial(plan_of_hash, conn))
            days = conn.execute(
                "select started_at::date::text from link.trip_of_policy where trip_id = any(%s::uuid[])",
                ([trip.trip_id for trip in month.trips],),
            ).fetchall()
        assert set(days) == {("2026-10-01",), ("2026-10-10",)}


def test_p7_nothing_posted_can_be_edited_by_any_role_and_every_past_day_can_be_replayed(database: Database) -> None:
    add_with_device(database)
    days = {}
    for day, number in ((1, None), (8, 3), (9, 4)):
        if number is not None:
            drive(database, number)
        at = datetime(2026, 12, day, tzinfo=UTC)
        close_period(database, "2026-10", at)
        post_adjustments(database, at)
        days[at] = lines_of(postings_of(database))
    assert len({str(lines) for lines in days.values()}) == 3
    for at, lines in days.items():  # what was known as of that day
        assert lines_of([posting for posting in postings_of(database) if posting.posted_at <= at]) == lines
    for role in ("policy", "link", "telemetry", "owner"):
        for change in ("update policy.statement set amount = 0", "delete from policy.statement"):
            refusals = (errors.RestrictViolation, errors.InsufficientPrivilege)
            with pytest.raises(refusals), database.role(role) as conn:  # type: ignore[arg-type]
                conn.execute(change)  # type: ignore[arg-type]
