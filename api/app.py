"""The API and its pages as one application."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from api import (
    agreement_routes,
    audit_routes,
    book_routes,
    contest_routes,
    customer_routes,
    data_routes,
    device_link_routes,
    device_routes,
    driver_routes,
    erasure_routes,
    experiment_routes,
    label_routes,
    language_routes,
    location_routes,
    menu_routes,
    offer_routes,
    oidc_routes,
    outlook_routes,
    person_routes,
    planning_routes,
    privacy_routes,
    quarantine_routes,
    session_routes,
    zone_routes,
)
from api.bounds import RequestBounds
from api.description import describe
from api.errors import NotFound
from api.languages import ReadersLanguage
from api.oidc import OidcSettings, Provider
from api.pace import Pace
from api.problems import install_problems
from api.rendering import STATIC, make_environment
from api.routing import IndexedRouter
from api.security import SecurityHeaders
from api.strangers import StrangersQuotes
from api.vendor import FILES, browser_files
from api.workbench import routes as workbench_routes
from ingest.enrolment import Guesses
from scoring.roads import RoadMap
from storage.pool import Database

ROUTES = (
    session_routes,
    oidc_routes,
    language_routes,
    person_routes,
    outlook_routes,
    label_routes,
    contest_routes,
    driver_routes,
    zone_routes,
    erasure_routes,
    location_routes,
    customer_routes,
    agreement_routes,
    menu_routes,
    experiment_routes,
    offer_routes,
    planning_routes,
    privacy_routes,
    audit_routes,
    *workbench_routes.ALL,
    book_routes,
    data_routes,
    device_routes,
    device_link_routes,
    quarantine_routes,
)


def create_api(
    database: Database,
    roads: RoadMap | None,
    clock: Callable[[], datetime],
    oidc: OidcSettings | None = None,
    *,
    passwords: bool = True,
    most_a_minute: int | None = None,
) -> FastAPI:
    """The application on an open, migrated database; `roads` (None: maps show the path alone) is what maps draw.

    `passwords`: whether local accounts sign in by them. `most_a_minute`: requests of one session, or of an address.

    Pages load nothing from elsewhere, so FastAPI's own documentation pages (they need a CDN) are off; the
    description itself is at /openapi.json.
    """
    app = FastAPI(
        title="Wayrate",
        version="1",
        summary="Trips, scores, statements and the worksheets behind every premium.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_by_name,
    )
    app.router = router = IndexedRouter(routes=app.routes, generate_unique_id_function=_by_name)
    describe(app)
    app.state.database = database
    app.state.clock = clock
    app.state.roads = roads
    app.state.places = frozenset(name.lower() for name in roads.names if name) if roads else frozenset()
    app.state.code_guesses = Guesses()
    app.state.strangers_quotes = StrangersQuotes()
    app.state.pace = Pace(most_a_minute)
    app.state.passwords = passwords
    app.state.oidc = Provider(oidc) if oidc else None
    app.state.templates = make_environment()
    install_problems(app)
    router.include_each(routes.router for routes in ROUTES)
    _serve_files(app)
    app.add_middleware(RequestBounds, pace=app.state.pace)
    app.add_middleware(SecurityHeaders)  # around the bounds: what is out of them gets the headers too
    app.add_middleware(ReadersLanguage)
    return app


def _by_name(route: APIRoute) -> str:
    return route.name


def _serve_files(app: FastAPI) -> None:
    """Our own style and scripts, and the map library out of its wheel: compressed, as they hold no secret."""
    paths = browser_files()

    vendor = FastAPI(openapi_url=None)

    @vendor.get("/{name}")
    def vendor_file(name: str) -> FileResponse:
        if name not in paths:
            raise NotFound("file", name)
        return FileResponse(paths[name], media_type=FILES[name])

    install_problems(vendor)
    app.mount("/vendor", GZipMiddleware(vendor))
    app.mount("/static", GZipMiddleware(StaticFiles(directory=STATIC)))

    @app.get("/health", include_in_schema=False, response_class=PlainTextResponse)
    def health() -> str:
        return "ok\n"
