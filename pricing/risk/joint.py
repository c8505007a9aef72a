"""The joint refit: what is declared and what was driven in one model, so that nothing is counted twice.

Three fits of the same rows, each with all that the one before reads:

declared     what the policy declares (territory, vehicle, age, declared km)
driven       measured km first, and the driving signals, each as its Buhlmann-Straub estimate: a price reads a signal
             no further than its kilometres carry it, so the fit reads it so too (regression calibration)
experienced  and the policy's own claims of earlier terms, as the Gamma-Poisson multiplier on what `driven` expected

How a relativity moves from one to the next is what the one before had counted in its place.
"""

import msgspec
import numpy as np

from pricing.risk import glm
from pricing.risk.columns import Book, Floats
from pricing.risk.contract import Contract
from pricing.risk.credibility import BuhlmannStraub, GammaPoisson, fit_buhlmann_straub, fit_gamma_poisson
from pricing.risk.errors import NothingToFit
from pricing.risk.glm import Glm, Relativity
from pricing.risk.tables import Tariff
from pricing.risk.terms import Term, terms_of

DECLARED_KM = "declared_km"  # the plan's name of it too
PER_DEVIATION = "per standard deviation"
LITTLE_KM, MUCH_KM = 200.0, 20_000.0  # what a card shows the credibility of


class Joint(msgspec.Struct, frozen=True):
    """The three fits, the credibility of each signal by km, and that of own claims (None: one term a policy).

    For a price: `chosen` is `driven` without what selection left out, and `unmeasured` adds declared km to the declared
    tables of `chosen` (None: there are none) for a pay plan that measures nothing.
    """

    signals: dict[str, BuhlmannStraub]
    declared: Glm
    driven: Glm
    chosen: Glm
    claims_per_km: float
    unmeasured: Glm | None = None
    experience: GammaPoisson | None = None
    experienced: Glm | None = None
    # where every relativity of a plan of `chosen`, or of `tables`, is 1: the base classes, driving like the class mean
    base_claims_per_km: float | None = None
    tables_base_claims_per_km: float | None = None
    tables: Tariff | None = None  # of what is declared beside driving; None: no trees were asked for


class Moved(msgspec.Struct, frozen=True):
    """One relativity in each fit that has it; `by_driving` and `by_claims` are the ratios from fit to fit."""

    factor: str
    level: str
    declared: Relativity | None
    driven: Relativity | None
    experienced: Relativity | None
    by_driving: float | None
    by_claims: float | None


def signals_of(contract: Contract) -> tuple[str, ...]:
    """The driving signals: what is measured a km. Measured km themselves (`per_year`) are exposure, not a signal."""
    return tuple(factor.name for factor in contract.factors if factor.driving and not factor.per_year)


def fit_joint(contract: Contract, learn: Book) -> Joint:
    """Fit the three. Raises NothingToFit where the book has no driving, or no policy of two terms to learn K from."""
    signals = signals_of(contract)
    if learn.km is None or not signals:
        raise NothingToFit("joint refit", "the contract names no driving signals, or no distance_km to weigh them by")
    km = np.nan_to_num(learn.km)
    credibility = {name: fit_buhlmann_straub(learn.policy, learn.values[name], km) for name in signals}
    unknown = [name for name, found in credibility.items() if not np.isfinite(found.within)]
    if unknown:
        raise NothingToFit("joint refit", f"no policy has two terms of {', '.join(unknown)}: K cannot be estimated")
    observed, weight = learn.claims / learn.exposure_years, learn.exposure_years
    seen = believed(credibility, learn)
    terms = terms_of(contract, seen)
    static = [term for term in terms if not _reads_driving(contract, term.name)]
    declared = glm.fit_glm("poisson", static, seen, observed, weight)
    driven = glm.fit_glm("poisson", terms, seen, observed, weight)
    chosen = glm.select("poisson", terms, seen, observed, weight)
    unmeasured = _without_measuring(contract, seen, static, chosen)
    per_km = float(learn.claims.sum() / km.sum())
    expected = glm.rate(driven, seen) * weight
    if learn.starts_on is None or len(np.unique(learn.policy)) == len(learn):
        return Joint(credibility, declared, driven, chosen, per_km, unmeasured)
    experience = fit_gamma_poisson(learn.policy, learn.claims, expected)
    offset = np.log(experience.multiplier(*history(learn, expected)))
    experienced = glm.fit_glm("poisson", terms, seen, observed, weight, offset)
    return Joint(credibility, declared, driven, chosen, per_km, unmeasured, experience, experienced)


