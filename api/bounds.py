"""What a request may be, whoever sends it: how often, its address, where from, its body, and JSON that says one thing.

A request out of bounds is answered before any route sees it. Bodies are small here (devices post to the gateway), so
each is taken whole, within its deadline, and looked at before it is passed on.
"""

import asyncio
import json
from math import isfinite
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import (
    AmbiguousBody,
    ApiError,
    BodyTooLarge,
    BodyTooSlow,
    BrokenBody,
    ForeignOrigin,
    NotFound,
    UnknownBody,
)
from api.languages import say
from api.pace import Pace
from api.problems import answer
from api.roles import SESSION_COOKIE
from api.security import IMMUTABLE_PATHS
from api.texts import unshown
from ingest.decoders.structure import check_depth
from ingest.errors import TooDeep

MOST_FORM_BYTES = 64 * 1024
MOST_JSON_BYTES = 1024 * 1024  # a month's outcomes of 10,000 customers, or a rate plan
LEAST_BYTES_PER_S = 1024
BODY_GRACE_S = 5.0
MOST_PATH_CHARACTERS = 512
MOST_DIGITS = 18
JSON, FORM, FILE = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
TAKE_A_FILE = {"/rate-plans/check"}
UNCOUNTED = (*IMMUTABLE_PATHS, "/health")
_READS = ("GET", "HEAD", "OPTIONS")

type Headers = dict[bytes, bytes]


class RequestBounds:
    """ASGI middleware: answers what is out of bounds, passes the rest on with its body whole."""

    def __init__(self, app: ASGIApp, pace: Pace) -> None:
        self.app, self.pace = app, pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is in bounds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        try:
            if not scope["path"].startswith(UNCOUNTED):
                self.pace.take(_token(headers), scope["client"][0] if scope["client"] else "")
            check_address(scope["path"], scope["query_string"])
            if scope["method"] not in _READS:
                check_origin(headers)
            if b"content-length" in headers or b"transfer-encoding" in headers:
                receive = _again(await _whole_body(scope["path"], headers, receive), receive)
        except ApiError as refused:
            await answer(Request(scope), refused)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _token(headers: Headers) -> str | None:
    return cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(SESSION_COOKIE)


def check_address(path: str, query: bytes) -> None:
    """Raises NotFound for a path with a NUL, a sign that is not shown (as one that turns the text) or without end."""
    if not path.isprintable() or len(path) > MOST_PATH_CHARACTERS:
        raise NotFound("page", ascii(path[:80]))
    if b"%00" in query or b"\0" in query:
        raise AmbiguousBody("the address's query", "holds a NUL, which no text here does", None)


def check_origin(headers: Headers) -> None:
    """Raises ForeignOrigin for a change that another site's page asks for, by the two headers a browser sends."""
    origin = headers.get(b"origin")
    site = headers.get(b"sec-fetch-site", b"none")
    host = headers.get(b"host", b"")
    if site not in {b"same-origin", b"none"} or (origin is not None and origin.partition(b"://")[2] != host):
        raise ForeignOrigin((origin or site).decode("latin-1"))


def check_json(body: bytes) -> None:
    """Raises BrokenBody for what is no JSON, AmbiguousBody where two readers could take it for two things.

    That is: a key twice in one object, NaN and infinities, numbers of more than 18 digits, NUL, lone surrogates and
    signs that are not shown.
    """
    try:
        text = body.decode("utf-8")
        check_depth(body)
        _check_texts(json.loads(text, object_pairs_hook=_once, parse_constant=_number, parse_int=_whole,
                                parse_float=_number))  # fmt: skip
    except UnicodeDecodeError as error:
        raise BrokenBody(f"byte {error.start} is not UTF-8") from None
    except TooDeep as error:
        raise BrokenBody(f"it is nested over {error.limit} deep") from None
    except json.JSONDecodeError as error:
        raise BrokenBody(f"it is not JSON: {error.msg} at character {error.pos}") from None


def check_form(body: bytes, kind: str) -> None:
    """Raises AmbiguousBody for a form with a NUL, which no text of the database holds, or a sign that is not shown."""
    if b"\0" in body or b"%00" in body:
        raise AmbiguousBody("the form", "holds a NUL, which no text here does", None)
    for name, text in parse_qsl(body.decode("latin-1"), keep_blank_values=True) if kind == FORM else ():
        _check_text(text, name)


async def _whole_body(path: str, headers: Headers, receive: Receive) -> bytes:
    """The body, of its kind, in its bounds, in its time."""
    program = path.startswith("/api/")
    most = MOST_JSON_BYTES if program else MOST_FORM_BYTES
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced[:20]) > most:
        raise BodyTooLarge(most)
    if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        raise UnknownBody("Content-Encoding", headers[b"content-encoding"].decode("latin-1"), "identity")
    body = await _read(receive, most)
    if not body:
        return body
    kind, _, _ = headers.get(b"content-type", b"").decode("latin-1").partition(";")
    wanted = JSON if program else FILE if path in TAKE_A_FILE else FORM
    if kind.strip().lower() != wanted:
        raise UnknownBody("Content-Type", kind, wanted)
    if program:
        check_json(body)
    else:
        check_form(body, wanted)
    return body


async def _read(receive: Receive, most: int) -> bytes:
    loop = asyncio.get_running_loop()
    started, body = loop.time(), bytearray()
    while True:
        try:
            async with asyncio.timeout_at(started + BODY_GRACE_S + len(body) / LEAST_BYTES_PER_S):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow(LEAST_BYTES_PER_S) from None
        body += message.get("body", b"")
        if len(body) > most:
            raise BodyTooLarge(most)
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then what the connection says."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise AmbiguousBody("the body", "names a key twice", twice)
    return found


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise AmbiguousBody("the body", f"holds a number of over {MOST_DIGITS} digits", None)
    return int(digits)


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise AmbiguousBody("the body", f"holds a number that is not finite: {text[:20]}", None)
    return number


def _check_texts(value: object, field: str | None = None) -> None:
    if isinstance(value, str):
        _check_text(value, field)
    elif isinstance(value, dict):
        for name, part in value.items():
            _check_text(name, field)
            _check_texts(part, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _check_texts(part, f"{field}.{number}" if field else str(number))


def _check_text(text: str, field: str | None) -> None:
    if "\0" in text:
        _unfit("a NUL", field)
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        _unfit("half of a character (a lone surrogate)", field)
    if sign := unshown(text):
        said = say("holds a sign that is not shown ({sign}), which no text here does", sign=f"U+{ord(sign):04X}")
        raise AmbiguousBody("the body", said, field)


def _unfit(what: str, field: str | None) -> NoReturn:
    raise AmbiguousBody("the body", f"holds {what}, which no text here does", field)
