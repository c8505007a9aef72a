"""What moves score and premium: the score's page, and the what-if page with its sliders."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from api.home_view import policy_view, whole_month
from api.languages import current
from api.meetings import QUOTE, met_today
from api.policy_file import own_policy, shown_of
from api.rendering import page
from api.roles import Now, Policyholder, Store
from api.score_page import score_page
from api.what_if_view import Asked, what_if
from api.wording import METRES, local, month
from pricing.policies import plan_of_terms
from pricing.what_if import Driving, driving_until

router = APIRouter(include_in_schema=False)
MOST = 100_000


@router.get("/policies/{policy_id}/score", response_class=HTMLResponse)
def show_score(request: Request, policy_id: str, reader: Policyholder, database: Store, now: Now) -> Response:
    """How the score adds up, how it went, and what would change it."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
        first = shown_of(conn, policy, now)
    period = whole_month(first.months, local(now, policy.time_zone).date())
    with database.role("policy") as conn:
        latest = driving_until(conn, policy, first.plan, first.period)
        inputs = latest.inputs if period == first.period else driving_until(conn, policy, first.plan, period).inputs
        shown = score_page(conn, policy, first.plan, first.period, Driving(inputs, latest.totals, latest.before))
    return page(
        request, "score.html", reader, policy=policy_view(policy, first.plan), month=month(first.period), shown=shown
    )


@router.get("/policies/{policy_id}/what-if", response_class=HTMLResponse)
def show_what_if(
    request: Request,
    policy_id: str,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    distance: Annotated[int | None, Query(ge=0, le=MOST)] = None,
    night: Annotated[int | None, Query(ge=0, le=100)] = None,
    over: Annotated[int | None, Query(ge=0, le=100)] = None,
    units: Annotated[Literal["km", "mi"] | None, Query()] = None,
) -> Response:
    """The shown month driven otherwise, by the real rating; sliders that also work as a form."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
        first = shown_of(conn, policy, now)
    if distance is not None and units is not None and units != current().units:
        distance = round(distance * METRES[units] / METRES[current().units])
    met_today(database, reader, policy.policy_key, QUOTE, now)
    period = whole_month(first.months, local(now, policy.time_zone).date())
    with database.role("policy") as conn:
        plan = plan_of_terms(conn, policy.policy_key)
        driving = driving_until(conn, policy, plan, period)
    return page(
        request,
        "what_if.html",
        reader,
        policy=policy_view(policy, plan),
        month=month(period),
        shown=what_if(plan, driving, Asked(distance, night, over)),
        reads_score="behaviour" in plan.pay_plan(policy.pay_plan).uses,
    )
