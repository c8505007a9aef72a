"""The true formula of a book, read from `formula.toml`: the one place where its numbers stand."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from simulator.errors import BadFormula

type Floats = NDArray[np.float64]

SHIPPED = Path(__file__).with_name("formula.toml")


class Kilometres(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Kilometres a year: their spread, their part in the frequency, and what people declare of them."""

    reference: float
    exponent: float
    log_sigma: float
    least: float
    most: float
    year_log_sigma: float
    declared_log_sigma: float
    declared_bias: float


class Effect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log frequency per unit of a feature, about its reference."""

    effect: float
    reference: float


class Territory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A territory's share of drivers, its relativity, and the median of their kilometres a year."""

    share: float
    relativity: float
    km_per_year: float


class VehicleClass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class's share of vehicles, its relativity, and what its claims cost against the average."""

    share: float
    relativity: float
    severity: float


class Ages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bands of the driver's age, and how age goes with style."""

    lowest: tuple[int, ...] = msgspec.field(name="from")
    relativity: tuple[float, ...]
    style_correlation: float

    def band(self, age: NDArray[np.int64]) -> NDArray[np.int64]:
        """The band of each age, shape (n,)."""
        return np.searchsorted(np.array(self.lowest), age, side="right") - 1


class Heterogeneity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What no column shows: gamma, mean 1."""

    shape: float


class CoverTruth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Frequency, amounts and delays of one cover's claims."""

    per_year: float
    mean_amount: float
    amount_shape: float
    large_share: float
    large_from: float
    large_alpha: float
    most: float
    report_days: float
    report_log_sigma: float
    settle_days: float
    settle_log_sigma: float

    @property
    def expected_amount(self) -> float:
        """Mean of a claim before the cap and inflation, euro."""
        tail = self.large_from * self.large_alpha / (self.large_alpha - 1)
        return (1 - self.large_share) * self.mean_amount + self.large_share * tail


class Amounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Inflation of amounts, a year."""

    inflation: float


class Insurer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The insurer's own tariff, which is not the truth."""

    loading: float
    territory: dict[str, float]
    vehicle_class: dict[str, float]
    driver_age: tuple[float, ...]
    declared_km_exponent: float
    behaviour_lowest: float
    behaviour_highest: float
    rate_change: tuple[float, ...]


class Market(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The best other offer."""

    loading: float
    noise: float
    cycle: tuple[float, ...]


class Quoting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Conversion of quotes."""

    intercept: float
    price: float
    price_log_sigma: float
    digital: float
    direct_share: float


class PayPlanTaste(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What draws a customer to a pay plan; `discount` is off its price."""

    appeal: float
    low_km: float
    privacy: float
    discount: float


class Sharing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who shares how much of their driving."""

    full_share: float


class Consents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of customers who consent, by purpose."""

    marketing: float
    personal_offers: float


class Household(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other vehicles of the household, and whether they are insured here."""

    second_vehicle: float
    third_vehicle: float
    second_with_us: float


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contacts a year over a channel, and the cost of one in euro."""

    per_year: float
    cost: float


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contacts by channel, and when service goes wrong."""

    app: Channel
    web: Channel
    email: Channel
    call_centre: Channel
    letter: Channel
    contacts_per_claim: float
    bad_service: float
    bad_service_per_claim: float

    @property
    def channels(self) -> dict[str, Channel]:
        """By name, in the file's order."""
        return {name: getattr(self, name) for name in CHANNELS}


CHANNELS = ("app", "web", "email", "call_centre", "letter")


class Lapse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The logit of leaving at a renewal, and the yearly hazard of ending for another reason."""

    intercept: float
    price: float
    increase: float
    bad_service: float
    claim: float
    score_gain: float
    tenure: float
    other_reason: float


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be done before a renewal: share treated by lot, cost in euro, effects on the lapse logit."""

    share: float
    cost: float
    effect: float
    persuadable: float
    sleeping: float


class Temper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of customers whom an action moves, or wakes."""

    persuadable: float
    sleeping: float


class Formula(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole book's truth."""

    name: str
    km: Kilometres
    behaviour: dict[str, Effect]
    territory: dict[str, Territory]
    vehicle_class: dict[str, VehicleClass]
    driver_age: Ages
    heterogeneity: Heterogeneity
    cover: dict[str, CoverTruth]
    amounts: Amounts
    insurer: Insurer
    market: Market
    quote: Quoting
    pay_plan: dict[str, PayPlanTaste]
    data_sharing: Sharing
    consent: Consents
    household: Household
    service: Service
    lapse: Lapse
    actions: dict[str, Action]
    temper: Temper


def read_formula(path: Path = SHIPPED) -> Formula:
    """The truth in a file. Raises BadFormula: not TOML, a key too many or missing, or shares that are none."""
    try:
        formula = msgspec.toml.decode(path.read_bytes(), type=Formula)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as err:
        raise BadFormula(path, str(err)) from err
    for table in ("territory", "vehicle_class", "actions"):
        shares = [level.share for level in getattr(formula, table).values()]
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
            raise BadFormula(path, f"{table}: shares are {shares}; they must be positive and add up to 1")
    if list(formula.driver_age.lowest) != sorted(set(formula.driver_age.lowest)):
        raise BadFormula(path, "driver_age.from: bands must rise")
    return formula


def levels[Level](table: dict[str, Level], field: str) -> Floats:
    """One number of each level of a table, shape (levels,)."""
    return np.array([getattr(level, field) for level in table.values()], dtype=np.float64)


def of_year(values: tuple[float, ...], year: NDArray[np.int64]) -> Floats:
    """Each year's value, shape (n,); years past the last keep the last."""
    return np.array(values)[np.minimum(year, len(values) - 1)]