def _without_measuring(contract: Contract, book: Book, static: list[Term], chosen: Glm) -> Glm | None:
    """Declared km beside the other declared tables as they are chosen: those are an offset, and do not move."""
    declared_km = [term for term in static if term.name == DECLARED_KM]
    if not declared_km:
        return None
    others = msgspec.structs.replace(
        chosen,
        coefficients=tuple(
            0.0 if _reads_driving(contract, name) or name == DECLARED_KM else value
            for name, value in zip(_names_of_columns(chosen, book), chosen.coefficients, strict=True)
        ),
    )
    offset = np.log(glm.rate(others, book))
    return glm.fit_glm("poisson", declared_km, book, book.claims / book.exposure_years, book.exposure_years, offset)


def _names_of_columns(model: Glm, book: Book) -> list[str]:
    where = glm.places(model, book.take(np.zeros(1, dtype=np.intp)))
    return [name for name, place in where.items() for _ in range(place.start, place.stop)]


def _reads_driving(contract: Contract, term: str) -> bool:
    return any(contract.factor(name).driving for name in term.split(" x "))


def believed(credibility: dict[str, BuhlmannStraub], book: Book) -> Book:
    """The book with each driving signal as far as it is believed: the class mean where nothing was driven."""
    assert book.km is not None
    km = np.nan_to_num(book.km)
    for name, found in credibility.items():
        own = book.values[name]
        book = book.with_column(name, found.estimate(own, np.where(np.isnan(own), 0.0, km)))
    return book


def history(book: Book, expected: Floats) -> tuple[Floats, Floats]:
    """Each row's claims, and those expected, of the same policy's earlier terms; (n,) each, 0 in the first."""
    assert book.starts_on is not None
    order = np.lexsort((book.starts_on, book.policy))
    first = np.append(True, np.diff(book.policy[order]) != 0)
    start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    found = []
    for column in (book.claims, expected):
        before = np.append(0.0, np.cumsum(column[order]))[:-1]
        result = np.empty(len(order))
        # a sum over whole books leaves 1e-12 of nothing
        result[order] = np.maximum(before - before[start], 0.0)
        found.append(result)
    return found[0], found[1]


def rates(joint: Joint, book: Book) -> dict[str, Floats]:
    """Claims a year of each row by each fit; `experienced` reads the claims of the row's own earlier terms alone."""
    seen = believed(joint.signals, book)
    result = {"declared": glm.rate(joint.declared, seen), "driven": glm.rate(joint.driven, seen)}
    if joint.experience is not None and joint.experienced is not None and book.starts_on is not None:
        multiplier = joint.experience.multiplier(*history(book, result["driven"] * book.exposure_years))
        result["experienced"] = glm.rate(joint.experienced, seen) * multiplier
    return result


def moved(joint: Joint, one: Book) -> list[Moved]:
    """How each relativity moved, in the order of the widest fit; `one` is a book of any one row.

    Of a line it is that of one step: a signal's standard deviation between drivers, else one unit.
    """
    steps = {name: float(np.sqrt(found.between)) for name, found in joint.signals.items()}
    fits = [model for model in (joint.declared, joint.driven, joint.experienced) if model is not None]
    found = [{(row.factor, row.level): row for row in glm.relativities(model, one, steps)} for model in fits]
    found += [{}] * (3 - len(found))
    rows = []
    for factor, level in found[1]:
        declared, driven, experienced = (fit.get((factor, level)) for fit in found)
        ratios = _ratio(declared, driven), _ratio(driven, experienced)
        named = PER_DEVIATION if factor in steps else level
        rows.append(Moved(factor, named, declared, driven, experienced, *ratios))
    return rows


def _ratio(before: Relativity | None, after: Relativity | None) -> float | None:
    return None if before is None or after is None else after.relativity / before.relativity


def described(joint: Joint, one: Book) -> dict[str, object]:
    """The refit as JSON: K of each signal, Z at 200 and 20,000 km, own claims' shape, how relativities moved."""
    km = np.array([LITTLE_KM, MUCH_KM])
    return {
        "signals": {
            name: {
                "class_mean": found.mean,
                "k_km": found.k if np.isfinite(found.k) else None,
                **dict(zip(("z_at_200_km", "z_at_20000_km"), map(float, found.credibility(km)), strict=True)),
            }
            for name, found in joint.signals.items()
        },
        "tables": None if joint.tables is None else [table.name for table in joint.tables.tables],
        "own_claims": None if joint.experience is None else msgspec.to_builtins(joint.experience),
        "relativities": msgspec.to_builtins(moved(joint, one)),
    }
