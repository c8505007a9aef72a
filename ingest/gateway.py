"""The HTTP gateway of the devices: our own batch, OsmAnd, OwnTracks and Traccar's forwarder.

Authenticated and permanently bad is 200 and quarantine; passing trouble is 503 and nothing acknowledged; no credential
is 401 or 404. Serve it with uvicorn's access log off: OsmAnd's credential stands in the request line.
"""

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from functools import partial
from math import ceil

import msgspec
from fastapi import FastAPI, Request, Response
from psycopg import errors as postgres
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ingest.accept import Offer, Receipt, accept_decoded, make_offer
from ingest.body import MAX_BODY_BYTES, inflate
from ingest.coalesce import Coalescer
from ingest.decoders import osmand, owntracks, traccar, wayrate
from ingest.devices import authenticate
from ingest.enrolment import sender_of
from ingest.errors import (
    BodyTooLarge,
    BodyTooSlow,
    BrokenCompression,
    DeviceErased,
    DeviceRevoked,
    EmptyBody,
    IdempotencyConflict,
    InflatesTooMuch,
    Overloaded,
    TooDeep,
    TooManyRecords,
    TooManyUploads,
    UnknownEncoding,
)
from ingest.http_protocol import LINGER_S
from ingest.limits import UploadLimit
from ingest.readiness import OncePerSecond
from ingest.rejection import Rejection
from ingest.security import SecurityEvent, record
from ingest.store import Device, probe_commit
from storage.errors import StorageUnavailable
from storage.pool import Database

_LOG = logging.getLogger(__name__)
MIN_BYTES_PER_S = 1024
BODY_GRACE_S = 5.0
RETRY_AFTER_S = 30
MAX_KEY_LENGTH = 255
_OSMAND_PATHS = ("/osmand", "/osmand/", "/osmand/{token}", "/osmand/{token}/")
_JSON = "application/json"
# OsmAnd's token travels in a URL, so what comes by it never counts for more than a claim.
_OSMAND_TIER = "claim"

_STATUS: dict[type[Exception], tuple[int, str]] = {
    BodyTooLarge: (413, "The body is too large"),
    InflatesTooMuch: (413, "The body inflates too much"),
    TooManyRecords: (413, "The batch is too large"),
    BrokenCompression: (400, "The compressed body is broken"),
    TooDeep: (400, "The JSON is nested too deep"),
    UnknownEncoding: (415, "This encoding is not supported"),
    EmptyBody: (422, "The body is empty"),
    BodyTooSlow: (408, "The body came too slowly"),
    TooManyUploads: (429, "The device uploads too often"),
    IdempotencyConflict: (409, "The Idempotency-Key was used for another body"),
    DeviceRevoked: (401, "The device is revoked"),
    Overloaded: (503, "Too much is waiting to be stored"),
    StorageUnavailable: (503, "Storage is not available"),
}


class _Problem(Exception):
    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        self.response = problem(status, title, detail, headers)


type _Keep = Callable[[Offer], Awaitable[Receipt]]


def create_gateway(
    database: Database,
    clock: Callable[[], datetime],
    limit: UploadLimit | None = None,
    coalescer: Coalescer | None = None,
) -> FastAPI:
    """The gateway as an ASGI application on an entered `database`; `clock` gives aware times.

    `limit` and the entered `coalescer` are shared with the other gateways; without one each upload is stored alone.
    """
    limit = limit or UploadLimit()
    keep = coalescer.accept if coalescer else _alone(database)
    app = FastAPI(title="Wayrate gateway", docs_url=None, redoc_url=None, redirect_slashes=False)
    _answer_errors(app)
    _add_forwarders(app, database, clock, limit, keep)

    @app.post("/v1/readings")
    async def receive_batch(request: Request) -> Response:
        """One batch of our own JSON; the receipt says what became of every record."""
        received_at = clock()
        device = await bearer_device(request, database, received_at)
        _admit(limit, device)
        key = _idempotency_key(request)
        _check_content_type(request, (_JSON,))
        body = await run_in_threadpool(inflate, await read_body(request), request.headers.get("content-encoding", ""))
        decoded = await run_in_threadpool(wayrate.decode, body)
        offer = make_offer(
            device, body, decoded, received_at=received_at, channel="http", decoder_version=wayrate.VERSION,
            idempotency_key=key,
        )  # fmt: skip
        receipt = await keep(offer)
        headers = {"Idempotent-Replay": "true"} if receipt.replayed else None
        return Response(_receipt_json(receipt), headers=headers, media_type=_JSON)

    async def receive_osmand(request: Request) -> Response:
        """One position of a phone. 200 with no body once it is durable, in the table or in quarantine."""
        received_at = clock()
        sent = await read_body(request)
        body = await run_in_threadpool(inflate, sent, request.headers.get("content-encoding", ""))
        is_json = _media_type(request) == _JSON or body.lstrip()[:1] == b"{"
        query = request.scope["query_string"] if is_json else _joined(request.scope["query_string"], body)
        token = request.path_params.get("token") or osmand.query_credential(query)
        if token is None and is_json:
            token = osmand.json_credential(body)
        device = await run_in_threadpool(_authenticate, database, token or "", received_at)
        if device is None:
            raise _Problem(
                404, "No such device", "the id is not one that was enrolled; enrol the device and use its token"
            )
        _admit(limit, device)
        frame = body if is_json else query
        decoded = await run_in_threadpool(osmand.decode, frame, token or "", is_json=is_json)
        offer = make_offer(
            device, frame, decoded, received_at=received_at, channel="osmand", decoder_version=osmand.VERSION,
            tier=_OSMAND_TIER,
        )  # fmt: skip
        await keep(offer)
        return Response(status_code=200)

    for path in _OSMAND_PATHS:
        app.add_api_route(path, receive_osmand, methods=["GET", "POST"], include_in_schema=path == "/osmand")

    _add_health(app, database, coalescer)
    return app


