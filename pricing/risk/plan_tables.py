"""A model's relativities as the tables of a rate plan, of one factor and of two, with its driving weights as the
plan's score model.

The plan is another plan's text with the factors replaced that the model knows too; rates, rules and bounds stay. Where
there is a joint refit its relativities are taken, so that what a pay plan measures is not charged a second time by what
is declared. `declared_km` is read only by pay plans that measure nothing: its relativities are those that declared km
have beside the other tables, without measured km. Frequency x severity, where the severity model kept the factor.
"""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np

from pricing.claim_rule import PRINCIPALLY_AT_FAULT_PERCENT
from pricing.factor import Factor
from pricing.plan import OWN_CLAIMS, RatePlan, parse_plan
from pricing.plan_text import toml_text
from pricing.risk.artefact import NAMED_DIGITS, RiskModel
from pricing.risk.columns import Floats
from pricing.risk.effects import Effects
from pricing.risk.errors import NoTable
from pricing.score_model import content_of
from scoring.score import ScoreModel

DECIMALS = 4
HALF_LIFE_YEARS = "5"  # of own claims, in the plan: a prior
PERCENT_BANDS = (*range(30, 100, 5), *range(100, 200, 10), *range(200, 301, 25))


@dataclass(frozen=True, slots=True)
class FittedPlan:
    """The plan, and which factors and tables are the model's and which still those of the plan that it began from."""

    plan: RatePlan
    fitted: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """Where a factor's relativities stand in a plan: its levels or the ends of its bands; and a value in each, (n,)."""

    factor: str
    levels: tuple[str, ...]
    ends: tuple[int, ...]
    values: Floats

    def as_content(self) -> dict[str, Any]:
        """The side of a table of two."""
        if self.levels:
            return {"factor": self.factor, "levels": list(self.levels)}
        return {"factor": self.factor, "bands": [{"from": low, "to": below} for low, below in pairwise(self.ends)]}


def fitted_plan(
    model: RiskModel,
    digest: str,
    base: RatePlan,
    version: str,
    effective_from: date | None,
    *,
    own_claims: bool = False,
    surrogate: bool = False,
    score_model: ScoreModel | None = None,
) -> FittedPlan:
    """The plan of these relativities, with these driving weights; in effect from the base plan's day where no other is
    given. `surrogate`: those of the tables distilled from the trees in place of the GLM's.

    Raises NoTable where a factor cannot be one, BadPlan where the whole is none.
    """
    content = tomllib.loads(base.content, parse_float=Decimal)
    known = {factor.name for factor in model.contract.factors if not factor.driving}
    factors = [name for name in content["factors"] if name in known]
    if not factors:
        raise NoTable(model.contract.name, "no factor of the plan is one of the model's")
    effects = Effects(model, surrogate=surrogate)
    pairs = effects.pairs(factors)
    content["factors"] |= {name: _factor(effects, base.factors[name]) for name in factors}
    # what two fitted factors said together before is said anew, or not at all
    left = {name: table for name, table in content.pop("tables", {}).items() if not _is_of(table, factors)}
    tables = {f"{one}_x_{two}": _table(effects, base.factors[one], base.factors[two]) for one, two in pairs}
    content |= {"tables": left | tables} if left or tables else {}
    fitted = [*factors, *tables]
    if own_claims:
        table, section = _own_claims(model, content["covers"], surrogate=surrogate)
        content["factors"][OWN_CLAIMS], content["own_claims"] = table, section
        fitted.append(OWN_CLAIMS)
    if score_model is not None:
        content["score_model"] = content_of(score_model)
    content["version"] = version
    content["effective_from"] = effective_from or base.effective_from
    of = f"Relativities of {', '.join(fitted)}{'' if score_model is None else ' and the driving weights'}"
    content["basis"] = (
        f"{of}: model {digest[:NAMED_DIGITS]}, fitted to {model.contract.name} (data "
        f"{model.card.data_digest[:16]}). Rates, rules and all else: {base.name} {base.version}. {base.basis}"
    )
    kept = tuple(name for name in [*content["factors"], *left] if name not in fitted)
    return FittedPlan(parse_plan(toml_text(content), f"{base.name} {version}"), tuple(fitted), kept)


def _is_of(table: dict[str, Any], factors: list[str]) -> bool:
    return table["rows"]["factor"] in factors and table["columns"]["factor"] in factors


