"""What a person needs, from what they use: each need with what it follows from, and the consent that it asks for. Pure.

What people declare, and what a household says of itself, is theirs to be served by; what a device measured is used for
this only where the person agreed to offers made for them. What may not be used is not known, and said to be.
"""

from dataclasses import dataclass

LOW_KM, HIGH_KM, NIGHT_SHARE, YOUNG = 6_000.0, 20_000.0, 0.2, 25.0
LEAST_KM = 500.0  # measured, before a share of it says anything
MEASURED_FOR = "personal_offers"  # the purpose that lets measured driving be used


@dataclass(frozen=True, slots=True)
class Use:
    """What may be used of a person; None: not known, or not agreed to."""

    declared_km_per_year: float | None = None
    driven_km_per_year: float | None = None
    measured_km: float | None = None
    night_share: float | None = None  # of those kilometres
    driver_age: float | None = None
    household_vehicles: int | None = None
    household_people: int | None = None
    children: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """One need, and what it follows from."""

    name: str
    because: str


def needs_of(use: Use) -> tuple[Need, ...]:
    """Every need that what is known shows; a need that needs what is not known is not guessed."""
    found = []
    km, how = use.driven_km_per_year, "driven"
    if km is None:
        km, how = use.declared_km_per_year, "declared"
    if km is not None and km < LOW_KM:
        found.append(Need("low mileage", f"{km:,.0f} km a year, {how}"))
    if km is not None and km >= HIGH_KM:
        found.append(Need("high mileage", f"{km:,.0f} km a year, {how}"))
    if use.night_share is not None and (use.measured_km or 0.0) >= LEAST_KM and use.night_share >= NIGHT_SHARE:
        found.append(Need("night worker", f"{use.night_share:.0%} of the kilometres at night"))
    if use.children:
        found.append(Need("family", f"{use.children} child{'ren' if use.children > 1 else ''} in the household"))
    if use.household_people is not None and use.household_people > 1:
        found.append(Need("several drivers", f"{use.household_people} people in the household"))
    if use.household_vehicles is not None and use.household_vehicles > 1:
        found.append(Need("several vehicles", f"{use.household_vehicles} in the household, by its own word"))
    if use.driver_age is not None and use.driver_age < YOUNG:
        found.append(Need("young driver", f"{use.driver_age:.0f} years old"))
    return tuple(found)
