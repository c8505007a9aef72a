"""What a device does for itself over HTTP: redeem its one-time code for a token, and exchange its token for another."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from ingest.devices import ROTATION_OVERLAP, rotate
from ingest.enrolment import Guesses, NewToken, redeem
from ingest.errors import CodeSpent, TooManyCodes, UnknownCode
from ingest.gateway import bearer_device, problem, read_body
from ingest.store import Device
from storage.pool import Database

MAX_CODE_CHARACTERS = 64


class _Wanted(msgspec.Struct):
    code: str


_WANTED = msgspec.json.Decoder(_Wanted)


def add_device_routes(app: FastAPI, database: Database, clock: Callable[[], datetime]) -> None:
    """Add both routes to a gateway."""
    guesses = Guesses()

    @app.post("/v1/enrol")
    async def enrol_by_code(request: Request) -> Response:
        """`{"code": "..."}` to the device's id and token, once."""
        body = await read_body(request)
        try:
            code = _WANTED.decode(body).code
        except (msgspec.DecodeError, UnicodeDecodeError):
            code = None
        if code is None or not 0 < len(code) <= MAX_CODE_CHARACTERS or "\0" in code:
            return problem(422, "This is not a code", 'send {"code": "XXXX-XXXX-XXXX"}')
        address = request.client.host if request.client else ""
        try:
            new = await run_in_threadpool(redeem, database, code, clock(), address=address, guesses=guesses)
        except UnknownCode as err:
            return problem(404, "No such code", str(err))
        except CodeSpent as err:
            return problem(410, "The code is spent", str(err))
        except TooManyCodes as err:
            return problem(429, "Too many wrong codes", str(err), {"Retry-After": str(err.wait_s)})
        return _secret(new)

    @app.post("/v1/token")
    async def exchange_token(request: Request) -> Response:
        """Another token for the device that sends its own; the earlier ones end after the overlap."""
        now = clock()
        device = await bearer_device(request, database, now)
        return _secret(await run_in_threadpool(_exchange, database, device, now))


def _exchange(database: Database, device: Device, now: datetime) -> NewToken:
    with database.role("telemetry") as conn:
        token = rotate(conn, device.device_id, now, tier=device.tier).token
    return NewToken(device.device_id, token, device.tier)


def _secret(new: NewToken) -> Response:
    content = {
        "device_id": new.device_id,
        "token": new.token,
        "tier": new.tier,
        "earlier_tokens_end_after_s": int(ROTATION_OVERLAP.total_seconds()),
    }
    return Response(msgspec.json.encode(content), headers={"Cache-Control": "no-store"}, media_type="application/json")
