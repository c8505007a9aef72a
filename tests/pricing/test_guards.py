"""Bad input around the book: refused with the place named and nothing changed, or followed to the right month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pricing import store
from pricing.close import close_period, post_adjustments
from pricing.device_links import assign_device
from pricing.errors import AlteredPlan, BadPlan, BadPolicy, DeviceTaken, PlanVersionTaken, UnknownDevice
from pricing.plan import parse_plan
from pricing.policies import add_policy, plan_of_hash, publish_packaged_plan, read_policy_file
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, document, put_trip
from tests.pricing.cases import PLAN

LATER = datetime(2026, 12, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "instead", "place", "problem"),
    [
        ('tax_rate = "0.24"', 'tax_rate = "24"', "tax_rate", "share under 1"),
        ('fee = "1.50"', 'fee = "1.0000000001"', "fee", "digits"),
        ('fee = "1.50"', 'fee = "1e999999"', "fee", "digits"),
        ('uses = ["distance"]', 'uses = ["hour_band", "distance"]', "pay_plans.per_km.uses", "go together"),
        ('uses = ["distance"]', 'uses = ["hour_band", "road_class"]', "pay_plans.per_km.uses", "need distance"),
        ('uses = ["distance"]', 'uses = [["distance"]]', "pay_plans.per_km.uses", "list of"),
        ("[factors.declared_km]", "[factors.mileage]", "pay_plans.flat.uses", "declared_km"),
        ("effective_from = 2019-01-01", "effective_from = 2019-01-01T00:00:00", "effective_from", "must be a date"),
        ('small = "0.94"', 'small = "0,94"', "factors.vehicle_class.levels.small", "not a number"),
        ("[rules]", "[rules]\nties = 1", "rules.ties", "not known here"),
    ],
)
def test_a_plan_that_does_not_hold_together_names_its_place(found: str, instead: str, place: str, problem: str) -> None:
    assert PLAN.content.count(found) == 1
    with pytest.raises(BadPlan) as refused:
        parse_plan(PLAN.content.replace(found, instead), "a.toml")
    assert refused.value.place == place
    assert problem in refused.value.problem


def test_a_published_version_keeps_its_content(database: Database) -> None:
    with database.role("policy") as conn:
        edited = PLAN.content.replace('fee = "1.50"', 'fee = "1.40"')
        store.publish_plan(
            conn, plan_hash=parse_plan(edited, "edited").plan_hash, name=PLAN.name, version=PLAN.version,
            effective_from=PLAN.effective_from, currency=PLAN.currency, content=edited, ships=True, as_of=CLOSED_AT,
        )  # fmt: skip
    with pytest.raises(PlanVersionTaken, match="another version"), database.role("policy") as conn:
        publish_packaged_plan(conn, CLOSED_AT)


def test_a_stored_plan_that_is_not_what_its_hash_says_prices_nothing(database: Database) -> None:
    with database.role("policy") as conn:
        store.publish_plan(
            conn, plan_hash="ab" * 32, name=PLAN.name, version="2", effective_from=PLAN.effective_from,
            currency=PLAN.currency, content=PLAN.content, ships=True, as_of=CLOSED_AT,
        )  # fmt: skip
        with pytest.raises(AlteredPlan):
            plan_of_hash(conn, "ab" * 32)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("covers", [["liability"]]),
        ("covers", ["liability", "liability"]),
        ("devices", "car-1"),
        ("devices", [7]),
        ("time_zone", "Europe"),
        ("time_zone", "../zoneinfo/UTC"),
        ("declared_km_per_year", 10.5),
        ("name", " "),
        ("starts_on", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_field_of_the_wrong_form_is_named(database: Database, field: str, value: object) -> None:
    with pytest.raises(BadPolicy) as refused:
        add_policy(database, document(**{field: value}), CLOSED_AT)
    assert refused.value.field == field


def test_a_policy_with_an_unknown_device_does_not_enter_the_book(database: Database) -> None:
    with pytest.raises(UnknownDevice, match="car-9"):
        add_policy(database, document(devices=["car-9"]), CLOSED_AT)
    with database.role("policy") as conn:
        assert store.fetch_policy(conn, "P-1") is None


def test_an_email_address_is_one_person(database: Database) -> None:
    add_policy(database, document(), CLOSED_AT)
    with pytest.raises(BadPolicy, match="another name"):
        add_policy(database, document(policy="P-2", name="Somebody else"), CLOSED_AT)
    with database.role("policy") as conn:
        held = store.fetch_policy(conn, "P-1")
    assert held is not None
    assert held.name == "Test policyholder"


def test_policy_files_as_toml_and_json(database: Database, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "docs" / "examples" / "policy.toml"
    assert add_policy(database, read_policy_file(example), CLOSED_AT).pay_plan == "autograph"
    twice = tmp_path / "twice.json"
    twice.write_text('{"policy": "P-1", "policy": "P-2"}')
    with pytest.raises(BadPolicy, match="twice"):
        read_policy_file(twice)
    with pytest.raises(BadPolicy, match=r"missing\.toml"):
        read_policy_file(tmp_path / "missing.toml")


def test_an_assignment_from_earlier_on_counts_the_earlier_trips(database: Database) -> None:
    """Trips of the evening of 30 September, New York time, are October's in UTC; they are followed all the same."""
    add_with_device(database, time_zone="America/New_York")
    with database.role("owner") as conn:
        conn.execute("update link.assignment set from_time = '2026-10-20Z'")
    put_trip(database, datetime(2026, 9, 30, 12, tzinfo=UTC))
    close_period(database, "2026-09", CLOSED_AT)
    post_adjustments(database, LATER)
    assign_device(database, "P-1", "car-1", datetime(2026, 10, 1, 3, tzinfo=UTC))
    with database.role("link") as conn:
        assert {change.from_month for change in store.fetch_changes(conn)} == {"2026-09"}
    assign_device(database, "P-1", "car-1", datetime(2026, 9, 30, 11, tzinfo=UTC))
    (added,) = post_adjustments(database, LATER)
    assert (added.period, added.reason) == ("2026-09", "late data: 1 trip(s) added")
    add_policy(database, document(policy="P-2"), CLOSED_AT)
    with pytest.raises(DeviceTaken, match="P-1"):
        assign_device(database, "P-2", "car-1", datetime(2026, 8, 1, tzinfo=UTC))


def test_racing_adjusters_post_once_and_a_crash_before_forgetting_repeats_nothing(database: Database) -> None:
    add_with_device(database)
    close_period(database, "2026-10", CLOSED_AT)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC))
    with ThreadPoolExecutor(8) as racers:
        posted = [row for rows in racers.map(lambda _: post_adjustments(database, LATER), range(8)) for row in rows]
    assert [(row.period, row.revision) for row in posted] == [("2026-10", 1)]
    with database.role("telemetry") as conn:
        conn.execute(
            "insert into telemetry.trip_change (device_key, from_month, changed_at) values (7, '2026-10', now())"
        )
    assert post_adjustments(database, LATER) == []
    with database.role("link") as conn:
        assert store.fetch_changes(conn) == []
