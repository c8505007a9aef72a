"""The path of a book: quotes, conversions, then term by term what is driven, claimed, asked for, and who renews.

Quotes come in blocks, each from its own generator, so a larger book keeps the policies of a smaller one and memory does
not grow with the book.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute

from simulator.book import tables
from simulator.book.claims import draw_claims, true_mean
from simulator.book.customers import Bools, Floats, draw_customers
from simulator.book.in_force import in_force
from simulator.book.prices import (
    BEHAVIOUR_PRICED,
    MEASURED_PLANS,
    behaviour_relativity,
    choose_plan,
    conversion,
    log_effect,
    market_price,
    plan_discount,
    score_of,
    tariff,
)
from simulator.book.renewals import bad_service, contacts, draw_actions, lapse_chance
from simulator.book.terms import (
    FOR_ANOTHER_REASON,
    LAPSED,
    NO_POLICY,
    NONE,
    Carried,
    Insured,
    Term,
    World,
    age_on,
    anniversary,
)
from simulator.errors import EmptyBook
from simulator.seeds import BOOK, generator

QUOTES_A_BLOCK = 32_768
LEAST_SOLD_A_BLOCK = 50  # a formula that converts fewer is refused, not waited for
DAYS_A_YEAR = 365.25

type Found = dict[str, list[pa.Table]]


def simulate_book(world: World, progress: Callable[[int, int], None] | None = None) -> Iterator[dict[str, pa.Table]]:
    """The tables of a book, block after block; the same world gives the same rows in every process.

    Tables of one name belong below each other. `progress` is called with (policies made, all).
    Raises EmptyBook when the formula's prices convert almost nobody.
    """
    wanted = world.scope.policies
    made = block = 0
    while made < wanted:
        rng = generator(world.scope.seed, BOOK, block)
        found: Found = {}
        insured, carried = _sell(world, made, block, found, rng)
        if len(insured) < LEAST_SOLD_A_BLOCK:
            raise EmptyBook(world.formula.name, QUOTES_A_BLOCK, len(insured))
        _live(world, insured, carried, found, rng)
        made += len(insured)
        block += 1
        last_quote = _quote_of(found, wanted - 1)
        yield {name: _until(pa.concat_tables(parts), wanted, last_quote) for name, parts in found.items()}
        if progress is not None:
            progress(min(made, wanted), wanted)


def _quote_of(found: Found, policy: int) -> int | None:
    """The quote that became the policy, if it is in this block."""
    quotes = found["quotes"][0]
    of_policy = quotes.filter(pa.compute.equal(quotes["policy"], policy))["quote"]
    return int(of_policy[0].as_py()) if len(of_policy) else None


def _until(table: pa.Table, policies: int, last_quote: int | None) -> pa.Table:
    """Without policies past the number asked for, and without quotes past the last one's."""
    if "quote" not in table.column_names:
        return table.filter(pa.compute.less(table["policy"], policies))
    return table if last_quote is None else table.filter(pa.compute.less_equal(table["quote"], last_quote))


def _add(found: Found, **rows: tables.Table) -> None:
    for name, table in rows.items():
        found.setdefault(name, []).append(tables.as_arrow(table))


def _sell(
    world: World, first_policy: int, block: int, found: Found, rng: np.random.Generator
) -> tuple[Insured, Carried]:
    """The policies that a block of quotes becomes, with their first price."""
    scope, formula = world.scope, world.formula
    people = draw_customers(QUOTES_A_BLOCK, formula, world.behaviour, scope.first, scope.years, rng)
    plan, sharing = choose_plan(formula, people, rng)
    year, age = scope.year_of(people.first_day), age_on(people, people.first_day)
    price = tariff(formula, people, age, people.declared_km, year) * plan_discount(formula, plan)[:, None]
    market = market_price(formula, people, age, year, rng)
    chance = conversion(formula, people, price.sum(axis=1), market)
    rows = np.flatnonzero(rng.random(len(people)) < chance)
    policy = np.full(len(people), NO_POLICY)
    policy[rows] = first_policy + np.arange(len(rows))
    lasts_days = rng.exponential(DAYS_A_YEAR / formula.lapse.other_reason, len(people))
    asked = Insured(policy, people, plan, sharing, people.first_day + (1 + lasts_days).astype("timedelta64[D]"))
    first_quote = block * QUOTES_A_BLOCK
    insured = asked.chosen(rows)
    _add(
        found,
        quotes=tables.quotes(world, first_quote, asked, price.sum(axis=1), market, age),
        truth_quotes=tables.quotes_truth(first_quote, chance),
        truth_policies=tables.policies_truth(insured),
    )
    return insured, Carried(price[rows], np.full(len(rows), np.nan))


