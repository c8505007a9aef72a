"""Fitting, in run order: learn part, frequency, trees, tables distilled from them, severity, credibility, joint refit.

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
from pricing.risk.boosting import Boosted
from pricing.risk.columns import Book, Floats, Mask, folds_of
from pricing.risk.contract import Contract
from pricing.risk.credibility import fit_gamma_poisson
from pricing.risk.declared_tables import distil_declared, with_bases
from pricing.risk.errors import NothingToFit
from pricing.risk.joint import Joint, fit_joint
from pricing.risk.metrics import deciles, gini, poisson_deviance
from pricing.risk.recalibration import justified_curve, recalibrated
from pricing.risk.reference import reference_of
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
    preferred = glm.rate(frequency, learn)
    expected = preferred * learn.exposure_years
    metrics = _learned("glm", learn, preferred)
    boosted = tariff = None
    if wanted & {"boosted", "tables"}:
        say("boosted trees of frequency")
        boosted, preferred, unseen = _trees(contract, learn, seed, say)
        metrics |= _learned("boosted", learn, preferred) | _unseen("boosted", learn, unseen)
        if "tables" in wanted:
            say("tables distilled from the trees")
            tariff = tables.distil(contract, learn, preferred, learn.claims)
            metrics |= _learned("tables", learn, tables.rate(tariff, learn))
    say("severity, credibility")
    of_claims = amounts(contract, learn)
    severity, severity_trees = _severity(contract, of_claims, seed, say, trees=boosted is not None)
    return RiskModel(
        contract,
        learn.levels,
        _card(contract, learn, seed, of_claims, metrics),
        frequency,
        boosted,
        tariff,
        severity,
        severity_trees,
        fit_gamma_poisson(learn.policy, learn.claims, expected),
        _joint(contract, learn, seed, say, severity, distil="tables" in wanted),
        reference_of(contract, learn, preferred),
    )


def _trees(contract: Contract, learn: Book, seed: int, say: Say) -> tuple[Boosted, Floats, Floats]:
    """A bag of trees, recalibrated where rates of policies that trees have not seen ask for it; its rates (n,).

    Also the rates of unseen policies (n,), each fold recalibrated by a curve of the others: neither of the two has seen
    the policy.
    """
    observed = learn.claims / learn.exposure_years
    trees, rates = boosting.fit_with_rates("poisson", contract, learn, observed, learn.exposure_years, seed)
    say("recalibration of the trees, out of fold")
    unseen = np.empty(len(learn))
    folds = []
    for held, fold in boosting.fit_folds(trees, contract, learn, seed):
        unseen[held] = boosting.rate(fold, learn.only(held))
        folds.append(held)
    curve = justified_curve(unseen, learn.claims, learn.exposure_years)
    judged = np.empty(len(learn))
    for held in folds:
        others = justified_curve(unseen[~held], learn.claims[~held], learn.exposure_years[~held])
        judged[held] = recalibrated(others, unseen[held])
    return msgspec.structs.replace(trees, curve=curve), recalibrated(curve, rates), judged


def _unseen(name: str, book: Book, rate: Floats) -> dict[str, float]:
    """The learn part's figures by models that have not seen the policy: what the test part is expected to confirm."""
    expected = rate * book.exposure_years
    return {
        f"{name}_out_of_fold_deviance": poisson_deviance(book.claims, expected, book.exposure_years),
        f"{name}_out_of_fold_gini": gini(rate, book.claims, book.exposure_years),
        f"{name}_out_of_fold_actual_over_expected": float(book.claims.sum() / expected.sum()),
        f"{name}_out_of_fold_deciles_that_hold": float(
            sum(group.holds for group in deciles(book.claims, expected, book.exposure_years))
        ),
    }


def _severity(
    contract: Contract, of_claims: Severity | None, seed: int, say: Say, *, trees: bool
) -> tuple[glm.Glm | None, Boosted | None]:
    """Gamma models of the capped amounts; None where they are too few, and, said why, where they are all alike."""
    if of_claims is None or len(of_claims.amount) < FEWEST_AMOUNTS:
        return None, None
    book, each = of_claims.book, np.ones(len(of_claims.amount))
    try:
        model = glm.select("gamma", terms_of(contract, book), book, of_claims.amount, each)
    except NothingToFit as refusal:
        say(str(refusal))
        return None, None
    if not trees:
        return model, None
    own_rounds = msgspec.structs.replace(contract, boosting=msgspec.structs.replace(contract.boosting, rounds=0))
    return model, boosting.fit_boosted("gamma", own_rounds, book, of_claims.amount, each, seed)


def _joint(
    contract: Contract, learn: Book, seed: int, say: Say, severity: glm.Glm | None, *, distil: bool
) -> Joint | None:
    """The joint refit of a contract with driving signals, and the tables beside driving where tables are wanted; what a
    plan of it expects of its base classes, where own claims are read. None, and said why, where a book cannot carry it.
    """
    if not any(factor.driving for factor in contract.factors):
        return None
    say("joint refit of what is declared and what was driven")
    try:
        found = fit_joint(contract, learn)
    except NothingToFit as refusal:
        say(str(refusal))
        return None
    if distil:
        say("tables of what is declared, beside what was driven")
        found = msgspec.structs.replace(found, tables=distil_declared(contract, learn, found, seed))
    return found if found.experience is None else with_bases(contract, found, severity, learn)


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
