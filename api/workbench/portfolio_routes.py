"""The book's figures: what was earned and lost, where it drives, and whether the model still holds. Groups only."""

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from api import wording
from api.languages import say
from api.rendering import page
from api.roles import Now, PlanReader, PortfolioReader, Store
from api.workbench import portfolio_view as view
from api.workbench.book_store import fetch_posted_period
from api.workbench.known_plans import PlanHash, known_plan, live_plans
from api.workbench.model_view import model_views
from api.workbench.places import LEAST_VEHICLES, MOST_TRIPS, driven_trips, places_view
from api.workbench.places_store import fetch_latest_driven_month
from api.workbench.portfolio_store import (
    SEGMENTS,
    Months,
    fetch_cells,
    fetch_currency,
    fetch_month_claims,
    fetch_months,
    fetch_risks,
)
from api.workbench.tables import csv_answer
from pricing.model_store import fetch_found
from pricing.periods import month_bounds, months_before
from pricing.plan import RatePlan
from scoring.score import PRIOR_MODEL, ScoreModel
from storage.pool import Conn

router = APIRouter(include_in_schema=False)
MONTHS_SHOWN = 12
SEGMENT_NAMES = {"territory": "By territory", "vehicle_class": "By vehicle class", "pay_plan": "By pay plan"}
CSV_HEAD = (
    "month", "policies", "vehicle_years", "earned_premium", "claims", "assessed", "incurred", "expected_claims",
    "driven_m", "charged_m",
)  # fmt: skip


@router.get("/portfolio", response_class=HTMLResponse)
def show_portfolio(request: Request, reader: PortfolioReader, database: Store) -> Response:
    """Twelve months of the book: premium, losses, frequency, scores, data quality, and its groups."""
    with database.role("policy") as conn:
        months = _months(conn)
        if months is None:
            return page(request, "portfolio.html", reader, months=None)
        bands, claims = fetch_months(conn, months), fetch_month_claims(conn, months)
        cells = fetch_cells(conn, months)
    lines = view.month_lines(bands, claims)
    return page(
        request,
        "portfolio.html",
        reader,
        months=" – ".join(dict.fromkeys(wording.month(one.period) for one in (lines[0], lines[-1]))),
        currency=months.currency,
        facts=view.key_figures(lines, months.currency),
        rows=view.month_rows(lines, months.currency),
        premium=view.premium_chart(lines, months.currency),
        loss_ratio=view.loss_ratio_chart(lines),
        frequency=view.frequency_chart(lines),
        scores=view.score_chart(bands, lines[-1].period),
        score_month=wording.month(lines[-1].period),
        quality=view.quality_chart(lines),
        segments={
            say(SEGMENT_NAMES[name]): view.segment_rows(cells, name, LEAST_VEHICLES, months.currency)
            for name in SEGMENTS
        },
        least=LEAST_VEHICLES,
    )


@router.get("/portfolio.csv")
def download_portfolio(reader: PortfolioReader, database: Store) -> Response:
    """The months as CSV."""
    with database.role("policy") as conn:
        months = _months(conn)
        lines = view.month_lines(fetch_months(conn, months), fetch_month_claims(conn, months)) if months else []
    rows = (
        (one.period, one.policies, round(one.years, 3), one.earned, one.claims, one.assessed, one.incurred,
         round(one.expected, 4), one.driven_m, one.charged_m)
        for one in lines
    )  # fmt: skip
    return csv_answer("portfolio.csv", CSV_HEAD, rows)


@router.get("/portfolio/map", response_class=HTMLResponse)
def show_places(request: Request, reader: PortfolioReader, database: Store, now: Now) -> Response:
    """Where the book drove in its latest month that is over: squares that enough vehicles drove through."""
    with database.role("telemetry") as conn:
        period = fetch_latest_driven_month(conn, f"{now:%Y-%m}")
    found = places_view(driven_trips(database, period) if period else (), request.app.state.roads)
    month = wording.month(period) if period else ""
    return page(request, "places.html", reader, month=month, found=found, least=LEAST_VEHICLES, most_trips=MOST_TRIPS)


@router.get("/monitoring", response_class=HTMLResponse)
def show_monitoring(request: Request, reader: PortfolioReader, database: Store, now: Now) -> Response:
    """Actual over expected claims by month and by predicted frequency, how the scores moved, and whether the fitted
    models behind the live plans still hold.
    """
    with database.role("policy") as conn:
        months = _months(conn)
        if months is None:
            return page(request, "monitoring.html", reader, lines=None)
        bands, claims = fetch_months(conn, months), fetch_month_claims(conn, months)
        groups = view.calibration_groups(fetch_risks(conn, months), claims)
        models = model_views(live_plans(conn, now), partial(fetch_found, conn))
    lines = view.month_lines(bands, claims)
    whole = view.a_e_of("all", sum(one.claims for one in lines), sum(one.expected for one in lines), 1.0)
    return page(
        request,
        "monitoring.html",
        reader,
        lines=lines,
        whole=whole,
        expected=wording.number(sum(one.expected for one in lines), 2),
        claims=wording.number(sum(one.claims for one in lines)),
        by_month=view.a_e_chart(lines),
        rows=view.month_rows(lines, months.currency),
        groups=[
            (one.name, wording.number(one.actual), wording.number(one.expected, 1), view.said_a_e(one), one.holds)
            for one in groups
        ],
        by_band=view.calibration_chart(groups),
        drift=view.drift_rows(bands),
        first_month=wording.month(lines[0].period),
        models=models,
    )


@router.get("/score-model", response_class=HTMLResponse)
def show_model(request: Request, reader: PlanReader, database: Store, now: Now, plan: PlanHash = None) -> Response:
    """The models that scores and premiums are made with, those of the live plans or of one plan: every weight with its
    interval, and where it comes from.
    """
    with database.role("policy") as conn:
        plans = [known_plan(conn, plan)[0]] if plan else live_plans(conn, now)
    by_model: dict[ScoreModel, list[RatePlan]] = {} if plans else {PRIOR_MODEL: []}
    for one in plans:
        by_model.setdefault(one.score_model, []).append(one)
    models = [
        {"model": model, "is_prior": model == PRIOR_MODEL, "plans": used_by, "rows": view.weight_rows(model)}
        for model, used_by in by_model.items()
    ]
    return page(request, "score_model.html", reader, models=models)


def _months(conn: Conn) -> Months | None:
    """The latest posted month and those before it, in the currency of most policies; None: nothing is posted."""
    latest = fetch_posted_period(conn)
    currency = None if latest is None else fetch_currency(conn, latest)
    if latest is None or currency is None:
        return None
    from_month = months_before(latest, MONTHS_SHOWN - 1)
    return Months(from_month, latest, month_bounds(from_month)[0], month_bounds(latest)[1], currency)
