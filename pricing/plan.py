"""A rate plan as data: read from TOML, refused where it is not whole, identified by the hash of its content."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from typing import Any

from pricing.errors import BadPlan, UnknownLevel
from pricing.money import MINOR_DIGITS
from pricing.profile import PlanReads, breaches, profile_named, profile_names
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS

FLAT, PER_KM, AUTOGRAPH = "flat", "per_km", "autograph"
RULES = {
    "gap_km": ("standard_rate",),
    "uncertified_trips": ("not_charged",),
    "unmeasured_days": ("daily_rate_only",),
}
USES = ("declared_km", "distance", "road_class", "hour_band", "behaviour")
DIGITS = 9  # a plan's number has at most so many on either side of the point: products of them stay exact
MOST_FACTORS = 30


@dataclass(frozen=True, slots=True)
class Band:
    """[lowest, below) -> relativity."""

    lowest: int
    below: int
    relativity: Decimal


@dataclass(frozen=True, slots=True)
class Factor:
    """A rating factor: named levels, or bands of a whole number. One of the two is empty."""

    name: str
    levels: Mapping[str, Decimal]
    bands: tuple[Band, ...]

    def level_of(self, declared: object, plan: str) -> tuple[str, Decimal]:
        """The level's name and its relativity. Raises UnknownLevel."""
        if self.levels:
            relativity = self.levels.get(declared) if isinstance(declared, str) else None
            if relativity is not None:
                return str(declared), relativity
        elif isinstance(declared, int) and not isinstance(declared, bool):
            for band in self.bands:
                if band.lowest <= declared < band.below:
                    return f"{band.lowest} to under {band.below}", band.relativity
        raise UnknownLevel(plan, self.name, str(declared), self.known)

    @property
    def known(self) -> tuple[str, ...]:
        """The levels there are, for messages."""
        return tuple(self.levels) or (f"{self.bands[0].lowest} to under {self.bands[-1].below}",)


@dataclass(frozen=True, slots=True)
class Cover:
    """An insured peril's rates: a day, a km (standard), and a km by road class and hour band."""

    name: str
    title: str
    per_day: Decimal
    standard_per_km: Decimal
    per_km: Mapping[tuple[str, str], Decimal]


