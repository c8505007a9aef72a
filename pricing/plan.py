"""A rate plan as data: read from TOML, refused where it is not whole, identified by the hash of its content."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from pricing.catalogue import Catalogue, read_catalogue
from pricing.claim_rule import KEYS as CLAIM_RULE_KEYS
from pricing.claim_rule import ClaimRule, RecordedClaim, read_claim_rule
from pricing.errors import BadPlan, UnknownLevel
from pricing.factor import Factor, read_factor
from pricing.money import MINOR_DIGITS, ratio, to_minor_unit
from pricing.plan_names import check_names
from pricing.plan_reader import DIGITS, Reader
from pricing.profile import PlanReads, breaches, profile_named, profile_names
from pricing.score_model import read_score_model
from pricing.table_of_two import TableOfTwo, read_table
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.score import PRIOR_MODEL, ScoreModel

FLAT, PER_KM, AUTOGRAPH = "flat", "per_km", "autograph"
RULES = {
    "gap_km": ("standard_rate", "not_charged"),
    "uncertified_trips": ("not_charged",),
    "unmeasured_days": ("daily_rate_only", "declared_km"),
}
USES = ("declared_km", "distance", "minutes", "road_class", "hour_band", "behaviour")
TIERS = ("claim", "bound_network", "tls", "signed")  # what proves who sent the readings, from the weakest on
DAYS_OF_A_YEAR = 365
OWN_CLAIMS = "own_claims_percent"  # the factor of the policy's own claims, which nobody declares
CLASS_MEAN_PERCENT = 100  # of a policy without claims and expected claims on record
NEW_BUSINESS = ("class_mean", "declared")
RATE_DECIMALS = 9  # the named rounding of a rate a year to one a day
MOST_FACTORS = 30
MOST_WINDOW_MONTHS = 120


@dataclass(frozen=True, slots=True)
class Cover:
    """An insured peril's rates: a day, a km (standard), a km by road class and hour band, and a minute of driving."""

    name: str
    title: str
    per_day: Decimal
    standard_per_km: Decimal
    per_km: Mapping[tuple[str, str], Decimal]
    per_minute: Decimal


@dataclass(frozen=True, slots=True)
class PayPlan:
    """How a policy is charged, and what of its driving the charge reads."""

    name: str
    title: str
    daily_multiple: Decimal
    uses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Bounds, rounding and window of the behaviour relativity.

    `lowest_by_tier`: how low it may go by the weakest trust tier of what it was measured from; empty: `lowest` alone.
    """

    lowest: Decimal
    highest: Decimal
    decimals: int
    window_months: int
    lowest_by_tier: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Between which multiples of what the term before would have cost a renewal's cover stays; `lowest` 0: any."""

    lowest: Decimal
    highest: Decimal


@dataclass(frozen=True, slots=True)
class OwnClaims:
    """How own claims on record become `own_claims_percent`: (shape + claims) / (shape + expected), both fading.

    `claims_per_100000_km`: expected of a policy whose relativities are all 1 and that drives like the class mean.
    `covers`: whose claims are meant, by the plan's names; empty: every cover's. `rule`: which of them count.
    `declared`: new business declares its record, and renewals are worked out as it is.
    """

    shape: float
    half_life_years: float
    claims_per_100000_km: float
    covers: tuple[str, ...]
    rule: ClaimRule
    declared: bool

    def counts(self, claim: RecordedClaim) -> bool:
        """Whether a claim may load a premium, its age apart; of a cover that is not said, any is meant."""
        return (not self.covers or claim.cover in ("", *self.covers)) and self.rule.counts(claim)


@dataclass(frozen=True, slots=True, eq=False)  # as itself, so that what is made of it once is found again at once
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
    smoothing: Smoothing | None
    score_model: ScoreModel  # predicts the claims that behaviour is priced by
    own_claims: OwnClaims | None  # None: `own_claims_percent`, if it is a factor, is that of the class mean
    pay_plans: Mapping[str, PayPlan]
    covers: Mapping[str, Cover]
    factors: Mapping[str, Factor]
    tables: Mapping[str, TableOfTwo]  # of two of the factors
    menu: Catalogue | None  # what a customer can configure; None: what ships for the plan, if anything does
    jurisdiction: str | None  # the profile that it keeps
    duties: Mapping[str, str]  # how it meets what the profile asks for
    plan_hash: str
    content: str

    @property
    def class_mean(self) -> Decimal:
        """The claims per 100,000 km that predicted ones are held against."""
        return Decimal(str(self.score_model.base_claims_per_100000_km))

    @property
    def scored_by(self) -> str:
        """What a prediction of claims follows from but the driving: the model, and how many months it looks at."""
        return f"{self.score_model.version} over {self.behaviour.window_months}"

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

    def tables_of(self, pay_plan: PayPlan) -> list[TableOfTwo]:
        """The tables of two that this pay plan multiplies by, after the factors: those of which it reads both."""
        return [t for t in self.tables.values() if "declared_km" not in t.keys or "declared_km" in pay_plan.uses]

    @property
    def multipliers(self) -> tuple[Factor | TableOfTwo, ...]:
        """All that has a row of codes in a book: the factors, then the tables."""
        return (*self.factors.values(), *self.tables.values())