def _factor(effects: Effects, base: Factor) -> dict[str, Any]:
    """The factor's table: at the plan's levels, in bands, or at the plan's knots where the model has a curve."""
    if base.knots and not effects.edges((base.name,), base.name):
        at = [knot.at for knot in base.knots]
        of = _text(effects.of((base.name,), (np.array(at, dtype=np.float64),)))
        return {"knots": [{"at": x, "relativity": r} for x, r in zip(at, of, strict=True)], "decimals": DECIMALS}
    side = _side(effects, base, (base.name,))
    of = _text(effects.of((base.name,), (side.values,)))
    if side.levels:
        return {"levels": dict(zip(side.levels, of, strict=True))}
    ends = pairwise(side.ends)
    return {"bands": [{"from": low, "to": below, "relativity": r} for (low, below), r in zip(ends, of, strict=True)]}


def _table(effects: Effects, one: Factor, two: Factor) -> dict[str, Any]:
    """The table of two, at the levels and bands that they have together."""
    pair = one.name, two.name
    rows, columns = (_side(effects, base, pair) for base in (one, two))
    across = len(columns.values)
    of = _text(effects.of(pair, (np.repeat(rows.values, across), np.tile(columns.values, len(rows.values)))))
    return {
        "rows": rows.as_content(),
        "columns": columns.as_content(),
        "relativities": [of[first : first + across] for first in range(0, len(of), across)],
    }


def _side(effects: Effects, base: Factor, names: tuple[str, ...]) -> Side:
    """The plan's levels; or the model's bands between the plan's outermost numbers, the plan's own for a curve.

    A band's value is its middle.
    """
    known = effects.model.levels.get(base.name, ())
    if base.levels:
        missing = sorted(set(base.levels) - set(known))
        if missing:
            raise NoTable(
                base.name, f"the model knows {', '.join(known) or 'numbers'}, and the plan asks for {missing[0]!r}"
            )
        return Side(base.name, tuple(base.levels), (), np.array([float(known.index(level)) for level in base.levels]))
    if known:
        raise NoTable(base.name, f"the model knows {', '.join(known)}, and the plan asks for numbers")
    first, below = base.begins[0], base.below
    edges = effects.edges(names, base.name)
    inside = [edge for edge in edges if first < edge < below]
    if len(inside) < len(edges) and not effects.surrogate:
        raise NoTable(
            base.name, f"its bands must begin at whole numbers over {first} and under {below}, as the plan's end"
        )
    ends = (first, *(inside if edges else base.begins[1:]), below)
    return Side(base.name, (), ends, np.array([(low + high - 1) / 2 for low, high in pairwise(ends)]))


def _text(relativities: Floats) -> list[str]:
    """As the text of exact decimals."""
    return [f"{value:.{DECIMALS}f}" for value in np.maximum(relativities, 10.0**-DECIMALS)]


def _own_claims(model: RiskModel, covers: Collection[str], *, surrogate: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Own claims as a table, by the whole percent of (a + claims) / (a + expected), each band's middle its relativity;
    and how the percent is worked out: of the claims that the contract counts, where it tells them by `cover`.

    The last band goes on to 100,000 and is charged as it begins: a cap.
    """
    if model.joint is None or model.joint.experience is None:
        raise NoTable(OWN_CLAIMS, "the model has no credibility of own claims: it needs policies of two terms")
    expected = model.joint.tables_base_claims_per_km if surrogate else model.joint.base_claims_per_km
    if expected is None:
        raise NoTable(OWN_CLAIMS, "the model does not say what it expects of its base classes: fit it again")
    bands = [{"from": 0, "to": PERCENT_BANDS[0], "relativity": f"{PERCENT_BANDS[0] / 100:.{DECIMALS}f}"}]
    for low, below in pairwise(PERCENT_BANDS):
        inside = low <= 100 < below
        bands.append({"from": low, "to": below, "relativity": f"{1.0 if inside else (low + below) / 200:.{DECIMALS}f}"})
    last = PERCENT_BANDS[-1]
    table = {"bands": [*bands, {"from": last, "to": 100_000, "relativity": f"{last / 100:.{DECIMALS}f}"}]}
    counted = model.contract.claims.only.get("cover") if model.contract.claims else None
    return table, {
        **({"covers": [counted]} if counted in covers else {}),
        "shape": f"{model.joint.experience.shape:.6f}",
        "half_life_years": HALF_LIFE_YEARS,
        "claims_per_100000_km": f"{100_000 * expected:.6f}",
        "at_fault_from_percent": PRINCIPALLY_AT_FAULT_PERCENT,
        "undetermined": "does_not_count",
    }
