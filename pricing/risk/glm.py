"""Generalized linear models by glum, with errors that know that a policy's terms belong together.

log(expected per year) = intercept + columns x coefficients. Frequency is Poisson on claims / exposure with weight
exposure; severity is gamma on amounts with weight 1. Intervals come from the sandwich covariance by cluster (policy),
which holds when claims are more spread than Poisson.
"""

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec
import numpy as np
from scipy import sparse, stats

from pricing.risk.columns import Book, Floats, Ints
from pricing.risk.errors import NothingToFit
from pricing.risk.metrics import NORMAL_95
from pricing.risk.terms import MISSING, Term, columns, design

type Family = Literal["poisson", "gamma", "tweedie"]
TWEEDIE_POWER = 1.5
FEWEST_CLAIMS = 10
NO_STEPS: Mapping[str, float] = MappingProxyType({})


class Relativity(msgspec.Struct, frozen=True):
    """Multiplier against the base, with its 95 % interval; for a line, per unit of the (logarithm of the) factor."""

    factor: str
    level: str
    relativity: float
    low: float
    high: float


class Glm(msgspec.Struct, frozen=True):
    """A fitted GLM: `covariance` is (1 + p, 1 + p), the intercept first; `dropped` are what selection left out."""

    family: Family
    terms: tuple[Term, ...]
    intercept: float
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    dropped: tuple[str, ...] = ()


def fit_glm(
    family: Family,
    terms: Sequence[Term],
    book: Book,
    response: Floats,
    weight: Floats,
    offset: Floats | None = None,
    clusters: Ints | None = None,
) -> Glm:
    """Fit on the rows of a book; response and weight have its length, `offset` is on the log scale."""
    import glum  # noqa: PLC0415  heavy: only a fit needs it

    if np.count_nonzero(response) < FEWEST_CLAIMS:
        raise NothingToFit(
            f"{family} model", f"{np.count_nonzero(response)} rows with claims, at least {FEWEST_CLAIMS}"
        )
    matrix, _ = design(terms, book)
    if matrix.shape[1] == 0:
        return _constant(family, response, weight, offset)
    distribution = glum.TweedieDistribution(TWEEDIE_POWER) if family == "tweedie" else family
    # scaled: the gradient of a column in tiny units is tiny too, and would seem to have converged
    model = glum.GeneralizedLinearRegressor(
        alpha=0, family=distribution, link="log", gradient_tol=1e-7, max_iter=200, scale_predictors=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=glum_convergence())
        try:
            model.fit(matrix, response, sample_weight=weight, offset=offset)
        except glum_convergence() as warning:
            raise NothingToFit(f"{family} model", f"did not converge: {warning}") from None
        except (ValueError, np.linalg.LinAlgError) as error:  # responses all alike, columns that say the same
            raise NothingToFit(f"{family} model", f"cannot be estimated: {error}") from None
    linear = model.intercept_ + matrix @ model.coef_ + (0 if offset is None else offset)
    covariance = sandwich(
        family, matrix, response, np.exp(linear), weight, book.policy if clusters is None else clusters
    )
    return Glm(
        family,
        tuple(terms),
        float(model.intercept_),
        tuple(map(float, model.coef_)),
        tuple(tuple(map(float, row)) for row in covariance),
    )


