"""Fitting, in run order: the learn part, frequency, boosted trees, tables distilled from them, severity, credibility.

Nothing here looks at the test part. No input or output happens here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import msgspec
import numpy as np

from pricing.risk import boosting, glm, tables
from pricing.risk.artefact import Card, RiskModel
from pricing.risk.columns import Book, Floats, Mask, folds_of
from pricing.risk.contract import Contract
from pricing.risk.credibility import fit_gamma_poisson
from pricing.risk.errors import NothingToFit
from pricing.risk.metrics import calibration, deciles, gini, poisson_deviance
from pricing.risk.terms import terms_of

type Model = Literal["glm", "boosted", "tables"]
type Say = Callable[[str], None]
FEWEST_AMOUNTS = 50
LIMITS = (
    "Fitted on the learn part alone; the test part is looked at by `wayrate evaluate` and never tuned on.",
    "Claims without an amount count for frequency; severity assumes that they cost what the others do.",
    "Relativities are associations in this book, not causes, and hold for the population and period it covers.",
    "Intervals are those of the final model and do not count what the selection of factors chose.",
)


@dataclass(frozen=True, slots=True)
class Severity:
    """Amounts for the severity model: one row a claim with an amount above 0, large ones capped."""

    book: Book
    amount: Floats
    without_amount: int
    large: int
    large_loading: float


def is_test(contract: Contract, book: Book) -> Mask:
    """Which rows the contract keeps for the test; none when it names no split."""
    split = contract.test
    if split is None:
        return np.zeros(len(book), dtype=bool)
    if split.from_day is not None and book.starts_on is not None:
        return np.asarray(book.starts_on >= np.datetime64(split.from_day))
    if split.seed is not None:
        return np.asarray(folds_of(book.policy, split.modulus, split.seed) == split.remainder)
    return np.asarray(book.policy % split.modulus == split.remainder)


def amounts(contract: Contract, book: Book) -> Severity | None:
    """The claims with amounts of these rows; None where the book has no claim file."""
    claims = book.amounts
    if claims is None or contract.claims is None:
        return None
    known = claims.amount > 0
    amount = claims.amount[known]
    limit = contract.claims.large_above or np.inf
    capped = np.minimum(amount, limit)
    loading = float(amount.sum() / capped.sum()) if len(amount) else 1.0
    paid = book.take(claims.row[known])
    without = max(int(book.claims.sum()) - int(known.sum()), 0)
    return Severity(paid, capped, without, int(np.sum(amount > limit)), loading)


def fit(contract: Contract, learn: Book, seed: int, wanted: frozenset[Model], say: Say) -> RiskModel:
    """Fit what is wanted on the learn part. `say` is told each step."""
    observed = learn.claims / learn.exposure_years
    say("GLM of frequency: factors")
    frequency = glm.select("poisson", terms_of(contract, learn), learn, observed, learn.exposure_years)
    metrics = _learned("glm", learn, glm.rate(frequency, learn))
    boosted = tariff = None
    if wanted & {"boosted", "tables"}:
        say("boosted trees of frequency")
        boosted = boosting.fit_boosted("poisson", contract, learn, observed, learn.exposure_years, seed)
        challenger = boosting.rate(boosted, learn)
        metrics |= _learned("boosted", learn, challenger)
        if "tables" in wanted:
            say("tables distilled from the trees")
            tariff = tables.distil(contract, learn, challenger, learn.claims)
            metrics |= _learned("tables", learn, tables.rate(tariff, learn))
    say("severity, credibility")
    of_claims = amounts(contract, learn)
    severity = None
    if of_claims is not None and len(of_claims.amount) >= FEWEST_AMOUNTS:
        book = of_claims.book
        severity = glm.select("gamma", terms_of(contract, book), book, of_claims.amount, np.ones(len(book)))
    believed = fit_gamma_poisson(learn.policy, learn.claims, glm.rate(frequency, learn) * learn.exposure_years)
    card = _card(contract, learn, seed, of_claims, metrics)
    return RiskModel(contract, learn.levels, card, frequency, boosted, tariff, severity, believed)


def _card(contract: Contract, learn: Book, seed: int, of_claims: Severity | None, metrics: dict[str, float]) -> Card:
    return Card(
        contract=contract.name,
        data_digest=learn.digest,
        seed=seed,
        learn_rows=len(learn),
        learn_years=float(learn.exposure_years.sum()),
        learn_claims=float(learn.claims.sum()),
        claims_without_amount=of_claims.without_amount if of_claims else int(learn.claims.sum()),
        large_claims=of_claims.large if of_claims else 0,
        large_loading=of_claims.large_loading if of_claims else 1.0,
        metrics=metrics,
        libraries={name: version(name) for name in ("glum", "lightgbm", "numpy")},
        limits=LIMITS,
    )


def _learned(name: str, book: Book, rate: Floats) -> dict[str, float]:
    expected = rate * book.exposure_years
    return {
        f"{name}_learn_deviance": poisson_deviance(book.claims, expected, book.exposure_years),
        f"{name}_learn_gini": gini(rate, book.claims, book.exposure_years),
    }


def frequency_rates(model: RiskModel, book: Book) -> dict[str, Floats]:
    """Claims a year by each part of the model, the preferred one first: boosted, tables, glm."""
    rates = {}
    if model.boosted is not None:
        rates["boosted"] = boosting.rate(model.boosted, book)
    if model.tariff is not None:
        rates["tables"] = tables.rate(model.tariff, book)
    if model.glm is not None:
        rates["glm"] = glm.rate(model.glm, book)
    if not rates:
        raise NothingToFit("model", "it has no frequency model")
    return rates


def out_of_fold(model: RiskModel, learn: Book, say: Say) -> dict[str, Floats]:
    """Rates of the learn part by models that have not seen the policy: each fold by a fit on the others.

    With the model's own rounds and factors of the GLM, and one model a fold instead of a bag.
    """
    settings = msgspec.structs.replace(
        model.contract.boosting, rounds=model.boosted.rounds if model.boosted else 1, bag=1
    )
    contract = msgspec.structs.replace(model.contract, boosting=settings)
    fold = folds_of(learn.policy, settings.folds, model.card.seed)
    result = {name: np.zeros(len(learn)) for name in ("boosted", "tables", "glm") if _has(model, name)}
    for number in range(settings.folds):
        say(f"fold {number + 1} of {settings.folds}")
        rest, held = learn.only(fold != number), learn.only(fold == number)
        observed = rest.claims / rest.exposure_years
        parts: dict[str, Floats] = {}
        if model.glm is not None:
            refitted = glm.fit_glm("poisson", model.glm.terms, rest, observed, rest.exposure_years)
            parts["glm"] = glm.rate(refitted, held)
        if model.boosted is not None:
            trees = boosting.fit_boosted("poisson", contract, rest, observed, rest.exposure_years, model.card.seed)
            parts["boosted"] = boosting.rate(trees, held)
            if model.tariff is not None:
                distilled = tables.distil(contract, rest, boosting.rate(trees, rest), rest.claims)
                parts["tables"] = tables.rate(distilled, held)
        for name, rate in parts.items():
            result[name][fold == number] = rate
    return result


def _has(model: RiskModel, name: str) -> bool:
    return {"boosted": model.boosted, "tables": model.tariff, "glm": model.glm}[name] is not None


def summary(book: Book, rate: Floats) -> dict[str, float]:
    """Deviance, Gini, A/E and how many deciles hold, of one model's rates on a book."""
    expected = rate * book.exposure_years
    return {
        "deviance": poisson_deviance(book.claims, expected, book.exposure_years),
        "gini": gini(rate, book.claims, book.exposure_years),
        "actual_over_expected": float(book.claims.sum() / expected.sum()),
        "deciles_that_hold": float(sum(group.holds for group in deciles(book.claims, expected, book.exposure_years))),
    }


