"""The way to the identity provider and back."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from api import accounts
from api.errors import NotFound
from api.oidc import WAIT_S, Begun, Provider
from api.roles import SESSION_COOKIE, Now, Store
from api.session_routes import HOME, keep_session

router = APIRouter(include_in_schema=False)
COOKIE = "wayrate_oidc"


@router.get("/sign-in/oidc")
def begin(request: Request) -> Response:
    """To the provider, with what comes back kept in this browser for ten minutes."""
    begun = Begun.fresh()
    response = RedirectResponse(_provider(request).way_to(begun), status_code=303)
    response.set_cookie(
        COOKIE,
        begun.cookie,
        httponly=True,
        samesite="lax",  # the provider sends the browser back by a link
        secure=request.url.scheme == "https",
        max_age=WAIT_S,
        path="/sign-in/oidc",
    )
    return response


@router.get("/sign-in/oidc/callback")
def come_back(request: Request, database: Store, now: Now) -> Response:
    """A session for whom the provider vouches for, where we have an account."""
    begun = Begun.kept(request.cookies.get(COOKIE, ""))
    who = _provider(request).identity(begun, dict(request.query_params), now)
    with database.role("policy") as conn:
        accounts.sign_out(conn, request.cookies.get(SESSION_COOKIE, ""))
        session = accounts.sign_in_as(conn, who.issuer, who.subject, who.email, now)
    response = RedirectResponse(HOME.get(session.role, "/"), status_code=303)
    keep_session(request, response, session)
    response.delete_cookie(COOKIE, path="/sign-in/oidc")
    return response


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.oidc
    if provider is None:
        raise NotFound("page", request.url.path)
    return provider
