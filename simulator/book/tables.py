"""The tables of a book. Those named `truth_` hold what nobody could know; the others what an insurer would have."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator.book.behaviour import FEATURES
from simulator.book.claims import Claims
from simulator.book.customers import TEMPERS, Codes, Days, Floats
from simulator.book.formula import CHANNELS, levels
from simulator.book.prices import PHONE, SHARING
from simulator.book.terms import NO_POLICY, Insured, Term, World

type Column = NDArray[np.generic] | pa.Array
type Table = dict[str, Column]

END_REASONS = ("in_force", "other_reason", "lapsed")


def named(codes: Codes, names: Sequence[str]) -> pa.Array:
    """The names of codes."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(names, pa.string()))


def _known(values: Floats) -> pa.Array:
    """NaN is null."""
    return pa.array(values, pa.float64(), from_pandas=True)


def _cents(euro: Floats) -> Codes:
    return np.round(100.0 * euro).astype(np.int64)


def quotes(world: World, first: int, insured: Insured, offered: Floats, market: Floats, age: Codes) -> Table:
    """One row a quote; `policy` is null where it was not taken."""
    people, formula = insured.customers, world.formula
    return {
        "quote": first + np.arange(len(people)),
        "policy": pa.array(insured.policy, mask=insured.policy == NO_POLICY),
        "quoted_on": people.first_day,
        "territory": named(people.territory, list(formula.territory)),
        "vehicle_class": named(people.vehicle_class, list(formula.vehicle_class)),
        "driver_age": age,
        "declared_km_per_year": people.declared_km.astype(np.int64),
        "pay_plan": named(insured.plan, list(formula.pay_plan)),
        "data_sharing": named(insured.sharing, SHARING),
        "channel": named(people.digital.astype(np.int64), ("agent", "direct")),
        "premium_cents": _cents(offered),
        "market_premium_cents": _cents(market),
        "converted": insured.policy != NO_POLICY,
    }


def quotes_truth(first: int, chance: Floats) -> Table:
    """The probability of taking each quote."""
    return {"quote": first + np.arange(len(chance)), "conversion_chance": chance}


def policies(world: World, insured: Insured, ends: Days, why: Codes) -> Table:
    """One row a policy: what it began with, and how it ended; `ended_on` is null while in force."""
    people, formula = insured.customers, world.formula
    return {
        "policy": insured.policy,
        "starts_on": people.first_day,
        "ended_on": ends,
        "end_reason": named(why, END_REASONS),
        "territory": named(people.territory, list(formula.territory)),
        "vehicle_class": named(people.vehicle_class, list(formula.vehicle_class)),
        "vehicle_age": people.vehicle_age,
        "birth_year": people.birth_year,
        "declared_km_per_year": people.declared_km.astype(np.int64),
        "pay_plan": named(insured.plan, list(formula.pay_plan)),
        "data_sharing": named(insured.sharing, SHARING),
        "device_kind": named(people.is_phone.astype(np.int64), ("box", "phone")),
        "channel": named(people.digital.astype(np.int64), ("agent", "direct")),
        "household_vehicles": people.household_vehicles,
        "household_vehicles_with_us": people.household_with_us,
        "consent_marketing": people.consent_marketing,
        "consent_personal_offers": people.consent_personal_offers,
    }


def policies_truth(insured: Insured) -> Table:
    """The latent traits of each policy's driver."""
    people = insured.customers
    habits = {f"habit_{name}": people.habits[:, column] for column, name in enumerate(FEATURES)}
    return {
        "policy": insured.policy,
        "km_per_year": people.km_per_year,
        "heterogeneity": people.heterogeneity,
        "price_sensitivity": people.price_sensitivity,
        "temper": named(people.temper, TEMPERS),
        **habits,
    }


def exposure(world: World, insured: Insured, term: Term, price: Floats, claims: Claims, score: Floats) -> Table:
    """One row a policy and term: exposure, premium earned, what was driven, and the claims reported by the book's end.

    Behaviour is null where none is shared, phone use also where a box measures; km are those of the odometer.
    """
    people, formula = insured.customers, world.formula
    known = claims.reported_on < world.scope.after
    shares = insured.sharing > 0
    table: Table = {
        "policy": insured.policy,
        "term": np.full(len(insured), term.number),
        "starts_on": term.begins,
        "ends_on": term.ends,
        "exposure_years": term.years,
        "distance_km": term.km,
        "driver_age": term.age,
        "territory": named(people.territory, list(formula.territory)),
        "vehicle_class": named(people.vehicle_class, list(formula.vehicle_class)),
        "vehicle_age": people.vehicle_age + term.number,
        "declared_km_per_year": people.declared_km.astype(np.int64),
        "pay_plan": named(insured.plan, list(formula.pay_plan)),
        "score": _known(score),
    }
    for column, name in enumerate(FEATURES):
        measured = shares & people.is_phone if column == PHONE else shares
        table[name] = _known(np.where(measured, term.features[:, column], np.nan))
    for code, cover in enumerate(formula.cover):
        of_cover = known & (claims.cover == code)
        table[f"{cover}_premium_cents"] = _cents(price[:, code] * term.years)
        table[f"{cover}_claims"] = np.bincount(claims.row[of_cover], minlength=len(insured))
    return table


