"""Rate plans: read by underwriters; drafted by an actuary, approved and published by another one."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from api import wording
from api.forms import check_session_form
from api.languages import say
from api.rendering import page
from api.roles import Actuary, Now, PlanReader, Store
from api.workbench import plan_view
from api.workbench.book_store import fetch_posted_period
from api.workbench.known_plans import MOST_PLAN_BYTES, PlanHash, approve_as, known_plan, live_plan
from api.workbench.tables import Code, PageNumber, csv_answer, frame_of, in_order, page_of
from pricing.errors import BadPlan
from pricing.live_book import live_impact
from pricing.plan import RatePlan, parse_plan
from pricing.policies import published_plans
from pricing.profile import profile_named
from pricing.publishing import check_follows, submit
from pricing.publishing_store import fetch_submissions
from pricing.rating_errors import BadRatingBook
from storage.pool import Database

router = APIRouter(include_in_schema=False)
MOST_BIAS_TEST = 30_000  # with its plan within what a form may hold; a larger one goes by the API
Token = Annotated[str, Form(max_length=200)]


def asked_filter(
    *, find: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "", state: Code = "", sort: Code = ""
) -> dict[str, str]:
    """By beginning of the name and state; what waits first, then by day."""
    return {"find": find.strip(), "state": state, "sort": sort}


Filter = Annotated[dict[str, str], Depends(asked_filter)]


@router.get("/rate-plans", response_class=HTMLResponse)
def show_plans(
    request: Request, reader: PlanReader, database: Store, now: Now, asked: Filter, number: PageNumber = 1
) -> Response:
    """Every plan that is published or waits, with its state."""
    lines = _lines(database, now, asked)
    return page(
        request,
        "rate_plans.html",
        reader,
        lines=page_of(lines, number),
        asked=asked,
        states={one: say(one) for one in plan_view.STATES},
        frame=frame_of("/rate-plans", asked, plan_view.COLUMNS, (), number, len(lines)),
        may_draft=reader.role == "actuary",
    )


@router.get("/rate-plans.csv")
def download_plans(reader: PlanReader, database: Store, now: Now, asked: Filter) -> Response:
    """The same plans, all, as CSV."""
    lines = _lines(database, now, asked)
    return csv_answer("rate-plans.csv", plan_view.CSV_HEAD, (plan_view.csv_row(line) for line in lines))


@router.post("/rate-plans/check", response_class=HTMLResponse)
def check_draft(
    request: Request, reader: Actuary, database: Store, now: Now, plan: UploadFile, form_token: Token = ""
) -> Response:
    """What a draft is and what it changes, or the place that is wrong; nothing is kept."""
    check_session_form(reader, form_token)
    try:
        draft = parse_plan(_text_of(plan), plan.filename or "the draft")
        with database.role("policy") as conn:
            check_follows(conn, draft, now)
            live = live_plan(conn, draft.name, now)
    except BadPlan as problem:
        return page(request, "rate_plan_draft.html", reader, status=422, problem=problem, draft=None)
    return page(
        request,
        "rate_plan_draft.html",
        reader,
        problem=None,
        draft=draft,
        facts=plan_view.plan_facts(draft),
        warnings=plan_view.warnings(draft),
        live=live,
        changes=plan_view.changes(live, draft),
        asks_bias_test=draft.jurisdiction is not None and profile_named(draft.jurisdiction).bias_test,
        most_bias_test=MOST_BIAS_TEST,
    )


@router.post("/rate-plans/drafts")
def submit_draft(
    reader: Actuary,
    database: Store,
    now: Now,
    *,
    content: Annotated[str, Form(max_length=MOST_PLAN_BYTES)],
    bias_test: Annotated[str, Form(max_length=MOST_BIAS_TEST)] = "",
    form_token: Token = "",
) -> Response:
    """Lets a draft wait for another person's approval. `bias_test`: what `wayrate plan audit --json` printed of it."""
    check_session_form(reader, form_token)
    draft = parse_plan(content.replace("\r\n", "\n"), "the draft")
    with database.role("policy") as conn:
        submit(conn, draft, reader.account_key, _bias_test(bias_test), now)
    return RedirectResponse(f"/rate-plans/{draft.plan_hash}", status_code=303)


