"""Whom to contact before their renewal, and why not the others: the litmus test of one card and of the whole book.

What keeps us from somebody comes first (no renewal near, no consent, left alone, part of a running experiment, been
there already); then what a running experiment's lot owes; then, within what is left of a budget, what pays most.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from portfolio.circumstance_store import fetch_circumstances_of
from portfolio.contact_store import Due, KeptList, fetch_due, insert_list
from portfolio.experiment_store import Experiment, fetch_all_running, fetch_effects
from portfolio.experiments import is_treated
from portfolio.lapse import LapseModel
from portfolio.litmus import BEYOND_BUDGET, NOTHING, Bools, NextSteps, allot
from portfolio.planning_store import fetch_judged_by
from portfolio.standing_store import Found, Near, count_customers, fetch_met, fetch_near, fetch_standings
from portfolio.suppression import RENEWAL_WITHIN_DAYS, Circumstances, left_alone, renewal_is_near
from portfolio.uplift import Uplift
from portfolio.worth import ACTION_COST, ACTION_MINUTES, Effect, Judged, Litmus, judge
from storage.pool import Conn

# Why somebody is not gone to now, as counted.
FAR = f"no renewal within {RENEWAL_WITHIN_DAYS} days"
NOT_AGREED = "not agreed to be contacted"
ALONE = "left alone: claim, complaint, care or frequency"
MET = "contacted already before this renewal"
IN_EXPERIMENT = "part of a running experiment"
NOT_KNOWN = "worth or effect not known"
DOES_NOT_PAY = "no contact pays"
BUDGET_SPENT = "would pay, but the budget is spent on others"
WHY_NOT = (FAR, NOT_AGREED, ALONE, MET, IN_EXPERIMENT, NOT_KNOWN, DOES_NOT_PAY, BUDGET_SPENT)

TRIED_AS = {  # an action, as the channel or kind of the touchpoint that it leaves
    "letter": ("letter", ""),
    "call": ("call", ""),
    "coaching": ("", "coaching"),
    "personal_offer": ("", "offer"),
}


@dataclass(frozen=True, slots=True)
class Answers:
    """Of n customers: what they are worth and what would pay; who is left alone and why; why nobody goes to them now
    (one of WHY_NOT; None: we may); which experiment's lot owes them a contact; and what of all this is not known.
    """

    judged: Judged
    segments: tuple[str, ...]  # by name
    alone: list[tuple[str, ...]]
    why_not: list[str | None]
    owed: list[Experiment | None]
    missing: tuple[str, ...]

    def segment_name(self, row: int) -> str | None:
        """The group that they are planned with; None: not known."""
        place = int(self.judged.segment[row])
        return self.segments[place] if place >= 0 else None

    def due(self, row: int) -> Litmus | None:
        """The contact that pays and may be made now."""
        if self.why_not[row] is not None or self.owed[row] is not None:
            return None
        answer = self.judged.answer(row)
        return answer if answer is not None and answer.action is not None else None


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to be contacted: what is to be done, what it gains (None: an experiment's lot asks for it) and costs."""

    near: Near
    action: str
    why: str
    cost: float
    minutes: float
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    experiment: str | None = None


@dataclass(frozen=True, slots=True)
class ContactList:
    """Whom to contact, the most gain first after what experiments owe; how many of the others stand behind each of
    WHY_NOT, and what of all this is not known. `customers` counts everybody with a policy in force.
    """

    contacts: tuple[Contact, ...]
    customers: int
    why_not: dict[str, int]
    missing: tuple[str, ...]
    budget: dict[str, float | None]  # most contacts, minutes; None: no limit
    why_each: dict[str, str] = field(repr=False)  # of who has a renewal near and is not contacted: by policy number

    def sums(self) -> dict[str, Any]:
        """Counts, minutes of somebody's work, and euro: of nobody by name."""
        by_action = Counter(one.action for one in self.contacts)
        return {
            "customers": self.customers,
            "contacts": len(self.contacts),
            "by_action": dict(sorted(by_action.items())),
            "for_experiments": sum(1 for one in self.contacts if one.experiment is not None),
            "cost": sum(one.cost for one in self.contacts),
            "gain": sum(one.gain or 0.0 for one in self.contacts),
            "minutes": sum(one.minutes for one in self.contacts),
            "budget": self.budget,
            "why_not": self.why_not,
            "missing": list(self.missing),
        }


