"""Vehicle classes: what the machine allows, whoever drives it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vehicle:
    """Factors on the driver's own style, and what the class may and can do at most.

    A loaded van or lorry pulls away and brakes at about 0.8 and 0.55 of a car's usual rates and takes bends slower
    (Bokare & Maurya 2017 by vehicle type); lorries are limited to 90 km/h by law in the EU.
    """

    acceleration: float
    braking: float
    cornering: float
    ceiling_mps: float  # never faster
    top_mps: float  # where its power is used up


VEHICLES = {
    "car": Vehicle(1.0, 1.0, 1.0, 60.0, 45.0),
    "light_truck": Vehicle(0.82, 0.9, 0.85, 45.0, 38.0),
    "heavy_truck": Vehicle(0.5, 0.7, 0.65, 25.0, 28.0),
}
