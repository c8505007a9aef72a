"""Planning: segments and strategies as they were kept, and how offers fare. Pages read results, they make none."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from api import wording
from api.errors import NotFound
from api.languages import say
from api.offer_preview import preview_of
from api.planning_view import masked, segments_view, strategies_view, without_the_few
from api.planning_words import said
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, OfferLogReader, Places, PortfolioReader, Store
from api.store import Account
from portfolio.consent_store import purposes
from portfolio.errors import NothingToOffer
from portfolio.guard import REVEALS
from portfolio.offer_log_store import fetch_fared, fetch_reasons, fetch_refusals
from portfolio.offers import Template, templates
from portfolio.planning_store import Kind, Result, fetch_result, fetch_versions
from storage.pool import Database

router = APIRouter()
LEAST_PEOPLE = 5  # of fewer nothing is told to those who see groups alone
LOOKED_BACK = timedelta(days=365)
REFUSALS = 50
NOTHING_KEPT: dict[str, Any] = {"version": None, "made_at": None}
Version = Annotated[int | None, Query(ge=1, le=2_000_000_000, description="Default: the latest")]


@router.get("/api/v1/segments", responses=PROBLEMS)
def read_segments(reader: PortfolioReader, database: Store, version: Version = None) -> dict[str, Any]:
    """The segments of the book as `wayrate portfolio segments` kept them; underwriters see them masked."""
    if version is None and not _is_kept(database, "segments"):
        return NOTHING_KEPT
    result = _segments(database, reader, version)
    return {"version": result.version, "made_at": result.made_at} | result.found


@router.get("/api/v1/strategies", responses=PROBLEMS)
def read_strategies(reader: PortfolioReader, database: Store, version: Version = None) -> dict[str, Any]:
    """The comparison of strategies as `wayrate strategies --keep` kept it."""
    if version is None and not _is_kept(database, "strategies"):
        return NOTHING_KEPT
    result = _known(database, "strategies", version)
    return {"version": result.version, "made_at": result.made_at} | result.found


@router.get("/segments", response_class=HTMLResponse, include_in_schema=False)
def show_segments(request: Request, reader: PortfolioReader, database: Store, version: Version = None) -> Response:
    """Segments as table and map."""
    with database.role("policy") as conn:
        versions = fetch_versions(conn, "segments")
    view = segments_view(_segments(database, reader, version), versions) if versions or version else None
    return page(request, "segments.html", reader, view=view)


@router.get("/strategies", response_class=HTMLResponse, include_in_schema=False)
def show_strategies(request: Request, reader: PortfolioReader, database: Store, version: Version = None) -> Response:
    """The strategy report."""
    is_shown = version is not None or _is_kept(database, "strategies")
    view = strategies_view(_known(database, "strategies", version)) if is_shown else None
    return page(request, "strategies.html", reader, view=view)


@router.get("/guard", response_class=HTMLResponse, include_in_schema=False)
def show_guard(
    request: Request,
    reader: OfferLogReader,
    database: Store,
    places: Places,
    now: Now,
    *,
    find: Annotated[str, Query(max_length=320)] = "",
    template: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """How offers fare and what was not sent; support sees whose, and each offer as a customer would read it."""
    may_see_people = reader.role == "support"
    least = 1 if may_see_people else LEAST_PEOPLE
    with database.role("policy") as conn:
        fared = fetch_fared(conn, now - LOOKED_BACK, now, least)
        reasons = fetch_reasons(conn, now - LOOKED_BACK, least)
        refusals = fetch_refusals(conn, REFUSALS) if may_see_people else []
    return page(
        request,
        "guard.html",
        reader,
        fared=fared,
        reasons=[replace(one, reason=said(one.reason)) for one in reasons],
        refusals=[
            {"day": wording.day(one.refused_at.date()), "name": one.name, "policy": one.policy_id, "words": one.words,
             "template": one.template, "reasons": "; ".join(said(reason) for reason in one.reasons)}
            for one in refusals
        ],
        templates=[_words(one) for one in templates().values()],
        may_see_people=may_see_people,
        least=LEAST_PEOPLE,
        find=find,
        chosen=template,
        shown=_shown(database, places, find, template, now) if may_see_people and find else None,
    )  # fmt: skip


def _words(offer: Template) -> dict[str, Any]:
    """An offer's words, and of each datum what it tells and which consent it asks for."""
    uses = []
    for used in offer.uses:
        tells, purpose = REVEALS[used]
        asks = say(purposes()[purpose].title) if purpose else ""
        uses.append({"name": wording.words(used), "tells": say(tells), "asks": asks})
    return {"name": offer.name, "title": say(offer.title), "words": offer.words, "uses": uses}


def _shown(database: Database, places: Places, find: str, template: str, now: Now) -> dict[str, Any]:
    try:
        found = preview_of(database, places, find.strip(), template, now)
    except NotFound:
        return {"problem": say("Nobody has exactly this policy number or e-mail address.")}
    except NothingToOffer as error:
        return {"problem": f"{said(str(error))}."}
    verdict = {
        "allowed": found.verdict.allowed,
        "reasons": [said(one) for one in found.verdict.reasons],
        "reveals": [say(one) for one in found.verdict.reveals],
    }
    return {"words": found.words, "verdict": verdict, "problem": None}


def _is_kept(database: Database, kind: Kind) -> bool:
    with database.role("policy") as conn:
        return bool(fetch_versions(conn, kind))


def _segments(database: Database, reader: Account, version: int | None) -> Result:
    result = _known(database, "segments", version)
    found = without_the_few(result.found)
    return replace(result, found=found if reader.role == "actuary" else masked(found))


def _known(database: Database, kind: Kind, version: int | None) -> Result:
    with database.role("policy") as conn:
        result = fetch_result(conn, kind, version)
    if result is None:
        raise NotFound("version", str(version))
    return result
