"""The receipt adds up to the cent, whatever the covers, trips and factors are."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

import pricing
from api.languages import reading, reads
from api.receipt import KILOMETRES, cents_that_add_up, changes_of, plain, receipt_of, sheets_of
from api.statement_view import statement_view
from pricing.plan import parse_plan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Premium, Terms, rate_period
from pricing.statement import PeriodStatement, Posting

PLAN_FILE = Path(pricing.__file__).parent / "plans" / "wayrate-2026.toml"
PLAN = parse_plan(PLAN_FILE.read_text(), PLAN_FILE.name)
FACTORS = {"vehicle_class": "suv", "territory": "urban", "driver_age": 30}


def premium_of(metres: int, claims: str = "0.9137", pay_plan: str = "autograph") -> Premium:
    trip = DrivenTrip("t", metres, 0, None, (("primary", "morning", metres),))
    behaviour = BehaviourInput(Decimal(claims), Decimal("0.8"), "m", "2026-08", "2026-10", Decimal("412.3"))
    terms = Terms(pay_plan, ("liability", "collision"), FACTORS, 12_000)
    return rate_period(PLAN, Inputs("P-1", "2026-10", 31, terms, (trip,), behaviour))


def posting(premium: Premium, amount: Decimal, revision: int = 0) -> Posting:
    return Posting(
        statement_id=UUID(int=revision),
        policy_key=UUID(int=9),
        period="2026-10",
        kind="adjustment" if revision else "statement",
        revision=revision,
        amount=amount,
        currency="EUR",
        lines=[],
        worksheet=[step.as_json() for step in premium.worksheet],
        inputs={},
        inputs_digest="",
        plan_hash="",
        versions={},
        reason="late trips",
        posted_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


def shown_sum(amounts: list[str]) -> Decimal:
    return sum(
        (Decimal(text.replace("€", "").replace("+", "").replace("−", "-").replace(",", "")) for text in amounts),
        Decimal(0),
    )


def test_the_receipt_gathers_both_covers_in_the_worksheets_order() -> None:
    changes = changes_of([step.as_json() for step in premium_of(412_300).worksheet])
    assert [change.name for change in changes] == [
        "Cover by the day",
        "Kilometres",
        "Car and driver",
        "Driving",
        "Fee",
        "Insurance premium tax",
    ]
    # 31 days x (0.42 + 0.31), and 412.3 km x (0.0210 + 0.0140) on primary roads in the morning.
    assert changes[0].amount == Decimal("22.63")
    assert changes[1].amount == Decimal("14.4305")
    assert changes[1].why == "412.3\xa0km at the plan’s rates"
    assert changes[2].why == "vehicle class: suv × 1.12, territory: urban × 1.1, driver age: 25 to under 35 × 1.08"
    assert changes[4].amount == Decimal("1.50")
    assert changes[5].why == "24 % of covers, minimum and fee"


@given(
    st.integers(0, 5_000_000),
    st.sampled_from(["0.4000", "0.8000", "0.9137", "2.5001"]),
    st.sampled_from(["flat", "per_km", "autograph"]),
)
def test_the_shown_steps_add_up_to_the_amount_to_the_cent(metres: int, claims: str, pay_plan: str) -> None:
    premium = premium_of(metres, claims, pay_plan)
    made = receipt_of(PeriodStatement("P-1", "2026-10", "EUR", (posting(premium, premium.amount),)))
    assert shown_sum([step.amount for step in made.steps]) == premium.amount
    assert shown_sum([made.total]) == premium.amount
    lines = {line.name: line.amount for line in premium.lines}
    charges = {step.name.lower(): shown_sum([step.amount]) for step in made.steps}
    assert {name: charges[name] for name in ("fee", "insurance premium tax")} == {
        name: lines[name] for name in ("fee", "insurance premium tax")
    }


def test_an_adjusted_period_shows_the_new_worksheet() -> None:
    first, corrected = premium_of(100_000), premium_of(150_000)
    postings = (posting(first, first.amount), posting(corrected, corrected.amount - first.amount, 1))
    made = receipt_of(PeriodStatement("P-1", "2026-10", "EUR", postings))
    assert shown_sum([made.total]) == corrected.amount
    assert made.steps[1].why == "150.0\xa0km at the plan’s rates"


def test_a_reader_of_miles_has_a_receipt_in_miles_and_a_worksheet_in_km_that_says_so_and_multiplies_out() -> None:
    premium = premium_of(412_300)
    statement = PeriodStatement("P-1", "2026-10", "EUR", (posting(premium, premium.amount),))
    assert statement_view(statement, "UTC").counts_in_km == ""
    with reads(reading("en", "GB", "mi")):
        shown = statement_view(statement, "UTC")
    way = shown.receipt.steps[1]
    assert (way.name, way.why) == ("Miles", "256.2\xa0mi at the plan’s rates")
    assert "one mile is 1.609344 km" in shown.counts_in_km
    line = shown.worksheets[0].lines[1]
    assert line.name == "km on primary roads, morning"
    kilometres, rate = (Decimal(part) for part in line.factor.split(" × "))
    assert Decimal(shown.worksheets[0].lines[0].amount) + kilometres * rate == Decimal(line.amount)
    assert f"{float(kilometres) / 1.609344:.1f}" == "256.2"


def test_the_distance_of_a_receipt_is_in_the_readers_unit_whatever_of_it_is_estimated_or_declared() -> None:
    trip = DrivenTrip("t", 400_000, 16_093, None, (("primary", "morning", 400_000),))
    factors = {"vehicle_class": "suv", "vehicle_age": 4, "driver_age": 19}
    terms = Terms("autograph", ("liability",), factors, 12_000)
    for unmeasured, said in ((0, "258.5\xa0mi at the plan’s rates, 10.0\xa0mi of it estimated"), (3, "declared")):
        inputs = Inputs("P-1", "2026-10", 31, terms, (trip,), None, unmeasured)
        worksheet = [step.as_json() for step in rate_period(EVERYTHING, inputs).worksheet]
        with reads(reading("en", "GB", "mi")):
            why = next(change.why for change in changes_of(worksheet) if change.name == KILOMETRES)
        assert said in why
        assert "km" not in why


@given(st.lists(st.decimals("-100", "100", places=5), min_size=1, max_size=12))
def test_running_sums_are_the_rounded_exact_ones(amounts: list[Decimal]) -> None:
    shown = cents_that_add_up(amounts, "EUR")
    assert abs(sum(shown) - sum(amounts)) <= Decimal("0.005")
    assert all(abs(cents - amount) <= Decimal("0.01") for cents, amount in zip(shown, amounts, strict=True))


def test_the_worksheet_keeps_every_step() -> None:
    premium = premium_of(412_300)
    sheets = sheets_of(posting(premium, premium.amount))
    assert [sheet.name for sheet in sheets] == ["Liability", "Collision", "Fee", "Insurance premium tax"]
    assert sum(len(sheet.lines) for sheet in sheets) == len(premium.worksheet)
    assert sheets[0].lines[1].factor == "412.3 × 0.021"


def test_a_long_decimal_says_that_it_goes_on() -> None:
    assert plain("1.2300") == "1.23"
    assert plain("100") == "100"
    assert plain("0.1234567891") == "0.123456789…"


EVERYTHING = parse_plan(Path("docs/examples/rate-plan.toml").read_text(), "rate-plan.toml")


@given(
    metres=st.integers(0, 900_000),
    minutes=st.integers(0, 900),
    days=st.integers(0, 31),
    was=st.decimals("0", "60", places=4),
    pay_plan=st.sampled_from(sorted(EVERYTHING.pay_plans)),
)
def test_the_receipt_adds_up_whatever_a_plan_says(
    metres: int, minutes: int, days: int, was: Decimal, pay_plan: str
) -> None:
    trip = DrivenTrip("t", metres, 700, None, (("primary", "morning", metres),), minutes)
    factors = {"vehicle_class": "suv", "vehicle_age": 4, "driver_age": 19}
    terms = Terms(pay_plan, ("liability", "collision"), factors, 12_000)
    inputs = Inputs("P-1", "2026-10", 31, terms, (trip,), None, days, {"liability": was, "collision": was})
    premium = rate_period(EVERYTHING, inputs)
    made = posting(premium, premium.amount)
    assert sum(change.amount for change in changes_of(made.worksheet)) == premium.amount
    shown = receipt_of(PeriodStatement("P-1", "2026-10", "EUR", (made,)))
    assert shown_sum([step.amount for step in shown.steps]) == shown_sum([shown.total]) == premium.amount
    assert "Renewal" in [step.name for step in shown.steps]
    assert any(line.factor.startswith("≤ ") for sheet in sheets_of(made) for line in sheet.lines)
