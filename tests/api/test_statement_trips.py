"""The trips behind a statement add up with the days to its covers, and each row says what pricing charged."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from api.statement_trips import TripPart, TripsBehind, covers_of, reason_in_words, trips_behind
from pricing.plan import parse_plan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Premium, Terms, rate_period
from pricing.statement import PeriodStatement, Posting
from tests.api.test_receipt import FACTORS, PLAN_FILE, posting, shown_sum

PLAN = parse_plan(PLAN_FILE.read_text(), PLAN_FILE.name)
ZONE = "Europe/Helsinki"
COMMUTE = DrivenTrip("a", 8_000, 0, None, (("primary", "morning", 8_000),))
NIGHT = DrivenTrip("b", 30_000, 1_200, None, (("motorway", "night", 30_000),))
TOWED = DrivenTrip("c", 2_300, 0, "excluded: towed", (("primary", "morning", 2_300),))


def rated(trips: tuple[DrivenTrip, ...], pay_plan: str, claims: str) -> tuple[Inputs, Premium]:
    behaviour = BehaviourInput(Decimal(claims), Decimal("0.8"), "m", "2026-08", "2026-10", Decimal("412.3"))
    inputs = Inputs(
        "P-1", "2026-10", 31, Terms(pay_plan, ("liability", "collision"), FACTORS, 12_000), trips, behaviour
    )
    return inputs, rate_period(PLAN, inputs)


def posted(*trips: DrivenTrip, pay_plan: str = "autograph", claims: str = "0.9137", revision: int = 0) -> Posting:
    inputs, premium = rated(trips, pay_plan, claims)
    costs = {key: format(cost, "f") for key, cost in premium.trip_costs.items()}
    return replace(posting(premium, premium.amount, revision), inputs=inputs.as_json() | {"trip_costs": costs})


BEGAN = {
    "a": datetime(2026, 10, 5, 5, 40, tzinfo=UTC),
    "b": datetime(2026, 10, 31, 22, 10, tzinfo=UTC),
    "c": datetime(2026, 10, 7, 5, 40, tzinfo=UTC),
    "d": datetime(2026, 10, 1, 5, 40, tzinfo=UTC),
}


def view(*postings: Posting, own: Mapping[str, datetime] | None = BEGAN) -> TripsBehind:
    found = trips_behind(PeriodStatement("P-1", "2026-10", "EUR", postings), ZONE, own)
    assert found is not None
    return found


def rows_of(shown: TripsBehind) -> list[TripPart]:
    return [row for group in shown.groups for row in group.rows]


@pytest.mark.parametrize("pay_plan", ["autograph", "per_km", "flat"])
@given(metres=st.lists(st.integers(0, 400_000), max_size=70), claims=st.decimals("0.5", "1.2", places=4))
def test_days_and_trips_are_the_covers_exactly_and_as_shown(pay_plan: str, metres: list[int], claims: Decimal) -> None:
    trips = tuple(
        DrivenTrip(str(number), m, m // 9, None, (("primary", "morning", m),)) for number, m in enumerate(metres)
    )
    _, premium = rated(trips, pay_plan, str(claims))
    made = posted(*trips, pay_plan=pay_plan, claims=str(claims))
    covers = covers_of(made)
    assert covers.daily + sum(premium.trip_costs.values()) == covers.unrounded
    assert covers.posted == premium.lines[0].amount + premium.lines[1].amount
    shown = view(made)
    days, together, unrounded, rounding, total = [shown_sum([row.amount]) for row in shown.sums]
    assert (
        sum((shown_sum([row.amount]) for row in rows_of(shown)), Decimal(0)) == together == shown_sum([shown.together])
    )
    assert days + together == unrounded
    assert unrounded + rounding == total == covers.posted
    assert abs(rounding) <= Decimal("0.0101")
    for row, trip in zip(rows_of(shown), trips, strict=True):
        exact = premium.trip_costs.get(trip.trip_id, Decimal(0))
        assert abs(shown_sum([row.amount]) - exact) < Decimal("0.0001")


def test_a_row_has_the_start_in_the_policys_zone_the_km_and_the_cost() -> None:
    rows = rows_of(view(posted(NIGHT, TOWED, COMMUTE)))
    factor = Decimal("1.12") * Decimal("1.10") * Decimal("1.08") * Decimal("1.1421")  # suv, urban, age, 0.9137 / 0.8
    commute = 8 * Decimal("0.0350") * factor
    assert [(row.name, row.distance, row.href) for row in rows] == [
        ("Mon 5 Oct, 08:40", "8.0\xa0km", "/trips/a"),
        ("Wed 7 Oct, 08:40", "2.3\xa0km", "/trips/c"),
        ("Sun 1 Nov, 00:10", "30.0\xa0km", "/trips/b"),
    ]
    assert abs(shown_sum([rows[0].amount]) - commute) < Decimal("0.0001")
    assert (rows[1].amount, rows[1].remarks) == ("€0.0000", ["not charged: the car was moved without being driven"])
    assert rows[2].remarks == ["and 1.2\xa0km estimated in gaps"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("excluded: too_short", "it is too short to be a drive"),
        ("uncertified", "its data are not good enough to raise a premium"),
        ("outside_cover", "it was outside the policy's term"),
    ],
)
def test_a_reason_is_in_words(code: str, words: str) -> None:
    assert reason_in_words(code) == words


def test_a_plan_by_the_day_charges_no_trip_and_says_so() -> None:
    shown = view(posted(COMMUTE, pay_plan="flat"))
    assert shown.sums[1].why == "this pay plan charges by the day"
    assert [shown.sums[1].amount, rows_of(shown)[0].amount] == ["€0.0000", "€0.0000"]
    assert shown.caption.startswith("No trip of this month is charged.")


def test_an_adjustment_marks_what_it_added_changed_and_took_out() -> None:
    longer = structs.replace(COMMUTE, distance_m=9_500, cells=(("primary", "morning", 9_500),))
    early = structs.replace(COMMUTE, trip_id="d")
    first = posted(early, structs.replace(COMMUTE, gap_m=600), TOWED)
    shown = view(first, posted(early, longer, NIGHT, revision=1))
    rows = rows_of(shown)
    was = Decimal(dict(first.inputs["trip_costs"])["a"])  # type: ignore[call-overload]
    assert [(row.mark, row.distance) for row in rows] == [
        ("measured anew", "9.5\xa0km"),
        ("taken out", "2.3\xa0km"),
        ("added later", "30.0\xa0km"),
        ("", "8.0\xa0km"),
    ]
    assert shown.summary == "4 trips with their cost, 1 measured anew, 1 taken out, 1 added later"
    assert [len(group.rows) for group in shown.groups] == [3, 1]
    assert rows[0].remarks == [f"at first 8.0\xa0km and 0.6\xa0km estimated, €{was:.4f}"]
    assert (rows[1].href, rows[1].amount) == ("", "€0.0000")
    assert shown.note == ""
    assert [row.mark for row in rows_of(view(first))] == ["", "", ""]


def test_an_adjustment_that_moves_the_driving_factor_says_which_trips_it_reaches() -> None:
    note = view(posted(COMMUTE), posted(COMMUTE, NIGHT, claims="0.95", revision=1)).note
    assert "1 trip that is as it was costs" in note


def test_an_underwriter_sees_neither_when_nor_a_way_to_where() -> None:
    made = posted(COMMUTE, NIGHT)
    person, desk = rows_of(view(made)), rows_of(view(made, own=None))
    assert [row.amount for row in desk] == [row.amount for row in person]
    assert [row.distance for row in desk] == ["8.0\xa0km", "30.0\xa0km"]
    assert [(row.name, row.href) for row in desk] == [("Trip 1", ""), ("Trip 2", "")]