def glum_convergence() -> type[Warning]:
    """The warning of a fit that has not converged."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    return ConvergenceWarning  # type: ignore[no-any-return]


def _constant(family: Family, response: Floats, weight: Floats, offset: Floats | None) -> Glm:
    base = np.ones(len(response)) if offset is None else np.exp(offset)
    rate = float(np.sum(weight * response) / np.sum(weight * base))
    spread = float(np.sum((weight * (response - rate * base)) ** 2) / (rate * np.sum(weight * base)) ** 2)
    return Glm(family, (), float(np.log(rate)), (), ((spread,),))


def sandwich(
    family: Family, matrix: sparse.csc_matrix, response: Floats, mean: Floats, weight: Floats, clusters: Ints
) -> Floats:
    """Covariance of (intercept, coefficients) robust to clusters: B M B, B the inverse information (log link).

    Liang and Zeger 1986; the factor g / (g - 1) is the usual small-sample one.
    """
    whole = sparse.hstack([np.ones((matrix.shape[0], 1)), matrix], format="csr")
    power = {"poisson": 1.0, "gamma": 2.0, "tweedie": TWEEDIE_POWER}[family]
    information = (whole.T @ whole.multiply((weight * mean ** (2 - power))[:, None])).toarray()
    score = whole.multiply((weight * (response - mean) * mean ** (1 - power))[:, None]).tocsr()
    _, number = np.unique(clusters, return_inverse=True)
    groups = int(number.max()) + 1
    member = sparse.csr_matrix((np.ones(len(number)), (number, np.arange(len(number)))), shape=(groups, len(number)))
    summed = member @ score
    # on one scale: else a column in tiny units falls under the cut of the pseudo-inverse and seems to be certain
    size = np.sqrt(np.diag(information))
    size[size == 0] = 1.0
    bread = np.linalg.pinv(information / np.outer(size, size), hermitian=True) / np.outer(size, size)
    return np.asarray(bread @ (summed.T @ summed).toarray() @ bread * groups / max(groups - 1, 1))


def rate(model: Glm, book: Book) -> Floats:
    """Predicted mean per unit of weight (claims a year; amount a claim), shape (n,)."""
    linear = np.full(len(book), model.intercept)
    first = 0
    for term in model.terms:
        part = columns(term, book)
        linear += part @ np.array(model.coefficients[first : first + part.shape[1]])
        first += part.shape[1]
    return np.asarray(np.exp(linear))


def places(model: Glm, book: Book) -> dict[str, slice]:
    """Where each term's coefficients stand; `book` may be of one row."""
    _, where = design(model.terms, book)
    return {term.name: place for term, place in zip(model.terms, where, strict=True)}


def relativities(model: Glm, book: Book, steps: Mapping[str, float] = NO_STEPS) -> list[Relativity]:
    """Relativities of classes and lines with intervals. Splines and products are shown by their curves instead.

    `steps` gives the step of a line that its relativity is of; default one unit.
    """
    where = places(model, book)
    spread = np.sqrt(np.diag(np.array(model.covariance)))[1:]
    rows = []
    highest = np.log(np.finfo(np.float64).max)
    for term in model.terms:
        first, step = where[term.name].start, steps.get(term.name, 1.0)
        if term.classes:
            rows.append(Relativity(term.name, term.classes[0], 1.0, 1.0, 1.0))
        for place, name in enumerate(_column_names(term)):
            unit = 1.0 if term.classes or name == MISSING else step
            value, error = unit * model.coefficients[first + place], unit * NORMAL_95 * float(spread[first + place])
            rows.append(
                Relativity(
                    term.name,
                    name,
                    *(float(np.exp(min(each, highest))) for each in (value, value - error, value + error)),
                )
            )
    return rows


def _column_names(term: Term) -> tuple[str, ...]:
    if term.classes:
        return term.classes[1:]
    if len(term.knots) == 2:
        return ("per unit", MISSING) if term.has_missing else ("per unit",)
    return ()


def select(
    family: Family,
    terms: Sequence[Term],
    book: Book,
    response: Floats,
    weight: Floats,
    offset: Floats | None = None,
    level: float = 0.01,
) -> Glm:
    """Fit, and drop the least significant term until each stands at `level` over the number of candidates.

    The joint Wald test of a term uses the clustered covariance. Bonferroni by all candidates, not only by those left:
    where nothing has an effect, any factor appears with a chance of about `level`.
    """
    left, dropped = list(terms), list[str]()
    while True:
        model = fit_glm(family, left, book, response, weight, offset)
        chances = {term.name: chance_of_nothing(model, place) for term, place in _terms_and_places(model, book)}
        worst = max(chances, key=lambda name: chances[name], default=None)
        if worst is None or chances[worst] <= level / len(terms):
            return msgspec.structs.replace(model, dropped=tuple(dropped))
        dropped.append(worst)
        left = [term for term in left if term.name != worst]


def _terms_and_places(model: Glm, book: Book) -> list[tuple[Term, slice]]:
    one = book.only(np.arange(len(book)) == 0)
    where = places(model, one)
    return [(term, where[term.name]) for term in model.terms]


def chance_of_nothing(model: Glm, place: slice) -> float:
    """The p-value of the Wald test that all coefficients at `place` are 0."""
    value = np.array(model.coefficients)[place]
    covariance = np.array(model.covariance)[1:, 1:][place, place]
    statistic = float(value @ np.linalg.pinv(covariance, hermitian=True) @ value)
    return float(stats.chi2.sf(statistic, np.linalg.matrix_rank(covariance, hermitian=True)))
