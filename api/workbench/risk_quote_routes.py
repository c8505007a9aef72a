"""Quotes for programs: the whole menu of a risk that is entered. Nothing is kept, and nobody's driving is read."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.errors import NotFound, UnfitRisk
from api.menu_json import menu_facts
from api.menu_routes import AxisOut, OfferOut
from api.problems import PROBLEMS
from api.roles import AnyQuoter, Now, Store
from api.workbench import quote_view as view
from api.workbench.quote_rates import quote_rates
from pricing.plan import OWN_CLAIMS, RatePlan
from pricing.policies import MENU_PLAN

router = APIRouter(responses=PROBLEMS)
Level = Annotated[str, Field(max_length=60)] | StrictInt


class QuoteIn(BaseModel):
    """A risk: every factor of the plan, and the kilometres of a year."""

    model_config = ConfigDict(extra="forbid")

    plan: str = Field(default=MENU_PLAN, max_length=60)
    factors: dict[str, Level] = Field(max_length=50, description="A level, or a whole number where there are none")
    declared_km_per_year: StrictInt = Field(ge=0, lt=1_000_000)
    pay_plan: str | None = Field(default=None, max_length=40, description="What to look at; none: the first offer")
    covers: list[Annotated[str, Field(max_length=40)]] = Field(default=[], max_length=20)


class StepOut(BaseModel):
    """A step of the worksheet; each `round` ends a section, and the sections add up to the amount."""

    section: str
    kind: str = Field(description="add, times, at_most, at_least, round")
    label: str
    quantity: str
    rate: str
    running: str


class QuoteOut(BaseModel):
    """Everything this risk could be, priced on a month of 30 days of its declared kilometres."""

    plan: str
    days: int
    currency: str
    plan_hash: str
    chosen: OfferOut
    axes: list[AxisOut]
    offers: list[OfferOut]
    worksheet: list[StepOut] = Field(description="Of the chosen one, step by step")


@router.post("/api/v1/quotes", response_model=QuoteOut, openapi_extra={"x-public": True})
def quote_risk(request: Request, wanted: QuoteIn, reader: AnyQuoter, database: Store, now: Now) -> Response:
    """The whole menu of a risk. It makes no money, so it needs no key; without a session 20 in ten minutes."""
    if reader is None:
        request.app.state.strangers_quotes.take(request.client.host if request.client else "", now)
    plans, driven = quote_rates(database)
    if not plans:  # the book is new: the plans that ship are published with the first policy
        raise NotFound("rate plan with a menu", wanted.plan)
    plan = next((one for one in plans if one.name == wanted.plan), None)
    if plan is None:
        raise UnfitRisk("plan", f"is none of {', '.join(one.name for one in plans)}")
    for cover in wanted.covers:
        if cover not in plan.covers:
            raise UnfitRisk("covers", f"{cover} is no cover of plan {plan.name}, which has {', '.join(plan.covers)}")
    quote = _quoted(plan, _risk(plan, wanted), driven, wanted)
    facts, _ = menu_facts(quote)
    head = msgspec.json.encode({"plan": plan.name, "days": view.DAYS})[:-1]
    worksheet = msgspec.json.encode(quote.worksheet)
    return Response(b"".join((head, b",", facts, b',"worksheet":', worksheet, b"}")), media_type="application/json")


def _risk(plan: RatePlan, wanted: QuoteIn) -> view.Risk:
    """The risk as entered; nothing is filled in. Raises UnfitRisk."""
    asked = [name for name in plan.factors if name not in ("declared_km", OWN_CLAIMS)]
    for name in wanted.factors:
        if name not in asked:
            raise UnfitRisk(f"factors.{name}", f"is no factor of plan {plan.name}, which has {', '.join(asked)}")
    for name in asked:
        if name not in wanted.factors:
            raise UnfitRisk(f"factors.{name}", f"is missing: {', '.join(plan.factors[name].known)}")
    entered = {name: str(value) for name, value in wanted.factors.items()}
    fields = view.fields_of(plan, entered | {"declared_km": str(wanted.declared_km_per_year)})
    risk = view.risk_of(plan, fields)
    if risk is None:
        wrong = next(field for field in fields if field.problem)
        name = "declared_km_per_year" if wrong.name == "declared_km" else f"factors.{wrong.name}"
        raise UnfitRisk(name, wrong.problem)
    return risk


def _quoted(plan: RatePlan, risk: view.Risk, driven: list[int], wanted: QuoteIn) -> view.Quote:
    try:
        return view.quote_of(plan, risk, driven, wanted.pay_plan, wanted.covers)
    except NotFound:
        if wanted.pay_plan is None:
            raise UnfitRisk("factors", f"are of a risk to which plan {plan.name} offers nothing") from None
        raise UnfitRisk("pay_plan", f"{wanted.pay_plan} with these covers is not offered") from None
