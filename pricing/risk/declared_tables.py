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
from pricing.risk.joint import DECLARED_KM, Joint, believed
from pricing.risk.tables import Tariff
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
    measured = tuple(one for one in joint.tables.tables if one.name != DECLARED_KM)
    return tables.rate(Tariff(joint.tables.base, measured), book) * driving_effect(contract, joint, book)


def driving_effect(contract: Contract, joint: Joint, book: Book) -> Floats:
    """What the refit's chosen terms of driving multiply the rate by, (n,), each signal as far as it is believed."""
    seen, linear, where = believed(joint.signals, book), np.zeros(len(book)), glm.places(joint.chosen, book)
    for term in joint.chosen.terms:
        if any(contract.factor(name).driving for name in term.name.split(" x ")):
            linear += columns(term, seen) @ np.array(joint.chosen.coefficients[where[term.name]])
    return np.asarray(np.exp(linear))


def _weighed(book: Book, effect: Floats) -> Book:
    """The rows with their effect as exposure: what is learned comes beside it (an offset of a Poisson model)."""
    return replace(book, exposure_years=book.exposure_years * effect)


def _distilled(contract: Contract, factors: list[Factor], book: Book, seed: int) -> Tariff:
    alone = msgspec.structs.replace(contract, factors=tuple(factors), interactions=())
    observed = book.claims / book.exposure_years
    trees = boosting.fit_boosted("poisson", alone, book, observed, book.exposure_years, seed)
    return tables.distil(alone, book, boosting.rate(trees, book), book.claims)
