"""Judging a model: its rates on rows that it has not seen, and out of fold on those that it learned from.

No input or output happens here.
"""

from typing import Any

import msgspec
import numpy as np

from pricing.risk import boosting, declared_tables, glm, joint, tables
from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book, Floats, Mask, folds_of
from pricing.risk.errors import NothingToFit
from pricing.risk.fitting import Say, amounts
from pricing.risk.joint import Joint
from pricing.risk.metrics import NORMAL_95, calibration, deciles, gamma_deviance, gini, poisson_deviance
from pricing.risk.recalibration import justified_curve, recalibrated


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

    With the model's own rounds and factors of the GLM, and one model a fold instead of a bag; whether a curve
    recalibrates a fold, and which, is learned on the other folds' rates alone. Raises NothingToFit where a fold leaves
    too few claims.
    """
    result: dict[str, Floats] = {}
    if model.boosted is not None:
        result = _trees_out_of_fold(model, learn, say)
    if model.glm is not None:
        result["glm"] = np.empty(len(learn))
        fold = folds_of(learn.policy, model.contract.boosting.folds, model.card.seed)
        for number in boosting.folds_held(fold):
            rest = learn.only(fold != number)
            observed = rest.claims / rest.exposure_years
            refitted = glm.fit_glm("poisson", model.glm.terms, rest, observed, rest.exposure_years)
            result["glm"][fold == number] = glm.rate(refitted, learn.only(fold == number))
    return result


def _trees_out_of_fold(model: RiskModel, learn: Book, say: Say) -> dict[str, Floats]:
    assert model.boosted is not None
    plain = np.empty(len(learn))
    folds: list[tuple[Mask, boosting.Boosted]] = []
    for held, trees in boosting.fit_folds(model.boosted, model.contract, learn, model.card.seed):
        say(f"fold {len(folds) + 1} of {model.contract.boosting.folds}")
        plain[held] = boosting.rate(trees, learn.only(held))
        folds.append((held, trees))
    result = {name: np.empty(len(learn)) for name in ("boosted", "tables") if _has(model, name)}
    for held, trees in folds:
        rest = learn.only(~held)
        curve = justified_curve(plain[~held], rest.claims, rest.exposure_years)
        result["boosted"][held] = recalibrated(curve, plain[held])
        if model.tariff is not None:
            told = recalibrated(curve, boosting.rate(trees, rest))
            distilled = tables.distil(model.contract, rest, told, rest.claims)
            result["tables"][held] = tables.rate(distilled, learn.only(held))
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
        else {
            "models": len(model.boosted.models),
            "rounds": model.boosted.rounds,
            "recalibrated": model.boosted.curve is not None,
        },
        "tables": None if model.tariff is None else [table.name for table in model.tariff.tables],
        "severity": None if model.severity is None else [one.name for one in model.severity.terms],
        "severity_trees": None if model.severity_trees is None else {"rounds": model.severity_trees.rounds},
        "credibility": None if believed is None else msgspec.to_builtins(believed),
        "joint": None if model.joint is None else joint.described(model.joint, one_row(model)),
    }


def one_row(model: RiskModel) -> Book:
    """A book of one row: enough to know where each term's coefficients stand."""
    values = {factor.name: np.zeros(1) for factor in model.contract.factors}
    one = np.ones(1)
    return Book(np.zeros(1, dtype=np.int64), one, one, None, values, model.levels, None, "")


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
        "models": {name: judged(book, rate) for name, rate in rates.items()},
        "severity": severity(model, book),
        "joint": None
        if model.joint is None
        else {name: summary(book, rate) for name, rate in _joint_rates(model, model.joint, book).items()},
    }


def _joint_rates(model: RiskModel, found: Joint, book: Book) -> dict[str, Floats]:
    of_tables = {} if found.tables is None else {"tables": declared_tables.rate(model.contract, found, book)}
    return joint.rates(found, book) | of_tables


def by_likeness(learn: Book, unseen: Book, rates: dict[str, Floats]) -> dict[str, object]:
    """How rates do on unseen rows that are alike a row of the learn part in every factor, and on the others, as JSON.

    Those alike may be one risk under two numbers, claims and all: what a model has by heart of them says nothing of
    risks that are new. A part without rows is null.
    """
    rows = np.concatenate([_rows_of(one) for one in (learn, unseen)])
    row = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    alike = np.isin(row[len(learn) :], row[: len(learn)])
    parts = {"alike": alike, "others": ~alike}
    return {
        "share_alike": float(alike.mean()),
        **{name: _part(unseen.only(part), rates, part) if part.any() else None for name, part in parts.items()},
    }


def _rows_of(book: Book) -> Floats:
    """The factors side by side, (n, factors); what is missing is a value like others."""
    return np.nan_to_num(np.column_stack([*book.values.values()]), nan=-np.inf)


def _part(book: Book, rates: dict[str, Floats], part: Mask) -> dict[str, object]:
    weight = book.exposure_years
    mean = np.full(len(book), book.claims.sum() / weight.sum())
    return {
        "rows": len(book),
        "claims": float(book.claims.sum()),
        "null_deviance": poisson_deviance(book.claims, mean * weight, weight),
        "models": {name: summary(book, rate[part]) for name, rate in rates.items()},
    }


def severity(model: RiskModel, book: Book) -> dict[str, Any] | None:
    """How the severity models do on the claims with an amount above 0 of these rows, capped as in the fit."""
    found = amounts(model.contract, book)
    if found is None or not len(found.amount):
        return None
    rates = {}
    if model.severity is not None:
        rates["glm"] = glm.rate(model.severity, found.book)
    if model.severity_trees is not None:
        rates["boosted"] = boosting.rate(model.severity_trees, found.book)
    each = np.ones(len(found.amount))
    mean = np.full(len(found.amount), found.amount.mean())
    return {
        "claims": len(found.amount),
        "claims_without_amount": found.without_amount,
        "large_claims": found.large,
        "null_deviance": gamma_deviance(found.amount, mean, each),
        "models": {name: _amounts_summary(found.amount, rate, each) for name, rate in rates.items()},
    }


def _amounts_summary(amount: Floats, rate: Floats, each: Floats) -> dict[str, float]:
    """The interval is that of a ratio of sums of independent claims."""
    ratio = float(amount.sum() / rate.sum())
    error = NORMAL_95 * float(np.sqrt(np.sum((amount - ratio * rate) ** 2)) / rate.sum())
    return {
        "deviance": gamma_deviance(amount, rate, each),
        "gini": gini(rate, amount, each),
        "actual_over_expected": ratio,
        "low": ratio - error,
        "high": ratio + error,
    }


def judged(book: Book, rate: Floats) -> dict[str, object]:
    """One model's rates on a book: the summary, tenths of exposure by predicted rate, and calibration."""
    expected = rate * book.exposure_years
    return summary(book, rate) | {
        "deciles": [msgspec.to_builtins(group) for group in deciles(book.claims, expected, book.exposure_years)],
        "calibration": msgspec.to_builtins(calibration(book.claims, expected, book.exposure_years)),
    }