def exposure_truth(world: World, insured: Insured, term: Term, means: Floats) -> Table:
    """The true mean of each term's claims by cover, with heterogeneity and without, that of a claim's amount (euro, but
    for the cap), and all that was driven.
    """
    table: Table = {"policy": insured.policy, "term": np.full(len(insured), term.number)}
    severity = levels(world.formula.vehicle_class, "severity")[insured.customers.vehicle_class]
    severity = severity * (1.0 + world.formula.amounts.inflation) ** term.book_year
    for code, (cover, truth) in enumerate(world.formula.cover.items()):
        table[f"{cover}_mean"] = means[:, code]
        table[f"{cover}_mean_of_driver"] = means[:, code] * insured.customers.heterogeneity
        table[f"{cover}_mean_amount"] = truth.expected_amount * severity
    return table | {f"driven_{name}": term.features[:, column] for column, name in enumerate(FEATURES)}


def claims_known(world: World, insured: Insured, term: Term, claims: Claims) -> Table:
    """One row a claim reported before the book's end; its amount is null until it is settled."""
    after = world.scope.after
    rows = np.flatnonzero(claims.reported_on < after)
    settled = claims.settled_on[rows] < after
    return _claims(world, insured, term, claims, rows) | {
        "settled_on": pa.array(claims.settled_on[rows], mask=~settled),
        "amount_cents": pa.array(claims.amount_cents[rows], mask=~settled),
    }


def claims_truth(world: World, insured: Insured, term: Term, claims: Claims) -> Table:
    """All claims with their amounts, reported in time or not."""
    rows = np.arange(len(claims.row))
    return _claims(world, insured, term, claims, rows) | {
        "settled_on": claims.settled_on,
        "amount_cents": claims.amount_cents,
    }


def _claims(world: World, insured: Insured, term: Term, claims: Claims, rows: NDArray[np.intp]) -> Table:
    return {
        "policy": insured.policy[claims.row[rows]],
        "term": np.full(len(rows), term.number),
        "cover": named(claims.cover[rows], list(world.formula.cover)),
        "occurred_on": claims.occurred_on[rows],
        "reported_on": claims.reported_on[rows],
    }


def service(world: World, insured: Insured, term: Term, contacts: Codes, was_bad: NDArray[np.bool_]) -> Table:
    """One row a policy and term: contacts by channel and what they cost, and whether one left a bad experience."""
    costs = np.array([channel.cost for channel in world.formula.service.channels.values()])
    return {
        "policy": insured.policy,
        "term": np.full(len(insured), term.number),
        **{f"{name}_contacts": contacts[:, column] for column, name in enumerate(CHANNELS)},
        "cost_cents": _cents(contacts @ costs),
        "bad_service": was_bad,
    }


def renewals(
    world: World,
    insured: Insured,
    term: Term,
    *,
    last: Floats,
    offered: Floats,
    market: Floats,
    action: Codes,
    leaves: NDArray[np.bool_],
) -> Table:
    """One row a renewal: prices of a year, the action by lot and its cost, and whether the policy lapsed."""
    actions = world.formula.actions
    costs = np.array([each.cost for each in actions.values()])
    return {
        "policy": insured.policy,
        "term": np.full(len(insured), term.number),
        "renews_on": term.ends,
        "last_premium_cents": _cents(last),
        "offered_premium_cents": _cents(offered),
        "market_premium_cents": _cents(market),
        "action": named(action, list(actions)),
        "action_cost_cents": _cents(costs[action]),
        "lapsed": leaves,
    }


def renewals_truth(world: World, insured: Insured, term: Term, chances: Floats) -> Table:
    """The probability of a lapse under each action."""
    by_action = {f"lapse_chance_{name}": chances[:, code] for code, name in enumerate(world.formula.actions)}
    return {"policy": insured.policy, "term": np.full(len(insured), term.number), **by_action}


def as_arrow(table: Table) -> pa.Table:
    """A table as it is written: days as dates."""
    return pa.table(
        {
            name: column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
            for name, column in table.items()
        }
    )
