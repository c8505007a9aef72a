"""What pricing's tests build on: the plan that ships, and inputs made from small facts."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from pricing.plan import RatePlan, parse_plan
from pricing.policies import packaged_plan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Terms

PLAN: RatePlan = packaged_plan()
FACTORS = {"vehicle_class": "compact", "territory": "suburban", "driver_age": 40}


def in_currency(content: str, currency: str) -> RatePlan:
    """A plan in another currency; a fee that its minor unit can pay."""
    text = content.replace('currency = "EUR"', f'currency = "{currency}"')
    return parse_plan(text.replace('fee = "1.50"', 'fee = "2"') if currency == "JPY" else text, currency)


def behaviour(frequency: str) -> BehaviourInput:
    return BehaviourInput(Decimal(frequency), Decimal("0.8"), "prior", "2026-08", "2026-10", Decimal(100))


def trip(
    number: int, cells: Sequence[tuple[str, str, int]], *, gap_m: int = 0, not_charged: str | None = None
) -> DrivenTrip:
    metres = sum(cell[2] for cell in cells)
    return DrivenTrip(f"trip-{number}", metres, gap_m, not_charged, tuple(cells))


def inputs(
    pay_plan: str = "autograph",
    trips: Sequence[DrivenTrip] = (),
    *,
    covers: tuple[str, ...] = ("liability",),
    frequency: str | None = None,
    **changes: object,
) -> Inputs:
    terms = Terms(pay_plan, covers, FACTORS | dict(changes), 12_000)
    made = Inputs("P-1", "2026-10", 31, terms, tuple(trips), behaviour(frequency) if frequency else None)
    return replace(made)
