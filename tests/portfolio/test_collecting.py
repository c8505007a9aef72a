"""Outcomes that arrive by themselves: by the lot, once, of who agreed, whatever was sent."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from portfolio.board import plan_experiment, take_step
from portfolio.collecting import collect_outcomes
from portfolio.errors import BadExperiment
from portfolio.experiment_store import fetch_outcomes
from portfolio.experiments import Plan
from portfolio.offer_store import insert_answer, insert_offer, insert_refusal
from storage.pool import Conn, Database
from tests.portfolio.people import add_people, agree, change, key

BUILT = datetime(2026, 11, 1, tzinfo=UTC)
WHO = uuid4()


def run(conn: Conn, plan: Plan, template: str | None = None) -> None:
    plan_experiment(conn, plan, template, by=WHO, as_of=BUILT - timedelta(days=1))
    take_step(conn, plan.name, "build", "Made.", by=WHO, as_of=BUILT)


def outcomes(conn: Conn, name: str) -> dict[int, tuple[float, float | None]]:
    numbers = {key(number): number for number in range(20)}
    return {numbers[person]: (outcome, guarded) for person, outcome, guarded in fetch_outcomes(conn, name)}


def test_renewals_and_lapses_arrive_once_of_who_agreed(database: Database) -> None:
    plan = Plan("calls", "Calls keep.", "stays", 0.5, 2000, 0.01, measured_by="stays", action="call")
    with database.role("policy") as conn:
        add_people(conn, 6, ends_on=date(2026, 12, 1))
        agree(conn, range(5), "research")  # 5 never did
        change(conn, 4, "renew", BUILT - timedelta(days=2))  # before it was built
        conn.execute("update policy.policy set ends_on = '2027-12-01' where policy_id = 'P-4'")
        run(conn, plan)
        change(conn, 0, "renew", BUILT + timedelta(days=10))
        conn.execute("update policy.policy set ends_on = '2027-12-01' where policy_id = 'P-0'")
        change(conn, 1, "cancel", BUILT + timedelta(days=5))
        change(conn, 5, "renew", BUILT + timedelta(days=10))
        conn.execute(
            "insert into policy.touchpoint (person_key, channel, kind, outbound, occurred_at, minutes, made_by,"
            " idempotency_key) values (%s, 'call', 'complaint', false, %s, 1, %s, 'one')",
            (key(1), BUILT + timedelta(days=3), WHO),
        )
        assert collect_outcomes(conn, BUILT + timedelta(days=20)) == {"calls": 2}
        assert outcomes(conn, "calls") == {0: (1.0, 1.0), 1: (0.0, 0.0)}
        assert collect_outcomes(conn, datetime(2026, 12, 10, tzinfo=UTC)) == {}  # some renew late
        assert collect_outcomes(conn, datetime(2026, 12, 16, tzinfo=UTC)) == {"calls": 2}
        assert outcomes(conn, "calls") == {0: (1.0, 1.0), 1: (0.0, 0.0), 2: (0.0, 1.0), 3: (0.0, 1.0)}
        agree(conn, [0], "research", granted=False)
        assert 0 not in outcomes(conn, "calls")
        assert collect_outcomes(conn, datetime(2026, 12, 16, tzinfo=UTC)) == {}
        take_step(conn, "calls", "execute", "Done.", by=WHO, as_of=datetime(2026, 12, 17, tzinfo=UTC))
        take_step(conn, "calls", "assess", "Learned.", by=WHO, as_of=datetime(2026, 12, 17, tzinfo=UTC))
        change(conn, 4, "renew", datetime(2026, 12, 18, tzinfo=UTC))
        assert collect_outcomes(conn, datetime(2026, 12, 20, tzinfo=UTC)) == {}  # it is over


def test_an_offer_is_held_against_what_people_do_unasked(database: Database) -> None:
    plan = Plan("kilometres", "Asked, they correct.", "takes", 0.5, 2000, 0.01, measured_by="takes")
    held = "the lot of experiment 'kilometres' holds them out"
    with database.role("policy") as conn:
        add_people(conn, 7)
        agree(conn, range(7), "research")
        run(conn, plan, "declared_km")
        day = BUILT + timedelta(days=1)
        made = {
            number: insert_offer(
                conn, key(number), key(number, 2), "declared_km", "Words.", reveals=[], made_by=WHO, key=f"o{number}",
                as_of=day,
            )
            for number in (0, 1, 2)
        }  # fmt: skip
        for number, taken in ((0, True), (1, False)):
            offer = made[number]
            assert offer is not None
            insert_answer(conn, key(number), offer.offer_id, taken, day + timedelta(days=2))
        for number, reasons in ((3, [held]), (4, [held]), (5, [held, "it uses driven_km"])):
            insert_refusal(conn, key(number), "declared_km", "Words.", reasons=reasons, made_by=WHO, as_of=day)
        change(conn, 3, "endorse", day + timedelta(days=9), declared_km_per_year=5000)
        change(conn, 4, "endorse", day + timedelta(days=9), pay_plan="per_km")  # another matter
        assert collect_outcomes(conn, day + timedelta(days=10)) == {"kilometres": 2}
        assert collect_outcomes(conn, day + timedelta(days=31)) == {"kilometres": 3}
        found = {number: outcome for number, (outcome, _) in outcomes(conn, "kilometres").items()}
    assert found == {0: 1.0, 1: 0.0, 2: 0.0, 3: 1.0, 4: 0.0}  # 5 would not have got it anyway, 6 never came up


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"measured_by": "luck"}, "measured_by"), ({"measured_by": "takes"}, "measured_by"),
     ({"action": "gift"}, "action"), ({"guard_below": 0.0}, "guard_below")],
)  # fmt: skip
def test_what_cannot_be_measured_is_no_plan(database: Database, wrong: dict[str, str], field: str) -> None:
    plan = Plan("a", "h", "m", 0.5, 2000, 0.01, **wrong)  # type: ignore[arg-type]
    with database.role("policy") as conn, pytest.raises(BadExperiment, match=field):
        plan_experiment(conn, plan, None, by=WHO, as_of=BUILT)
