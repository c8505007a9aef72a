"""Jurisdiction profiles: what a plan may read and must do in a market. A plan that breaks its profile does not load.

A profile is data (pricing/profiles/*.toml) with its sources named; the checks are here. It is an engineer's reading of
public texts and not legal advice.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib.resources import files

from pricing.claim_rule import ClaimRule, read_claim_rule
from pricing.plan_reader import Reader

NOT_COMPOSED = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d"})  # letters, not signs on letters


@dataclass(frozen=True, slots=True)
class Profile:
    """One market's rules. `uses` None: pay plans may read everything; `duties` say what a plan must state, and why."""

    name: str
    title: str
    because: str
    sources: tuple[str, ...]
    uses: frozenset[str] | None
    refuses: tuple[str, ...]
    behaviour_highest: Decimal | None
    renewal_like_new: bool  # neither smoothing nor own claims may take a renewal above what new business costs
    claim_rule: ClaimRule | None  # of the claims on record that may load a premium; None: the plan decides
    notice_days: int | None
    bias_test: bool
    duties: Mapping[str, str]
    identity: "KeptIdentity"


@dataclass(frozen=True, slots=True)
class KeptIdentity:
    """For how many years after the last day of cover who somebody was has to be known (0: it has not), and why."""

    years: int
    because: str


@dataclass(frozen=True, slots=True)
class PlanReads:
    """What a profile looks at in a plan: the uses of each pay plan, the levels of each factor, the two factors of each
    table, the caps, its duties.
    """

    uses: Mapping[str, frozenset[str]]
    factors: Mapping[str, Sequence[str]]
    behaviour_highest: Decimal
    duties: Mapping[str, str]
    smoothing_lowest: Decimal | None = None  # None: the plan does not smooth renewals
    tables: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    claim_rule: ClaimRule | None = None  # None: the plan reads no own claims
    worked_out: frozenset[str] = frozenset()  # factors that nobody declares
    new_business_declares_claims: bool = True  # or the plan reads none


def breaches(profile: Profile, plan: PlanReads) -> Iterator[tuple[str, str]]:
    """Every place of the plan that breaks the profile, and how."""
    for name, uses in plan.uses.items():
        for use in sorted(uses - profile.uses) if profile.uses is not None else ():
            yield f"pay_plans.{name}.uses", f"{profile.name} does not let a plan read {use}: {profile.because}"
    yield from _refused_factors(profile, plan)
    if profile.behaviour_highest is not None and plan.behaviour_highest > profile.behaviour_highest:
        over = f"{plan.behaviour_highest} is over {profile.behaviour_highest}"
        yield "behaviour.highest", f"{over}, the most under {profile.name}: {profile.because}"
    if profile.renewal_like_new and plan.smoothing_lowest:
        held = f"{plan.smoothing_lowest} is not 0: it holds a renewal above what new business costs"
        yield "smoothing.lowest", f"{held}, under {profile.name}: {profile.because}"
    yield from _laxer_own_claims(profile, plan)
    for duty, meaning in profile.duties.items():
        if not plan.duties.get(duty, "").strip():
            yield f"duties.{duty}", f"is missing: {profile.name} asks a plan to say {meaning}"


def _laxer_own_claims(profile: Profile, plan: PlanReads) -> Iterator[tuple[str, str]]:
    """Where own claims load a renewal that they may not load."""
    if profile.renewal_like_new and not plan.new_business_declares_claims:
        yield (
            "own_claims.new_business",
            (f"must be declared: else a renewal is charged by claims that new business is not, under {profile.name}"),
        )
    ruled = profile.renewal_like_new or profile.claim_rule is not None
    for factor in plan.worked_out & set(plan.factors):
        if ruled and plan.claim_rule is None:
            problem = f"needs the section own_claims, which says by which claims, under {profile.name}"
            yield f"factors.{factor}", problem
    if profile.claim_rule is None:
        return
    for factor in plan.factors:
        if factor not in plan.worked_out and is_characteristic("own_claims", factor, plan.factors[factor]):
            yield f"factors.{factor}", f"{profile.name} does not let a plan rate by own_claims that are declared"
    if plan.claim_rule is not None:
        for key, demanded in plan.claim_rule.laxer_than(profile.claim_rule):
            yield f"own_claims.{key}", f"{demanded} under {profile.name}: {profile.because}"


def _refused_factors(profile: Profile, plan: PlanReads) -> Iterator[tuple[str, str]]:
    """Each place where a factor, alone or as a side of a table, is what the profile refuses."""
    places = {f"factors.{name}": name for name in plan.factors}
    for name, keys in plan.tables.items():
        places |= {f"tables.{name}.rows": keys[0], f"tables.{name}.columns": keys[1]}
    for place, factor in places.items():
        for refused in profile.refuses:
            if is_characteristic(refused, factor, plan.factors[factor]):
                yield place, f"{profile.name} does not let a plan rate by {refused}"


def is_characteristic(characteristic: str, factor: str, levels: Sequence[str]) -> bool:
    """Whether a factor is that characteristic of a person, by its name or by its levels."""
    words = characteristics()[characteristic]
    name, held = f"_{_folded(factor)}_", {_folded(level) for level in levels}
    told = held - words.others
    return (
        any(f"_{one}_" in name for one in words.names)
        or any(one in name for one in words.stems)
        or len(held & words.levels) >= 2
        or any(told == set(pair) for pair in words.short)
    )


@dataclass(frozen=True, slots=True)
class Words:
    """By which words a factor is a characteristic: of its name, within it, two of its levels, or all but others."""

    names: frozenset[str]
    stems: frozenset[str]
    levels: frozenset[str]
    short: tuple[tuple[str, str], ...]
    others: frozenset[str]


@cache
def characteristics() -> Mapping[str, Words]:
    """The words of every characteristic."""
    table = tomllib.loads((files("pricing") / "characteristics.toml").read_text("utf-8"))
    return {
        name: Words(
            frozenset(part["names"]),
            frozenset(part.get("stems", ())),
            frozenset(part["levels"]),
            tuple((first, second) for first, second in part.get("short", ())),
            frozenset(part.get("others", ())),
        )
        for name, part in table.items()
    }


def _folded(text: str) -> str:
    """In small letters without diacritics, its words joined by `_`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])", "_", text)  # driverGender, sex1
    plain = unicodedata.normalize("NFKD", split.casefold().translate(NOT_COMPOSED))
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


def profile_names() -> tuple[str, ...]:
    """The profiles that ship."""
    return tuple(sorted(one.name.removesuffix(".toml") for one in (files("pricing") / "profiles").iterdir()))


@cache
def profile_named(name: str) -> Profile:
    """The profile of that name, one of `profile_names`."""
    table = tomllib.loads((files("pricing") / "profiles" / f"{name}.toml").read_text("utf-8"))
    highest = table.get("behaviour_highest")
    return Profile(
        name=name,
        title=table["title"],
        because=table["because"],
        sources=tuple(table["sources"]),
        uses=frozenset(table["uses"]) if "uses" in table else None,
        refuses=tuple(table.get("refuses", ())),
        behaviour_highest=None if highest is None else Decimal(highest),
        renewal_like_new=table.get("renewal_like_new", False),
        claim_rule=read_claim_rule(Reader(name, table["own_claims"])) if "own_claims" in table else None,
        notice_days=table.get("notice_days"),
        bias_test=table.get("bias_test", False),
        duties=table.get("duties", {}),
        identity=KeptIdentity(**table["identity"]),
    )
