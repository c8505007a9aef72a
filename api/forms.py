"""Tokens of POST forms: in a session its own token; before sign-in a cookie whose value the form repeats."""

import hmac
import secrets

from fastapi import Request, Response

from api.errors import FormExpired
from api.store import Account

FORM_COOKIE = "wayrate_form"


def issue_form_token(request: Request) -> str:
    """The token of a form shown to somebody not signed in: the one this browser has, or a fresh one."""
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)


def keep_form_token(request: Request, response: Response, token: str) -> None:
    """Lets the browser keep the token; no other site can read or set it."""
    response.set_cookie(
        FORM_COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/"
    )


def check_form_token(request: Request, sent: str) -> None:
    """Raises FormExpired unless the form repeats the browser's token."""
    kept = request.cookies.get(FORM_COOKIE, "")
    if not kept or not hmac.compare_digest(kept.encode(), sent.encode()):
        raise FormExpired


def check_session_form(account: Account, sent: str) -> None:
    """Raises FormExpired unless the form carries the session's own token."""
    if not hmac.compare_digest(account.csrf_token.encode(), sent.encode()):
        raise FormExpired
