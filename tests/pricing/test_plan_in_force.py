"""What a plan can ask of tiers, minutes, days and renewals, through real policies to their posted statements."""

from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from ingest.accept import accept
from ingest.decoders import wayrate
from ingest.readings import TIER_FLAGS
from ingest.store import Device
from pricing.agreements import Asked, endorse, renew
from pricing.close import close_period, post_adjustments
from pricing.month import Month, rate_month
from pricing.plan import RatePlan, parse_plan
from pricing.policies import plan_of_hash, publish
from pricing.rating import recompute
from pricing.statement import Posting
from pricing.store import fetch_policy, fetch_postings
from scoring.path import score_readings
from scoring.worker import work_once
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, DEVICE_KEY, add_with_device, put_trip
from tests.pricing.test_agreements import WHO
from tests.scoring.driving import drive

CONTENT = Path("docs/examples/rate-plan.toml").read_text()
FIRST = parse_plan(CONTENT.replace("2026-01-01", "2019-01-01"), "first")
LATER = datetime(2026, 12, 9, tzinfo=UTC)
TERMS = {"plan": FIRST.name, "factors": {"vehicle_class": "compact", "vehicle_age": 4, "driver_age": 40}}


def put_into_the_book(database: Database, *plans: RatePlan) -> None:
    """Plans as if they shipped, so that no second person has to approve them."""
    with database.role("owner") as conn:
        for plan in plans:
            publish(conn, plan, CLOSED_AT)


def postings(database: Database, policy: str = "P-1") -> list[Posting]:
    with database.role("policy") as conn:
        held = fetch_policy(conn, policy)
        assert held is not None
        return fetch_postings(conn, held.policy_key)


def check(database: Database, plan: RatePlan) -> Posting:
    """The last posting, computed again from what it holds alone."""
    found = postings(database)[-1]
    with database.role("policy") as conn:
        premium = rate_month(plan, Month.from_json(found.inputs, partial(plan_of_hash, conn)))
    assert premium.inputs_digest == found.inputs_digest
    assert [step.as_json() for step in premium.worksheet] == found.worksheet
    assert recompute(found.worksheet, "EUR") == premium.amount
    return found


def test_the_weakest_tier_of_the_counted_trips_caps_the_discount(database: Database) -> None:
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="autograph", covers=["liability"])
    for day in range(2, 12):  # long, without a brake: a discount that the tiers cap
        put_trip(database, datetime(2026, 10, day, 9, tzinfo=UTC), metres=300_000, tier="signed")
    put_trip(database, datetime(2026, 10, 20, 9, tzinfo=UTC), tier="claim", grade="uncertified")
    close_period(database, "2026-10", CLOSED_AT)
    earned = check(database, FIRST)
    assert earned.inputs["behaviour"]["tier"] == "signed"  # type: ignore[index]
    relativity = next(D(step["rate"]) for step in earned.worksheet if step["label"].startswith("behaviour"))
    assert relativity < 1
    put_trip(database, datetime(2026, 10, 21, 9, tzinfo=UTC), tier="claim")
    post_adjustments(database, LATER)
    capped = check(database, FIRST)
    assert next(step["rate"] for step in capped.worksheet if step["label"].startswith("behaviour")) == "1.00"


def test_minutes_are_kept_only_where_they_are_charged(database: Database) -> None:
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="per_minute", covers=["liability"])
    put_trip(database, datetime(2026, 10, 2, 9, tzinfo=UTC), duration_s=1_829)
    put_trip(database, datetime(2026, 10, 20, 9, tzinfo=UTC), duration_s=1_830)
    asked = Asked(WHO, "km", CLOSED_AT, may_backdate=True)
    endorse(database, "P-1", date(2026, 10, 16), {"pay_plan": "per_km"}, asked)
    close_period(database, "2026-10", CLOSED_AT)
    found = check(database, FIRST)
    assert [trip.get("minutes") for trip in found.inputs["trips"]] == [30, None]  # type: ignore[attr-defined]
    (charged,) = [step for step in found.worksheet if step["label"] == "minutes of driving"]
    assert (charged["quantity"], charged["rate"]) == ("30", "0.016")


READINGS = [datetime(2026, 10, day, 12, tzinfo=UTC) for day in (1, 5, 31)]


def upload(database: Database, times: list[datetime]) -> None:
    """A parked car says where it stands: no trip, but the day is measured."""
    rows = ", ".join(
        f'{{"fix_time": "{time.isoformat()}", "latitude_deg": 60.17, "longitude_deg": 24.94, "speed_mps": 0}}'
        for time in times
    )
    device = Device(DEVICE_KEY, "car-1", "tls")
    accept(database, device, f'{{"readings": [{rows}]}}'.encode(), wayrate.decode, received_at=LATER, channel="test",
           decoder_version="1")  # fmt: skip