def _live(world: World, insured: Insured, carried: Carried, found: Found, rng: np.random.Generator) -> None:
    """All terms of a block's policies, until each has ended or the book has."""
    ended_on, why = np.full(len(insured), NONE), np.zeros(len(insured), dtype=np.int64)
    active = np.arange(len(insured))
    for number in range(world.scope.years):
        begun = np.flatnonzero(anniversary(insured.customers.first_day[active], number) < world.scope.after)
        active, carried = active[begun], carried.chosen(begun)
        now = insured.chosen(active)
        term = _drive(world, now, number, rng)
        lapsed, taken_along = _serve(world, now, term, carried, found, rng)
        other = (now.other_end <= term.ends) & (now.other_end < world.scope.after)
        gone = other | lapsed
        ended_on[active[gone]] = term.ends[gone]
        why[active] = np.where(other, FOR_ANOTHER_REASON, np.where(lapsed, LAPSED, 0))
        stays = np.flatnonzero(~gone)
        active, carried = active[stays], taken_along.chosen(stays)
    _add(found, policies=tables.policies(world, insured, ended_on, why))


def _drive(world: World, insured: Insured, number: int, rng: np.random.Generator) -> Term:
    people, km = insured.customers, world.formula.km
    begins, full = anniversary(people.first_day, number), anniversary(people.first_day, number + 1)
    ends = np.minimum(np.minimum(full, world.scope.after), insured.other_end)
    years = (ends - begins).astype(np.float64) / (full - begins).astype(np.float64)
    km_per_year = people.km_per_year * np.exp(km.year_log_sigma * rng.standard_normal(len(insured)))
    driven_km = np.maximum(np.round(km_per_year * years), 1.0)
    features = world.behaviour.driven(people.habits, driven_km, rng)
    return Term(number, begins, ends, years, world.scope.year_of(begins), age_on(people, begins), driven_km, features)


def _serve(
    world: World, insured: Insured, term: Term, carried: Carried, found: Found, rng: np.random.Generator
) -> tuple[Bools, Carried]:
    """Claims, service and renewal of a term: who lapses, and what each would bring into the next term."""
    formula, people = world.formula, insured.customers
    means = true_mean(formula, people, term.age, term.km / term.years, term.features, term.years)
    of_driver = means * people.heterogeneity[:, None]
    claims = draw_claims(formula, people, of_driver, term.begins, term.days, term.book_year, rng)
    count = np.bincount(claims.row, minlength=len(insured))
    measured = np.isin(insured.plan, [list(formula.pay_plan).index(name) for name in MEASURED_PLANS])
    asked = contacts(formula, people, measured, count, term.years, rng)
    was_bad = bad_service(formula, count, rng)
    log = log_effect(term.features, term.km, people.is_phone)
    score = np.where(insured.sharing > 0, score_of(log), np.nan)
    _add(
        found,
        exposure=tables.exposure(world, insured, term, carried.price, claims, score),
        in_force=in_force(world, insured, term),
        truth_exposure=tables.exposure_truth(world, insured, term, means),
        claims=tables.claims_known(world, insured, term, claims),
        truth_claims=tables.claims_truth(world, insured, term, claims),
        service=tables.service(world, insured, term, asked, was_bad),
    )
    offered = _offer(world, insured, term, log)
    market = market_price(formula, people, term.age + 1, term.book_year + 1, rng)
    chances = lapse_chance(
        formula,
        people,
        offered=offered.sum(axis=1),
        last=carried.price.sum(axis=1),
        market=market,
        was_bad=was_bad,
        had_claim=count > 0,
        score_gain=np.nan_to_num(score - carried.score),
        years_with_us=np.full(len(insured), term.number + 1.0),
    )
    action = draw_actions(formula, len(insured), rng)
    leaves = rng.random(len(insured)) < chances[np.arange(len(insured)), action]
    renews = (term.ends == anniversary(people.first_day, term.number + 1)) & (term.ends < insured.other_end)
    rows = np.flatnonzero(renews & (term.ends < world.scope.after))
    asked_again = insured.chosen(rows)
    of_rows = term.chosen(rows)
    _add(
        found,
        renewals=tables.renewals(
            world,
            asked_again,
            of_rows,
            last=carried.price[rows].sum(axis=1),
            offered=offered[rows].sum(axis=1),
            market=market[rows],
            action=action[rows],
            leaves=leaves[rows],
        ),
        truth_renewals=tables.renewals_truth(world, asked_again, of_rows, chances[rows]),
    )
    lapsed = np.zeros(len(insured), dtype=np.bool_)
    lapsed[rows] = leaves[rows]
    return lapsed, Carried(offered, score)


def _offer(world: World, insured: Insured, term: Term, log: Floats) -> Floats:
    """The price of the next year by cover, euro, shape (n, covers): measured km and behaviour where they are shared."""
    formula, people = world.formula, insured.customers
    plans = list(formula.pay_plan)
    is_measured = np.isin(insured.plan, [plans.index(name) for name in MEASURED_PLANS])
    km = np.where(is_measured, term.km / term.years, people.declared_km)
    price = tariff(formula, people, term.age + 1, km, term.book_year + 1)
    relativity = np.where(insured.plan == plans.index(BEHAVIOUR_PRICED), behaviour_relativity(formula, log), 1.0)
    return price * (plan_discount(formula, insured.plan) * relativity)[:, None]
