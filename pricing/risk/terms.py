"""Terms of a GLM: how each factor becomes columns. A term is data, so a model can be kept and read back."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from scipy import interpolate, sparse

from pricing.risk.columns import Book, Floats, Ints
from pricing.risk.contract import Contract, Factor

DEGREE = 3
POOLED = "(thin levels)"
MISSING = "missing"


class Term(msgspec.Struct, frozen=True):
    """Columns of one factor.

    classes: the name of each column's class after the base (class 0, no column); `class_of` gives each level or band
             its class. A line or spline has no classes but `knots` (two: a line about `centre`).
    """

    name: str
    column: str
    classes: tuple[str, ...] = ()
    class_of: tuple[int, ...] = ()
    bands: tuple[float, ...] = ()
    knots: tuple[float, ...] = ()
    centre: float = 0.0
    has_missing: bool = False
    product: tuple["Term", ...] = ()


def terms_of(contract: Contract, book: Book) -> tuple[Term, ...]:
    """A term a factor and interaction. Thin levels are pooled by exposure, never by what they claim."""
    single = {factor.name: _term(factor, book, contract.pool_below_years) for factor in contract.factors}
    products = tuple(
        Term(f"{one} x {two}", "", product=(single[one], single[two])) for one, two in contract.interactions
    )
    return tuple(term for term in single.values() if _width(term)) + products


def _width(term: Term) -> int:
    return max(len(term.classes) - 1, 0) or (len(term.knots) > 0)


def _term(factor: Factor, book: Book, pool_below: float) -> Term:
    value = book.values[factor.name]
    missing = bool(np.isnan(value).any())
    if factor.kind == "categorical" or factor.bands:
        names = list(book.levels[factor.name]) if factor.kind == "categorical" else _band_names(factor.bands)
        codes = _codes(value, factor.bands, len(names))
        years = np.bincount(codes, weights=book.exposure_years, minlength=len(names) + 1)
        return _classed(factor, [*names, MISSING], years, pool_below)
    present = value[~np.isnan(value)]
    if len(present) == 0 or present.min() == present.max():
        return Term(factor.name, factor.name)
    ends = [float(present.min()), float(present.max())]
    inner = np.unique(np.quantile(present, np.linspace(0, 1, factor.knots + 2)[1:-1]))
    inner = inner[(inner > ends[0]) & (inner < ends[1])]
    knots = [ends[0], *map(float, inner), ends[1]] if factor.knots else ends
    spline = tuple(ends[:1] * DEGREE + knots + ends[1:] * DEGREE) if factor.knots else tuple(knots)
    centre = float(np.average(present, weights=book.exposure_years[~np.isnan(value)]))
    return Term(factor.name, factor.name, knots=spline, centre=centre, has_missing=missing)


def _classed(factor: Factor, names: list[str], years: Floats, pool_below: float) -> Term:
    thin = (years < pool_below) | (years <= 0)
    base = int(np.argmax(years))
    thin[base] = False
    own = [place for place in range(len(names)) if not thin[place] and place != base]
    classes = [names[base], *(names[place] for place in own)]
    class_of = {place: number for number, place in enumerate([base, *own])}
    pooled = [place for place in range(len(names)) if thin[place] and years[place] > 0]
    if pooled and sum(years[place] for place in pooled) > 0:
        classes.append(POOLED)
    fallback = len(classes) - 1 if pooled else 0
    return Term(
        factor.name,
        factor.name,
        tuple(classes),
        tuple(class_of.get(place, fallback) for place in range(len(names))),
        factor.bands,
    )


def _band_names(bands: Sequence[float]) -> list[str]:
    below = [f"below {bands[0]:g}"]
    return below + [f"{low:g} to {high:g}" for low, high in pairwise(bands)] + [f"from {bands[-1]:g}"]


def _codes(value: Floats, bands: Sequence[float], size: int) -> Ints:
    """The place of each value's level or band; `size` where it is missing."""
    placed = np.searchsorted(np.array(bands), value, side="right") if bands else np.nan_to_num(value)
    return np.where(np.isnan(value), size, placed).astype(np.int64)


def columns(term: Term, book: Book) -> sparse.csc_matrix:
    """The columns of a term, shape (n, width)."""
    if term.product:
        return _product(columns(term.product[0], book), columns(term.product[1], book))
    value = book.values[term.column]
    if term.classes:
        place = np.array(term.class_of)[_codes(value, term.bands, len(term.class_of) - 1)]
        rows = np.flatnonzero(place > 0)
        shape = (len(value), len(term.classes) - 1)
        return sparse.csc_matrix((np.ones(len(rows)), (rows, place[rows] - 1)), shape=shape)
    return _numeric(term, value)


def _numeric(term: Term, value: Floats) -> sparse.csc_matrix:
    known = ~np.isnan(value)
    inside = np.clip(np.where(known, value, term.centre), term.knots[0], term.knots[-1])
    if len(term.knots) == 2:
        basis = sparse.csc_matrix((np.where(known, value, term.centre) - term.centre)[:, None])
    else:
        basis = interpolate.BSpline.design_matrix(inside, np.array(term.knots), DEGREE).tocsc()[:, 1:]
    if not term.has_missing:
        return basis
    present = sparse.diags(known.astype(np.float64))
    return sparse.hstack([present @ basis, sparse.csc_matrix((~known).astype(np.float64)[:, None])], format="csc")


def _product(one: sparse.csc_matrix, two: sparse.csc_matrix) -> sparse.csc_matrix:
    parts = [one.multiply(two[:, [column]]) for column in range(two.shape[1])]
    return sparse.hstack(parts, format="csc")


def design(terms: Sequence[Term], book: Book) -> tuple[sparse.csc_matrix, list[slice]]:
    """All columns of the terms, shape (n, p), and where each term's columns stand."""
    parts = [columns(term, book) for term in terms]
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    where = [slice(int(low), int(high)) for low, high in pairwise(ends)]
    whole = sparse.hstack(parts, format="csc") if parts else sparse.csc_matrix((len(book), 0))
    return whole, where
