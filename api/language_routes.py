"""The choice of language and units, kept in cookies: it is about this browser and holds nothing about a person."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.languages import LANGUAGE_COOKIE, UNITS_COOKIE

router = APIRouter(include_in_schema=False)
A_YEAR_S = 365 * 24 * 3600
OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x7e]*")  # a path of this host, never another host's address


@router.post("/language")
def choose_language(
    request: Request,
    language: Annotated[Literal["en", "de"] | None, Form()] = None,
    units: Annotated[Literal["km", "mi"] | None, Form()] = None,
    back: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Keeps the choice for a year and goes back to the page. It changes how things read, so it needs no form token."""
    response = RedirectResponse(back if OWN_PATH.fullmatch(back) else "/", status_code=303)
    for cookie, value in ((LANGUAGE_COOKIE, language), (UNITS_COOKIE, units)):
        if value:
            response.set_cookie(
                cookie,
                value,
                max_age=A_YEAR_S,
                httponly=True,
                samesite="lax",
                secure=request.url.scheme == "https",
                path="/",
            )
    return response