@lru_cache(maxsize=256)  # a plan is read once a process and shared: nobody may change what it holds
def parse_plan(content: str, source: str) -> RatePlan:
    """The plan in a TOML text. Raises BadPlan with the place: nothing partial ever prices."""
    try:
        table = tomllib.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # malformed, thousands of digits, or nested beyond reason
        raise BadPlan(source, "file", str(error)) from None
    reader = Reader(source, table)
    check_names(reader)
    factors = {name: read_factor(name, part) for name, part in reader.tables("factors")}
    covers = {name: _cover(name, part) for name, part in reader.tables("covers")}
    pay_plans = {name: _pay_plan(name, part) for name, part in reader.tables("pay_plans")}
    own_claims = _own_claims(reader.table("own_claims"), factors, covers) if "own_claims" in table else None
    if own_claims is not None and "at_fault_from_percent" in table["own_claims"]:
        note = f" (claims at fault from {own_claims.rule.at_fault_from_percent} percent)"
        factors[OWN_CLAIMS] = replace(factors[OWN_CLAIMS], note=note)
    plan = RatePlan(
        name=reader.text("name"),
        version=reader.text("version"),
        effective_from=reader.day("effective_from"),
        currency=_currency(reader),
        basis=reader.text("basis"),
        minimum_premium=_payable(reader, "minimum_premium"),
        fee=_payable(reader, "fee"),
        tax_rate=reader.number("tax_rate"),
        tax_name=reader.text("tax_name"),
        rules={rule: reader.table("rules").one_of(rule, allowed) for rule, allowed in RULES.items()},
        behaviour=_behaviour(reader.table("behaviour")),
        smoothing=_smoothing(reader.table("smoothing")) if "smoothing" in table else None,
        score_model=read_score_model(reader.table("score_model")) if "score_model" in table else PRIOR_MODEL,
        own_claims=own_claims,
        pay_plans=pay_plans,
        covers=covers,
        factors=factors,
        tables={name: read_table(name, part, factors) for name, part in reader.tables("tables")}
        if "tables" in table
        else {},
        menu=read_catalogue(reader.table("menu"), covers, pay_plans, factors) if "menu" in table else None,
        jurisdiction=reader.one_of("jurisdiction", profile_names()) if "jurisdiction" in table else None,
        duties=reader.table("duties").texts() if "duties" in table else {},
        plan_hash=hashlib.sha256(json.dumps(table, sort_keys=True, default=str).encode()).hexdigest(),
        content=content,
    )
    reader.refuse_others(
        "name", "version", "effective_from", "currency", "basis", "minimum_premium", "fee", "tax_rate", "tax_name",
        "rules", "behaviour", "smoothing", "pay_plans", "covers", "factors", "tables", "jurisdiction", "duties",
        "score_model", "own_claims", "menu",
    )  # fmt: skip
    reader.table("rules").refuse_others(*RULES)
    _check_whole(plan, reader)
    return plan


def _currency(reader: Reader) -> str:
    currency = reader.text("currency")
    if currency not in MINOR_DIGITS:
        raise reader.refuse("currency", f"{currency!r} is not one of the currencies of ISO 4217, such as EUR")
    return currency


def _payable(reader: Reader, key: str) -> Decimal:
    """An amount that is charged as it stands: whole minor units of the currency."""
    amount, currency = reader.number(key), _currency(reader)
    if amount != to_minor_unit(amount, currency):
        raise reader.refuse(key, f"{amount} cannot be paid in {currency}, which has {MINOR_DIGITS[currency]} decimals")
    return amount


def _check_whole(plan: RatePlan, reader: "Reader") -> None:
    """What no part can tell alone."""
    if plan.tax_rate >= 1:
        raise reader.refuse("tax_rate", f"{plan.tax_rate} is not a share under 1: write 24 % as 0.24")
    if len(plan.multipliers) > MOST_FACTORS:
        raise reader.refuse("factors", f"and tables are more than {MOST_FACTORS}")
    declared = plan.factors.get("declared_km")
    for name, pay_plan in plan.pay_plans.items():
        if "declared_km" in pay_plan.uses and not (declared and declared.begins):
            raise reader.refuse(f"pay_plans.{name}.uses", "declared_km needs a factor declared_km with bands or knots")
        if "minutes" in pay_plan.uses:
            for cover in reader.table("covers").values:
                reader.table("covers").table(cover).get("per_minute")
    if plan.jurisdiction is not None:
        check_profile(plan, plan.jurisdiction, reader.source)


def check_profile(plan: RatePlan, profile: str, source: str) -> None:
    """Raises BadPlan at the first place that breaks the profile of that name."""
    reads = PlanReads(
        uses={name: pay_plan.uses for name, pay_plan in plan.pay_plans.items()},
        factors={name: tuple(factor.levels) for name, factor in plan.factors.items()},
        tables={name: table.keys for name, table in plan.tables.items()},
        behaviour_highest=plan.behaviour.highest,
        duties=plan.duties,
        smoothing_lowest=None if plan.smoothing is None else plan.smoothing.lowest,
        claim_rule=None if plan.own_claims is None else plan.own_claims.rule,
        worked_out=frozenset({OWN_CLAIMS}),
        new_business_declares_claims=plan.own_claims is None or plan.own_claims.declared,
    )
    for place, problem in breaches(profile_named(profile), reads):
        raise BadPlan(source, place, problem)


