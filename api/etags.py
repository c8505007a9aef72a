"""Answers that say which they are: who has it already is told so, without the bytes."""

from hashlib import blake2b

from fastapi import Request
from fastapi.responses import Response
from pydantic_core import to_json

from api.paging import Paging

_PIECE = 2_000
TAGGED = {"x-tagged": True}  # says in a route's description that it answers so


def tagged(request: Request, content: bytes, *, basis: bytes | None = None) -> Response:
    """The JSON with its ETag; 304 without it where `If-None-Match` names it. `basis`: what all of it follows from."""
    tag = f'"{_digest(basis or content)}"'
    if is_known(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(content, media_type="application/json", headers={"ETag": tag})


def tagged_json(request: Request, value: object) -> Response:
    """The same of a value that is not JSON yet."""
    return tagged(request, to_json(value))


def tagged_page(request: Request, value: object, paging: Paging) -> Response:
    """The same of a page of a list, with the way to the next."""
    answer = tagged_json(request, value)
    answer.headers.update({"Link": link} if (link := paging.response.headers.get("link")) else {})
    return answer


def is_known(request: Request, tag: str) -> bool:
    """Whether the request's `If-None-Match` names the tag, or anything that there is."""
    asked = request.headers.get("if-none-match", "")
    return asked.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in asked.split(",")}


def _digest(content: bytes) -> str:
    """By pieces under 2 KiB: more at once is hashed without the interpreter's lock, and has to wait for it then."""
    hashed = blake2b(digest_size=12)
    for at in range(0, len(content), _PIECE):
        hashed.update(content[at : at + _PIECE])
    return hashed.hexdigest()
