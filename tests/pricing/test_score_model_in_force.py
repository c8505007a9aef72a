"""A month is scored by the model of the plan that its term was agreed by, whatever is published later; and so is the
live book.
"""

from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817
from pathlib import Path

from pricing.agreements import Asked, renew
from pricing.close import close_period, post_adjustments
from pricing.driving import policy_score
from pricing.event_costs import EventCost, event_costs
from pricing.kept_driving import inputs_of_month, month_of, window_of_month, window_score
from pricing.live_book import live_impact
from pricing.plan import parse_plan
from pricing.store import Policy, fetch_policies_in_force, fetch_policy, fetch_statement_of_period, fetch_trips
from pricing.what_if import driving_until, outcome
from scoring.score import Score, score_totals
from storage.pool import Database
from tests.pricing.book import add_with_device, put_trip
from tests.pricing.test_agreements import WHO
from tests.pricing.test_plan_in_force import FIRST, TERMS, check, postings, put_into_the_book

# From November on brakes weigh five times as much and are believed after a tenth of the km.
SECOND = parse_plan(
    FIRST.content.replace('version = "1"', 'version = "2"').replace("2019-01-01", "2026-11-01")
    .replace('beta = "0.03"', 'beta = "0.15"').replace('beta_high = "0.09"', 'beta_high = "0.9"')
    .replace('credibility_km = "1500"', 'credibility_km = "150"').replace('cap = "15"', 'cap = "9"'),
    "second",
)  # fmt: skip
MIGRATION = Path("storage/migrations/0061.book-month-driving.sql")
OVER = datetime(2026, 12, 2, tzinfo=UTC)
ON_TIME = [datetime(2026, month, day, 9, tzinfo=UTC) for month in (10, 11) for day in (3, 17)]
LATE = datetime(2026, 10, 9, 9, tzinfo=UTC)


def drive(database: Database, at: datetime) -> None:
    put_trip(database, at, metres=60_000, hard_brakes=at.day % 4, tier="tls", duration_s=3_000)


def add_and_renew(database: Database) -> Policy:
    """A policy whose term by the first plan ends with October, followed by one by the second."""
    policy = add_with_device(database, **TERMS, pay_plan="autograph", covers=["liability"], ends_on=date(2026, 11, 1))
    asked = Asked(WHO, "renew", datetime(2026, 10, 1, tzinfo=UTC), may_backdate=True)
    renew(database, policy.policy_id, date(2026, 11, 1), date(2027, 11, 1), {}, asked)
    return policy


def behaviour(found: dict[str, object]) -> dict[str, str]:
    held = found["behaviour"]
    assert isinstance(held, dict)
    return held


def test_an_old_month_is_adjusted_by_its_own_plans_model(database: Database) -> None:
    put_into_the_book(database, FIRST, SECOND)
    add_and_renew(database)
    for at in ON_TIME:
        drive(database, at)
    close_period(database, "2026-10", OVER)
    close_period(database, "2026-11", OVER)
    put_trip(database, LATE.replace(hour=15), excluded="relabelled_bus", tier="claim")
    put_trip(database, LATE.replace(hour=18), flags=("unacked_only",), tier="claim", duration_s=90)
    drive(database, LATE)
    assert len(post_adjustments(database, OVER)) == 2
    latest = {one.period: one for one in postings(database)}
    with database.role("policy") as conn:
        (policy,) = fetch_policies_in_force(conn, OVER.date(), OVER.date().replace(day=3))
        for period, plan in (("2026-10", FIRST), ("2026-11", SECOND)):
            totals: dict[str, int] = {}
            for row in (row for row in fetch_trips(conn, policy.policy_key, "2026-08", period) if row.tier == "tls"):
                totals = {name: totals.get(name, 0) + count for name, count in row.totals.items()}
            score, held = score_totals(totals, plan.score_model), behaviour(latest[period].inputs)
            assert (held["model"], D(held["claims_per_100000_km"])) == (
                plan.score_model.version, D(str(score.claims_per_100000_km)),
            )  # fmt: skip
            assert latest[period].versions["model"] == [plan.score_model.version]
        driving = driving_until(conn, policy, SECOND, "2026-11")
        assert outcome(SECOND, driving).score == score
        # the book as a plan would price it is the book as it was posted, tiers and days without readings too
        for period, plan in (("2026-10", FIRST), ("2026-11", SECOND)):
            posted = sum((one.amount for one in postings(database) if one.period == period), D(0))
            impact = live_impact(conn, period, plan, plan)
            assert impact is not None
            assert (D(impact["old_amount"]), impact["off_balance"], impact["days_not_counted"]) == (posted, 1.0, 0)
        # by the other model, of the same driving: October as the second plan would have priced it
        impact = live_impact(conn, "2026-10", FIRST, SECOND)
        assert impact is not None
        assert impact["pay_more"] == 1
        # a month that does not say what it was scored by is predicted from its driving anew, and comes to the same
        assert conn.execute("update policy.book_month set scored_by = null").rowcount > 0
        assert live_impact(conn, "2026-10", FIRST, SECOND) == impact
    check(database, SECOND)
    # the migration sums up what was there before as the close does
    kept = "select period, totals, tier, minutes from policy.book_month_driving order by period"
    with database.role("owner") as conn:
        summed = conn.execute(kept).fetchall()
        conn.execute("delete from policy.book_month_driving")
        conn.execute(b"with charged" + MIGRATION.read_bytes().partition(b"with charged")[2])
        assert conn.execute(kept).fetchall() == summed


