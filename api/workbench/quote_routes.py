"""Quoting a risk that is entered, the whole menu of it, and binding what was chosen."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.agreement_routes import asked_by
from api.errors import NotFound
from api.forms import check_session_form
from api.idempotency import FormKey, fresh_key
from api.menu_view import covers_chosen, said_difference, shares
from api.rendering import page
from api.roles import Now, Quoter, Store, Underwriter
from api.texts import Line
from api.workbench import quote_view as view
from api.workbench.quote_rates import quote_rates
from pricing.agreements import bind, policy_id_of
from pricing.plan import RatePlan
from pricing.policies import MENU_PLAN, PolicyDocument
from pricing.products import needed_sharing
from storage.pool import Database

router = APIRouter(include_in_schema=False)
TIME_ZONE = "Europe/Helsinki"
YEAR = timedelta(days=365)


@router.get("/quote", response_class=HTMLResponse)
def show_quote(
    request: Request,
    reader: Quoter,
    database: Store,
    now: Now,
    *,
    plan: Annotated[str, Query(max_length=60)] = MENU_PLAN,
    pay_plan: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """The form of a risk and, once it fits, every configuration with its price; nothing is kept."""
    plans, found, driven = _rates(database, plan)
    entered = {name: value.strip() for name, value in request.query_params.items()}
    fields = view.fields_of(found, entered)
    risk = view.risk_of(found, fields)
    picked = [value for name, value in request.query_params.items() if name.startswith("cover-")]
    covers = covers_chosen(picked) if picked else None
    quote = None if risk is None else _quoted(found, risk, driven, pay_plan, covers)
    return page(
        request,
        "quote.html",
        reader,
        plans=plans,
        plan=found,
        fields=fields,
        risk=risk,
        quote=quote,
        amount=view.total(quote, found.currency) if quote else "",
        shares=shares(quote.chosen.needs) if quote else "",
        axes=[
            {
                "name": axis.name,
                "title": axis.title,
                "choices": [(choice, said_difference(choice, found.currency)) for choice in axis.choices],
            }
            for axis in (quote.axes if quote else ())
        ],
        driven=sum(driven) > 0,
        may_bind=reader.role == "underwriter",
        first_day=(now.date() + timedelta(days=1)).isoformat(),
        last_day=(now.date() + timedelta(days=1) + YEAR).isoformat(),
        time_zone=TIME_ZONE,
        key=fresh_key(),
    )


@router.post("/quote/binding")
def bind_quote(
    reader: Underwriter,
    database: Store,
    now: Now,
    *,
    plan: Annotated[str, Form(max_length=60)],
    pay_plan: Annotated[str, Form(max_length=40)],
    cover: Annotated[list[str], Form(max_length=40)],
    factor: Annotated[list[str], Form(max_length=100)],
    declared_km: Annotated[int, Form(ge=0, lt=1_000_000)],
    name: Annotated[Line, Form(max_length=200)],
    email: Annotated[str, Form(max_length=320)],
    starts_on: Annotated[date, Form()],
    ends_on: Annotated[date, Form()],
    time_zone: Annotated[str, Form(max_length=60)],
    key: FormKey,
    devices: Annotated[str, Form(max_length=200)] = "",
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Binds what was quoted, once for its key, and opens the policy's file. `factor`: name=level, each once."""
    check_session_form(reader, form_token)
    _, found, _ = _rates(database, plan)
    entered = dict(one.split("=", 1) for one in factor if "=" in one)
    asked = asked_by(reader, key, now, "bound")
    fields = {
        "policy": policy_id_of(asked),
        "name": name.strip(),
        "email": email.strip(),
        "starts_on": starts_on,
        "ends_on": ends_on,
        "plan": plan,
        "pay_plan": pay_plan,
        "covers": cover,
        "factors": {
            one: entered[one] if found.factors[one].levels or not entered[one].isdigit() else int(entered[one])
            for one in entered
            if one in found.factors
        },
        "declared_km_per_year": declared_km,
        "time_zone": time_zone,
        "sharing": needed_sharing(found.pay_plan(pay_plan)),
        "devices": devices.split(),
    }
    agreed = bind(database, PolicyDocument("the form", fields), asked)
    return RedirectResponse(f"/book/{agreed.policy_id}", status_code=303)


def _rates(database: Database, name: str) -> tuple[list[RatePlan], RatePlan, list[int]]:
    """The plans that can be quoted, the one asked for, and the metres of the book by road and hour."""
    plans, driven = quote_rates(database)
    found = next((one for one in plans if one.name == name), None)
    if found is None:
        raise NotFound("rate plan with a menu", name)
    return plans, found, driven


def _quoted(
    plan: RatePlan, risk: view.Risk, driven: Sequence[int], pay_plan: str | None, covers: Sequence[str] | None
) -> view.Quote:
    try:
        return view.quote_of(plan, risk, driven, pay_plan, covers)
    except NotFound:  # another risk may not have what was looked at: its first offer then
        return view.quote_of(plan, risk, driven, None, None)
