"""The experiment board as a page: actuaries plan, run and assess; underwriters look."""

from collections.abc import Callable
from math import isfinite
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import wording
from api.experiment_routes import NEXT, PlanIn, planned
from api.forms import check_session_form
from api.languages import say, say_count
from api.rendering import page
from api.roles import Actuary, Now, PortfolioReader, Store
from api.texts import Line
from api.workbench.tables import Code, PageNumber, csv_answer, frame_of, in_order, page_of
from portfolio.board import STEPS, Board, Card, read_board, take_step
from portfolio.experiment_store import Experiment
from portfolio.experiments import ACTIONS, Verdict
from portfolio.offers import templates

router = APIRouter(include_in_schema=False)
DONE = {
    "build": "Built: who is held out is known",
    "execute": "Executed: nobody more is treated",
    "assess": "Assess it",
}
VERDICTS: tuple[str, ...] = get_args(Verdict.__value__)
COLUMNS = {"name": "Name", "step": "Step", "customers": "Customers", "effect": "Effect", "verdict": "Verdict"}
NUMBERS = ("customers", "effect")
KEYS: dict[str, Callable[[Card], Any]] = {
    "name": lambda card: card.experiment.name,
    "step": lambda card: STEPS.index(card.stands_at),
    "customers": lambda card: card.now.customers,
    "effect": lambda card: card.now.effect if isfinite(card.now.effect) else -1e9,
    "verdict": lambda card: card.now.verdict,
}
CSV_HEAD = (
    "experiment", "template", "action", "measure", "step", "customers", "treated", "effect", "low", "high", "verdict",
    "taught",
)  # fmt: skip


def asked_filter(
    *,
    find: Annotated[str, Query(max_length=60, pattern=r"^[^\x00]*$")] = "",
    step: Code = "",
    verdict: Annotated[str, Query(max_length=40)] = "",
    sort: Code = "",
) -> dict[str, str]:
    """By beginning of the name, the step that it stands at and the verdict; as planned, the latest first."""
    return {"find": find.strip(), "step": step, "verdict": verdict, "sort": sort}


Filter = Annotated[dict[str, str], Depends(asked_filter)]


@router.get("/experiments", response_class=HTMLResponse)
def show_board(
    request: Request, reader: PortfolioReader, database: Store, now: Now, asked: Filter, number: PageNumber = 1
) -> Response:
    """The board as a page."""
    with database.role("policy") as conn:
        board = read_board(conn, now)
    cards = _chosen(board, asked)
    return page(
        request,
        "experiments.html",
        reader,
        cards=[_card_view(card) for card in page_of(cards, number)],
        speed=_speed(board),
        may_act=reader.role == "actuary",
        templates=[(one.name, say(one.title)) for one in templates().values()],
        actions=[(one, wording.words(one)) for one in ACTIONS],
        asked=asked,
        steps={one: wording.words(one) for one in STEPS},
        verdicts={one: say(one) for one in VERDICTS},
        frame=frame_of("/experiments", asked, COLUMNS, NUMBERS, number, len(cards)),
    )


@router.get("/experiments.csv")
def download_board(reader: PortfolioReader, database: Store, now: Now, asked: Filter) -> Response:
    """The same experiments, all, as CSV."""
    with database.role("policy") as conn:
        cards = _chosen(read_board(conn, now), asked)
    return csv_answer("experiments.csv", CSV_HEAD, (_csv_row(card) for card in cards))


@router.post("/experiments")
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
    measure: Annotated[Line, Form(max_length=200)] = "",
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
    planned(database, reader, name, wanted, now)
    return RedirectResponse("/experiments", status_code=303)


@router.post("/experiments/{name}")
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


def _chosen(board: Board, asked: dict[str, str]) -> list[Card]:
    found = (
        card
        for card in board.cards
        if card.experiment.name.startswith(asked["find"])
        and asked["step"] in ("", card.stands_at)
        and asked["verdict"] in ("", card.now.verdict)
    )
    return in_order(found, asked["sort"], KEYS)


def _csv_row(card: Card) -> tuple[object, ...]:
    plan, now = card.experiment.planned, card.now
    ends = [round(one, 6) if isfinite(one) else "" for one in (now.effect, now.low, now.high)]
    return (
        card.experiment.name, card.experiment.template or "", plan.action or "", plan.measure, card.stands_at,
        now.customers, now.treated, *ends, now.verdict, card.taught,
    )  # fmt: skip


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