def described(model: RiskModel, digest: str) -> dict[str, object]:
    """What a fit says of itself, as JSON."""
    believed = model.credibility
    return {
        "sha256": digest,
        "card": msgspec.to_builtins(model.card),
        "glm": None
        if model.glm is None
        else {"terms": [one.name for one in model.glm.terms], "left_out": model.glm.dropped},
        "boosted": None
        if model.boosted is None
        else {"models": len(model.boosted.models), "rounds": model.boosted.rounds},
        "tables": None if model.tariff is None else [table.name for table in model.tariff.tables],
        "severity": None if model.severity is None else [one.name for one in model.severity.terms],
        "credibility": None if believed is None else msgspec.to_builtins(believed),
    }


def evaluation(model: RiskModel, digest: str, book: Book, rates: dict[str, Floats]) -> dict[str, object]:
    """How rates do on rows that the models have not seen, as JSON: each model, and the null one of one mean rate."""
    weight = book.exposure_years
    flat = np.full(len(book), model.card.learn_claims / model.card.learn_years)
    return {
        "sha256": digest,
        "data_digest": book.digest,
        "rows": len(book),
        "years": float(weight.sum()),
        "claims": float(book.claims.sum()),
        "null_deviance": poisson_deviance(book.claims, flat * weight, weight),
        "models": {name: summary(book, rate) | _detail(book, rate) for name, rate in rates.items()},
    }


def _detail(book: Book, rate: Floats) -> dict[str, object]:
    expected = rate * book.exposure_years
    return {
        "deciles": [msgspec.to_builtins(group) for group in deciles(book.claims, expected, book.exposure_years)],
        "calibration": msgspec.to_builtins(calibration(book.claims, expected, book.exposure_years)),
    }
