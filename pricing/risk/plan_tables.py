"""A model's relativities as the tables of a rate plan, and its driving weights as a score model.

The plan is another plan's text with the factors replaced that the model knows too; rates, rules and bounds stay. Where
there is a joint refit its relativities are taken, so that what a pay plan measures is not charged a second time by what
is declared. `declared_km` is read only by pay plans that measure nothing: its relativities are those that declared km
have beside the other tables, without measured km. Frequency x severity, where the severity model kept the factor.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np

from pricing.plan import RatePlan, parse_plan
from pricing.plan_text import toml_text
from pricing.risk.artefact import NAMED_DIGITS, RiskModel
from pricing.risk.columns import Book, Floats
from pricing.risk.errors import NoTable
from pricing.risk.glm import Glm
from pricing.risk.joint import DECLARED_KM
from pricing.risk.terms import Term, columns

DECIMALS = 4
OWN_CLAIMS = "own_claims_percent"
PERCENT_BANDS = (*range(30, 100, 5), *range(100, 200, 10), *range(200, 301, 25))


@dataclass(frozen=True, slots=True)
class FittedPlan:
    """The plan, and which factors are the model's and which still those of the plan that it began from."""

    plan: RatePlan
    fitted: tuple[str, ...]
    kept: tuple[str, ...]


def fitted_plan(
    model: RiskModel,
    digest: str,
    base: RatePlan,
    version: str,
    effective_from: date | None,
    *,
    own_claims: bool = False,
) -> FittedPlan:
    """The plan of these relativities; in effect from the base plan's day where no other is given.

    Raises NoTable where a factor cannot be one, BadPlan where the whole is none.
    """
    content = tomllib.loads(base.content, parse_float=Decimal)
    known = {factor.name for factor in model.contract.factors if not factor.driving}
    fitted = [name for name in content["factors"] if name in known]
    if not fitted:
        raise NoTable(model.contract.name, "no factor of the plan is one of the model's")
    for name in fitted:
        content["factors"][name] = _table(model, name, content["factors"][name])
    if own_claims:
        content["factors"][OWN_CLAIMS] = _own_claims(model)
        fitted.append(OWN_CLAIMS)
    kept = tuple(name for name in content["factors"] if name not in fitted)
    content["version"] = version
    content["effective_from"] = effective_from or base.effective_from
    content["basis"] = (
        f"Relativities of {', '.join(fitted)}: model {digest[:NAMED_DIGITS]}, fitted to {model.contract.name} (data "
        f"{model.card.data_digest[:16]}). Rates, rules and all else: {base.name} {base.version}. {base.basis}"
    )
    text = toml_text(content)
    return FittedPlan(parse_plan(text, f"{base.name} {version}"), tuple(fitted), kept)


def _table(model: RiskModel, name: str, base: dict[str, Any]) -> dict[str, Any]:
    """The factor's table in the form that the plan has it in, at the plan's levels, bands or knots."""
    if "levels" in base:
        known = model.levels.get(name, ())
        missing = sorted(set(base["levels"]) - set(known))
        if missing:
            raise NoTable(
                name, f"the model knows {', '.join(known) or 'numbers'}, and the plan asks for {missing[0]!r}"
            )
        of = _relativities(model, name, np.array([float(known.index(level)) for level in base["levels"]]))
        return {"levels": dict(zip(base["levels"], of, strict=True))}
    if "knots" in base:
        at = [row["at"] for row in base["knots"]]
        of = _relativities(model, name, np.array(at, dtype=np.float64))
        return {"knots": [{"at": x, "relativity": r} for x, r in zip(at, of, strict=True)], "decimals": DECIMALS}
    ends = _ends(model, name, [row["from"] for row in base["bands"]] + [base["bands"][-1]["to"]])
    middle = np.array([(low + below - 1) / 2 for low, below in pairwise(ends)])
    of = _relativities(model, name, middle)
    return {
        "bands": [
            {"from": low, "to": below, "relativity": r} for (low, below), r in zip(pairwise(ends), of, strict=True)
        ]
    }


def _ends(model: RiskModel, name: str, base: list[int]) -> list[int]:
    """Ends of the bands: the model's own between the plan's outermost; the plan's where the model has a curve."""
    bands = model.contract.factor(name).bands
    if not bands:
        return base
    if any(edge != int(edge) or not base[0] < edge < base[-1] for edge in bands):
        raise NoTable(
            name, f"its bands must begin at whole numbers over {base[0]} and under {base[-1]}, as the plan's end"
        )
    return [base[0], *map(int, bands), base[-1]]


def _relativities(model: RiskModel, name: str, values: Floats) -> list[str]:
    """Frequency x severity of each value (n,), as the text of exact decimals."""
    frequency = model.glm
    if model.joint is not None:
        frequency = model.joint.unmeasured if name == DECLARED_KM else model.joint.chosen
    found = _effect(model, frequency, name, values) * _effect(model, model.severity, name, values)
    return [f"{value:.{DECIMALS}f}" for value in np.maximum(found, 10.0**-DECIMALS)]


def _effect(model: RiskModel, fitted: Glm | None, name: str, values: Floats) -> Floats:
    """exp of the term's part at the values, against its base class or the mean; 1 where the model left it out."""
    if fitted is None or name not in {term.name for term in fitted.terms}:
        return np.ones(len(values))
    if any(name in term.name.split(" x ") for term in fitted.terms if term.product):
        raise NoTable(name, "it stands in an interaction, and a plan has tables of one factor")
    one = values if not model.contract.factor(name).log else np.log(np.maximum(values, 1.0))
    first = 0
    for term in fitted.terms:
        width = columns(term, _column(term, one[:1])).shape[1]
        if term.name == name:
            coefficients = np.array(fitted.coefficients[first : first + width])
            at, centre = (columns(term, _column(term, x)) @ coefficients for x in (one, np.array([term.centre])))
            return np.asarray(np.exp(at - (0.0 if term.classes else centre)))
        first += width
    raise AssertionError(name)


def _column(term: Term, values: Floats) -> Book:
    """A book of these values in every column that the term reads."""
    names = [part.column for part in term.product] if term.product else [term.column]
    ones = np.ones(len(values))
    policy = np.zeros(len(values), dtype=np.int64)
    return Book(policy, ones, ones, None, dict.fromkeys(names, values), {}, None, "")


def _own_claims(model: RiskModel) -> dict[str, Any]:
    """Own claims as a table: by the whole percent of (a + claims) / (a + expected), each band's middle its relativity.

    The last band goes on to 100,000 and is charged as it begins: a cap.
    """
    if model.joint is None or model.joint.experience is None:
        raise NoTable(OWN_CLAIMS, "the model has no credibility of own claims: it needs policies of two terms")
    bands = [{"from": 0, "to": PERCENT_BANDS[0], "relativity": f"{PERCENT_BANDS[0] / 100:.{DECIMALS}f}"}]
    for low, below in pairwise(PERCENT_BANDS):
        inside = low <= 100 < below
        bands.append({"from": low, "to": below, "relativity": f"{1.0 if inside else (low + below) / 200:.{DECIMALS}f}"})
    last = PERCENT_BANDS[-1]
    return {"bands": [*bands, {"from": last, "to": 100_000, "relativity": f"{last / 100:.{DECIMALS}f}"}]}
