"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import accounts
from api.errors import PasswordsOff, TooManyAttempts, WrongCredentials
from api.forms import check_form_token, check_session_form, issue_form_token, keep_form_token
from api.languages import say
from api.problems import Problem
from api.rendering import page
from api.roles import SESSION_COOKIE, Anyone, Now, Store, account_of

router = APIRouter(include_in_schema=False)
HOME = {
    "policyholder": "/home",
    "driver": "/home",
    "underwriter": "/desk",
    "support": "/customers",
    "actuary": "/desk",
    "privacy_officer": "/desk",
    "admin": "/desk",
}


@router.get("/", response_class=HTMLResponse)
@router.get("/sign-in", response_class=HTMLResponse)  # where a refused sign-in leaves the address bar
def show_sign_in(request: Request) -> Response:
    """The sign-in page, or the way home for somebody signed in."""
    account = account_of(request)
    if account is not None and account.role in HOME:
        return RedirectResponse(HOME[account.role], status_code=303)
    if account is not None:
        problem = Problem(
            title=say("No pages yet for this role"),
            status=200,
            detail=say("{email} is signed in as {role}.", email=account.email, role=account.role),
            what_to_do=say("Sign out, and sign in with an account of another role."),
        )
        return page(request, "problem.html", account, problem=problem)
    return _sign_in_page(request)


@router.post("/sign-in", response_class=HTMLResponse)
def sign_in(
    request: Request,
    database: Store,
    now: Now,
    *,
    email: Annotated[str, Form(max_length=320)],
    password: Annotated[str, Form(max_length=1000)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """A session cookie and the way home; the form again with what was wrong."""
    check_form_token(request, form_token)
    if not request.app.state.passwords:
        raise PasswordsOff
    try:
        before = request.cookies.get(SESSION_COOKIE, "")  # is not left open
        session = accounts.sign_in(database, email, password, now, instead_of=before)
    except (WrongCredentials, TooManyAttempts) as error:
        return _sign_in_page(request, status=error.status, email=email, error=f"{say(error.title)}. {error}")
    response = RedirectResponse(HOME.get(session.role, "/"), status_code=303)
    keep_session(request, response, session)
    return response


@router.post("/sign-out", response_class=HTMLResponse)
def sign_out(
    request: Request, reader: Anyone, database: Store, form_token: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Ends the session on the server and in the browser."""
    check_session_form(reader, form_token)
    with database.role("policy") as conn:
        accounts.sign_out(conn, request.cookies[SESSION_COOKIE])
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


def keep_session(request: Request, response: Response, session: accounts.Session) -> None:
    """Lets the browser keep the session's token, where no script can read it."""
    response.set_cookie(
        SESSION_COOKIE,
        session.token,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        max_age=int(accounts.SESSION_LENGTH.total_seconds()),
        path="/",
    )


def _sign_in_page(request: Request, *, status: int = 200, email: str = "", error: str = "") -> Response:
    token = issue_form_token(request)
    by_provider = request.app.state.oidc is not None
    response = page(
        request,
        "sign_in.html",
        None,
        status=status,
        form_token=token,
        email=email,
        error=error,
        by_provider=by_provider,
        by_password=request.app.state.passwords,
    )
    keep_form_token(request, response, token)
    return response