def known_effects(conn: Conn) -> list[Effect]:
    """Of each contact the latest finished experiment that decided it, by customer where it could say."""
    return [
        Effect(
            action,
            name,
            verdict["effect"],
            verdict["low"],
            verdict["high"],
            verdict["verdict"],
            Uplift.from_json(verdict["by_customer"]) if verdict.get("by_customer") else None,
        )
        for action, name, verdict in fetch_effects(conn)
        if verdict["low"] is not None
    ]


def answers_for(conn: Conn, near: Sequence[Near], as_of: datetime) -> Answers:
    """The litmus test of these customers, each with a policy, in their order: the same for one and for a million."""
    effects, kept = known_effects(conn), fetch_judged_by(conn)
    people = [one.person_key for one in near]
    found = fetch_standings(conn, people, as_of)
    model = LapseModel.from_json(kept.leaving) if kept.leaving is not None else None
    judged = judge(effects, kept.segments, model, found.standings)
    circumstances = fetch_circumstances_of(conn, people, as_of)
    alone = [left_alone(circumstances.get(person, Circumstances())) for person in people]
    bounds = [_bound(one, reasons, as_of) for one, reasons in zip(near, alone, strict=True)]
    owed, is_part = _experiments(conn, near, bounds)
    why_not = [
        bound or (None if owes else IN_EXPERIMENT if part else MET if met else None)
        for bound, owes, part, met in zip(bounds, owed, is_part, found.contacted.tolist(), strict=True)
    ]
    missing = {
        "Which group they are planned with: no segments are kept yet": kept.segments is None,
        "How long they will stay: no model of leaving is kept yet": model is None,
        "Whether a personal contact would pay: no finished experiment measured one": not effects,
    }
    return Answers(
        segments=tuple(str(one["name"]) for one in kept.segments or ()),
        judged=judged.without(_not_wanted(judged, found)),
        alone=alone,
        why_not=why_not,
        owed=owed,
        missing=tuple(words for words, holds in missing.items() if holds),
    )


def list_contacts(conn: Conn, as_of: datetime, *, most: int | None = None, minutes: float | None = None) -> ContactList:
    """The contacts of a day within so many of them, or so many minutes of somebody's work; without either all that pay.

    What experiments owe comes first, the soonest renewal first; all others compete for the rest at one price of it.
    """
    near = fetch_near(conn, as_of, RENEWAL_WITHIN_DAYS)
    answers = answers_for(conn, near, as_of)
    budget, counts_minutes = np.inf, minutes is not None
    if most is not None or minutes is not None:
        budget = float(most) if most is not None else float(minutes or 0.0)
    owed, spent = _owed_contacts(near, answers, budget, counts_minutes)
    judged = answers.judged
    use = np.array([0.0, *(_use(one.action, counts_minutes) for one in judged.effects)])
    free = np.array([why is None and owes is None for why, owes in zip(answers.why_not, answers.owed, strict=True)])
    told = free & np.isfinite(judged.worth.mean)
    steps = allot(np.nan_to_num(judged.gain, nan=0.0), use, budget - spent, ~told)
    chosen = [row for row in np.argsort(-steps.gain, kind="stable").tolist() if steps.action[row] != NOTHING]
    paying = [_paying_contact(near[row], judged, row, int(steps.action[row])) for row in chosen]
    why = {
        one.policy_id: _why_at(answers, steps, row, bool(told[row]))
        for row, one in enumerate(near)
        if steps.action[row] == NOTHING
    }
    for contact in owed:
        why.pop(contact.near.policy_id)
    customers = count_customers(conn, as_of)
    counts = Counter(why.values()) | {FAR: customers - len(near)}
    return ContactList(
        contacts=(*owed, *paying),
        customers=customers,
        why_not={name: counts.get(name, 0) for name in WHY_NOT},
        missing=answers.missing,
        budget={"contacts": most, "minutes": minutes},
        why_each=why,
    )


def _bound(one: Near, alone: Sequence[str], as_of: datetime) -> str | None:
    """What of the person themselves keeps us from them now."""
    if not renewal_is_near(one.ends_on, as_of.date()):
        return FAR
    if not one.may_contact:
        return NOT_AGREED
    return ALONE if alone else None


