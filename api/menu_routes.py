"""What a policy could be and cost: the menu for programs, and the page on which a policyholder chooses."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from api.access import looked
from api.agreement_routes import asked_by, visible_policy
from api.etags import TAGGED, tagged
from api.forms import check_session_form
from api.home_view import policy_view, whole_month
from api.idempotency import FormKey, fresh_key
from api.meetings import CHANGE, QUOTE, met, met_today
from api.menu_json import menu_json
from api.menu_view import covers_chosen, menu_of_month, policy_menu, said_difference, shares, sharing_needed
from api.policy_file import shown_of
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Binder, Now, Store
from api.seen_month import MENU_READ, MenuMonth
from api.store import fetch_months
from api.wording import local, money, month
from pricing.agreements import endorse
from pricing.store import Policy
from storage.pool import Database

router = APIRouter()


class ChoiceOut(BaseModel):
    """One way for one thing, all else as looked at."""

    name: str
    title: str
    chosen: bool
    amount: str | None = Field(description="Of the month; null: not offered, `because` says why")
    difference: str | None
    needs: str = Field(description="What must be shared at least: odometer, score or full")
    because: str


class AxisOut(BaseModel):
    """One thing to choose."""

    name: str
    title: str
    choices: list[ChoiceOut]


class OfferOut(BaseModel):
    """One whole configuration."""

    pay_plan: str
    covers: list[str]
    needs: str
    amount: str


class MenuOut(BaseModel):
    """Everything this policy could be, priced on one month of its own driving."""

    policy: str
    period: str
    currency: str
    plan_hash: str
    chosen: OfferOut
    axes: list[AxisOut]
    offers: list[OfferOut]


@router.get("/api/v1/policies/{policy_id}/menu", responses=PROBLEMS, response_model=MenuOut, openapi_extra=TAGGED)
async def read_menu(request: Request, month: MenuMonth) -> Response:
    """The whole menu in one call."""
    content, basis = menu_json(menu_of_month(month.kept, month.found), month.kept.policy.policy_id)
    return tagged(request, content, basis=basis)


@router.get("/policies/{policy_id}/menu", response_class=HTMLResponse, include_in_schema=False)
def show_menu(
    request: Request,
    policy_id: str,
    reader: Binder,
    database: Store,
    now: Now,
    *,
    pay_plan: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Each choice with what it would cost and what it needs; looked at by links and a form, without script."""
    policy = visible_policy(database, reader, policy_id)
    picked = [value for name, value in request.query_params.items() if name.startswith("cover-")]
    covers = covers_chosen(picked) if picked else None
    met_today(database, reader, policy.policy_key, QUOTE, now)
    looked(database, reader, MENU_READ, now, policy_key=policy.policy_key)
    found = policy_menu(database, policy, _month(database, policy, now.date()), pay_plan, covers)
    plan = database.read("policy", lambda conn: shown_of(conn, policy, now)).plan
    today = local(now, policy.time_zone).date()
    own = (found.chosen.pay_plan, set(found.chosen.covers)) == (policy.pay_plan, set(policy.covers))
    return page(
        request,
        "menu.html",
        reader,
        policy=policy_view(policy, plan),
        month=month(found.period),
        amount=money(found.chosen.amount, found.menu.currency),
        count=len(found.menu.offers),
        own=own,
        chosen=found.chosen,
        shares=shares(found.chosen.needs),
        axes=[
            {
                "name": axis.name,
                "title": axis.title,
                "choices": [
                    {
                        "name": choice.name,
                        "title": choice.title,
                        "chosen": choice.chosen,
                        "offered": choice.amount is not None,
                        "difference": said_difference(choice, found.menu.currency),
                        "shares": shares(choice.needs) if axis.name == "pay_plan" else "",
                    }
                    for choice in axis.choices
                ],
            }
            for axis in found.axes
        ],
        first_day=max(today + timedelta(days=1), policy.starts_on).isoformat(),
        last_day=(policy.ends_on - timedelta(days=1)).isoformat(),
        key=fresh_key(),
    )


@router.post("/policies/{policy_id}/menu", include_in_schema=False)
def choose(
    policy_id: str,
    reader: Binder,
    database: Store,
    now: Now,
    *,
    effective_on: Annotated[date, Form()],
    pay_plan: Annotated[str, Form(max_length=40)],
    cover: Annotated[list[str], Form(max_length=40)],
    key: FormKey,
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Endorses the policy to what was chosen, and goes back to it."""
    check_session_form(reader, form_token)
    policy = visible_policy(database, reader, policy_id)
    found = policy_menu(database, policy, _month(database, policy, now.date()), pay_plan, covers_chosen(cover))
    terms = {
        "pay_plan": found.chosen.pay_plan,
        "covers": list(found.chosen.covers),
        "sharing": sharing_needed(policy.sharing, found.chosen.needs),
    }
    endorse(database, policy_id, effective_on, terms, asked_by(reader, key, now, "chosen from the menu"))
    met(database, reader, policy.policy_key, CHANGE, key, now)
    return RedirectResponse(f"/policies/{policy_id}/menu", status_code=303)


def _month(database: Database, policy: Policy, today: date) -> str:
    with database.role("policy") as conn:
        return whole_month(fetch_months(conn, policy.policy_key), today)