def test_what_is_kept_of_a_month_is_scored_by_the_plan_of_its_term(database: Database) -> None:
    put_into_the_book(database, FIRST, SECOND)
    policy = add_and_renew(database)
    for at in ON_TIME:
        drive(database, at)

    def shown(period: str) -> tuple[str, Score | None]:
        kept = month_of(database, policy.policy_id, period, None)
        assert kept is not None
        plan, window = window_of_month(database, kept)
        assert inputs_of_month(database, kept)[0].plan_hash == SECOND.plan_hash  # what its present terms cost
        return plan.plan_hash, window_score(plan, window)

    before, after = shown("2026-10"), shown("2026-11")
    assert (before[0], after[0]) == (FIRST.plan_hash, SECOND.plan_hash)
    assert before[1] is not None
    assert after[1] is not None
    assert before[1].model.version == FIRST.score_model.version != after[1].model.version
    with database.role("policy") as conn:
        rows = fetch_trips(conn, policy.policy_key, "2026-08", "2026-10")
        held = fetch_policy(conn, policy.policy_id)
    assert held is not None
    assert before[1] == policy_score(rows, held, FIRST.score_model)


def test_minutes_are_in_the_live_book(database: Database) -> None:
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="per_minute", covers=["liability"])
    drive(database, ON_TIME[0])
    close_period(database, "2026-10", OVER)
    with database.role("policy") as conn:
        impact = live_impact(conn, "2026-10", FIRST, FIRST)
    assert impact is not None
    assert D(impact["old_amount"]) == postings(database)[0].amount


def test_what_events_cost_is_what_the_month_costs_without_them(database: Database) -> None:
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="autograph", covers=["liability", "collision"])
    for at in ON_TIME:
        put_trip(database, at, metres=60_000, hard_brakes=3, tier="tls")
    close_period(database, "2026-10", OVER)
    close_period(database, "2026-11", OVER)

    def costs(period: str) -> tuple[EventCost, ...]:
        with database.role("policy") as conn:
            policy, found = fetch_policy(conn, "P-1"), fetch_statement_of_period(conn, "P-1", period)
            assert policy is not None
            assert found is not None
            totals[period] = found.total
            return event_costs(conn, policy, found)

    totals: dict[str, D] = {}
    said = {period: costs(period) for period in ("2026-10", "2026-11")}
    before = dict(totals)
    assert [(one.feature, one.events) for period in said for one in said[period]] == [
        ("hard_brakes_per_100km", 6), ("hard_brakes_per_100km", 12),
    ]  # fmt: skip
    for at in ON_TIME:
        put_trip(database, at, metres=60_000, hard_brakes=0, tier="tls")
    assert costs("2026-10") == ()  # the driving is not the posting's any more
    post_adjustments(database, OVER)
    assert costs("2026-10") == ()  # nor are there events
    costs("2026-11")
    for period, (one,) in said.items():
        assert one.difference == totals[period] - before[period] < 0
