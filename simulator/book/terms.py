"""What a block's policies and terms are: the values that the steps of a book pass along."""

from dataclasses import dataclass

import numpy as np

from simulator.book.behaviour import Behaviour
from simulator.book.customers import Codes, Customers, Days, Floats
from simulator.book.formula import Formula

NO_POLICY = -1
FOR_ANOTHER_REASON, LAPSED = 1, 2
NONE = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for: so many policies, over the years that begin on `first`, from a seed."""

    policies: int
    years: int
    first: np.datetime64
    seed: int

    @property
    def after(self) -> np.datetime64:
        """The first day after the book: nothing later is known."""
        return np.datetime64(anniversary(np.array([self.first]), self.years)[0])

    def year_of(self, day: Days) -> Codes:
        """Which year of the book a day is in, from 0; shape (n,)."""
        return (day - self.first).astype(np.int64) * 100 // 36525


@dataclass(frozen=True, slots=True)
class World:
    """All that a book is made from."""

    scope: Scope
    formula: Formula
    behaviour: Behaviour


@dataclass(frozen=True, slots=True)
class Insured:
    """n policies: the customers, the codes of what they chose, and when each ends if it does not lapse."""

    policy: Codes
    customers: Customers
    plan: Codes
    sharing: Codes
    other_end: Days

    def __len__(self) -> int:
        return len(self.policy)

    def chosen(self, rows: Codes) -> "Insured":
        """The policies at `rows`."""
        return Insured(
            self.policy[rows], self.customers.chosen(rows), self.plan[rows], self.sharing[rows], self.other_end[rows]
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """What n policies bring into a term: their price of a year by cover (n, covers), euro; the score, NaN if none."""

    price: Floats
    score: Floats

    def chosen(self, rows: Codes) -> "Carried":
        """The policies at `rows`."""
        return Carried(self.price[rows], self.score[rows])


@dataclass(frozen=True, slots=True)
class Term:
    """One term of n policies as driven: [begins, ends), its part of a year, age, km, behaviour (n, features)."""

    number: int
    begins: Days
    ends: Days
    years: Floats
    book_year: Codes
    age: Codes
    km: Floats
    features: Floats

    def chosen(self, rows: Codes) -> "Term":
        """The terms at `rows`."""
        return Term(
            self.number,
            self.begins[rows],
            self.ends[rows],
            self.years[rows],
            self.book_year[rows],
            self.age[rows],
            self.km[rows],
            self.features[rows],
        )

    @property
    def days(self) -> Codes:
        """How long it lasts."""
        return (self.ends - self.begins).astype(np.int64)


def anniversary(day: Days, years: int) -> Days:
    """The same day of the calendar `years` later; no `day` is 29 February."""
    month = day.astype("datetime64[M]")
    later = (month + np.timedelta64(12 * years, "M")).astype("datetime64[D]")
    return np.asarray(later + (day - month.astype("datetime64[D]")))


def age_on(customers: Customers, day: Days) -> Codes:
    """Age in whole years by the year of birth, shape (n,)."""
    return day.astype("datetime64[Y]").astype(np.int64) + 1970 - customers.birth_year
