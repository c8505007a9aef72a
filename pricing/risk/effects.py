"""What a model says of one factor or of two together: relativities at any values, and where its bands begin.

Of the GLM, or of the tables distilled from the trees; times severity, where the severity model kept the factor.
"""

from collections.abc import Sequence

import numpy as np

from pricing.risk import tables
from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book, Floats
from pricing.risk.errors import NoTable
from pricing.risk.glm import Glm
from pricing.risk.joint import DECLARED_KM
from pricing.risk.tables import Table, Tariff
from pricing.risk.terms import Term, columns

NEAR = 1e-9  # what the logarithm of a whole number and back may lose

type Names = tuple[str, ...]


class Effects:
    """A model's relativities, by the GLM or by the surrogate tariff. Raises NoTable where it has no tariff."""

    def __init__(self, model: RiskModel, *, surrogate: bool) -> None:
        if surrogate and model.tariff is None:
            raise NoTable(model.contract.name, "the model has no tables: it was fitted by --glm-only")
        tariff = model.tariff if model.joint is None else model.joint.tables
        if surrogate and tariff is None:
            raise NoTable(model.contract.name, "the model has no tables beside its driving signals: fit it again")
        self.model, self.surrogate, self.tariff = model, surrogate, tariff if surrogate else None

    def pairs(self, factors: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs that have relativities of their own. Raises NoTable where one of a pair, or of the tariff's tables,
        is none of these factors: what it says would be lost.
        """
        found = [] if self.tariff is None else [_names(table) for table in self.tariff.tables]
        for fitted in (self._frequency(()), self.model.severity):
            terms = () if fitted is None else fitted.terms
            products = [tuple(part.name for part in term.product) for term in terms if term.product]
            of_glm = self.surrogate and fitted is not self.model.severity  # the trees say it, but for what was driven
            found += [names for names in products if not of_glm or any(map(self._is_driving, names))]
        for names in found:
            for name in names:
                if name not in factors:
                    raise NoTable(" x ".join(names), self._why_not(name))
        order = [factor.name for factor in self.model.contract.factors]
        pairs = dict.fromkeys(tuple(sorted(names, key=order.index)) for names in found if len(names) == 2)
        return [(one, two) for one, two in pairs]

    def _is_driving(self, name: str) -> bool:
        return self.model.contract.factor(name).driving

    def _why_not(self, name: str) -> str:
        if self._is_driving(name):
            return f"{name} is a driving signal, which a plan reads through the score"
        return f"the plan has no factor {name}, and what it says cannot be left out: give it one, at any relativity"

    def edges(self, names: Names, factor: str) -> tuple[int, ...]:
        """Whole numbers at which a factor's bands begin in the table of `names`; none of a curve.

        Raises NoTable where the GLM's bands begin at no whole number.
        """
        fitted = self.model.contract.factor(factor)
        axes = [axis for table in self._tables(names) for axis in table.axes if axis.factor == factor]
        if axes:  # a plan reads whole numbers: those from an edge on are those from the next whole number on
            numbers = (np.exp(edge) * (1 - NEAR) if fitted.log else edge for edge in axes[0].bands)
            return tuple(sorted({int(np.ceil(number)) for number in numbers}))
        if any(edge != int(edge) for edge in fitted.bands):
            raise NoTable(factor, "its bands must begin at whole numbers")
        return tuple(int(edge) for edge in fitted.bands)

    def of(self, names: Names, values: tuple[Floats, ...]) -> Floats:
        """Frequency x severity at values (n,) of each of the factors: whole numbers, or codes of levels; (n,)."""
        at = {name: self._as_fitted(name, value) for name, value in zip(names, values, strict=True)}
        severity = _effect(self.model.severity, at)
        if self.tariff is not None:
            return tables.rate(Tariff(1.0, tuple(self._tables(names))), _book(at)) * severity
        return _effect(self._frequency(names), at) * severity

    def _as_fitted(self, name: str, value: Floats) -> Floats:
        return np.log(np.maximum(value, 1.0)) if self.model.contract.factor(name).log else value

    def _tables(self, names: Names) -> list[Table]:
        return [one for one in self.tariff.tables if set(_names(one)) == set(names)] if self.tariff else []

    def _frequency(self, names: Names) -> Glm | None:
        joint = self.model.joint
        if joint is None:
            return self.model.glm
        return joint.unmeasured if names == (DECLARED_KM,) else joint.chosen


def _names(table: Table) -> Names:
    return tuple(axis.factor for axis in table.axes)


def _effect(fitted: Glm | None, at: dict[str, Floats]) -> Floats:
    """exp of the term's part at the values, against its base class or the mean; 1 where the model left it out."""
    one, first = _book(at), 0
    for term in fitted.terms if fitted is not None else ():
        base = _book({part.column: np.array([_base(part)]) for part in term.product or (term,)})
        width = columns(term, base).shape[1]
        if {part.name for part in term.product or (term,)} == set(at) and fitted is not None:
            coefficients = np.array(fitted.coefficients[first : first + width])
            part, of_base = (columns(term, book) @ coefficients for book in (one, base))
            return np.asarray(np.exp(part - of_base))
        first += width
    return np.ones(len(one))


def _base(term: Term) -> float:
    """A value of the base class; of a curve the mean."""
    if not term.classes:
        return term.centre
    place = term.class_of.index(0)
    if not term.bands:
        return float(place)
    return term.bands[place - 1] if place else term.bands[0] - 1.0


def _book(at: dict[str, Floats]) -> Book:
    """A book of these columns, (n,) each."""
    rows = len(next(iter(at.values())))
    ones = np.ones(rows)
    return Book(np.zeros(rows, dtype=np.int64), ones, ones, None, at, {}, None, "")