@router.get("/rate-plans/{plan_hash}", response_class=HTMLResponse)
def show_plan(
    request: Request, plan_hash: str, reader: PlanReader, database: Store, now: Now, against: PlanHash = None
) -> Response:
    """A plan, its state, and what differs from another: from the live one of its name, or the one asked for."""
    with database.role("policy") as conn:
        plan, held, published = known_plan(conn, plan_hash)
        others = [one for one in published_plans(conn) if one.plan_hash != plan_hash and one.name == plan.name]
        live = live_plan(conn, plan.name, now)
    other = next((one for one in others if one.plan_hash == against), None) or _compared(plan, live, others)
    return page(
        request,
        "rate_plan.html",
        reader,
        plan=plan,
        facts=plan_view.plan_facts(plan),
        warnings=plan_view.warnings(plan),
        held=held,
        is_published=published,
        is_live=live is not None and live.plan_hash == plan_hash,
        waits=held is not None and not published,
        refusal=plan_view.refusal_in_advance(held, reader.email, now) if held else "",
        other=other,
        others=others,
        changes=plan_view.changes(other, plan),
        may_approve=reader.role == "actuary",
    )


@router.post("/rate-plans/{plan_hash}/approval")
def approve_plan(plan_hash: str, reader: Actuary, database: Store, now: Now, form_token: Token = "") -> Response:
    """Approves the very plan that was read, and publishes it for good; a refusal is noted and said."""
    check_session_form(reader, form_token)
    with database.role("policy") as conn:
        plan, _, _ = known_plan(conn, plan_hash)
    approve_as(database, plan, reader, now)
    return RedirectResponse(f"/rate-plans/{plan_hash}", status_code=303)


@router.get("/rate-plans/{plan_hash}/content", response_class=PlainTextResponse)
def download_plan(plan_hash: str, reader: PlanReader, database: Store) -> Response:
    """The plan's file."""
    with database.role("policy") as conn:
        plan, _, _ = known_plan(conn, plan_hash)
    name = f"{plan.name}-{plan.version}.toml".replace('"', "")
    return PlainTextResponse(plan.content, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/rate-plans/{plan_hash}/dislocation", response_class=HTMLResponse)
def show_dislocation(request: Request, plan_hash: str, reader: PlanReader, database: Store, now: Now) -> Response:
    """What the plan would do to the latest posted month of the book: who pays less and more, by segment."""
    with database.role("policy") as conn:
        plan, _, _ = known_plan(conn, plan_hash)
        live, period = live_plan(conn, plan.name, now), fetch_posted_period(conn)
        found, problem = None, ""
        if live is not None and period is not None:
            try:
                found = live_impact(conn, period, live, plan)
            except BadRatingBook as error:
                problem = f"{error}."
    return page(
        request,
        "dislocation.html",
        reader,
        plan=plan,
        live=live,
        period=wording.month(period) if period else "",
        problem=problem,
        found=found,
        facts=plan_view.impact_facts(found) if found else [],
        quantiles=plan_view.impact_quantiles(found) if found else [],
        segments=plan_view.impact_segments(found) if found else {},
    )


def _lines(database: Database, now: Now, asked: dict[str, str]) -> list[plan_view.PlanLine]:
    with database.role("policy") as conn:
        lines = plan_view.plan_lines(published_plans(conn), fetch_submissions(conn), now)
    found = (one for one in lines if one.name.startswith(asked["find"]) and asked["state"] in ("", one.state))
    return in_order(found, asked["sort"], plan_view.KEYS)


def _compared(plan: RatePlan, live: RatePlan | None, others: list[RatePlan]) -> RatePlan | None:
    """What a plan is compared with unless another is asked for: the live one, of the live one the one before."""
    if live is not None and live.plan_hash != plan.plan_hash:
        return live
    return next((one for one in others if one.effective_from <= plan.effective_from), None)


def _bias_test(text: str) -> dict[str, Any] | None:
    """The pasted bias test; None: there is none. Raises BadPlan."""
    if not text.strip():
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadPlan("the bias test", "JSON", str(error)) from None
    if not isinstance(found, dict):
        raise BadPlan("the bias test", "JSON", "is no object")
    return found


def _text_of(file: UploadFile) -> str:
    """The uploaded text. Raises BadPlan."""
    content = file.file.read(MOST_PLAN_BYTES + 1)
    name = file.filename or "the draft"
    if len(content) > MOST_PLAN_BYTES:
        raise BadPlan(name, "file", f"is over {MOST_PLAN_BYTES:,} bytes")
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadPlan(name, "file", f"is not UTF-8: {error}") from None