def _add_health(app: FastAPI, database: Database, coalescer: Coalescer | None) -> None:
    @app.get("/livez")
    async def live() -> Response:
        """The process answers."""
        return Response("alive\n", media_type="text/plain")

    probe = OncePerSecond(partial(_reach, database, coalescer))

    @app.get("/readyz")
    async def ready() -> Response:
        """A write commits too, and uploads do: more will be taken."""
        await run_in_threadpool(probe)
        return Response("ready\n", media_type="text/plain")


def _alone(database: Database) -> _Keep:
    async def keep(offer: Offer) -> Receipt:
        return await run_in_threadpool(accept_decoded, database, offer.upload, offer.decoded)

    return keep


def _add_forwarders(
    app: FastAPI, database: Database, clock: Callable[[], datetime], limit: UploadLimit, keep: _Keep
) -> None:
    """The routes of what sends one JSON message a request and repeats it until it is taken."""

    @app.post("/owntracks")
    async def receive_owntracks(request: Request) -> Response:
        """One message of the OwnTracks app; `[]` once its position is durable, in the table or in quarantine."""
        received_at = clock()
        device = await _basic(request, database, received_at)
        _admit(limit, device)
        body = await run_in_threadpool(inflate, await read_body(request), request.headers.get("content-encoding", ""))
        decoded = await run_in_threadpool(owntracks.decode, body)
        offer = make_offer(
            device, body, decoded, received_at=received_at, channel="owntracks", decoder_version=owntracks.VERSION
        )
        await keep(offer)
        return Response(owntracks.ANSWER, media_type=_JSON)

    @app.post("/traccar")
    async def receive_traccar(request: Request) -> Response:
        """One position that a Traccar server forwards. 200 with no body once it is durable."""
        received_at = clock()
        device = await bearer_device(request, database, received_at)
        _admit(limit, device)
        body = await run_in_threadpool(inflate, await read_body(request), request.headers.get("content-encoding", ""))
        sender = await run_in_threadpool(_forwarded, database, device, body)
        decoded = await run_in_threadpool(traccar.decode, body, sender.device_id)
        offer = make_offer(
            sender, body, decoded, received_at=received_at, channel="traccar", decoder_version=traccar.VERSION
        )
        receipt = await keep(offer)
        if any(one.reason == Rejection.BAD_ID for one in receipt.records):
            event = partial(record, database, SecurityEvent.FOREIGN_DEVICE, received_at)
            await run_in_threadpool(event, channel="traccar", device_key=device.device_key)
        return Response(status_code=200)


async def read_body(request: Request) -> bytes:
    """The body as sent. Raises `BodyTooLarge` (before reading, if it says so itself) and `BodyTooSlow`."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > MAX_BODY_BYTES:
        raise BodyTooLarge(MAX_BODY_BYTES, inflated=False)
    loop = asyncio.get_running_loop()
    started = loop.time()
    body = bytearray()
    stream: AsyncIterator[bytes] = request.stream().__aiter__()
    while True:
        deadline = started + BODY_GRACE_S + len(body) / MIN_BYTES_PER_S
        try:
            async with asyncio.timeout_at(deadline):
                piece = await anext(stream, None)
        except TimeoutError as err:
            raise BodyTooSlow(MIN_BYTES_PER_S) from err
        if piece is None:
            return bytes(body)
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(MAX_BODY_BYTES, inflated=False)


async def bearer_device(request: Request, database: Database, as_of: datetime) -> Device:
    """The device whose token the request carries; a refusal (401) when it is nobody's."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    device = None
    if scheme.lower() == "bearer":
        device = await run_in_threadpool(_authenticate, database, token.strip(), as_of)
    if device is None:
        detail = "send the device's token as `Authorization: Bearer <token>`; enrolling or rotating gives one"
        raise _Problem(401, "The token is missing or not valid", detail, {"WWW-Authenticate": "Bearer"})
    return device


