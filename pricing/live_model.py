"""The fitted model that a plan's basis names: kept beside the plan, and followed on the policies that it prices."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pricing import model_store as store
from pricing.errors import PricingError
from pricing.model_store import Stays
from pricing.plan import RatePlan
from pricing.policies import published_plans
from pricing.risk.artefact import NAMED_DIGITS, RiskModel, decode
from pricing.risk.columns import Book, Claims, Days, Floats, Mask
from pricing.risk.contract import Contract, Factor
from pricing.risk.errors import NotThePlansModel
from pricing.risk.joint import DECLARED_KM
from pricing.risk.judging import frequency_rates
from pricing.risk.monitoring import By, Monitored, monitor
from pricing.risk.reference import PREDICTED, Reference
from scoring.features import BY_NAME, Feature
from storage.pool import Conn, Database

BASIS_NAMES = re.compile(rf"\bmodel ([0-9a-f]{{{NAMED_DIGITS}}}), fitted to ")  # as `plan fitted` writes it, the first
DAYS_A_YEAR = 365.25
PARTS = {"boosted": "boosted", "tariff": "tables", "glm": "glm"}  # a model's fields, and what they are called


class Followed(msgspec.Struct, frozen=True):
    """What following a model found on the policies of `plans` (name and version).

    `part` predicted the frequency, the preferred one unless it reads what the book does not hold (`lacks`): then the
    next that does not; "" and `monitored` None: none does. `left_out`: by factor, the stays (months on end of one
    policy on the same terms) without a value that the model knows.
    """

    plans: tuple[str, ...]
    contract: str
    part: str
    policies: int
    lacks: tuple[str, ...]
    left_out: dict[str, int]
    monitored: Monitored | None


def named_model(plan: RatePlan) -> str | None:
    """The first digits of the hash of the model that the plan was made from; None: its basis names none."""
    found = BASIS_NAMES.search(plan.basis)
    return found.group(1) if found else None


def keep_model(conn: Conn, plan: RatePlan, file: bytes, as_of: datetime) -> str:
    """Keeps the file of the model that the plan names (policy role), and says its hash.

    Raises WrongArtefact for what is no model, NotThePlansModel for another one.
    """
    _, digest = decode(file, Path("the file"))
    if named_model(plan) != digest[:NAMED_DIGITS]:
        raise NotThePlansModel(plan.name, plan.version, digest)
    store.insert_model(conn, digest, file, as_of)
    return digest


def follow_models(database: Database, by: By, as_of: datetime) -> Iterator[tuple[str, Followed | PricingError]]:
    """Follows every kept model on what was posted by the plans that name it, and keeps what is found: its hash and
    that, or the first digits of it and why it cannot be followed. A model by whose plans nothing is posted
    yet is left out.

    Each is read and kept in a transaction of its own, so that one cannot undo what others found.
    """
    with database.role("policy") as conn:
        named = _plans_by_model(published_plans(conn))
    for begin, plans in named.items():
        try:
            with database.role("policy") as conn:
                found = _follow_and_keep(conn, begin, plans, by, as_of)
        except PricingError as problem:
            yield begin, problem
        else:
            if found is not None:
                yield found


def _plans_by_model(published: Sequence[RatePlan]) -> dict[str, list[RatePlan]]:
    named: dict[str, list[RatePlan]] = {}
    for plan in published:
        if (begin := named_model(plan)) is not None:
            named.setdefault(begin, []).append(plan)
    return named


def _follow_and_keep(
    conn: Conn, begin: str, plans: Sequence[RatePlan], by: By, as_of: datetime
) -> tuple[str, Followed] | None:
    file = store.fetch_model(conn, begin)
    if file is None:
        return None
    model, digest = decode(file, Path(begin))
    followed = follow(conn, model, digest, plans, by)
    if followed is None:
        return None
    store.insert_found(conn, digest, msgspec.to_builtins(followed), as_of)
    return digest, followed


def follow(conn: Conn, model: RiskModel, digest: str, plans: Sequence[RatePlan], by: By) -> Followed | None:
    """The series of a model on all that was posted by these plans, by its preferred part; None: nothing was.

    A row is a stay: what was declared then, what was driven in all of it, and the claims that occurred in it.
    """
    features = [BY_NAME.get(factor.name) for factor in model.contract.factors if factor.driving]
    counters = {name for one in features if isinstance(one, Feature) for name in (*one.numerator, *one.denominator)}
    stays = store.fetch_stays(conn, [plan.plan_hash for plan in plans], sorted(counters))
    if stays is None:
        return None
    covers, lacks = _counted(model.contract)
    book = _book(conn, stays, covers)
    terms = [json.loads(text) for text in stays.terms]
    for factor in model.contract.factors:
        value = _value(factor, model, stays, terms, book)
        if value is not None:
            book.values[factor.name] = value
    part, lacking = _predicting(model, book)
    keep = np.array([not covers or covers[0] in one["covers"] for one in terms])
    left_out: dict[str, int] = {}
    for name in _read_by(model)[part] if part else ():
        if model.contract.factor(name).missing != "level":
            unknown = keep & np.isnan(book.values[name])
            left_out |= {name: int(unknown.sum())} if unknown.any() else {}
            keep &= ~unknown
    named = tuple(f"{plan.name} {plan.version}" for plan in plans)
    policies = len(np.unique(book.policy[keep]))
    told = Followed(named, model.contract.name, part, policies, (*lacks, *lacking), left_out, None)
    if not part or not keep.any():
        return told
    kept = book.only(keep)
    alone = _alone(model, part, kept)
    (rate,) = frequency_rates(alone, kept).values()
    return msgspec.structs.replace(told, monitored=monitor(alone, digest, kept, rate, by))


def _read_by(model: RiskModel) -> dict[str, tuple[str, ...]]:
    """The factors that each part reads, the preferred part first."""
    found: dict[str, tuple[str, ...]] = {}
    if model.boosted is not None:
        found["boosted"] = tuple(factor.name for factor in model.contract.factors)
    if model.tariff is not None:
        found["tables"] = tuple(dict.fromkeys(axis.factor for table in model.tariff.tables for axis in table.axes))
    if model.glm is not None:
        single = (one for term in model.glm.terms for one in (term.product or (term,)))
        found["glm"] = tuple(dict.fromkeys(one.column for one in single))
    return found


def _predicting(model: RiskModel, book: Book) -> tuple[str, list[str]]:
    """The first part that reads nothing the book does not hold ("": none), and what the preferred one lacks."""
    reads = _read_by(model)
    lacking = [name for name in next(iter(reads.values()), ()) if name not in book.values]
    return next((part for part, names in reads.items() if set(names) <= book.values.keys()), ""), lacking


def _alone(model: RiskModel, part: str, book: Book) -> RiskModel:
    """The model with this part alone, and what later books are held against only where this book has it too. The spread
    of predictions is the preferred part's.
    """
    assert model.reference is not None
    held = book.values.keys() | ({PREDICTED} if part == next(iter(_read_by(model))) else set())
    spreads = tuple(one for one in model.reference.spreads if one.name in held and not _is_unknown(one.name, book))
    others = {name: None for name, place in PARTS.items() if place != part}
    return msgspec.structs.replace(model, reference=Reference(spreads), **others)


def _is_unknown(name: str, book: Book) -> bool:
    return name in book.values and bool(np.isnan(book.values[name]).all())


def _counted(contract: Contract) -> tuple[list[str], list[str]]:
    """The cover whose claims the contract counts, if it tells them apart, and what it asks of a claim besides."""
    only = contract.claims.only if contract.claims else {}
    return [only["cover"]] if "cover" in only else [], [f"claims.{name}" for name in only if name != "cover"]


def _book(conn: Conn, stays: Stays, covers: list[str]) -> Book:
    """The stays as rows, without factors yet: days, exposure, km where any were charged, and claims by day."""
    policies, number = np.unique(np.array(stays.policy), return_inverse=True)
    begins, ends = (np.array(days, dtype="datetime64[D]") for days in (stays.begins, stays.ends))
    charged_km = np.array(stays.charged_m) / 1000
    claims = _claims(store.fetch_claims(conn, covers), dict(zip(policies.tolist(), range(len(policies)), strict=True)),
                     number.astype(np.int64), begins, ends)  # fmt: skip
    digest = hashlib.sha256(json.dumps([stays.policy, stays.terms, stays.charged_m]).encode())
    for days in (begins, ends, claims.row):
        digest.update(days.tobytes())
    return Book(
        policy=number.astype(np.int64),
        exposure_years=(ends - begins).astype(np.float64) / DAYS_A_YEAR,
        claims=np.bincount(claims.row, minlength=len(number)).astype(np.float64),
        starts_on=begins,
        values={},
        levels={},
        amounts=claims,
        digest=digest.hexdigest(),
        ends_on=ends,
        km=np.where(charged_km > 0, charged_km, np.nan),
    )


def _claims(
    reported: list[tuple[str, date]], number_of: dict[str, int], number: Any, begins: Days, ends: Days
) -> Claims:
    """The claims that occurred in a stay; stays are in order of policy and begin."""
    known = [(number_of[policy], day) for policy, day in reported if policy in number_of]
    of_policy = np.array([one for one, _ in known], dtype=np.int64)
    day = np.array([one for _, one in known], dtype="datetime64[D]")
    row = np.searchsorted(_key(number, begins), _key(of_policy, day), side="right") - 1
    within: Mask = (row >= 0) & (number[row] == of_policy) & (day < ends[row])
    return Claims(row[within], np.full(int(within.sum()), np.nan), day[within])


def _key(number: Any, day: Days) -> Any:
    """Policy and day as one number that sorts by both."""
    return number * 1_000_000 + day.astype(np.int64)


def _value(factor: Factor, model: RiskModel, stays: Stays, terms: list[dict[str, Any]], book: Book) -> Floats | None:
    """A factor of each stay as the model reads it, NaN where it is not known; None: the book holds none."""
    if factor.per_year:
        if (factor.column or factor.name) != model.contract.policies.distance_km or book.km is None:
            return None
        return _in_range(factor, book.km / book.exposure_years)
    if factor.driving:
        feature = BY_NAME.get(factor.name)
        return _in_range(factor, _driven(feature, stays)) if isinstance(feature, Feature) else None
    said = [
        one["declared_km_per_year"] if factor.name == DECLARED_KM else one["factors"].get(factor.name) for one in terms
    ]
    if all(one is None for one in said):
        return None
    if factor.kind == "categorical":
        place = {level: float(code) for code, level in enumerate(model.levels[factor.name])}
        return np.array([place.get(str(one), np.nan) for one in said])
    numbers = [float(one) if isinstance(one, int | float) else np.nan for one in said]
    return _in_range(factor, np.array(numbers))


def _driven(feature: Feature, stays: Stays) -> Floats:
    """The feature of what was driven in each stay."""
    above, below = (
        sum((np.array(stays.counters[name]) for name in names), np.zeros(len(stays.policy)))
        for names in (feature.numerator, feature.denominator)
    )
    unknown = np.full(len(stays.policy), np.nan)
    found: Floats = np.divide(feature.scale * above, below, out=unknown, where=below > 0)
    return found


def _in_range(factor: Factor, value: Floats) -> Floats:
    """The value, on the scale of the contract; NaN where the contract refuses it."""
    low, high = factor.lowest, factor.highest
    outside = (value < (-np.inf if low is None else low)) | (value > (np.inf if high is None else high))
    if factor.log:
        outside |= value <= 0
    inside = np.where(outside, np.nan, value)
    return np.log(inside) if factor.log else inside
