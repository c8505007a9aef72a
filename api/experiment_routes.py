"""The experiment board: actuaries plan, run and assess; underwriters look."""

from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from api.customer_card import person_of
from api.problems import PROBLEMS
from api.roles import Actuary, Now, PortfolioReader, Store
from api.store import Account
from api.texts import Line
from portfolio.board import Card, keep_outcomes, plan_experiment, read_board, take_step
from portfolio.errors import UnknownWord
from portfolio.experiments import ACTIONS, MEASURED_BY, Assessment, Plan
from portfolio.offers import templates
from storage.pool import Database

router = APIRouter()
NEXT = {"plan": "build", "build": "execute", "execute": "assess"}


class PlanIn(BaseModel):
    """What is tried, fixed before anybody is treated."""

    model_config = ConfigDict(extra="forbid")

    template: str | None = Field(default=None, max_length=40, description="The offer that is tried")
    action: str | None = Field(
        default=None, max_length=40, examples=list(ACTIONS), description="The contact before a renewal that is tried"
    )
    hypothesis: str = Field(max_length=1000)
    measured_by: str = Field(
        default="posted", max_length=20, description=f"How outcomes come in: {', '.join(MEASURED_BY)}"
    )
    measure: Line = Field(
        default="", max_length=200, description="In words; where outcomes come by themselves, none needed"
    )
    treated_share: StrictFloat
    horizon: StrictInt = Field(le=100_000_000, description="Customers at which the interval is to be shortest")
    least_effect: StrictFloat = Field(description="The smallest difference that would matter")
    level: StrictFloat = Field(default=0.05, description="Chance of ever calling a difference where there is none")
    guard_below: StrictFloat | None = Field(default=None, description="How far the guarded measure may fall")


class StepIn(BaseModel):
    """A step that is done."""

    model_config = ConfigDict(extra="forbid")

    step: str = Field(examples=list(NEXT.values()))
    words: str = Field(max_length=2000, description="Of assess: what this turn taught")


class OutcomeIn(BaseModel):
    """What became of one customer, by policy number."""

    model_config = ConfigDict(extra="forbid")

    policy: str = Field(max_length=64)
    outcome: StrictFloat
    guarded: StrictFloat | None = None


@router.get("/api/v1/experiments", responses=PROBLEMS)
def read_experiments(reader: PortfolioReader, database: Store, now: Now) -> dict[str, Any]:
    """The board: every experiment with its state, days by step, cycles a quarter."""
    with database.role("policy") as conn:
        board = read_board(conn, now)
    return {
        "experiments": [_card_json(card) for card in board.cards],
        "median_days": board.median_days,
        "cycles_by_quarter": board.cycles_by_quarter,
    }


@router.post("/api/v1/experiments/{name}", status_code=201, responses=PROBLEMS)
def plan(name: str, wanted: PlanIn, reader: Actuary, database: Store, now: Now) -> dict[str, str]:
    """Plans one, for good: the name (lower-case letters, digits, -) decides who is held out."""
    planned(database, reader, name, wanted, now)
    return {"name": name, "next": "build"}


@router.post("/api/v1/experiments/{name}/steps", responses=PROBLEMS)
def step(name: str, wanted: StepIn, reader: Actuary, database: Store, now: Now) -> dict[str, Any]:
    """Ends a step; `assess` answers with the verdict."""
    with database.role("policy") as conn:
        verdict = take_step(conn, name, wanted.step, wanted.words, by=reader.account_key, as_of=now)
    return {"step": wanted.step, "verdict": None if verdict is None else _finite(verdict)}


@router.post("/api/v1/experiments/{name}/outcomes", responses=PROBLEMS)
def outcomes(
    name: str, wanted: Annotated[list[OutcomeIn], Field(max_length=10_000)], reader: Actuary, database: Store, now: Now
) -> dict[str, int]:
    """Keeps what became of customers; the first outcome of each stands."""
    rows = [(person_of(database, one.policy)[0], one.outcome, one.guarded) for one in wanted]
    with database.role("policy") as conn:
        return {"kept": keep_outcomes(conn, name, rows, now)}


def planned(database: Database, reader: Account, name: str, wanted: PlanIn, now: datetime) -> None:
    """Fixes what is tried. Raises UnknownWord, BadExperiment, ExperimentExists."""
    fields = wanted.model_dump()
    template = fields.pop("template")
    if template is not None and template not in templates():
        raise UnknownWord("template", template, tuple(templates()))
    fields["measure"] = MEASURED_BY.get(wanted.measured_by) or wanted.measure
    with database.role("policy") as conn:
        plan_experiment(conn, Plan(name=name, **fields), template, by=reader.account_key, as_of=now)


def _finite(state: Assessment) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in asdict(state).items()
    }


def _card_json(card: Card) -> dict[str, Any]:
    return {
        "name": card.experiment.name,
        "template": card.experiment.template,
        "plan": card.experiment.plan,
        "stands_at": card.stands_at,
        "days": card.days,
        "now": _finite(card.now),
        "taught": card.taught,
    }