def test_days_without_readings_cost_declared_km_until_readings_come_in_any_order(database: Database) -> None:
    """All but 3 of 31 days: 12,000 x 28 / 365 = 920.548 km, at 0.021 x 1.0000."""
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="per_km", covers=["liability"])
    upload(database, READINGS)
    work_once(database, None, None, as_of=LATER)
    close_period(database, "2026-10", LATER)
    on_time = check(database, FIRST)
    assert on_time.inputs["unmeasured_days"] == 28
    (charged,) = [step for step in on_time.worksheet if step["label"].startswith("declared km")]
    assert charged["quantity"] == "920.548"
    with database.role("telemetry") as conn:  # the raw readings expire: the days stay measured
        conn.execute("delete from telemetry.reading")
        conn.execute(
            "insert into telemetry.trip_change (device_key, from_month, changed_at) values (7, '2026-10', now())"
        )
    assert post_adjustments(database, LATER) == []


@pytest.mark.parametrize("late", list(permutations(READINGS))[:3])
def test_late_readings_that_make_no_trip_adjust_to_the_on_time_price(
    database: Database, late: tuple[datetime, ...]
) -> None:
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="per_km", covers=["liability"])
    close_period(database, "2026-10", LATER)
    for time in late:
        upload(database, [time])
        work_once(database, None, None, as_of=LATER)
        post_adjustments(database, LATER)
    check(database, FIRST)
    lines = [line for posting in postings(database) for line in posting.lines if line["name"] == "liability"]
    # 31 x 0.42 + 920.548 x 0.021 = 32.351508
    assert sum(D(line["amount"]) for line in lines) == D("32.35")
    assert len(postings(database)) == 4


def test_a_renewal_is_held_to_the_term_before_and_that_to_the_one_before_it(database: Database) -> None:
    """0.42 a day, then 0.84 from 2027, then 1.68 from 2028: at most 1.15 times as much at each renewal."""
    second, third = (
        parse_plan(
            FIRST.content.replace('per_year = "153.30"', f'per_year = "{153.3 * times:.2f}"')
            .replace('version = "1"', f'version = "{times}"').replace("2019-01-01", f"{year}-01-01"),
            str(year),
        )
        for times, year in ((2, 2027), (4, 2028))
    )  # fmt: skip
    put_into_the_book(database, FIRST, second, third)
    add_with_device(database, **TERMS, pay_plan="per_minute", covers=["liability", "collision"])
    for year in (2027, 2028):
        at = datetime(year - 1, 12, 1, tzinfo=UTC)
        asked = Asked(WHO, f"to {year}", at, may_backdate=True)
        renew(database, "P-1", date(year, 1, 1), date(year + 1, 1, 1), {}, asked)
    held = []
    for period, plan in (("2026-12", FIRST), ("2027-03", second), ("2028-05", third)):
        close_period(database, period, datetime(2028, 6, 2, tzinfo=UTC))
        found = check(database, plan)
        held.append(next(D(line["amount"]) for line in found.lines if line["name"] == "liability"))
        if plan is not FIRST:
            assert [step["kind"] for step in found.worksheet if step["section"] == "liability"][-3:-1] == [
                "at_most", "at_least",
            ]  # fmt: skip
    # 31 x 0.42 = 13.02; x 1.15 = 14.973; x 1.15 x 1.15 = 17.21895
    assert held == [D("13.02"), D("14.97"), D("17.22")]
    expiring = postings(database)[-1].inputs["expiring"]
    assert isinstance(expiring, dict)
    assert {cover: D(was) for cover, was in expiring.items()} == {"liability": D("14.973"), "collision": D("9.61")}


def test_a_trip_has_the_weakest_tier_of_its_readings() -> None:
    """And says so in its certificate, apart from what is wrong with its data; all of it signed says nothing."""
    readings = drive(300.0, lambda t: np.full_like(t, 14.0))
    for weaker, stronger in (("claim", "tls"), ("bound_network", "signed"), ("tls", "tls"), ("signed", "signed")):
        flags = np.full(len(readings), int(TIER_FLAGS[stronger]), dtype=np.int32)
        flags[100] = int(TIER_FLAGS[weaker])
        (trip,) = score_readings(readings.replace(flags=flags), None, None, device="car-1")
        assert trip.quality.get("tier") == (None if weaker == "signed" else weaker)
        said = trip.quality["flags"]
        assert isinstance(said, list)
        assert not {"unsigned", "no_tls_token", "unbound_network"} & set(said)
