"""What a trip page says a trip costs is what pricing charged for it."""

from decimal import Decimal

from api.cost_view import Cost, cost_view, priced_trip
from pricing.policies import packaged_plan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Terms, rate_period

PLAN = packaged_plan()
FACTORS = {"vehicle_class": "suv", "territory": "urban", "driver_age": 30}
CELLS = (("primary", "morning", 8_000), ("motorway", "night", 30_000), ("unmatched", "day", 500))


def shown(pay_plan: str, not_charged: str | None = None, gap_m: int = 1_200) -> tuple[Decimal, Cost]:
    """The exact cost by pricing (0 when none), and the view of it."""
    trip = DrivenTrip("t", 38_500, gap_m, not_charged, CELLS)
    behaviour = BehaviourInput(Decimal("0.9"), Decimal("0.8"), "m", "2026-08", "2026-10", Decimal("412.3"))
    inputs = Inputs(
        "P-1", "2026-10", 31, Terms(pay_plan, ("liability", "collision"), FACTORS, 12_000), (trip,), behaviour
    )
    costs = {key: format(cost, "f") for key, cost in rate_period(PLAN, inputs).trip_costs.items()}
    priced = priced_trip(inputs.as_json(), "t", costs)
    assert priced is not None
    return Decimal(costs.get("t", "0")), cost_view(priced, PLAN, "posted")


def test_the_lines_of_every_cell_add_up_to_what_pricing_charged() -> None:
    cost, view = shown("autograph")
    assert view.amount == f"€{cost:.2f}"
    assert sum(Decimal(line.amount.removeprefix("€")) for line in view.lines) == Decimal(f"{cost:.2f}")
    assert [line.road for line in view.lines] == ["Motorway", "Primary", "Off the map", "Not measured"]


def test_a_rate_a_km_carries_every_cover_and_factor() -> None:
    _, view = shown("autograph", gap_m=0)
    # (0.0190 + 0.0120) x suv 1.12 x urban 1.10 x age 1.08 x behaviour 1.125
    assert (
        view.lines[0].rate
        == f"€{Decimal('0.0310') * Decimal('1.12') * Decimal('1.10') * Decimal('1.08') * Decimal('1.125'):.4f}"
    )


def test_one_rate_for_all_roads_where_the_pay_plan_has_one() -> None:
    cost, view = shown("per_km")
    assert [line.road for line in view.lines] == ["All roads", "Not measured"]
    assert view.amount == f"€{cost:.2f}"


def test_what_costs_nothing_says_why() -> None:
    assert shown("flat")[1].sentence == "This pay plan charges by the day: a trip changes nothing."
    _, view = shown("autograph", "uncertified")
    assert (view.amount, view.lines) == ("€0.00", [])
    assert view.sentence == "This trip costs nothing: its data are not good enough to raise a premium."
