"""The data contract: which columns of an insurer's files are exposure, claims and factors, and what they may hold."""

from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from pricing.risk.errors import BadContract

type Kind = Literal["numeric", "categorical"]
type Missing = Literal["refuse", "level", "leave_out"]


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file with one row a policy, or a policy and term."""

    file: str
    policy: str
    exposure_years: str
    claims: str
    starts_on: str | None = None
    ends_on: str | None = None
    claims_at_most: float | None = None  # more are counted as this many
    exposure_at_most: float | None = None
    distance_km: str | None = None  # measured in the row: how much is known of how it was driven


class ClaimFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file with one row a claim; an amount may be unknown (null). `claim`: its number, which stands once."""

    file: str
    policy: str
    amount: str
    amount_unit: float = 1.0  # 0.01 when amounts are in cents
    claim: str | None = None
    occurred_on: str | None = None
    only: dict[str, str] = {}  # column = value: the claims that count
    large_above: float | None = None  # what is above goes to a loading, not to the severity model


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
    knots: int = 0
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

    learning_rate: float = 0.05
    leaves: int = 32
    least_rows: int = 200
    rows_share: float = 0.75
    factors_share: float = 0.7
    ridge: float = 1.0
    rounds: int = 0
    most_rounds: int = 2000
    bag: int = 1  # models of different seeds whose rates are averaged
    folds: int = 4


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the surrogate tariff."""

    bands: int = 24  # at most, of a numeric factor alone
    pair_bands: int = 10  # at most, of a numeric factor in a table of two
    pairs: int = 8  # at most, tables of two factors
    prior_claims: float = 2.0  # expected claims at which a cell is believed by half


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract, read from TOML."""

    name: str
    policies: PolicyFile
    factors: tuple[Factor, ...] = msgspec.field(name="factor")
    claims: ClaimFile | None = None
    interactions: tuple[tuple[str, str], ...] = ()
    pool_below_years: float = 0.0  # levels of less exposure share one coefficient
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
    broken = {
        "factor: there must be at least one, and each name once": not names or len(set(names)) < len(names),
        f"interactions: no factor {', '.join(sorted(unknown))}": bool(unknown),
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
        "bands must rise": list(factor.bands) != sorted(set(factor.bands)),
        "bands, knots, log and monotone are for numeric factors": factor.kind == "categorical" and bool(shaped),
        "bands or knots, not both": bool(factor.bands) and bool(factor.knots),
    }
    return next((f"factor {factor.name}: {problem}" for problem, holds in broken.items() if holds), None)