@dataclass(frozen=True, slots=True)
class PayPlan:
    """How a policy is charged, and what of its driving the charge reads."""

    name: str
    title: str
    daily_multiple: Decimal
    uses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Bounds, rounding and window of the behaviour relativity."""

    lowest: Decimal
    highest: Decimal
    decimals: int
    window_months: int


@dataclass(frozen=True, slots=True)
class RatePlan:
    """A whole rate plan. `plan_hash` is SHA-256 of its canonical content: comments and layout do not enter."""

    name: str
    version: str
    effective_from: date
    currency: str
    basis: str
    minimum_premium: Decimal
    fee: Decimal
    tax_rate: Decimal
    tax_name: str
    rules: Mapping[str, str]
    behaviour: Behaviour
    pay_plans: Mapping[str, PayPlan]
    covers: Mapping[str, Cover]
    factors: Mapping[str, Factor]
    jurisdiction: str | None  # the profile that it keeps
    duties: Mapping[str, str]  # how it meets what the profile asks for
    plan_hash: str
    content: str

    def pay_plan(self, name: str) -> PayPlan:
        """The pay plan of that name. Raises UnknownLevel."""
        if name not in self.pay_plans:
            raise UnknownLevel(self.name, "pay_plan", name, tuple(self.pay_plans))
        return self.pay_plans[name]

    def cover(self, name: str) -> Cover:
        """The cover of that name. Raises UnknownLevel."""
        if name not in self.covers:
            raise UnknownLevel(self.name, "cover", name, tuple(self.covers))
        return self.covers[name]

    def factors_of(self, pay_plan: PayPlan) -> list[Factor]:
        """The factors that this pay plan multiplies by, in plan order."""
        return [f for f in self.factors.values() if f.name != "declared_km" or "declared_km" in pay_plan.uses]


@lru_cache(maxsize=256)  # a plan is read once a process and shared: nobody may change what it holds
def parse_plan(content: str, source: str) -> RatePlan:
    """The plan in a TOML text. Raises BadPlan with the place: nothing partial ever prices."""
    try:
        table = tomllib.loads(content, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadPlan(source, "file", str(error)) from None
    reader = _Reader(source, table)
    plan = RatePlan(
        name=reader.text("name"),
        version=reader.text("version"),
        effective_from=reader.day("effective_from"),
        currency=reader.one_of("currency", tuple(MINOR_DIGITS)),
        basis=reader.text("basis"),
        minimum_premium=reader.number("minimum_premium"),
        fee=reader.number("fee"),
        tax_rate=reader.number("tax_rate"),
        tax_name=reader.text("tax_name"),
        rules={rule: reader.table("rules").one_of(rule, allowed) for rule, allowed in RULES.items()},
        behaviour=_behaviour(reader.table("behaviour")),
        pay_plans={name: _pay_plan(name, part) for name, part in reader.tables("pay_plans")},
        covers={name: _cover(name, part) for name, part in reader.tables("covers")},
        factors={name: _factor(name, part) for name, part in reader.tables("factors")},
        jurisdiction=reader.one_of("jurisdiction", profile_names()) if "jurisdiction" in table else None,
        duties=reader.table("duties").texts() if "duties" in table else {},
        plan_hash=hashlib.sha256(json.dumps(table, sort_keys=True, default=str).encode()).hexdigest(),
        content=content,
    )
    reader.refuse_others(
        "name", "version", "effective_from", "currency", "basis", "minimum_premium", "fee", "tax_rate", "tax_name",
        "rules", "behaviour", "pay_plans", "covers", "factors", "jurisdiction", "duties",
    )  # fmt: skip
    reader.table("rules").refuse_others(*RULES)
    _check_whole(plan, reader)
    return plan


def _check_whole(plan: RatePlan, reader: "_Reader") -> None:
    """What no part can tell alone."""
    if plan.tax_rate >= 1:
        raise reader.refuse("tax_rate", f"{plan.tax_rate} is not a share under 1: write 24 % as 0.24")
    if len(plan.factors) > MOST_FACTORS:
        raise reader.refuse("factors", f"are more than {MOST_FACTORS}")
    declared = plan.factors.get("declared_km")
    for name, pay_plan in plan.pay_plans.items():
        if "declared_km" in pay_plan.uses and not (declared and declared.bands):
            raise reader.refuse(f"pay_plans.{name}.uses", "declared_km needs a factor declared_km with bands")
    if plan.jurisdiction is not None:
        check_profile(plan, plan.jurisdiction, reader.source)


def check_profile(plan: RatePlan, profile: str, source: str) -> None:
    """Raises BadPlan at the first place that breaks the profile of that name."""
    reads = PlanReads(
        uses={name: pay_plan.uses for name, pay_plan in plan.pay_plans.items()},
        factors={name: tuple(factor.levels) for name, factor in plan.factors.items()},
        behaviour_highest=plan.behaviour.highest,
        duties=plan.duties,
    )
    for place, problem in breaches(profile_named(profile), reads):
        raise BadPlan(source, place, problem)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A table of the file that knows its place, so that every refusal can name it."""

    source: str
    values: Mapping[str, Any]
    place: str = ""

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def refuse(self, key: str, problem: str) -> BadPlan:
        return BadPlan(self.source, self._at(key), problem)

    def get(self, key: str) -> Any:
        if key not in self.values:
            raise self.refuse(key, "is missing")
        return self.values[key]

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not value:
            raise self.refuse(key, "must be a text")
        return value

    def texts(self) -> dict[str, str]:
        return {key: self.text(key) for key in self.values}

    def day(self, key: str) -> date:
        value = self.get(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.refuse(key, "must be a date, such as 2026-01-01")
        return value

    def whole(self, key: str, least: int = 0) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.refuse(key, f"must be a whole number, {least} or more")
        return value

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        value = self.get(key)
        if value not in allowed:
            raise self.refuse(key, f"{value!r} is not one of {', '.join(allowed)}")
        return str(value)

    def number(self, key: str, *, positive: bool = False) -> Decimal:
        value = self.get(key)
        try:
            number = Decimal(value) if isinstance(value, str | Decimal | int) and not isinstance(value, bool) else None
        except InvalidOperation:
            number = None
        if number is None:
            raise self.refuse(key, f"{value!r} is not a number")
        if not number.is_finite():
            raise self.refuse(key, f"{value!r} is not finite")
        if number < 0 or (positive and number == 0):
            raise self.refuse(key, f"{value} must be {'over 0' if positive else '0 or more'}")
        if number.adjusted() >= DIGITS or int(number.as_tuple().exponent) < -DIGITS:
            raise self.refuse(key, f"{value} has more than {DIGITS} digits before or after the point")
        return number

    def table(self, key: str) -> "_Reader":
        value = self.get(key)
        if not isinstance(value, dict) or not value:
            raise self.refuse(key, "must be a table with entries")
        return _Reader(self.source, value, self._at(key))

    def tables(self, key: str) -> list[tuple[str, "_Reader"]]:
        parent = self.table(key)
        return [(name, parent.table(name)) for name in parent.values]

    def refuse_others(self, *known: str) -> None:
        for key in self.values:
            if key not in known:
                raise self.refuse(key, f"is not known here (known: {', '.join(known)})")


def _behaviour(part: _Reader) -> Behaviour:
    part.refuse_others("lowest", "highest", "decimals", "window_months")
    found = Behaviour(
        part.number("lowest", positive=True),
        part.number("highest", positive=True),
        part.whole("decimals"),
        part.whole("window_months", 1),
    )
    if not found.lowest <= 1 <= found.highest:
        raise part.refuse("lowest", "the bounds must enclose 1, the class mean")
    return found


def _pay_plan(name: str, part: _Reader) -> PayPlan:
    part.refuse_others("title", "daily_multiple", "uses")
    uses = part.get("uses")
    if not isinstance(uses, list) or not all(use in USES for use in uses):
        raise part.refuse("uses", f"must be a list of {', '.join(USES)}")
    if not {"road_class", "hour_band"} <= set(uses) and {"road_class", "hour_band"} & set(uses):
        raise part.refuse("uses", "road_class and hour_band go together: a rate stands where they cross")
    if "road_class" in uses and "distance" not in uses:
        raise part.refuse("uses", "road_class and hour_band need distance: their rates are a km")
    return PayPlan(name, part.text("title"), part.number("daily_multiple"), frozenset(uses))


def _cover(name: str, part: _Reader) -> Cover:
    part.refuse_others("title", "per_day", "standard_per_km", "per_km")
    table = part.table("per_km")
    table.refuse_others(*EXPOSURE_CLASSES)
    rates: dict[tuple[str, str], Decimal] = {}
    for road_class in EXPOSURE_CLASSES:
        row = table.table(road_class)
        row.refuse_others(*HOUR_BANDS)
        rates |= {(road_class, band): row.number(band) for band in HOUR_BANDS}
    return Cover(name, part.text("title"), part.number("per_day"), part.number("standard_per_km"), rates)


def _factor(name: str, part: _Reader) -> Factor:
    part.refuse_others("levels", "bands")
    if ("levels" in part.values) == ("bands" in part.values):
        raise part.refuse("levels", "a factor has either levels or bands")
    if "levels" in part.values:
        levels = part.table("levels")
        return Factor(name, {level: levels.number(level, positive=True) for level in levels.values}, ())
    return Factor(name, {}, _bands(part))


def _bands(part: _Reader) -> tuple[Band, ...]:
    rows = part.get("bands")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise part.refuse("bands", "must be a list of { from, to, relativity }")
    readers = [_Reader(part.source, row, f"{part.place}.bands[{index}]") for index, row in enumerate(rows)]
    for row in readers:
        row.refuse_others("from", "to", "relativity")
    bands = tuple(
        Band(row.whole("from"), row.whole("to", 1), row.number("relativity", positive=True)) for row in readers
    )
    for band, row in zip(bands, readers, strict=True):
        if band.below <= band.lowest:
            raise row.refuse("to", f"{band.below} is not over {band.lowest}")
    for (before, after), row in zip(pairwise(bands), readers[1:], strict=True):
        if after.lowest != before.below:
            kind = "overlap" if after.lowest < before.below else "gap"
            raise row.refuse(
                "from", f"{kind}: the band before ends at {before.below}, this one begins at {after.lowest}"
            )
    return bands
