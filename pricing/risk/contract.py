"""The data contract: which columns of an insurer's files are exposure, claims and factors, and what they may hold."""

from datetime import date
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pricing.risk.errors import BadContract

type Kind = Literal["numeric", "categorical"]
type Missing = Literal["refuse", "level", "leave_out"]
MOST = 1e15  # of any number: infinity would be lost where a model is kept
type Positive = Annotated[float, Meta(gt=0, le=MOST)]
type NotNegative = Annotated[float, Meta(ge=0, le=MOST)]
type Share = Annotated[float, Meta(gt=0, le=1)]
type Whole = Annotated[int, Meta(ge=0)]
type AtLeastOne = Annotated[int, Meta(ge=1)]
type AtLeastTwo = Annotated[int, Meta(ge=2)]


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file with one row a policy, or a policy and term."""

    file: str
    policy: str
    exposure_years: str
    claims: str
    starts_on: str | None = None
    ends_on: str | None = None
    claims_at_most: Positive | None = None  # more are counted as this many
    exposure_at_most: Positive | None = None
    distance_km: str | None = None  # measured in the row: how much is known of how it was driven


class ClaimFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file with one row a claim; an amount may be unknown (null). `claim`: its number, which stands once."""

    file: str
    policy: str
    amount: str
    amount_unit: Positive = 1.0  # 0.01 when amounts are in cents
    claim: str | None = None
    occurred_on: str | None = None
    only: dict[str, str] = {}  # column = value: the claims that count
    large_above: Positive | None = None  # what is above goes to a loading, not to the severity model


class Factor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rating factor or driving feature.

    A numeric factor enters the GLM as a line (no knots), a cubic B-spline (knots > 0), or bands (their lower ends);
    `missing` says what a row without a value is: refused, a level of its own, or left out.
    """

    name: str
    kind: Kind = "numeric"
    column: str | None = None
    levels: tuple[str, ...] = ()  # of a categorical: others are refused. Empty: those found when fitted
    lowest: float | None = None  # numeric values outside are refused
    highest: float | None = None
    log: bool = False
    per_year: bool = False  # the column is divided by exposure
    knots: Whole = 0
    bands: tuple[float, ...] = ()
    monotone: Literal["rising", "falling"] | None = None
    missing: Missing = "refuse"
    driving: bool = False


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part kept for the test. By policy: its number modulo `modulus` is `remainder` (with a seed, its hash's). By
    time: what begins on `from_day` or later.
    """

    modulus: int = 1
    remainder: int = 0
    seed: int | None = None
    from_day: date | None = None


class Boosting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of LightGBM; `rounds` 0 are found by folds of the learn part."""

    learning_rate: Positive = 0.05
    leaves: AtLeastTwo = 32
    least_rows: Whole = 200
    rows_share: Share = 0.75
    factors_share: Share = 0.7
    ridge: NotNegative = 1.0
    rounds: Whole = 0
    most_rounds: AtLeastOne = 2000
    bag: AtLeastOne = 1  # models of different seeds whose rates are averaged
    folds: AtLeastTwo = 4


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the surrogate tariff."""

    bands: AtLeastOne = 24  # at most, of a numeric factor alone
    pair_bands: AtLeastOne = 10  # at most, of a numeric factor in a table of two
    pairs: Whole = 8  # at most, tables of two factors
    prior_claims: Positive = 2.0  # expected claims at which a cell is believed by half


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract, read from TOML."""

    name: str
    policies: PolicyFile
    factors: tuple[Factor, ...] = msgspec.field(name="factor")
    claims: ClaimFile | None = None
    interactions: tuple[tuple[str, str], ...] = ()
    pool_below_years: NotNegative = 0.0  # levels of less exposure share one coefficient
    test: Split | None = None
    boosting: Boosting = Boosting()
    tables: Tables = Tables()

    def factor(self, name: str) -> Factor:
        """The factor of this name; KeyError when there is none."""
        return {factor.name: factor for factor in self.factors}[name]


def read_contract(path: Path) -> Contract:
    """Read a contract; a BadContract names what is wrong with it."""
    try:
        contract = msgspec.toml.decode(path.read_bytes(), type=Contract)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise BadContract(str(path), str(error)) from None
    problem = _problem(contract)
    if problem:
        raise BadContract(str(path), problem)
    return contract


def read_contract_for(fitted: Contract, path: Path) -> Contract:
    """A contract of other files for the factors of a fitted one: what a factor is may not differ, its column may."""
    found = read_contract(path)
    theirs = {factor.name: factor for factor in found.factors}
    for factor in fitted.factors:
        other = theirs.get(factor.name)
        if other is None or msgspec.structs.replace(other, column=factor.column) != factor:
            raise BadContract(
                str(path), f"factor {factor.name}: the model was fitted with another one; only column may differ"
            )
    return found


def _problem(contract: Contract) -> str | None:
    names = [factor.name for factor in contract.factors]
    unknown = {name for pair in contract.interactions for name in pair} - set(names)
    test = contract.test
    pairs = [frozenset(pair) for pair in contract.interactions]
    broken = {
        "factor: there must be at least one, and each name once": not names or len(set(names)) < len(names),
        f"interactions: no factor {', '.join(sorted(unknown))}": bool(unknown),
        "interactions: each is of two factors, and stands once": len(set(pairs)) < len(pairs)
        or any(len(pair) < 2 for pair in pairs),
        "policies: starts_on and ends_on go together": bool(contract.policies.starts_on)
        != bool(contract.policies.ends_on),
        "test: the remainder must be from 0 to below the modulus": test is not None
        and not 0 <= test.remainder < test.modulus,
        "test: either by policy (modulus 2 or more) or by time (from_day)": test is not None
        and (test.modulus > 1) == (test.from_day is not None),
        "test: from_day needs starts_on": test is not None
        and test.from_day is not None
        and contract.policies.starts_on is None,
    }
    return next((problem for problem, holds in broken.items() if holds), None) or next(
        filter(None, map(_factor_problem, contract.factors)), None
    )


def _factor_problem(factor: Factor) -> str | None:
    shaped = factor.bands or factor.knots or factor.log or factor.monotone
    broken = {
        "it has no name": not factor.name,
        "bands must rise, and be numbers": list(factor.bands) != sorted(set(factor.bands))
        or not all(map(isfinite, factor.bands)),
        "lowest must not be above highest": factor.lowest is not None
        and factor.highest is not None
        and not factor.lowest <= factor.highest,
        "levels must be texts, each once": "" in factor.levels or len(set(factor.levels)) < len(factor.levels),
        "bands, knots, log and monotone are for numeric factors": factor.kind == "categorical" and bool(shaped),
        "bands or knots, not both": bool(factor.bands) and bool(factor.knots),
    }
    return next((f"factor {factor.name}: {problem}" for problem, holds in broken.items() if holds), None)