def _behaviour(part: Reader) -> Behaviour:
    part.refuse_others("lowest", "highest", "decimals", "window_months", "lowest_by_tier")
    found = Behaviour(
        part.number("lowest", positive=True),
        part.number("highest", positive=True),
        part.whole("decimals", most=DIGITS),
        part.whole("window_months", 1, MOST_WINDOW_MONTHS),
        _lowest_by_tier(part) if "lowest_by_tier" in part.values else {},
    )
    if not found.lowest <= 1 <= found.highest:
        raise part.refuse("lowest", "the bounds must enclose 1, the class mean")
    return found


def _lowest_by_tier(part: Reader) -> dict[str, Decimal]:
    """Every tier's bound; whoever proves less may not earn more."""
    table, lowest = part.table("lowest_by_tier"), part.number("lowest", positive=True)
    table.refuse_others(*TIERS)
    found = {tier: table.number(tier) for tier in TIERS}
    for tier, bound in found.items():
        if not lowest <= bound <= 1:
            raise table.refuse(tier, f"{bound} is not from {lowest}, the lowest of all, to 1, the class mean")
    for weaker, stronger in pairwise(TIERS):
        if found[weaker] < found[stronger]:
            raise table.refuse(weaker, f"{found[weaker]} is under {found[stronger]} of {stronger}, which proves more")
    return found


def _smoothing(part: Reader) -> Smoothing:
    part.refuse_others("lowest", "highest")
    found = Smoothing(part.number("lowest"), part.number("highest", positive=True))
    if not found.lowest <= 1 <= found.highest:
        raise part.refuse("lowest", "the bounds must enclose 1: no change")
    return found


def _own_claims(part: Reader, factors: Mapping[str, Factor], known: Mapping[str, Cover]) -> OwnClaims:
    part.refuse_others("shape", "half_life_years", "claims_per_100000_km", "covers", "new_business", *CLAIM_RULE_KEYS)
    factor = factors.get(OWN_CLAIMS)
    if factor is None or not factor.begins or factor.begins[0] > 0 or factor.below <= CLASS_MEAN_PERCENT:
        raise part.refuse("shape", f"needs a factor {OWN_CLAIMS} of whole percents from 0 to over {CLASS_MEAN_PERCENT}")
    covers = part.get("covers") if "covers" in part.values else []
    if not isinstance(covers, list) or not all(isinstance(cover, str) and cover in known for cover in covers):
        raise part.refuse("covers", f"must be a list of the plan's covers ({', '.join(known)})")
    return OwnClaims(
        shape=float(part.number("shape", positive=True)),
        half_life_years=float(part.number("half_life_years", positive=True)),
        claims_per_100000_km=float(part.number("claims_per_100000_km", positive=True)),
        covers=tuple(covers),
        rule=read_claim_rule(part),
        declared="new_business" in part.values and part.one_of("new_business", NEW_BUSINESS) == "declared",
    )


def _pay_plan(name: str, part: Reader) -> PayPlan:
    part.refuse_others("title", "daily_multiple", "uses")
    uses = part.get("uses")
    if not isinstance(uses, list) or not all(use in USES for use in uses):
        raise part.refuse("uses", f"must be a list of {', '.join(USES)}")
    if not {"road_class", "hour_band"} <= set(uses) and {"road_class", "hour_band"} & set(uses):
        raise part.refuse("uses", "road_class and hour_band go together: a rate stands where they cross")
    if "road_class" in uses and "distance" not in uses:
        raise part.refuse("uses", "road_class and hour_band need distance: their rates are a km")
    return PayPlan(name, part.text("title"), part.number("daily_multiple"), frozenset(uses))


def _cover(name: str, part: Reader) -> Cover:
    part.refuse_others("title", "per_day", "per_year", "standard_per_km", "per_km", "per_minute")
    if ("per_day" in part.values) == ("per_year" in part.values):
        raise part.refuse("per_day", "a cover has a rate either a day or a year")
    yearly = "per_year" in part.values
    table = part.table("per_km")
    table.refuse_others(*EXPOSURE_CLASSES)
    rates: dict[tuple[str, str], Decimal] = {}
    for road_class in EXPOSURE_CLASSES:
        row = table.table(road_class)
        row.refuse_others(*HOUR_BANDS)
        rates |= {(road_class, band): row.number(band) for band in HOUR_BANDS}
    return Cover(
        name,
        part.text("title"),
        ratio(part.number("per_year"), Decimal(DAYS_OF_A_YEAR), RATE_DECIMALS) if yearly else part.number("per_day"),
        part.number("standard_per_km"),
        rates,
        part.number("per_minute") if "per_minute" in part.values else Decimal(0),
    )
