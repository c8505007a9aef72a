"""Contests: an upheld one ends every month that it fed at the price that it would have had on time, to the cent."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817
from itertools import permutations
from uuid import UUID, uuid4

import psycopg
import pytest

from pricing.close import close_period, post_adjustments
from pricing.contest_store import Contest, fetch_queue
from pricing.contests import Dispute, contest, decide, look_at_evidence, may_show_way
from pricing.errors import (
    AlreadyContested,
    BadContest,
    ContestDecided,
    EvidenceNotSeen,
    KeyReused,
    NothingToContest,
    TooLateToContest,
    UnknownContest,
)
from pricing.store import fetch_postings
from storage.pool import Database
from tests.api.test_book_sum_store import risks_are_those_of_the_rows
from tests.pricing.book import CLOSED_AT, add_with_device, put_trip

ANNA, DESK = UUID(int=1), UUID(int=2)
ON = datetime(2026, 9, 20, 9, tzinfo=UTC)
NEXT = datetime(2026, 10, 5, 9, tzinfo=UTC)
SAID_AT = datetime(2026, 11, 1, 13, tzinfo=UTC)
LATER = datetime(2026, 12, 9, tzinfo=UTC)
LONG = timedelta(minutes=30)


def drive(database: Database, brakes: int = 3) -> UUID:
    """Half an hour with hard brakes five minutes apart, the first of them severe; replaced where it is there."""
    trip_id = put_trip(database, ON, metres=40_000, hard_brakes=brakes)
    with database.role("telemetry") as conn:
        conn.execute("update telemetry.trip set ended_at = %s where trip_id = %s", (ON + LONG, trip_id))
        for number in range(brakes):
            at = ON + timedelta(minutes=5 * (number + 1))
            conn.execute(
                """insert into telemetry.event values (%s, %s, 'hard_brake', %s, %s, 5.0, 'mps2', null, null,
                       'gps_speed', 1.0, 't', '{"hard_brake_events": 1, "severe_hard_brake_events": 1}')""",
                (trip_id, number, at, at + timedelta(seconds=2)),
            )
    return trip_id


def brake(trip_id: UUID, number: int = 0, **changes: object) -> Dispute:
    at = ON + timedelta(minutes=5 * (number + 1))
    said = {"kind": "hard_brake", "from_time": at, "to_time": at + timedelta(seconds=2), "reason": "emergency"}
    return Dispute(**{"trip_id": trip_id, "words": "A deer.", "show_way": True} | said | changes)  # type: ignore[arg-type]


def whole(trip_id: UUID) -> Dispute:
    return brake(trip_id, kind=None, from_time=None, to_time=None, reason="not_my_car")


def raise_contest(database: Database, dispute: Dispute, key: str = "k") -> Contest:
    return contest(database, dispute, raised_by=ANNA, key=key, as_of=SAID_AT)[0]


def uphold(database: Database, dispute: Dispute, key: str = "k", *, upheld: bool = True) -> Contest:
    raised = raise_contest(database, dispute, key)
    look_at_evidence(database, raised.contest_id, DESK, SAID_AT)
    return decide(database, raised.contest_id, upheld=upheld, words="Seen.", decided_by=DESK, as_of=SAID_AT)


def close_all(database: Database) -> None:
    for period in ("2026-09", "2026-10"):
        close_period(database, period, CLOSED_AT)


def totals(database: Database) -> dict[str, D]:
    sums: dict[str, D] = {}
    with database.role("policy") as conn:
        (key,) = conn.execute("select policy_key from policy.policy").fetchone() or (None,)
        assert isinstance(key, UUID)
        for posting in fetch_postings(conn, key):
            sums[posting.period] = sums.get(posting.period, D(0)) + posting.amount
    return sums


def reasons(database: Database) -> list[str]:
    with database.role("policy") as conn:
        rows = conn.execute("select reason from policy.statement where kind = 'adjustment' order by period").fetchall()
    return [str(reason) for (reason,) in rows]


def counted(database: Database) -> tuple[object, ...] | None:
    with database.role("policy") as conn:
        return conn.execute(
            """select excluded, (totals ->> 'hard_brake_events')::int, (totals ->> 'distance_m')::int
                 from link.trip_of_policy where started_at = %s""",
            (ON,),
        ).fetchone()


# September by hand, 40 km measured: with 3 brakes 7.5 per 100 km: ln = 0.03 x 40/1540 x (7.5 - 1.5) = 0.004675, less
# 0.9 x 40/540 x 0.08 = 0.005333: 0.7995 claims; with 2 (5.0 per 100 km) 0.002727 - 0.005333: 0.7979.
def test_a_trip_is_counted_without_the_event_that_was_upheld(database: Database) -> None:
    add_with_device(database)
    trip = drive(database)
    close_all(database)
    before = totals(database)
    uphold(database, brake(trip))
    assert counted(database) == (None, 2, 40_000)
    adjustments = post_adjustments(database, LATER)
    assert {posting.reason for posting in adjustments} == {"1 contest(s) upheld"}
    behaviour = adjustments[0].inputs["behaviour"]
    assert behaviour["claims_per_100000_km"] == "0.7979"  # type: ignore[index]
    assert all(totals(database)[period] < before[period] for period in before)
    with database.role("telemetry") as conn:  # what scoring made of it stands
        assert conn.execute("select totals ->> 'hard_brake_events' from telemetry.trip").fetchone() == ("3",)


def test_a_trip_whose_contest_is_upheld_costs_nothing_and_one_refused_stays(database: Database) -> None:
    add_with_device(database)
    trip = drive(database)
    close_all(database)
    before = totals(database)
    uphold(database, brake(trip, 1), "other", upheld=False)
    assert post_adjustments(database, LATER) == []
    assert totals(database) == before
    assert risks_are_those_of_the_rows(database) > 0
    uphold(database, whole(trip))
    post_adjustments(database, LATER)
    assert risks_are_those_of_the_rows(database) == 0, "nothing is left that a frequency is predicted from"
    # 30 days x 0.42 and 0.31 x 1.10 urban: 13.86 and 10.23; fee 1.50; tax 0.24 x 25.59 = 6.14; no behaviour at all
    assert totals(database)["2026-09"] == D("13.86") + D("10.23") + D("1.50") + D("6.14")
    assert reasons(database) == ["1 contest(s) upheld"] * 2
    assert counted(database) == ("contested", 3, 40_000)


STEPS: dict[str, Callable[[Database], object]] = {
    "close": close_all,
    "upheld": lambda database: uphold(database, brake(drive(database))),
    "late": lambda database: put_trip(database, NEXT, hard_brakes=1, hour_band="night"),
    "cut anew": lambda database: drive(database, brakes=4),
}
ORDERS = [order for order in permutations(STEPS) if order.index("cut anew") > order.index("upheld")]


@pytest.mark.parametrize("order", ORDERS[::4])
def test_the_order_of_contest_late_data_and_close_does_not_matter(database: Database, order: tuple[str, ...]) -> None:
    add_with_device(database)
    for step in order:
        STEPS[step](database)
        post_adjustments(database, LATER)
    assert counted(database) == (None, 3, 40_000)  # of four, cut anew after the decision, all but the contested one
    # By hand, of 40 km with 3 brakes in September and 10 km with 1 in October: 0.7995 and 0.7998 of 0.8, that is 0.9994
    # and 0.9998: 14.86 + 10.88 + 1.50 + 6.54 and 14.70 + 10.82 + 1.50 + 6.48
    assert totals(database) == {"2026-09": D("33.78"), "2026-10": D("33.50")}


def test_what_cannot_be_contested_or_decided_is_refused_and_changes_nothing(database: Database) -> None:
    add_with_device(database)
    trip = drive(database)
    raised = raise_contest(database, brake(trip))
    assert raise_contest(database, brake(trip)) == raised
    late = trip_end = ON + LONG + timedelta(days=60, seconds=1)

    def at(when: datetime, dispute: Dispute, key: str = "late") -> object:
        return contest(database, dispute, raised_by=ANNA, key=key, as_of=when)

    with pytest.raises(TooLateToContest):
        at(late, brake(trip, 1))
    at(trip_end - timedelta(seconds=1), brake(trip, 2), "in time")
    with pytest.raises(KeyReused):
        raise_contest(database, brake(trip, 1, words="An elk."))
    with pytest.raises(AlreadyContested, match=str(raised.contest_id)):
        raise_contest(database, brake(trip), "again")
    with pytest.raises(NothingToContest):
        raise_contest(database, brake(uuid4()), "nowhere")
    for field, changes in (
        ("reason", {"reason": "bored"}),
        ("words", {"words": " "}),
        ("words", {"words": "x" * 1001}),
    ):
        with pytest.raises(BadContest) as refused:
            raise_contest(database, brake(trip, 1, **changes), "bad")
        assert refused.value.field == field

    def decided(contest_id: UUID, *, upheld: bool, words: str = "Seen.") -> Contest:
        return decide(database, contest_id, upheld=upheld, words=words, decided_by=DESK, as_of=SAID_AT)

    with pytest.raises(EvidenceNotSeen):
        decided(raised.contest_id, upheld=True)
    with pytest.raises(UnknownContest):
        look_at_evidence(database, uuid4(), DESK, SAID_AT)
    shown, now = look_at_evidence(database, raised.contest_id, DESK, SAID_AT)
    assert (now, may_show_way(shown)) == (trip, True)
    first = decided(raised.contest_id, upheld=False)
    assert decided(raised.contest_id, upheld=False) == first
    assert not may_show_way(first)
    with pytest.raises(ContestDecided):
        decided(raised.contest_id, upheld=True)
    with pytest.raises(UnknownContest):
        decided(uuid4(), upheld=True)
    assert counted(database) == (None, 3, 40_000)
    with database.role("link") as conn:
        assert [one.upheld for one in fetch_queue(conn, decided=True, limit=9)] == [False]
        assert len(fetch_queue(conn, decided=False, limit=9)) == 1
    for table in ("contest", "contest_decision", "evidence_view"):
        for change in (f"delete from link.{table}", f"update link.{table} set contest_id = contest_id"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), database.role("link") as conn:
                conn.execute(change)  # type: ignore[arg-type]


def test_racing_decisions_make_one(database_dsn: str) -> None:
    with Database(database_dsn, max_connections=8, wait_s=60) as database:
        add_with_device(database)
        raised = raise_contest(database, brake(drive(database)))
        look_at_evidence(database, raised.contest_id, DESK, SAID_AT)

        def race(number: int) -> bool:
            try:
                words = f"By {number}."
                decide(database, raised.contest_id, upheld=number % 2 == 0, words=words, decided_by=DESK, as_of=SAID_AT)
            except ContestDecided:
                return False
            return True

        with ThreadPoolExecutor(8) as racers:
            assert sum(racers.map(race, range(8))) == 1
        with database.role("link") as conn:
            assert conn.execute("select count(*) from link.contest_decision").fetchone() == (1,)