def _experiments(
    conn: Conn, near: Sequence[Near], bounds: Sequence[str | None]
) -> tuple[list[Experiment | None], list[bool]]:
    """Of each customer the running experiment whose lot owes them a contact, and whether they are part of one at all.

    Who has not agreed to research is in no experiment. Whoever is in one gets no other contact: it would be measured
    as if the experiment's had done it.
    """
    owed: list[Experiment | None] = [None] * len(near)
    is_part = [False] * len(near)
    for running in fetch_all_running(conn):
        plan = running.experiment.planned
        if plan.action is None or running.experiment.template is not None:
            continue
        rows = [row for row, one in enumerate(near) if one.may_research]
        treated = [row for row in rows if is_treated(plan, near[row].person_key) and bounds[row] is None]
        channel, kind = TRIED_AS[plan.action]
        people = [near[row].person_key for row in treated] if not running.is_executed else []
        met = fetch_met(conn, people, running.built_at, channel, kind) if people else set()
        for row in rows:
            is_part[row] = True
        for row in treated:
            if not running.is_executed and near[row].person_key not in met and owed[row] is None:
                owed[row] = running.experiment
    return owed, is_part


def _not_wanted(judged: Judged, found: Found) -> Bools:
    """Which contacts are not made to whom: no coaching, or nothing personal, to who did not take such an offer."""
    barred = np.zeros(judged.gain.shape, dtype=np.bool_)
    for place, one in enumerate(judged.effects, 1):
        if one.action == "coaching":
            barred[:, place] = ["coaching" in offers for offers in found.unwanted]
        elif one.action == "personal_offer":
            barred[:, place] = [bool(offers) for offers in found.unwanted]
    return barred


def _use(action: str, counts_minutes: bool) -> float:
    return ACTION_MINUTES[action] if counts_minutes else 1.0


def _owed_contacts(
    near: Sequence[Near], answers: Answers, budget: float, counts_minutes: bool
) -> tuple[list[Contact], float]:
    """Those that fit the budget, and what they take of it."""
    contacts, spent = [], 0.0
    for one, owes in zip(near, answers.owed, strict=True):
        if owes is None:
            continue
        plan = owes.planned
        action = str(plan.action)
        if spent + _use(action, counts_minutes) <= budget:
            spent += _use(action, counts_minutes)
            why = lot_words(owes)
            contacts.append(
                Contact(one, action, why, ACTION_COST[action], ACTION_MINUTES[action], experiment=plan.name)
            )
    return contacts, spent


def lot_words(experiment: Experiment) -> str:
    """Why an experiment asks for a contact."""
    return f"The lot of experiment {experiment.name} chose them: {experiment.planned.hypothesis}"


def _paying_contact(one: Near, judged: Judged, row: int, place: int) -> Contact:
    answer = judged.answer(row, place)
    assert answer is not None, "what was chosen is known"
    assert answer.action is not None, "what was chosen pays"
    action = answer.action
    return Contact(
        one, action, answer.why, ACTION_COST[action], ACTION_MINUTES[action], answer.gain, answer.low, answer.high
    )


def _why_at(answers: Answers, steps: NextSteps, row: int, is_told: bool) -> str:
    """Why this one is not contacted."""
    if (bound := answers.why_not[row]) is not None:
        return bound
    if answers.owed[row] is not None or steps.reason[row] == BEYOND_BUDGET:
        return BUDGET_SPENT
    return DOES_NOT_PAY if is_told and answers.judged.effects else NOT_KNOWN


def keep_contacts(conn: Conn, found: ContactList, as_of: datetime) -> None:
    """Keeps the list for the page; nobody's reasons but those of who is to be contacted."""
    rows = [
        (one.near.person_key, one.near.policy_key, one.action, one.cost, one.gain, one.low, one.high, one.experiment,
         one.why)
        for one in found.contacts
    ]  # fmt: skip
    insert_list(conn, found.sums(), rows, as_of)


def still_due(conn: Conn, kept: KeptList, as_of: datetime) -> list[Due]:
    """Those of a kept list who may be gone to now: a consent withdrawn, a claim or a complaint since takes them off."""
    due = fetch_due(conn, kept, as_of, RENEWAL_WITHIN_DAYS)
    circumstances = fetch_circumstances_of(conn, [one.person_key for one in due], as_of)
    return [one for one in due if one.is_done or not left_alone(circumstances.get(one.person_key, Circumstances()))]
