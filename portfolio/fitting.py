"""Poisson and logistic regression on a few columns, by glum, with a small ridge as credibility."""

import numpy as np
from glum import GeneralizedLinearRegressor
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


def fit_poisson(columns: Floats, count: Floats, ridge: float) -> Floats:
    """Coefficients (p,) of E(count) = exp(columns @ b). The first column is the intercept and is not shrunk.

    `columns` (n, p), `count` (n,); `ridge` is the penalty on half of each other squared coefficient, in likelihoods.
    """
    return _fitted("poisson", "log", columns, count, ridge)


def fit_logistic(columns: Floats, outcome: Floats, ridge: float = 1.0) -> Floats:
    """Coefficients (p,) of P(outcome) = expit(columns @ b), `outcome` (n,) 0 or 1; else as `fit_poisson`."""
    return _fitted("binomial", "logit", columns, outcome, ridge)


def _fitted(family: str, link: str, columns: Floats, outcome: Floats, ridge: float) -> Floats:
    # glum's objective is a mean over the rows, so its penalty is one as well.
    model = GeneralizedLinearRegressor(
        family=family, link=link, alpha=ridge / len(outcome), l1_ratio=0, gradient_tol=1e-6, max_iter=200
    )
    model.fit(np.ascontiguousarray(columns[:, 1:]), outcome)
    return np.concatenate(([model.intercept_], model.coef_))
