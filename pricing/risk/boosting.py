"""Boosted trees by LightGBM: models of different seeds, their rates averaged and balanced on what they learned.

Rates come as response with exposure as weight, which has the same gradients as counts with an offset of log exposure.
The same seed gives the same model, by however many threads (`deterministic`, one order of rows): OpenMP's own number,
so `OMP_NUM_THREADS` bounds them where the machine is shared.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import numpy as np

from pricing.risk.columns import Book, Floats, Ints, Mask, folds_of
from pricing.risk.contract import Boosting, Contract
from pricing.risk.errors import NothingToFit
from pricing.risk.recalibration import Curve, recalibrated

type Objective = Literal["poisson", "gamma", "tweedie"]
PATIENCE = 60


class Boosted(msgspec.Struct, frozen=True):
    """A fitted bag: LightGBM's own text of each model, the factors in column order, the balance factor, and the curve
    that recalibrates the balanced rate (None: it is as it is).
    """

    objective: Objective
    factors: tuple[str, ...]
    models: tuple[str, ...]
    balance: float
    rounds: int
    curve: Curve | None = None


def matrix(factors: tuple[str, ...], book: Book) -> Floats:
    """The columns of the trees, shape (n, factors); categorical ones as codes, NaN is missing."""
    return np.column_stack([book.values[name] for name in factors])


def fit_boosted(
    objective: Objective,
    contract: Contract,
    book: Book,
    response: Floats,
    weight: Floats,
    seed: int,
    offset: Floats | None = None,
) -> Boosted:
    """Fit a bag; where the contract gives no rounds, their number comes from folds by policy of these rows alone."""
    return fit_with_rates(objective, contract, book, response, weight, seed, offset)[0]


def fit_with_rates(
    objective: Objective,
    contract: Contract,
    book: Book,
    response: Floats,
    weight: Floats,
    seed: int,
    offset: Floats | None = None,
) -> tuple[Boosted, Floats]:
    """The bag, and what `rate` gives of the rows that it was fitted on: they are predicted to balance it.

    Raises NothingToFit where nothing happened in these rows.
    """
    if not response.any():
        raise NothingToFit(f"{objective} trees", "no claim in the rows that they, or one of their folds, learn from")
    settings = contract.boosting
    factors = tuple(factor.name for factor in contract.factors)
    columns = matrix(factors, book)
    categorical = [place for place, factor in enumerate(contract.factors) if factor.kind == "categorical"]
    monotone = [{None: 0, "rising": 1, "falling": -1}[factor.monotone] for factor in contract.factors]
    parameters = _parameters(objective, settings, monotone)
    rows = _Rows(columns, response, weight, offset, categorical)
    rounds = settings.rounds or _rounds(parameters, rows, folds_of(book.policy, settings.folds, seed), settings, seed)
    import lightgbm  # noqa: PLC0415  heavy: only a fit needs it

    models = []
    for number in range(settings.bag):
        trained = lightgbm.train({**parameters, "seed": seed + number}, rows.dataset(None), rounds)
        models.append(trained.model_to_string())
    unbalanced = Boosted(objective, factors, tuple(models), 1.0, rounds)
    rates = _predict(unbalanced, columns)
    expected = rates * (1.0 if offset is None else np.exp(offset))
    balance = float(np.sum(weight * response) / np.sum(weight * expected))
    return msgspec.structs.replace(unbalanced, balance=balance), rates * balance


class _Rows:
    """What LightGBM is given: columns, response, weight, offset."""

    def __init__(
        self, columns: Floats, response: Floats, weight: Floats, offset: Floats | None, categorical: list[int]
    ) -> None:
        self.columns, self.response, self.weight = columns, response, weight
        self.offset, self.categorical = offset, categorical

    def dataset(self, rows: Mask | None, reference: Any = None) -> Any:
        """A LightGBM data set of the rows (all when None)."""
        import lightgbm  # noqa: PLC0415

        at: Any = slice(None) if rows is None else rows
        return lightgbm.Dataset(
            self.columns[at],
            self.response[at],
            weight=self.weight[at],
            init_score=None if self.offset is None else self.offset[at],
            categorical_feature=self.categorical,
            reference=reference,
            free_raw_data=False,
        )


def _parameters(objective: Objective, settings: Boosting, monotone: list[int]) -> dict[str, Any]:
    return {
        "objective": objective,
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.least_rows,
        "bagging_fraction": settings.rows_share,
        "bagging_freq": 1,
        "feature_fraction": settings.factors_share,
        "lambda_l2": settings.ridge,
        "cat_smooth": 20,
        "metric": objective,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        **({"monotone_constraints": monotone} if any(monotone) else {}),
    }


def _rounds(parameters: dict[str, Any], rows: _Rows, fold: Ints, settings: Boosting, seed: int) -> int:
    import lightgbm  # noqa: PLC0415

    found = []
    for number in folds_held(fold)[:2]:  # two of the folds: rounds are no fine matter
        learn = rows.dataset(fold != number)
        trained = lightgbm.train(
            {**parameters, "seed": seed},
            learn,
            settings.most_rounds,
            [rows.dataset(fold == number, learn)],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        found.append(trained.best_iteration)
    return max(1, round(float(np.mean(found))))


def folds_held(fold: Ints) -> Ints:
    """The folds that hold a row. Raises NothingToFit where all rows are in one."""
    held = np.unique(fold)
    if len(held) < 2:
        raise NothingToFit("folds", "all rows fall into one fold: there are too few policies to learn from the others")
    return held


def _predict(model: Boosted, columns: Floats) -> Floats:
    import lightgbm  # noqa: PLC0415

    total = np.zeros(len(columns))
    for text in model.models:
        trained = lightgbm.Booster(model_str=text)
        total += np.exp(trained.predict(columns, raw_score=True))
    return total / len(model.models) * model.balance


def rate(model: Boosted, book: Book) -> Floats:
    """Predicted mean per unit of weight, shape (n,); an offset of the fit is multiplied by the caller."""
    predicted = _predict(model, matrix(model.factors, book))
    return recalibrated(model.curve, predicted)


def fit_folds(model: Boosted, contract: Contract, book: Book, seed: int) -> Iterator[tuple[Mask, Boosted]]:
    """For each fold by policy: which rows it holds, and trees of claims fitted on the others, by the rounds of `model`.

    One model a fold instead of a bag, whose rates lie 0.3 % closer together (French claims), and not recalibrated.
    """
    settings = msgspec.structs.replace(contract.boosting, rounds=model.rounds, bag=1)
    once = msgspec.structs.replace(contract, boosting=settings)
    fold = folds_of(book.policy, settings.folds, seed)
    for number in folds_held(fold):
        rest = book.only(fold != number)
        observed = rest.claims / rest.exposure_years
        yield fold == number, fit_boosted(model.objective, once, rest, observed, rest.exposure_years, seed)


def shap(model: Boosted, book: Book) -> Floats:
    """Exact SHAP values on the log scale (LightGBM's `pred_contrib`), of the bag's first model; (n, factors + 1)."""
    import lightgbm  # noqa: PLC0415

    trained = lightgbm.Booster(model_str=model.models[0])
    return np.asarray(trained.predict(matrix(model.factors, book), pred_contrib=True))
