"""What is kept of a month's driving: the same prices as from the trips, and never what has changed since."""

from datetime import UTC, date, datetime

from pricing.agreements import Asked, cancel
from pricing.close import post_adjustments
from pricing.driving import driving_of, not_charged, policy_score, window_of
from pricing.kept_driving import inputs_of_month, latest_month_of, month_of, window_of_month, window_score
from pricing.kept_driving_store import KeptMonth
from pricing.menu import Offer, price_menu
from pricing.products import catalogue_of
from pricing.terms import AT_THE_HOST
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, put_trip

PERIOD = "2026-10"


def kept(database: Database) -> KeptMonth:
    found = month_of(database, "P-1", PERIOD, None)
    assert found is not None
    return found


def is_kept(database: Database) -> bool:
    """Whether the next quote reads what is kept."""
    month = kept(database)
    return month.driven is not None and month.taken_in == month.waiting


def menu(database: Database) -> tuple[Offer, ...]:
    """The menu by what is kept (made now, where nothing is), which is to the cent the one from the trips."""
    month = kept(database)
    plan, inputs, before = inputs_of_month(database, month)
    catalogue = catalogue_of(plan)
    assert catalogue is not None
    with database.role("policy") as conn:
        from_trips = driving_of(conn, month.policy, plan, PERIOD)
        rows = window_of(conn, month.policy, plan, PERIOD)
    _, window = window_of_month(database, kept(database))
    assert window_score(plan, window) == policy_score(rows, month.policy, plan.score_model)
    assert window.trips == sum(not_charged(row, month.policy) is None for row in rows)
    offers = price_menu(catalogue, plan, inputs, before).offers
    assert offers == price_menu(catalogue, plan, from_trips, before).offers
    return offers


def test_of_months_that_nobody_drove_in_those_of_the_term_alone_are_kept(database: Database) -> None:
    """Whoever asks for every month there is fills nothing."""
    add_with_device(database)
    for period in ("1000-01", "2025-12", "2026-12", "2035-01", "2999-12"):
        month = month_of(database, "P-1", period, None)
        assert month is not None
        inputs_of_month(database, month)
    with database.role("policy") as conn:
        assert conn.execute("select period from link.driven_month").fetchall() == [("2026-12",)]


def test_what_is_kept_costs_what_the_trips_cost_and_is_made_once(database: Database) -> None:
    add_with_device(database)
    for day in range(5, 12):
        put_trip(database, datetime(2026, 10, day, 9, tzinfo=UTC), metres=9_999 + day, gap_m=77, hard_brakes=day % 3)
    put_trip(database, datetime(2026, 10, 20, 9, tzinfo=UTC), grade="uncertified", metres=50_000)
    assert not is_kept(database)
    first = menu(database)
    assert is_kept(database)
    assert menu(database) == first


def test_a_trip_that_comes_later_is_in_the_next_quote_whether_or_not_it_was_followed(database: Database) -> None:
    add_with_device(database)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC))
    before = menu(database)
    put_trip(database, datetime(2026, 10, 6, 9, tzinfo=UTC), metres=90_000)
    assert not is_kept(database)
    after = menu(database)
    assert after != before
    post_adjustments(database, CLOSED_AT)
    assert not is_kept(database), "what was summed before the changes were followed is gone with them"
    assert menu(database) == after
    assert is_kept(database)
    put_trip(database, datetime(2026, 10, 7, 9, tzinfo=UTC), metres=70_000)
    post_adjustments(database, CLOSED_AT)
    assert menu(database) != after


def test_a_month_kept_for_other_terms_does_not_count(database: Database) -> None:
    add_with_device(database)
    for day in (5, 25):
        put_trip(database, datetime(2026, 10, day, 9, tzinfo=UTC), metres=40_000)
    before = menu(database)
    asked = Asked(AT_THE_HOST, "key", CLOSED_AT, may_backdate=True)
    cancel(database, "P-1", date(2026, 10, 15), asked)
    assert menu(database) != before, "the second trip is outside the cover by now"


def test_a_policy_of_somebody_else_is_none(database: Database) -> None:
    policy = add_with_device(database)
    with database.role("policy") as conn:
        (owner,) = conn.execute("select person_key from policy.policy").fetchone() or ()
    assert month_of(database, policy.policy_id, PERIOD, owner) is not None  # type: ignore[arg-type]
    assert month_of(database, policy.policy_id, PERIOD, policy.policy_key) is None
    assert month_of(database, "P-2", PERIOD, None) is None


def test_without_a_period_it_is_the_month_of_the_latest_trip(database: Database) -> None:
    policy = add_with_device(database)

    def latest(now: datetime) -> str:
        found = latest_month_of(database, policy.policy_id, now, None)
        assert found is not None
        return found.period

    november = datetime(2026, 11, 30, 23, tzinfo=UTC)  # already December by the clock of the policy
    assert latest(november) == "2026-12"
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC))
    assert latest(november) == "2026-10"
    assert latest(datetime(2026, 9, 1, tzinfo=UTC)) == "2026-09", "a device's clock that runs ahead opens no month"
