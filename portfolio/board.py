"""The experiment board: one cycle after another, how long each step took, and what each turn taught.

A step is done once and in order. Who is held out is decided by lot of the plan's name and the person, so it is known
before anybody is treated and the same whenever it is asked; an outcome counts for the arm that the lot gave, whatever
was sent (intention to treat).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np

from portfolio import experiment_store as store
from portfolio.consent_store import agreed
from portfolio.errors import BadExperiment, ExperimentExists, NoExperiment, StepOutOfOrder, UnknownWord
from portfolio.experiment_store import Experiment, StepRow
from portfolio.experiments import ACTIONS, MEASURED_BY, Assessment, Plan, assess, is_treated
from portfolio.standing_store import fetch_standings
from portfolio.standings import told_by
from portfolio.uplift import Uplift, fit_uplift
from storage.pool import Conn

NAME = re.compile(r"[a-z0-9-]{1,60}")
STEPS = ("plan", "build", "execute", "assess")
HELD_OUT = "the lot of experiment {name!r} holds them out"  # the reason by which who was held back is found again


@dataclass(frozen=True, slots=True)
class Card:
    """An experiment on the board: where it stands, days by step so far, its state now, what it taught."""

    experiment: Experiment
    stands_at: str
    days: dict[str, float]
    now: Assessment
    taught: str


@dataclass(frozen=True, slots=True)
class Board:
    """All experiments, the median days by step of those that ended it, and how many ended in each quarter."""

    cards: tuple[Card, ...]
    median_days: dict[str, float]
    cycles_by_quarter: dict[str, int]


def plan_experiment(conn: Conn, plan: Plan, template: str | None, *, by: UUID, as_of: datetime) -> None:
    """Fixes what is tried. Raises BadExperiment naming the field, ExperimentExists."""
    checks = {
        "name": bool(NAME.fullmatch(plan.name)),
        "treated_share": 0.0 < plan.treated_share < 1.0,
        "level": 0.0 < plan.level <= 0.2,
        "horizon": plan.horizon >= 200,
        "least_effect": plan.least_effect > 0.0,
        "hypothesis": bool(plan.hypothesis.strip()),
        "measure": bool(plan.measure.strip()),
        "measured_by": plan.measured_by in MEASURED_BY and (plan.measured_by != "takes" or template is not None),
        "action": plan.action is None or plan.action in ACTIONS,
        "guard_below": plan.guard_below is None or plan.guard_below > 0.0,
    }
    wrong = next((field for field, holds in checks.items() if not holds), None)
    if wrong is not None:
        raise BadExperiment(plan.name, wrong)
    if not store.insert_experiment(conn, plan, template, by, as_of):
        raise ExperimentExists(plan.name)
    store.insert_step(conn, plan.name, "plan", plan.hypothesis, by=by, as_of=as_of)


def take_step(conn: Conn, name: str, step: str, words: str, *, by: UUID, as_of: datetime) -> Assessment | None:
    """Ends a step; that of `assess` is judged automatically and kept with its verdict.

    Raises UnknownWord, StepOutOfOrder, NoExperiment.
    """
    if step not in STEPS[1:]:
        raise UnknownWord("step", step, STEPS[1:])
    experiment = _known(conn, name)
    done = [one.step for one in store.fetch_steps(conn) if one.name == name]
    wanted = STEPS[len(done)] if len(done) < len(STEPS) else "nothing"
    if step != wanted:
        raise StepOutOfOrder(name, step, wanted)
    verdict = state(conn, experiment) if step == "assess" else None
    uplift = _uplift(conn, experiment) if step == "assess" else None
    by_customer = None if uplift is None else uplift.as_json()
    if not store.insert_step(conn, name, step, words, by=by, as_of=as_of, verdict=verdict, by_customer=by_customer):
        raise StepOutOfOrder(name, step, "what somebody else just did")
    return verdict


def keep_outcomes(conn: Conn, name: str, rows: Sequence[tuple[UUID, float, float | None]], as_of: datetime) -> int:
    """Keeps what became of people, how many were new. Raises StepOutOfOrder before the experiment is built or after it
    was assessed; BadExperiment for an outcome that is no number.
    """
    _known(conn, name)
    done = {one.step for one in store.fetch_steps(conn) if one.name == name}
    if "build" not in done or "assess" in done:
        raise StepOutOfOrder(name, "outcomes", "build" if "build" not in done else "nothing")
    if not all(np.isfinite(outcome) and (guarded is None or np.isfinite(guarded)) for _, outcome, guarded in rows):
        raise BadExperiment(name, "outcome")
    return store.insert_outcomes(conn, name, rows, as_of)


def state(conn: Conn, experiment: Experiment) -> Assessment:
    """What is known so far; it may be looked at at any time."""
    plan, rows = experiment.planned, store.fetch_outcomes(conn, experiment.name)
    treated = np.array([is_treated(plan, person) for person, _, _ in rows], dtype=np.bool_)
    outcome = np.array([outcome for _, outcome, _ in rows], dtype=np.float64)
    guards = [guarded for _, _, guarded in rows]
    whole = plan.guard_below is not None and len(guards) > 0 and None not in guards
    return assess(plan, treated, outcome, np.array(guards, dtype=np.float64) if whole else None)


def held_out(conn: Conn, template: str, person_key: UUID) -> str | None:
    """The experiment that keeps this offer from this person, or None; who has not agreed to research is in none."""
    running = store.fetch_running(conn, template)
    if not running or not agreed(conn, person_key, store.RESEARCH):
        return None
    return next((one.name for one in running if not is_treated(one.planned, person_key)), None)


def read_board(conn: Conn, as_of: datetime) -> Board:
    """Everything on the board."""
    steps = store.fetch_steps(conn)
    cards = [_card(conn, one, [s for s in steps if s.name == one.name], as_of) for one in store.fetch_experiments(conn)]
    ended: dict[str, list[float]] = {}
    for card in cards:
        for step, days in card.days.items():
            if STEPS.index(step) < STEPS.index(card.stands_at) or card.stands_at == "assess":
                ended.setdefault(step, []).append(days)
    quarters: dict[str, int] = {}
    for one in (step for step in steps if step.step == "assess"):
        name = f"{one.done_at:%Y}-Q{(one.done_at.month + 2) // 3}"
        quarters[name] = quarters.get(name, 0) + 1
    return Board(tuple(cards), {step: float(np.median(days)) for step, days in ended.items()}, quarters)


def _card(conn: Conn, experiment: Experiment, steps: Sequence[StepRow], as_of: datetime) -> Card:
    """`days` of a step: from the end of the one before to its own end, or to now where it is under way."""
    days: dict[str, float] = {}
    ends = [step.done_at for step in steps]
    for number, step in enumerate(STEPS[1:], start=1):
        if number <= len(ends):
            end = ends[number] if number < len(ends) else as_of
            days[step] = (end - ends[number - 1]).total_seconds() / 86_400
    last = steps[-1].step
    taught = steps[-1].words if last == "assess" else ""
    return Card(experiment, last, days, state(conn, experiment), taught)


def _uplift(conn: Conn, experiment: Experiment) -> Uplift | None:
    """How the effect of a contact before a renewal differs by what was known of its customers when it was built.

    None for any other experiment, and where too few were in it.
    """
    plan = experiment.planned
    if plan.action is None or plan.measured_by != "stays":
        return None
    built_at = next(one.done_at for one in store.fetch_steps(conn) if (one.name, one.step) == (plan.name, "build"))
    outcome = {person: value for person, value, _ in store.fetch_outcomes(conn, plan.name)}
    found = fetch_standings(conn, list(outcome), built_at)
    treated = np.array([is_treated(plan, person) for person in found.people], dtype=np.bool_)
    stays = np.array([outcome[person] for person in found.people], dtype=np.float64)
    return fit_uplift(told_by(found.standings), treated, stays, plan.treated_share)


def _known(conn: Conn, name: str) -> Experiment:
    found = store.fetch_experiment(conn, name) if NAME.fullmatch(name) else None
    if found is None:
        raise NoExperiment(name)
    return found
