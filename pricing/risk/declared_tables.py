"""The surrogate of a book with driving signals: trees of what is declared, beside what was driven, as tables.

A plan reads driving through its score model and its rates a km, and tables only of what is declared. So the effect that
the joint refit gives to driving, measured km among it, is exposure here: trees and tables learn claims beside it, and
nothing that it says is charged again. Declared km are read where nothing is measured: their table is learned beside the
other tables, without driving.
"""

from dataclasses import replace

import msgspec
import numpy as np

from pricing.risk import boosting, glm, tables
from pricing.risk.columns import Book, Floats
from pricing.risk.contract import Contract, Factor
from pricing.risk.credibility import BuhlmannStraub
from pricing.risk.joint import DECLARED_KM, Joint, believed
from pricing.risk.tables import Table, Tariff
from pricing.risk.terms import columns


def distil_declared(contract: Contract, learn: Book, joint: Joint, seed: int) -> Tariff | None:
    """Tables of the declared factors beside driving, and of declared km beside those; None where nothing else is
    declared. Its base is claims a year where the effect of driving is 1.
    """
    declared = [factor for factor in contract.factors if not factor.driving]
    others = [factor for factor in declared if factor.name != DECLARED_KM]
    if not others:
        return None
    driven = driving_effect(contract, joint, learn)
    mean = float(np.average(driven, weights=learn.exposure_years))
    found = _distilled(contract, others, _weighed(learn, driven / mean), seed)
    found = Tariff(found.base / mean, found.tables)
    km = [factor for factor in declared if factor.name == DECLARED_KM]
    if not km:
        return found
    beside = tables.rate(Tariff(1.0, found.tables), learn)
    return Tariff(found.base, (*found.tables, *_distilled(contract, km, _weighed(learn, beside), seed).tables))


def rate(contract: Contract, joint: Joint, book: Book) -> Floats:
    """Claims a year of each row (n,) by those tables and what was driven."""
    assert joint.tables is not None
    return tables.rate(Tariff(joint.tables.base, _measured(joint.tables)), book) * driving_effect(contract, joint, book)


def driving_effect(contract: Contract, joint: Joint, book: Book) -> Floats:
    """What the refit's chosen terms of driving multiply the rate by, (n,), each signal as far as it is believed."""
    seen, linear, where = believed(joint.signals, book), np.zeros(len(book)), glm.places(joint.chosen, book)
    for term in joint.chosen.terms:
        if any(contract.factor(name).driving for name in term.name.split(" x ")):
            linear += columns(term, seen) @ np.array(joint.chosen.coefficients[where[term.name]])
    return np.asarray(np.exp(linear))


def with_bases(contract: Contract, found: Joint, severity: glm.Glm | None, learn: Book) -> Joint:
    """The refit with the claims a km that a plan of it expects of its base classes: claims over km times relativities.

    Those of the plan are frequency x severity, so they are here: what is expected of the whole book is what came. Km,
    measured or declared, are exposure and no relativity.
    """
    assert learn.km is not None
    seen, km = believed(found.signals, learn), np.nan_to_num(learn.km)
    driven = _added(contract, found.chosen, seen, found.signals, of_driving=True)
    cost = 0.0 if severity is None else _added(contract, severity, seen, {}, of_driving=False)
    beside = km * np.exp(driven + cost)
    claims = float(learn.claims[km > 0].sum())
    declared = np.exp(_added(contract, found.chosen, seen, {}, of_driving=False))
    found = msgspec.structs.replace(found, base_claims_per_km=claims / float(np.sum(beside * declared)))
    if found.tables is None:
        return found
    by_tables = tables.rate(Tariff(1.0, _measured(found.tables)), learn)
    return msgspec.structs.replace(found, tables_base_claims_per_km=claims / float(np.sum(beside * by_tables)))


def _added(
    contract: Contract, fitted: glm.Glm, seen: Book, signals: dict[str, BuhlmannStraub], *, of_driving: bool
) -> Floats:
    """What the terms of driving, or those of what is declared, add to the logarithm, (n,): each from its base class, a
    line from its mean, a signal from the class mean.
    """
    added, one = np.zeros(len(seen)), seen.take(np.zeros(1, dtype=np.intp))
    for term in fitted.terms:
        names = term.name.split(" x ")
        factors = [contract.factor(name) for name in names]
        if DECLARED_KM in names or any(one.per_year for one in factors):
            continue
        if any(one.driving for one in factors) is not of_driving:
            continue
        coefficients = np.array(fitted.coefficients[glm.places(fitted, one)[term.name]])
        added += columns(term, seen) @ coefficients
        if not term.classes and not term.product:
            centre = signals[term.name].mean if term.name in signals else term.centre
            added -= float((columns(term, one.with_column(term.column, np.array([centre]))) @ coefficients)[0])
    return added


def _measured(tariff: Tariff) -> tuple[Table, ...]:
    """The tables for a pay plan that measures km."""
    return tuple(one for one in tariff.tables if one.name != DECLARED_KM)


def _weighed(book: Book, effect: Floats) -> Book:
    """The rows with their effect as exposure: what is learned comes beside it (an offset of a Poisson model)."""
    return replace(book, exposure_years=book.exposure_years * effect)


def _distilled(contract: Contract, factors: list[Factor], book: Book, seed: int) -> Tariff:
    alone = msgspec.structs.replace(contract, factors=tuple(factors), interactions=())
    observed = book.claims / book.exposure_years
    trees = boosting.fit_boosted("poisson", alone, book, observed, book.exposure_years, seed)
    return tables.distil(alone, book, boosting.rate(trees, book), book.claims)
