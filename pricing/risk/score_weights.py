"""The driving weights that a joint refit found, as a score model: class means, K and intervals of each signal."""

from collections.abc import Collection

import numpy as np
from scipy import stats

from pricing.risk import glm
from pricing.risk.artefact import RiskModel
from pricing.risk.errors import NoTable
from pricing.risk.joint import Joint
from pricing.risk.judging import one_row
from scoring.features import BY_NAME
from scoring.score import PRIOR_MODEL, ScoreModel, Weight

NORMAL_90 = float(stats.norm.ppf(0.95))
PER_KM = 100_000.0


def fitted_score_model(model: RiskModel, digest: str, without: Collection[str] = ()) -> ScoreModel:
    """Weights of the signals that selection kept, in the order of the prior's. Raises NoTable where there are none, and
    where more of what is risky would lower the price.

    `without`: what the rates a km charge already; the other weights are as fitted beside it. Where a number belongs to
    how a feature is measured (its cap, on which km), it is the prior's.
    """
    joint = model.joint
    if joint is None:
        raise NoTable("driving", "the model has no joint refit: it needs driving signals, km and policies of two terms")
    unknown = sorted(set(joint.signals) - set(BY_NAME))
    if unknown:
        raise NoTable(unknown[0], "scoring computes no such feature")
    kept = {name: place.start for name, place in glm.places(joint.chosen, one_row(model)).items()}
    known = [weight.feature for weight in PRIOR_MODEL.weights]
    for name in sorted(joint.signals.keys() & kept.keys() - set(known) - set(without)):
        raise NoTable(name, f"its cap and the km it is measured on are not known, only those of {', '.join(known)}")
    weights = tuple(
        _weight(weight, joint, kept[weight.feature], f"fitted: {model.contract.name}, model {digest[:16]}")
        for weight in PRIOR_MODEL.weights
        if weight.feature in kept and weight.feature in joint.signals and weight.feature not in without
    )
    if not weights:
        raise NoTable("driving", "selection kept no driving signal: nothing of driving stands out of chance")
    for weight in weights:
        if weight.beta < 0:
            problem = f"its weight is {weight.beta:.4f}: more of it would lower the price. Fit without it"
            raise NoTable(weight.feature, problem)
    return ScoreModel(joint.claims_per_km * PER_KM, PRIOR_MODEL.minimum_km, weights)


def _weight(prior: Weight, joint: Joint, place: int, source: str) -> Weight:
    credibility = joint.signals[prior.feature]
    beta = joint.chosen.coefficients[place]
    error = NORMAL_90 * float(np.sqrt(joint.chosen.covariance[1 + place][1 + place]))
    return Weight(
        prior.feature,
        beta,
        (beta - error, beta + error),
        credibility.mean,
        float(np.sqrt(credibility.between)),
        prior.cap,
        prior.exposure,
        credibility.k,
        source,
    )