async def _basic(request: Request, database: Database, as_of: datetime) -> Device:
    """The device whose token is the password; the user's name is the app's own affair."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    device = None
    if scheme.lower() == "basic":
        try:
            token = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            token = ""
        device = await run_in_threadpool(_authenticate, database, token, as_of)
    if device is None:
        detail = "use the device's token as the password; enrolling or rotating gives one"
        raise _Problem(401, "The token is missing or not valid", detail, {"WWW-Authenticate": 'Basic realm="wayrate"'})
    return device


def _admit(limit: UploadLimit, device: Device) -> None:
    wait_s = limit.wait_s(device.device_key)
    if wait_s:
        raise TooManyUploads(wait_s)


def _authenticate(database: Database, token: str, as_of: datetime) -> Device | None:
    with database.role("telemetry") as conn:
        return authenticate(conn, token, as_of)


def _forwarded(database: Database, credential: Device, body: bytes) -> Device:
    try:
        with database.role("telemetry") as conn:
            return sender_of(conn, credential, traccar.named_device(body))
    except DeviceErased as err:
        raise _Problem(401, "The device was erased", "take it off the server's list of devices") from err


def _reach(database: Database, coalescer: Coalescer | None) -> None:
    if coalescer is not None and coalescer.is_failing:
        raise StorageUnavailable("uploads cannot be stored")
    try:
        with database.role("telemetry") as conn:
            probe_commit(conn)
    except postgres.Error as err:  # it answers, and will not write: a standby, say
        raise StorageUnavailable(type(err).__name__) from err


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise _Problem(400, "The Idempotency-Key is not one", "use 1 to 255 printable ASCII characters")
    return key


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_content_type(request: Request, accepted: tuple[str, ...]) -> None:
    media_type = _media_type(request)
    if media_type not in accepted:
        raise UnknownEncoding("Content-Type", media_type[:80], accepted)


def _joined(query: bytes, form: bytes) -> bytes:
    return b"&".join(part for part in (query, form.strip()) if part)


def _receipt_json(receipt: Receipt) -> bytes:
    names = ("accepted", "duplicate", "quarantined", "records")
    return msgspec.json.encode({name: getattr(receipt, name) for name in names})


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal as problem+json (RFC 9457)."""
    content = msgspec.json.encode({"type": "about:blank", "status": status, "title": title, "detail": detail})
    return Response(content, status, headers, media_type="application/problem+json")


class _MidBody(Response):
    """A refusal while the body is still under way: said, then what comes is thrown away for a moment, then the end.

    A socket closed with bytes unread resets the connection, and the sender may lose the answer that says why.
    """

    def __init__(self, refusal: Response) -> None:
        super().__init__(refusal.body, refusal.status_code, dict(refusal.headers) | {"connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _answer_errors(app: FastAPI) -> None:
    """Every refusal as problem+json (RFC 9457) that says what to do."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, _Problem)
        return error.response

    async def known(_: Request, error: Exception) -> Response:
        status, title = _STATUS[type(error)]
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
        if isinstance(error, TooManyUploads):
            headers["Retry-After"] = str(ceil(error.wait_s))
        refusal = problem(status, title, str(error), headers)
        return _MidBody(refusal) if status in {408, 413} else refusal

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(
            error.status_code, error.detail, "see the documentation of the gateway", dict(error.headers or {})
        )

    async def passing(_: Request, error: Exception) -> Response:
        return await known(_, StorageUnavailable(type(error).__name__))

    async def gone(_: Request, error: Exception) -> Response:
        return problem(400, "The request ended early", "send it again")

    app.add_exception_handler(_Problem, refused)
    app.add_exception_handler(ClientDisconnect, gone)
    for kind in _STATUS:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(HTTPException, http)
    for trouble in (
        postgres.SerializationFailure,
        postgres.DeadlockDetected,
        postgres.QueryCanceled,
        postgres.LockNotAvailable,
    ):
        app.add_exception_handler(trouble, passing)
