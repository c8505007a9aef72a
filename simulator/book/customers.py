"""Who asks for a quote: people, cars, kilometres, and the latent traits that no column shows."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulator.book.behaviour import Behaviour
from simulator.book.formula import Formula, levels

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int64]
type Bools = NDArray[np.bool_]
type Days = NDArray[np.datetime64]

YOUNGEST, OLDEST = 18, 85
AGE_MEAN, AGE_SD = 45.0, 16.0
VEHICLE_AGE_MEAN, OLDEST_VEHICLE = 8.0, 25
FIRST_YEAR_SHARE = 0.6  # of quotes fall in the first year; the others come evenly over the whole book
DECLARED_STEP_KM = 500.0
TEMPERS = ("plain", "persuadable", "sleeping")


@dataclass(frozen=True, slots=True)
class Customers:
    """n people who ask for a quote; every field has n rows. Codes are places in the formula's tables."""

    first_day: Days  # that the cover would begin
    territory: Codes
    vehicle_class: Codes
    vehicle_age: Codes
    birth_year: Codes
    is_phone: Bools  # device kind, if the driving is measured
    digital: Bools
    declared_km: Floats
    household_vehicles: Codes
    household_with_us: Codes
    consent_marketing: Bools
    consent_personal_offers: Bools
    # latent
    km_per_year: Floats
    habits: Floats  # (n, features): long-run behaviour
    heterogeneity: Floats
    price_sensitivity: Floats
    distrust: Floats
    temper: Codes

    def __len__(self) -> int:
        return len(self.territory)

    def chosen(self, rows: NDArray[np.intp]) -> "Customers":
        """The customers at `rows`."""
        return Customers(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def draw_customers(
    count: int, formula: Formula, behaviour: Behaviour, first: np.datetime64, years: int, rng: np.random.Generator
) -> Customers:
    """`count` people whose covers would begin within `years` from the day `first`."""
    territory = rng.choice(len(formula.territory), count, p=levels(formula.territory, "share"))
    vehicle_class = rng.choice(len(formula.vehicle_class), count, p=levels(formula.vehicle_class, "share"))
    age_score = rng.standard_normal(count)
    age = np.clip(AGE_MEAN + AGE_SD * age_score, YOUNGEST, OLDEST)
    rho = formula.driver_age.style_correlation
    style = rho * age_score + np.sqrt(1 - rho**2) * rng.standard_normal(count)
    km = formula.km
    median_km = levels(formula.territory, "km_per_year")[territory]
    km_per_year = np.clip(median_km * np.exp(km.log_sigma * rng.standard_normal(count)), km.least, km.most)
    declared = km_per_year * np.exp(km.declared_bias + km.declared_log_sigma * rng.standard_normal(count))
    vehicles = 1 + (rng.random(count) < formula.household.second_vehicle)
    vehicles += (vehicles > 1) & (rng.random(count) < formula.household.third_vehicle)
    first_day = _first_days(count, first, years, rng)
    sigma = formula.quote.price_log_sigma
    return Customers(
        first_day=first_day,
        territory=territory,
        vehicle_class=vehicle_class,
        vehicle_age=np.minimum(rng.exponential(VEHICLE_AGE_MEAN, count), OLDEST_VEHICLE).astype(np.int64),
        birth_year=first_day.astype("datetime64[Y]").astype(np.int64) + 1970 - age.astype(np.int64),
        is_phone=rng.random(count) < 0.5,
        digital=rng.random(count) < np.where(age < 60, formula.quote.direct_share, formula.quote.direct_share / 2),
        declared_km=np.maximum(np.round(declared / DECLARED_STEP_KM), 1.0) * DECLARED_STEP_KM,
        household_vehicles=vehicles,
        household_with_us=1 + rng.binomial(vehicles - 1, formula.household.second_with_us),
        consent_marketing=rng.random(count) < formula.consent.marketing,
        consent_personal_offers=rng.random(count) < formula.consent.personal_offers,
        km_per_year=km_per_year,
        habits=behaviour.drivers(style, rng),
        heterogeneity=rng.gamma(formula.heterogeneity.shape, 1 / formula.heterogeneity.shape, count),
        price_sensitivity=np.exp(sigma * rng.standard_normal(count) - sigma**2 / 2),
        distrust=rng.standard_normal(count) + 0.3 * (ndtr(style) - 0.5),
        temper=rng.choice(
            3,
            count,
            p=[
                1 - formula.temper.persuadable - formula.temper.sleeping,
                formula.temper.persuadable,
                formula.temper.sleeping,
            ],
        ),
    )


def _first_days(count: int, first: np.datetime64, years: int, rng: np.random.Generator) -> Days:
    """Days of inception; none is 29 February, so every anniversary is a day of the calendar."""
    within = np.where(rng.random(count) < FIRST_YEAR_SHARE, 365, 365 * years)
    days = first + (rng.random(count) * within).astype("timedelta64[D]")
    is_leap_day = (days - days.astype("datetime64[M]") == np.timedelta64(28, "D")) & (
        days.astype("datetime64[M]").astype(np.int64) % 12 == 1
    )
    return np.asarray(days - is_leap_day.astype("timedelta64[D]"))
