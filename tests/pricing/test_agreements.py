"""Policies that change: what is due follows the days of each of the terms, whatever was entered or posted when."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817
from itertools import permutations
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from ingest.devices import enrol, revoke
from pricing.agreements import Agreed, Asked, assess_claim, bind, cancel, endorse, history, keep_claim, renew
from pricing.close import close_period, post_adjustments
from pricing.device_links import assign_device, release_device
from pricing.errors import (
    Backdated,
    BadPolicy,
    ClaimDiffers,
    ClaimInTheWay,
    ClaimOutsideCover,
    DeviceTaken,
    EndedDevice,
    GapBetweenTerms,
    KeyReused,
    NothingChanges,
    NothingToMeasure,
    OutsideTerm,
    OverlappingPeriods,
    PolicyCancelled,
    PricingError,
    UnknownClaim,
    UnknownPolicy,
)
from pricing.policies import add_policy
from pricing.store import fetch_policy, fetch_postings, fetch_statement_of_period
from pricing.verify import verify_statements
from storage.pool import Conn, Database
from tests.pricing.book import CLOSED_AT, add_with_device, document, put_trip

WHO = UUID("7d7f7d1e-7a35-4a53-8f3a-20c54c3f2c11")
LATER = datetime(2026, 12, 9, tzinfo=UTC)
ASKED = Asked(WHO, "k", LATER, may_backdate=True)


def asked(key: str) -> Asked:
    return replace(ASKED, key=key)


def october(database: Database) -> D:
    with database.role("policy") as conn:
        found = fetch_statement_of_period(conn, "P-1", "2026-10")
    assert found is not None
    assert verify_statements(database)[1] == ()
    return found.total


def to_flat(database: Database, day: int = 16) -> Agreed:
    return endorse(database, "P-1", date(2026, 10, day), {"pay_plan": "flat"}, asked(f"flat {day}"))


# By hand, without trips: per_km 0.42 and 0.31 a day, flat 2.1 times that at 12,000 declared km (x 1.00); urban x 1.10.
# 15 days per_km: 6.93 and 5.115 -> 5.12; 16 days flat: 15.52320 -> 15.52 and 11.4576 -> 11.46; covers 39.03; fee 1.50;
# tax 0.24 x 40.53 = 9.7272 -> 9.73
HALF_FLAT = D("6.93") + D("5.12") + D("15.52") + D("11.46") + D("1.50") + D("9.73")


def test_an_endorsement_within_a_month_is_charged_by_the_days_of_each_of_its_terms(database: Database) -> None:
    policy = add_with_device(database, pay_plan="per_km")
    assert to_flat(database).adjustments == ()
    close_period(database, "2026-10", CLOSED_AT)
    assert october(database) == HALF_FLAT
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
        held = fetch_policy(conn, "P-1")
    assert posting.lines == [
        {"name": "liability", "amount": "22.45"},
        {"name": "collision", "amount": "16.58"},
        {"name": "fee", "amount": "1.50"},
        {"name": "insurance premium tax", "amount": "9.73"},
    ]
    first = [step["label"] for step in posting.worksheet if step["kind"] == "add"][:2]
    assert first == ["2026-10-01 to 2026-10-15: 15 days", "2026-10-16 to 2026-10-31: 16 days"]
    assert held is not None
    assert held.pay_plan == "flat"


def test_an_endorsement_of_a_posted_month_adjusts_it_to_the_same_amount_at_once(database: Database) -> None:
    add_with_device(database, pay_plan="per_km")
    close_period(database, "2026-10", CLOSED_AT)
    before = october(database)
    (adjustment,) = to_flat(database).adjustments
    assert adjustment.reason == "the agreed terms changed"
    assert adjustment.amount == HALF_FLAT - before
    assert october(database) == HALF_FLAT


def test_each_trip_is_charged_by_the_terms_of_its_day(database: Database) -> None:
    """To the minute in Helsinki: 21:59 UTC of the 15th is still the 15th there less one minute, 22:00 is the 16th."""
    add_with_device(database, pay_plan="per_km")
    put_trip(database, datetime(2026, 10, 15, 20, 59, tzinfo=UTC), metres=100_000)
    put_trip(database, datetime(2026, 10, 15, 21, 0, tzinfo=UTC), metres=100_000)
    to_flat(database)
    close_period(database, "2026-10", CLOSED_AT)
    # 100 km x 0.021 and x 0.014, x 1.10: 9.24 and 6.655 -> 6.66 instead of 6.93 and 5.12; tax 0.24 x 44.38 = 10.65
    assert october(database) == D("9.24") + D("6.66") + D("15.52") + D("11.46") + D("1.50") + D("10.65")


STEPS: dict[str, Callable[[Database], object]] = {
    "close": lambda database: close_period(database, "2026-10", CLOSED_AT),
    "flat": to_flat,
    "suv": lambda database: endorse(
        database, "P-1", date(2026, 10, 9), {"factors": {"vehicle_class": "suv"}}, asked("suv")
    ),
    "trip": lambda database: put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC), metres=77_123),
}


@pytest.mark.parametrize("order", list(permutations(STEPS))[::5])
def test_the_order_of_endorsements_late_data_and_the_close_does_not_matter(
    database: Database, order: tuple[str, ...]
) -> None:
    add_with_device(database, pay_plan="per_km")
    for step in order:
        STEPS[step](database)
        post_adjustments(database, LATER)
    # 8 days compact, 7 days suv (x 1.12), 16 days flat and suv; 77.123 km on the 5th.
    parts = D("5.48") + D("3.92") + D("3.62") + D("2.67") + D("17.39") + D("12.83")
    assert october(database) == parts + D("1.50") + D("11.38")


def test_a_cancellation_ends_cover_and_its_price_with_the_day_and_credits_later_months(database: Database) -> None:
    policy = add_with_device(database, pay_plan="per_km")
    close_period(database, "2026-09", CLOSED_AT)
    close_period(database, "2026-10", CLOSED_AT)
    cancelled = cancel(database, "P-1", date(2026, 9, 11), asked("c"))
    by_month = {posting.period: posting for posting in cancelled.adjustments}
    assert by_month.keys() == {"2026-09", "2026-10"}
    assert october(database) == 0  # no cover, no fee either
    with database.role("policy") as conn:
        september = sum((posting.amount for posting in fetch_postings(conn, policy.policy_key, "2026-09")), D(0))
        held = fetch_policy(conn, "P-1")
    assert september == D("4.62") + D("3.41") + D("1.50") + D("2.29")  # 10 days
    assert held is not None
    assert held.ends_on == date(2026, 9, 11)
    put_trip(database, datetime(2026, 9, 12, 9, tzinfo=UTC), metres=100_000)
    assert post_adjustments(database, LATER) == []
    with pytest.raises(PolicyCancelled, match="2026-09-11"):
        cancel(database, "P-1", date(2026, 11, 1), asked("again"))


def test_of_two_cancellations_the_earlier_day_holds_and_is_credited(database: Database) -> None:
    add_with_device(database)
    close_period(database, "2026-10", CLOSED_AT)
    cancel(database, "P-1", date(2026, 12, 1), asked("c"))
    whole_month = october(database)
    assert cancel(database, "P-1", date(2026, 10, 11), asked("earlier")).adjustments
    assert 0 < october(database) < whole_month
    with database.role("policy") as conn:
        held = fetch_policy(conn, "P-1")
    assert held is not None
    assert held.ends_on == date(2026, 10, 11)
    with pytest.raises(PolicyCancelled, match="2026-10-11"):
        cancel(database, "P-1", date(2026, 10, 20), asked("between"))


def test_a_policy_cancelled_from_its_first_day_costs_nothing(database: Database) -> None:
    add_with_device(database)
    close_period(database, "2026-10", CLOSED_AT)
    cancel(database, "P-1", date(2026, 1, 1), asked("c"))
    assert october(database) == 0


def test_a_renewal_goes_on_in_the_same_month_under_other_terms(database: Database) -> None:
    add_with_device(database, pay_plan="per_km", starts_on="2025-10-16", ends_on="2026-10-16")
    close_period(database, "2026-10", CLOSED_AT)
    renewed = renew(database, "P-1", date(2026, 10, 16), date(2027, 10, 16), {"pay_plan": "flat"}, asked("r"))
    assert len(renewed.adjustments) == 1
    assert october(database) == HALF_FLAT
    with database.role("policy") as conn:
        changes, spans = history(conn, "P-1")
    assert [change.kind for change in changes] == ["bind", "renew"]
    assert [(span.from_day, span.to_day, span.terms.pay_plan) for span in spans] == [
        (date(2025, 10, 16), date(2026, 10, 16), "per_km"),
        (date(2026, 10, 16), date(2027, 10, 16), "flat"),
    ]


def test_a_file_that_is_in_the_book_is_still_the_same_after_an_endorsement(database: Database) -> None:
    policy = add_with_device(database, pay_plan="per_km")
    to_flat(database)
    assert add_policy(database, document(pay_plan="per_km"), LATER).policy_key == policy.policy_key


def endorsing(day: str, **terms: object) -> Callable[[Database], object]:
    return lambda database: endorse(database, "P-1", date.fromisoformat(day), terms, ASKED)


def cancelling(day: str, policy: str = "P-1", **asked: bool) -> Callable[[Database], object]:
    return lambda database: cancel(database, policy, date.fromisoformat(day), replace(ASKED, **asked))  # type: ignore[arg-type]


def renewing(from_day: str, to_day: str) -> Callable[[Database], object]:
    days = date.fromisoformat(from_day), date.fromisoformat(to_day)
    return lambda database: renew(database, "P-1", *days, {}, ASKED)


def claiming(day: str, cover: str = "liability", as_of: datetime = LATER) -> Callable[[Database], object]:
    return lambda database: keep_claim(database, "P-1", "C-1", cover, date.fromisoformat(day), as_of)


REFUSED: dict[str, tuple[Callable[[Database], object], type[PricingError], str]] = {
    "endorsed before the term": (endorsing("2025-12-31", pay_plan="flat"), OutsideTerm, "2025-12-31"),
    "endorsed after the term": (endorsing("2027-01-01", pay_plan="flat"), OutsideTerm, "2027-01-01"),
    "endorsed to what holds": (endorsing("2026-05-01", pay_plan="autograph"), NothingChanges, "2026-05-01"),
    "unknown level": (endorsing("2026-05-01", factors={"territory": "moon"}), BadPolicy, "factors.territory"),
    "unknown factor": (endorsing("2026-05-01", factors={"sex": "f"}), BadPolicy, "factors.sex"),
    "unknown cover": (endorsing("2026-05-01", covers=["meteorites"]), BadPolicy, "covers"),
    "no cover": (endorsing("2026-05-01", covers=[]), BadPolicy, "covers"),
    "negative km": (endorsing("2026-05-01", declared_km_per_year=-1), BadPolicy, "declared_km_per_year"),
    "unknown term": (endorsing("2026-05-01", colour="red"), BadPolicy, "colour"),
    "unknown sharing": (endorsing("2026-05-01", sharing="none"), BadPolicy, "sharing"),
    "unknown policy": (cancelling("2026-05-01", "P-9"), UnknownPolicy, "P-9"),
    "cancelled after the term": (cancelling("2027-01-01"), OutsideTerm, "2027-01-01"),
    "renewal overlaps": (renewing("2026-12-31", "2028-01-01"), OverlappingPeriods, "2026-12-31"),
    "renewal leaves a gap": (renewing("2027-01-02", "2028-01-01"), GapBetweenTerms, "2027-01-02"),
    "renewal of no days": (renewing("2027-01-01", "2027-01-01"), BadPolicy, "ends_on"),
    "backdated": (cancelling("2026-12-08", may_backdate=False), Backdated, "2026-12-09"),
    "claim before inception": (claiming("2025-12-31"), ClaimOutsideCover, "before its inception"),
    "claim after the end": (
        claiming("2027-01-01", as_of=datetime(2027, 2, 1, tzinfo=UTC)), ClaimOutsideCover, "after its end"
    ),
    "claim of tomorrow": (claiming("2026-12-10"), ClaimOutsideCover, "not come yet"),
    "claim of no cover": (claiming("2026-05-01", "theft"), ClaimOutsideCover, "theft"),
}  # fmt: skip


def test_what_cannot_be_agreed_is_refused_by_name_and_nothing_is_changed_or_posted(database: Database) -> None:
    add_with_device(database)
    close_period(database, "2026-10", CLOSED_AT)
    before = everything(database)
    for name, (change, error, named) in REFUSED.items():
        with pytest.raises(error, match=named):
            change(database)
        assert everything(database) == before, name


def everything(database: Database) -> list[list[tuple[object, ...]]]:
    tables = ("policy.policy", "policy.policy_change", "policy.statement", "policy.claim")
    with database.role("policy") as conn:
        return [conn.execute(f"select * from {table} order by 1").fetchall() for table in tables]  # type: ignore[arg-type]


def test_a_claim_is_kept_once_and_no_cancellation_goes_behind_it(database: Database) -> None:
    add_with_device(database)
    keep_claim(database, "P-1", "C-1", "collision", date(2026, 6, 3), LATER)
    keep_claim(database, "P-1", "C-1", "collision", date(2026, 6, 3), LATER)
    with pytest.raises(ClaimDiffers):
        keep_claim(database, "P-1", "C-1", "collision", date(2026, 6, 4), LATER)
    with pytest.raises(ClaimInTheWay, match="C-1"):
        cancel(database, "P-1", date(2026, 6, 3), asked("c"))
    cancel(database, "P-1", date(2026, 6, 4), asked("c"))


def test_what_a_claim_costs_is_kept_beside_what_was_said_before(database: Database) -> None:
    add_with_device(database)
    with pytest.raises(UnknownClaim, match="C-1"):
        assess_claim(database, "C-1", D(10), False, LATER)
    keep_claim(database, "P-1", "C-1", "collision", date(2026, 6, 3), LATER)
    with pytest.raises(BadPolicy, match="no amount"):
        assess_claim(database, "C-1", D("NaN"), False, LATER)
    said = [(D(900), False), (D("900.00"), False), (D("1250.40"), True)]
    assert [assess_claim(database, "C-1", *one, LATER) for one in said] == [True, False, True]
    with database.role("policy") as conn:
        rows = conn.execute("select incurred, settled from policy.claim_assessment order by 1").fetchall()
    assert rows == [(D(900), False), (D("1250.40"), True)]


def day_of(conn: Conn, trip_id: str) -> str:
    """When a posted trip began, which its posting does not say."""
    row = conn.execute(
        "select started_at::date::text from link.trip_of_policy where trip_id = %s", (trip_id,)
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_device_moves_to_another_policy_when_the_cover_of_the_first_is_over(database: Database) -> None:
    add_with_device(database)
    add_policy(database, document(policy="P-2", starts_on="2026-10-16"), LATER)
    with pytest.raises(DeviceTaken, match="P-1"):
        assign_device(database, "P-2", "car-1")
    cancel(database, "P-1", date(2026, 10, 16), asked("c"))
    assign_device(database, "P-2", "car-1")
    put_trip(database, datetime(2026, 10, 15, 9, tzinfo=UTC))
    put_trip(database, datetime(2026, 10, 16, 9, tzinfo=UTC))
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        days = {
            policy.policy_id: [
                day_of(conn, trip["trip_id"]) for trip in fetch_postings(conn, policy.policy_key)[0].inputs["trips"]
            ]  # type: ignore[attr-defined]
            for policy in filter(None, (fetch_policy(conn, name) for name in ("P-1", "P-2")))
        }
    assert days == {"P-1": ["2026-10-15"], "P-2": ["2026-10-16"]}


def test_a_key_does_its_request_once_and_no_other(database: Database) -> None:
    add_with_device(database, pay_plan="per_km")
    close_period(database, "2026-10", CLOSED_AT)
    first, again = to_flat(database), to_flat(database)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.change == first.change
    with pytest.raises(KeyReused):
        endorse(database, "P-1", date(2026, 10, 17), {"pay_plan": "flat"}, asked("flat 16"))
    assert october(database) == HALF_FLAT


def test_a_key_binds_once(database: Database) -> None:
    bound = bind(database, document(policy="P-7", pay_plan="flat"), ASKED)
    again = bind(database, document(policy="P-7", pay_plan="flat"), ASKED)
    assert (bound.repeated, again.repeated) == (False, True)
    with pytest.raises(KeyReused):
        bind(database, document(policy="P-8", pay_plan="flat"), ASKED)
    with pytest.raises(BadPolicy, match="in the book already"):
        bind(database, document(policy="P-7", pay_plan="flat"), asked("other"))


def test_racing_requests_of_one_key_change_a_policy_once_and_racing_keys_one_after_the_other(
    database_dsn: str,
) -> None:
    with Database(database_dsn, max_connections=16, wait_s=60) as database:
        add_with_device(database, pay_plan="per_km")
        close_period(database, "2026-10", CLOSED_AT)

        def change(number: int) -> bool:
            if number % 2:
                return to_flat(database).repeated
            km = {"declared_km_per_year": 13_000 + number}
            return endorse(database, "P-1", date(2026, 10, 20), km, asked(f"km {number}")).repeated

        with ThreadPoolExecutor(16) as racers:
            repeated = list(racers.map(change, range(16)))
        assert repeated.count(False) == 1 + 8
        with database.role("policy") as conn:
            changes, _ = history(conn, "P-1")
        assert [change.sequence for change in changes] == list(range(10))
        # 13,000 declared km are in the band of 12,000, but from the 20th on the covers are rounded as a part of their
        # own: 4 days flat 3.88 and 2.86, 12 days 11.64 and 8.59.
        parts = D("6.93") + D("5.12") + D("3.88") + D("2.86") + D("11.64") + D("8.59")
        assert october(database) == parts + D("1.50") + D("9.72")


def test_what_was_agreed_is_never_edited(database: Database) -> None:
    add_with_device(database)
    for statement in (
        "update policy.policy_change set effective_on = '2026-01-02'",
        "delete from policy.policy_change",
        "truncate policy.policy_change",
    ):
        with pytest.raises(psycopg.Error) as refused, database.role("owner") as conn:
            conn.execute(statement)
        assert isinstance(refused.value, errors.RestrictViolation)


def test_no_link_to_an_ended_device_and_none_of_no_time(database: Database) -> None:
    """Each refused by name, with the field and what to do; a policy refused for its device is not in the book."""
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", CLOSED_AT)
        enrol(conn, "car-2", CLOSED_AT)
    add_policy(database, document(devices=["car-1"]), CLOSED_AT)
    cancel(database, "P-1", date(2026, 10, 16), asked("c"))
    with pytest.raises(NothingToMeasure, match="P-1 covers nothing from 2026-10-16") as over:
        assign_device(database, "P-1", "car-2", datetime(2026, 10, 16, tzinfo=UTC))
    with database.role("telemetry") as conn:
        revoke(conn, "car-1", CLOSED_AT)
    with pytest.raises(EndedDevice, match="car-1 was ended") as ended:
        add_policy(database, document(policy="P-2", starts_on="2026-10-16", devices=["car-1"]), LATER)
    assert (over.value.field, ended.value.field) == ("policy", "device")
    assert "Renew" in over.value.what_to_do
    assert "another id" in ended.value.what_to_do
    with database.role("policy") as conn:
        assert fetch_policy(conn, "P-2") is None
    assert not assign_device(database, "P-1", "car-1")  # what it measured it measured: again changes nothing
    release_device(database, "P-1", "car-1", datetime(2025, 12, 1, tzinfo=UTC))
    with database.role("link") as conn:
        assert conn.execute("select from link.assignment").fetchall() == []  # it had not begun


def test_whoever_has_a_device_after_an_erasure_keeps_what_it_measures(database: Database) -> None:
    """The erased link was never ended: the time that goes at each run ends where the next link begins."""
    erased_at, begins = datetime(2026, 10, 10, tzinfo=UTC), datetime(2026, 10, 16, tzinfo=UTC)
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", CLOSED_AT)
    with database.role("owner") as conn:
        conn.execute(
            """insert into telemetry.erased_span (device_key, from_time, to_time, trips_stay, erased_at, received_by)
               select device_key, '2026-01-01Z', 'infinity', false, %(at)s, %(at)s from telemetry.device""",
            {"at": erased_at},
        )
    add_policy(database, document(devices=[]), CLOSED_AT)
    for first, ends in ((begins, begins), (datetime(2026, 10, 1, tzinfo=UTC), erased_at)):
        assign_device(database, "P-1", "car-1", first)
        with database.role("telemetry") as conn:
            assert conn.execute("select to_time from telemetry.erased_span").fetchall() == [(ends,)]
