"""A lapse model held to the truth out of time: fitted on what came before a day, asked about what came after."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio.lapse import LapseModel, fit_lapse, leaving_chance
from portfolio.renewals_file import RenewalBook

type Floats = NDArray[np.float64]

TENTHS = 10


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the later renewals by predicted chance of leaving: means."""

    renewals: int
    predicted: float
    observed: float
    true: float


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """How the model does on renewals after the day."""

    learned_from: int
    asked_about: int
    model: LapseModel
    actions: tuple[str, ...]
    tenths: tuple[Tenth, ...]
    correlation: float  # of predicted and true chances
    deviance: float  # a renewal, of the predicted chances
    deviance_of_mean: float  # of one chance for all
    deviance_of_truth: float


def check_out_of_time(book: RenewalBook, true: Floats, cut: np.datetime64, other_reason: float) -> OutOfTime:
    """`true` (n,) are the true chances of leaving at the book's renewals. Raises TooFewRows."""
    before = book.renewals.day < cut
    learned, later = book.renewals.chosen(before), book.renewals.chosen(~before)
    model = fit_lapse(learned, other_reason, book.actions)
    predicted, truth = leaving_chance(model, later, book.actions), true[~before]
    rows = np.array_split(np.argsort(predicted, kind="stable"), TENTHS)
    return OutOfTime(
        learned_from=len(learned),
        asked_about=len(later),
        model=model,
        actions=book.actions,
        tenths=tuple(
            Tenth(len(one), float(predicted[one].mean()), float(later.left[one].mean()), float(truth[one].mean()))
            for one in rows
        ),
        correlation=float(np.corrcoef(predicted, truth)[0, 1]),
        deviance=_deviance(predicted, later.left),
        deviance_of_mean=_deviance(np.full(len(later), learned.left.mean()), later.left),
        deviance_of_truth=_deviance(truth, later.left),
    )


def _deviance(chance: Floats, left: Floats) -> float:
    kept = np.clip(chance, 1e-9, 1 - 1e-9)
    return float(-2.0 * np.mean(left * np.log(kept) + (1.0 - left) * np.log1p(-kept)))
