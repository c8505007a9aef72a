"""The experiment board: actuaries plan, run and assess; underwriters look."""

from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from api import wording
from api.customer_card import person_of
from api.forms import check_session_form
from api.languages import say, say_count
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Actuary, Now, PortfolioReader, Store
from api.store import Account
from portfolio.board import STEPS, Board, Card, keep_outcomes, plan_experiment, read_board, take_step
from portfolio.errors import UnknownWord
from portfolio.experiment_store import Experiment
from portfolio.experiments import ACTIONS, MEASURED_BY, Assessment, Plan
from portfolio.offers import templates
from storage.pool import Database

router = APIRouter()
NEXT = {"plan": "build", "build": "execute", "execute": "assess"}
DONE = {
    "build": "Built: who is held out is known",
    "execute": "Executed: nobody more is treated",
    "assess": "Assess it",
}


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
    measure: str = Field(
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
    _planned(database, reader, name, wanted, now)
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


@router.get("/experiments", response_class=HTMLResponse, include_in_schema=False)
def show_board(request: Request, reader: PortfolioReader, database: Store, now: Now) -> Response:
    """The board as a page."""
    with database.role("policy") as conn:
        board = read_board(conn, now)
    return page(
        request,
        "experiments.html",
        reader,
        cards=[_card_view(card) for card in board.cards],
        speed=_speed(board),
        may_act=reader.role == "actuary",
        templates=[(one.name, say(one.title)) for one in templates().values()],
        actions=[(one, wording.words(one)) for one in ACTIONS],
    )


@router.post("/experiments", include_in_schema=False)
def plan_by_form(
    reader: Actuary,
    database: Store,
    now: Now,
    *,
    name: Annotated[str, Form(max_length=60)],
    hypothesis: Annotated[str, Form(max_length=1000)],
    measured_by: Annotated[str, Form(max_length=20)],
    horizon: Annotated[int, Form(le=100_000_000)],
    treated_percent: Annotated[float, Form()] = 50.0,
    least_effect_points: Annotated[float, Form()] = 1.0,
    guard_points: Annotated[str, Form(max_length=20, pattern=r"^[0-9.]*$")] = "",
    template: Annotated[str, Form(max_length=40)] = "",
    action: Annotated[str, Form(max_length=40)] = "",
    measure: Annotated[str, Form(max_length=200)] = "",
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Plans one, in the units that people say: shares in percent, effects in percentage points."""
    check_session_form(reader, form_token)
    guard = float(guard_points) / 100 if guard_points.strip(".") else None
    wanted = PlanIn(
        template=template or None,
        action=action or None,
        hypothesis=hypothesis,
        measured_by=measured_by,
        measure=measure,
        treated_share=treated_percent / 100,
        horizon=horizon,
        least_effect=least_effect_points / 100,
        guard_below=guard,
    )
    _planned(database, reader, name, wanted, now)
    return RedirectResponse("/experiments", status_code=303)


@router.post("/experiments/{name}", include_in_schema=False)
def step_by_form(
    name: str,
    reader: Actuary,
    database: Store,
    now: Now,
    *,
    step: Annotated[str, Form(max_length=20)],
    words: Annotated[str, Form(max_length=2000)] = "",
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Ends a step, and goes back to the board."""
    check_session_form(reader, form_token)
    with database.role("policy") as conn:
        take_step(conn, name, step, words, by=reader.account_key, as_of=now)
    return RedirectResponse("/experiments", status_code=303)


def _planned(database: Database, reader: Account, name: str, wanted: PlanIn, now: datetime) -> None:
    fields = wanted.model_dump()
    template = fields.pop("template")
    if template is not None and template not in templates():
        raise UnknownWord("offer", template, tuple(templates()))
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


def _card_view(card: Card) -> dict[str, Any]:
    plan, now = card.experiment.planned, card.now
    known = isfinite(now.low) and isfinite(now.high)
    return {
        "name": card.experiment.name,
        "hypothesis": plan.hypothesis,
        "measure": say(plan.measure),
        "tried": _tried(card.experiment),
        "arrive": say("outcomes are posted") if plan.measured_by == "posted" else say("outcomes come by themselves"),
        "steps": [
            {"name": wording.words(name), "done": STEPS.index(name) <= STEPS.index(card.stands_at),
             "days": _days(card.days.get(name))}
            for name in STEPS
        ],
        "verdict": now.verdict,
        "effect": wording.estimate(now.effect, now.low, now.high, 3) if known else say("too few customers to say"),
        "customers": say(
            "{customers} customers, {treated} treated",
            customers=wording.number(now.customers), treated=wording.number(now.treated),
        ),
        "taught": card.taught,
        "next": NEXT.get(card.stands_at),
        "next_words": say(DONE.get(NEXT.get(card.stands_at, ""), "")),
    }  # fmt: skip


def _tried(experiment: Experiment) -> str:
    if experiment.template:
        return say("offer: {name}", name=wording.words(experiment.template))
    action = experiment.planned.action
    return wording.inside(wording.words(action)) if action else say("something beside offers")


def _days(days: float | None) -> str:
    if days is None:
        return ""
    return say_count("{count} day", "{count} days", round(days)) if days >= 1 else say("under a day")


def _speed(board: Board) -> list[dict[str, str]]:
    steps = [
        {"name": wording.words(step), "value": _days(days), "note": say("median")}
        for step, days in board.median_days.items()
    ]
    quarters = sorted(board.cycles_by_quarter.items())[-4:]
    return [*steps, *({"name": name, "value": str(count), "note": say("cycles ended")} for name, count in quarters)]
