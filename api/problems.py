"""Errors as answers: problem+json (RFC 9457) under /api, a page with the same words for people."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.errors import ApiError, NotFound, NotSignedIn
from api.languages import say
from api.rendering import page
from api.roles import account_of
from api.security import headers_of
from portfolio.errors import (
    AlreadyAnswered,
    ErasureDecided,
    ExperimentExists,
    KeyUsedTwice,
    NoErasure,
    NoExperiment,
    OtherWords,
    PortfolioError,
    StepOutOfOrder,
    TripTaken,
)
from pricing.errors import (
    AlreadyContested,
    ClaimInTheWay,
    ContestDecided,
    DeviceTaken,
    EndedDevice,
    EvidenceNotSeen,
    KeyReused,
    NothingChanges,
    NothingToContest,
    NothingToMeasure,
    PlanVersionTaken,
    PolicyCancelled,
    PolicyDiffers,
    PricingError,
    TooLateToContest,
    UnknownContest,
    UnknownPolicy,
)
from pricing.publishing_errors import NotSubmitted, OwnApproval, SubmissionExpired
from storage.errors import StorageError

PROBLEM_TYPE = "application/problem+json"
CORRECT = "Correct that part and send it again."
NONE_OF_THAT_ID = (NoErasure, NoExperiment)
NOT_AS_THINGS_STAND = (
    AlreadyAnswered,
    ErasureDecided,
    ExperimentExists,
    KeyUsedTwice,
    OtherWords,
    StepOutOfOrder,
    TripTaken,
)
NOT_THERE = (UnknownPolicy, UnknownContest, NothingToContest)
NOT_NOW = (
    AlreadyContested, ClaimInTheWay, ContestDecided, DeviceTaken, EndedDevice, EvidenceNotSeen, KeyReused,
    NothingChanges, NothingToMeasure, NotSubmitted, OwnApproval, PlanVersionTaken, PolicyCancelled, PolicyDiffers,
    SubmissionExpired, TooLateToContest,
)  # fmt: skip
HTTP_TITLES = {404: "Not found", 405: "Not here"}
HTTP_ADVICE = {404: "Check the address, or go back to your overview.", 405: "Use the page's own buttons and links."}
ADVICE = {404: HTTP_ADVICE[404], 409: "Look at how it stands, then decide again."}


class Problem(BaseModel):
    """Every error of the API: what is wrong, with which facts, and what to do."""

    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no trip '…' in your account."])
    what_to_do: str = Field(examples=["Check the address, or go back to your overview."])
    field: str | None = Field(default=None, description="The parameter that is wrong, where one is.")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {PROBLEM_TYPE: {}}, "description": text}
    for status, text in ((401, "No valid session"), (403, "Another role's"), (404, "None, or somebody else's"))
}


def install_problems(app: FastAPI) -> None:
    """Every error that a route can raise gets its answer."""

    @app.exception_handler(ApiError)
    def _api_error(request: Request, error: ApiError) -> Response:
        if isinstance(error, NotSignedIn) and _wants_page(request):
            return RedirectResponse("/", status_code=303)
        return answer(request, error, known_reader=True)

    @app.exception_handler(PricingError)
    def _refused(request: Request, error: PricingError) -> Response:
        status = 404 if isinstance(error, NOT_THERE) else 409 if isinstance(error, NOT_NOW) else 422
        problem = Problem(
            title={404: "Not found", 409: "Not as things stand", 422: "The request does not fit"}[status],
            status=status,
            detail=f"{error}.",
            what_to_do=getattr(error, "what_to_do", None) or ADVICE.get(status, CORRECT),
            field=getattr(error, "field", None),
        )
        return _answer(request, problem)

    @app.exception_handler(PortfolioError)
    def _unfit(request: Request, error: PortfolioError) -> Response:
        status = 404 if isinstance(error, NONE_OF_THAT_ID) else 409 if isinstance(error, NOT_AS_THINGS_STAND) else 422
        title = {404: "Not found", 409: "Not as things stand", 422: "The request does not fit"}[status]
        said, field = f"{error}.", getattr(error, "field", None)
        return _answer(request, Problem(title=title, status=status, detail=said, what_to_do=CORRECT, field=field))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["loc"][0] == "path":  # An id that no object can have is one that no object has.
            return _api_error(request, NotFound(str(first["loc"][1]).removesuffix("_id"), str(first["input"])))
        return _answer(request, _misfit(error))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        problem = Problem(
            title=HTTP_TITLES.get(error.status_code, "Not possible"),
            status=error.status_code,
            detail=str(error.detail),
            what_to_do=HTTP_ADVICE.get(error.status_code, "Correct the request and send it again."),
        )
        return _answer(request, problem, dict(error.headers or {}))

    @app.exception_handler(StorageError)
    def _storage(request: Request, error: StorageError) -> Response:
        problem = Problem(
            title="The database does not answer",
            status=503,
            detail="Nothing was changed.",
            what_to_do="Wait a moment, then try again.",
        )
        return _answer(request, problem, {"Retry-After": "5"}, known_reader=False)

    @app.exception_handler(Exception)
    def _broken(request: Request, error: Exception) -> Response:
        """Our own mistake: said without its words, which may hold what is a person's; the log has them."""
        problem = Problem(title=ApiError.title, status=500, detail="The request broke on our side.",
                          what_to_do=ApiError.advice)  # fmt: skip
        headers = headers_of(request.url.scheme) | {"Cache-Control": "no-store"}  # no middleware is round this one
        return _answer(request, problem, headers, known_reader=False)


