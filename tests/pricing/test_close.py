"""Laws of statements: one posting, never edited, and late data end at the on-time price to the cent."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal as D  # noqa: N817

import psycopg
import pytest
from psycopg import errors
from typer.testing import CliRunner

from cli.main import app
from pricing.close import close_period, post_adjustments
from pricing.close_errors import NotAllPriced, PeriodNotOver
from pricing.device_links import assign_device
from pricing.errors import BadPeriod, BadPolicy, DeviceTaken, PolicyDiffers
from pricing.plan import parse_plan
from pricing.policies import add_policy
from pricing.store import fetch_policy, fetch_postings, fetch_statement_of_period
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, document, put_trip
from tests.pricing.cases import PLAN
from tests.pricing.test_plan_in_force import put_into_the_book

LATER = datetime(2026, 12, 9, tzinfo=UTC)
ON = [datetime(2026, month, day, 9, tzinfo=UTC) for month, day in ((9, 3), (9, 20), (10, 5), (10, 21))]


def total(database: Database, period: str) -> D:
    with database.role("policy") as conn:
        found = fetch_statement_of_period(conn, "P-1", period)
    assert found is not None
    return found.total


def test_closing_posts_once(database: Database) -> None:
    add_with_device(database)
    put_trip(database, ON[2])
    assert len(close_period(database, "2026-10", CLOSED_AT)) == 1
    assert close_period(database, "2026-10", LATER) == []
    assert post_adjustments(database, LATER) == []


def test_racing_posters_make_one_row(database: Database) -> None:
    add_with_device(database)
    put_trip(database, ON[2])
    with ThreadPoolExecutor(16) as racers:
        posted = list(racers.map(lambda _: close_period(database, "2026-10", CLOSED_AT), range(16)))
    assert sum(len(rows) for rows in posted) == 1
    with database.role("policy") as conn:
        assert conn.execute("select count(*) from policy.statement").fetchone() == (1,)


# What the three trips of the next test cost when all are there before their month is closed. September by hand:
# behaviour: ln = 0.03 x 130/1630 x (900/130 - 1.5) + 0.9 x 130/630 x (0 - 0.08) = -0.00188; 0.7985 / 0.8 = 0.9981
# liability (30 x 0.42 + 120 x 0.023 + 10 x 0.035) x 1.10 x 0.9981 = 17.25; collision 12.44; fee 1.50; tax 7.49
ON_TIME = {"2026-09": D("38.68"), "2026-10": D("33.15")}
CLOSES = ("close 2026-09", "close 2026-10")
ARRIVALS = [
    ("first", "second", "third", *CLOSES),
    ("first", "close 2026-09", "second", "close 2026-10", "third"),
    ("third", *CLOSES, "second", "first"),
    (*CLOSES, "second", "third", "first"),
    ("second", "close 2026-09", "third", "close 2026-10", "first"),
]


@pytest.mark.parametrize("order", ARRIVALS)
def test_late_trips_end_at_the_on_time_price(database: Database, order: tuple[str, ...]) -> None:
    """A trip that comes after both closes changes its own month and, through the score, the month after."""
    add_with_device(database)
    steps: dict[str, Callable[[], object]] = {
        "first": lambda: put_trip(database, ON[0], hard_brakes=9, metres=120_000),
        "second": lambda: put_trip(database, ON[1], hour_band="night"),
        "third": lambda: put_trip(database, ON[2]),
        "close 2026-09": lambda: close_period(database, "2026-09", CLOSED_AT),
        "close 2026-10": lambda: close_period(database, "2026-10", CLOSED_AT),
    }
    for step in order:
        steps[step]()
        post_adjustments(database, LATER)
    assert {period: total(database, period) for period in ON_TIME} == ON_TIME


def test_a_late_trip_is_followed_through_the_months_its_score_feeds(database: Database) -> None:
    policy = add_with_device(database)
    put_trip(database, ON[2], metres=200_000)
    close_period(database, "2026-09", CLOSED_AT)
    close_period(database, "2026-10", CLOSED_AT)
    put_trip(database, ON[0], metres=900_000, hard_brakes=120)
    adjusted = {posting.period: posting for posting in post_adjustments(database, LATER)}
    assert adjusted.keys() == {"2026-09", "2026-10"}
    assert adjusted["2026-10"].amount > 0  # only the behaviour of the score's window changed there
    assert adjusted["2026-10"].reason == "late data: the driving of the score's window changed"
    assert adjusted["2026-09"].reason == "late data: 1 trip(s) added"
    with database.role("policy") as conn:
        assert [posting.revision for posting in fetch_postings(conn, policy.policy_key, "2026-09")] == [0, 1]


def test_a_trip_taken_out_is_credited(database: Database) -> None:
    add_with_device(database)
    trip = put_trip(database, ON[2])
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("telemetry") as conn:
        conn.execute("delete from telemetry.trip where trip_id = %s", (trip,))
        conn.execute(
            "insert into telemetry.trip_change (device_key, from_month, changed_at) values (7, '2026-10', now())"
        )
    (credit,) = post_adjustments(database, LATER)
    assert credit.amount < 0
    # 31 x (0.42 + 0.31) split in covers x 1.10 urban: 14.322 -> 14.32, 10.571 -> 10.57; fee 1.50; tax 6.33
    assert total(database, "2026-10") == D("14.32") + D("10.57") + D("1.50") + D("6.33")


@pytest.mark.parametrize("fact", [{"grade": "uncertified"}, {"excluded": "too_short"}])
def test_what_is_not_charged_costs_nothing_and_says_why(database: Database, fact: dict[str, str]) -> None:
    policy = add_with_device(database)
    put_trip(database, ON[2], **fact)  # type: ignore[arg-type]
    close_period(database, "2026-10", CLOSED_AT)
    assert total(database, "2026-10") == D("32.72")
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
    assert posting.inputs["trips"][0]["not_charged"].startswith(next(iter(fact)).replace("grade", "uncertified"))  # type: ignore[index]


@pytest.mark.parametrize("hard_brakes", [0, 40])
def test_row_42_what_came_without_a_promise_costs_its_km_and_earns_nothing(
    database: Database, hard_brakes: int
) -> None:
    policy = add_with_device(database)
    put_trip(database, ON[2], hard_brakes=hard_brakes, flags=("unacked_channel", "unacked_only"))
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
    (trip,) = posting.inputs["trips"]  # type: ignore[misc]
    assert trip["not_charged"] is None
    assert posting.inputs["behaviour"] is None


def test_a_trip_outside_the_cover_is_stored_but_not_priced(database: Database) -> None:
    policy = add_with_device(database, starts_on="2026-10-10")
    assign = datetime(2026, 10, 1, tzinfo=UTC)
    with database.role("owner") as conn:
        conn.execute("update link.assignment set from_time = %s", (assign,))
    put_trip(database, ON[2])
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
    assert posting.inputs["days"] == 22
    assert posting.inputs["trips"][0]["not_charged"] == "outside_cover"  # type: ignore[index]


@pytest.mark.parametrize(
    "statement",
    [
        "update policy.statement set amount = 0",
        "delete from policy.statement",
        "truncate policy.statement",
        "update policy.rate_plan set content = ''",
    ],
)
def test_what_is_posted_is_never_edited(database: Database, statement: str) -> None:
    add_with_device(database)
    close_period(database, "2026-10", CLOSED_AT)
    with pytest.raises(psycopg.Error) as refused, database.role("owner") as conn:
        conn.execute(statement)  # type: ignore[arg-type]
    assert isinstance(refused.value, errors.RestrictViolation)


def test_a_month_that_is_not_over_is_refused(database: Database) -> None:
    add_with_device(database)
    # In Helsinki October ends at 22:00 UTC of the 31st.
    with pytest.raises(PeriodNotOver, match="2026-10-31T22:00:00"):
        close_period(database, "2026-10", datetime(2026, 10, 31, 21, 59, 59, tzinfo=UTC))
    assert len(close_period(database, "2026-10", datetime(2026, 10, 31, 22, tzinfo=UTC))) == 1
    for text in ("2026-13", "October", "2026-1", "٢٠٢٦-10", "9999-12", "0001-01"):
        with pytest.raises(BadPeriod):
            close_period(database, text, CLOSED_AT)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("declared_km_per_year", -1, "declared_km_per_year"),
        ("declared_km_per_year", True, "declared_km_per_year"),
        ("ends_on", "2026-01-01", "ends_on"),
        ("starts_on", "yesterday", "starts_on"),
        ("starts_on", "0001-01-01", "starts_on"),
        ("ends_on", "9999-12-31", "ends_on"),
        ("email", "anna", "email"),
        ("email", "anna@example.com, ben@example.com", "email"),
        ("pay_plan", "free", "pay_plan"),
        ("covers", ["meteorites"], "covers"),
        ("covers", [], "covers"),
        ("time_zone", "Mars/Olympus", "time_zone"),
        ("policy", "../etc", "policy"),
        ("nickname", "x", "nickname"),
        ("factors", {"vehicle_class": "compact", "territory": "urban"}, "factors.driver_age"),
        ("factors", {"vehicle_class": "tank", "territory": "urban", "driver_age": 30}, "factors.vehicle_class"),
        ("factors", {"vehicle_class": "van", "territory": "urban", "driver_age": 16}, "factors.driver_age"),
        ("factors", {"vehicle_class": "van", "territory": "urban", "driver_age": 30, "sex": "f"}, "factors.sex"),
    ],
)
def test_a_policy_that_cannot_be_priced_is_refused_by_field(
    database: Database, field: str, value: object, named: str
) -> None:
    with pytest.raises(BadPolicy) as refused:
        add_policy(database, document(**{field: value}), CLOSED_AT)
    assert refused.value.field == named
    with database.role("policy") as conn:
        assert conn.execute("select count(*) from policy.policy").fetchone() == (0,)


def test_the_same_policy_again_changes_nothing_and_another_is_refused(database: Database) -> None:
    policy = add_with_device(database)
    assert add_policy(database, document(), CLOSED_AT).policy_key == policy.policy_key
    with pytest.raises(PolicyDiffers, match="pay_plan"):
        add_policy(database, document(pay_plan="flat"), CLOSED_AT)
    add_policy(database, document(policy="P-2"), CLOSED_AT)
    with pytest.raises(DeviceTaken, match="P-1"):
        assign_device(database, "P-2", "car-1")
    with pytest.raises(DeviceTaken, match="P-1"):  # before anything of it is in the book
        add_policy(database, document(policy="P-3", devices=["car-1"]), CLOSED_AT)
    with database.role("policy") as conn:
        assert fetch_policy(conn, "P-3") is None


def test_a_policy_that_cannot_be_priced_stops_nobody_else(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its plan was altered in the database: it is named, its late trips wait, and all is posted once it is whole."""
    own = parse_plan(PLAN.content.replace("wayrate-2026", "altered-2026"), "own")
    put_into_the_book(database, own)
    add_with_device(database, plan=own.name)
    add_policy(database, document(policy="P-2", email="two@example.com"), CLOSED_AT)

    def plan_with(fee: str) -> None:
        with database.role("owner") as conn:
            conn.execute("alter table policy.rate_plan disable trigger user")
            conn.execute("update policy.rate_plan set content = %s where name = %s",
                         (own.content.replace("1.50", fee), own.name))  # fmt: skip
            conn.execute("alter table policy.rate_plan enable trigger user")

    def posted() -> list[tuple[str, int]]:
        with database.role("policy") as conn:
            return conn.execute(
                "select policy_id, revision from policy.statement join policy.policy using (policy_key) order by 1, 2"
            ).fetchall()

    plan_with("0.01")
    with pytest.raises(NotAllPriced, match=r"^1 policy.*of the others 1 posting.*P-1: .*plan") as told:
        close_period(database, "2026-10", CLOSED_AT)
    assert [policy for policy, _ in told.value.problems] == ["P-1"]
    assert posted() == [("P-2", 0)]
    monkeypatch.setenv("WAYRATE_DSN", database.dsn)
    done = CliRunner().invoke(app, ["close", "2026-10", "--as-of", CLOSED_AT.isoformat()])
    assert done.exit_code == 1
    plan_with("1.50")
    close_period(database, "2026-10", CLOSED_AT)
    plan_with("0.01")
    put_trip(database, datetime(2026, 10, 20, 9, tzinfo=UTC))
    with pytest.raises(NotAllPriced, match="P-1"):
        post_adjustments(database, CLOSED_AT)
    worked = CliRunner().invoke(app, ["work", "--as-of", CLOSED_AT.isoformat()])
    assert (worked.exit_code, "P-1" in worked.output) == (1, True)
    plan_with("1.50")
    assert len(post_adjustments(database, CLOSED_AT)) == 1
    assert posted() == [("P-1", 0), ("P-1", 1), ("P-2", 0)]