def answer(request: Request, error: ApiError, *, known_reader: bool = False) -> Response:
    """The answer to one of our own errors; `known_reader`: a page's head shows who is signed in."""
    problem = Problem(
        title=error.title,
        status=error.status,
        detail=str(error),
        what_to_do=error.advice,
        field=getattr(error, "field", None),
    )
    wait_s = getattr(error, "wait_s", None)
    return _answer(request, problem, {"Retry-After": str(wait_s)} if wait_s else None, known_reader=known_reader)


def _misfit(error: RequestValidationError) -> Problem:
    """The first part that does not fit, with what it may be where it is read in several ways."""
    wrong = [(_field_of(one, error.body), str(one["msg"])) for one in error.errors()]
    field = wrong[0][0]
    said = " or ".join(dict.fromkeys(message for place, message in wrong if place == field))
    detail = f"{field or 'the request'}: {said}"
    return Problem(title="The request does not fit", status=422, detail=detail, what_to_do=CORRECT, field=field)


def _field_of(error: Mapping[str, Any], sent: object) -> str | None:
    """Where in the request an error is, without pydantic's names for the ways in which a value there may be read."""
    start, *place = error["loc"]
    if start != "body":
        return ".".join(str(part) for part in place)
    named: list[str] = []
    for number, part in enumerate(place, 1):
        if (isinstance(sent, Mapping) and part in sent) or (isinstance(sent, list) and isinstance(part, int)):
            sent = sent[part]
        elif error["type"] != "missing" or number < len(place):
            continue
        named.append(str(part))
    return ".".join(named) or None


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and request.url.path != "/openapi.json"


def _answer(
    request: Request, problem: Problem, headers: dict[str, str] | None = None, *, known_reader: bool = True
) -> Response:
    response: Response
    if _wants_page(request):
        reader = account_of(request) if known_reader else None
        said = {"title": say(problem.title), "detail": say(problem.detail), "what_to_do": say(problem.what_to_do)}
        problem = problem.model_copy(update=said)
        response = page(request, "problem.html", reader, status=problem.status, problem=problem)
    else:
        response = JSONResponse(
            problem.model_dump(exclude_none=True), status_code=problem.status, media_type=PROBLEM_TYPE
        )
    response.headers.update(headers or {})
    return response
