"""A simulated fleet streams into a running gateway, at real speed or faster: each vehicle keeps and resends.

A vehicle sends its batches in order, each until it is acknowledged. The stream's own time runs `speed` times as fast as
the clock and ends at the present, so no fix lies in the future.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx
import msgspec

from simulator.frames import batches, imei_of, osmand_queries, teltonika_packets
from simulator.upload import batch_json, compressed
from simulator.world import Columns

ANSWER_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
IMEI_ACCEPTED = b"\x01"
PASSING = (408, 425, 429, 500, 502, 503, 504)
NOT_ACKNOWLEDGED = (OSError, EOFError, TimeoutError, httpx.TransportError)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One simulated device: its readings, and a token for HTTP or, for a tracker on TCP, its number."""

    number: int
    device_kind: str
    columns: Columns
    token: str | None


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where to send: an HTTP address, host and port of the Teltonika gateway where there is one; how phones speak."""

    url: str
    tcp: tuple[str, int] | None = None
    phones_speak_osmand: bool = False


@dataclass(slots=True)
class Streamed:
    """What was sent and what became of it. `attempts` counts each sending, `batches` each batch once."""

    readings: int = 0
    batches: int = 0
    attempts: int = 0
    acknowledged: int = 0  # readings
    refused: dict[str, int] = field(default_factory=dict)  # readings by the gateway's word
    unacknowledged: int = 0  # readings given up at the end
    troubles: dict[str, int] = field(default_factory=dict)  # sendings without an answer that counts, by the error

    def refuse(self, why: str, readings: int) -> None:
        """Counts readings that the gateway will never take."""
        self.refused[why] = self.refused.get(why, 0) + readings


class _Receipt(msgspec.Struct):
    accepted: int
    duplicate: int
    quarantined: int


async def stream(
    vehicles: Sequence[Vehicle],
    gateway: Gateway,
    *,
    began_us: int,
    speed: float,
    patience_s: float,
    progress: Callable[[int, int], None],
) -> Streamed:
    """Streams all readings and stops by itself.

    `began_us` is the fix time at which the stream begins; a batch is due when its last reading was made. What is not
    acknowledged `patience_s` seconds after the last batch was due is given up and counted.
    """
    total = Streamed(readings=sum(len(one.columns["fix_time_us"]) for one in vehicles))
    last_us = max(int(one.columns["fix_time_us"][-1]) for one in vehicles)
    clock = _Clock(time.monotonic(), began_us, speed)
    ends_at = clock.at(last_us) + patience_s
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=ANSWER_S, limits=limits) as client:

        def told(readings: int) -> None:
            total.acknowledged += readings
            progress(total.acknowledged, total.readings)

        senders = []
        for vehicle in vehicles:
            send = _sender(vehicle, gateway, client)
            senders.append(_drive(vehicle, send, clock, ends_at, total, told))
        await asyncio.gather(*senders)
    total.unacknowledged = total.readings - total.acknowledged - sum(total.refused.values())
    return total


def _sender(vehicle: Vehicle, gateway: Gateway, client: httpx.AsyncClient) -> Callable[[Columns], Awaitable[None]]:
    if vehicle.device_kind == "tracker" and gateway.tcp is not None:
        return _Tcp(vehicle, gateway).send
    if vehicle.device_kind == "phone" and gateway.phones_speak_osmand:
        return _Osmand(vehicle, gateway, client).send
    return _Http(vehicle, gateway, client).send


@dataclass(frozen=True, slots=True)
class _Clock:
    started: float
    began_us: int
    speed: float

    def at(self, time_us: int) -> float:
        """The monotonic time at which a fix time comes."""
        return self.started + (time_us - self.began_us) / 1e6 / self.speed


class _Refused(Exception):
    """The gateway said that sending it again will not help."""


async def _drive(
    vehicle: Vehicle,
    send: Callable[[Columns], Awaitable[None]],
    clock: _Clock,
    ends_at: float,
    total: Streamed,
    told: Callable[[int], None],
) -> None:
    """One vehicle's batches in order, each until it is acknowledged or the time is over."""
    for batch in batches(vehicle.columns, vehicle.device_kind):
        count = len(batch["fix_time_us"])
        await asyncio.sleep(max(clock.at(int(batch["fix_time_us"][-1])) - time.monotonic(), 0.0))
        total.batches += 1
        pause_s = FIRST_PAUSE_S
        while time.monotonic() < ends_at:
            total.attempts += 1
            try:
                await send(batch)
            except _Refused as why:
                total.refuse(str(why), count)
                break
            except NOT_ACKNOWLEDGED as trouble:
                kind = type(trouble).__name__
                total.troubles[kind] = total.troubles.get(kind, 0) + 1
                await asyncio.sleep(min(pause_s, max(ends_at - time.monotonic(), 0.0)))
                pause_s = min(2.0 * pause_s, LONGEST_PAUSE_S)
                continue
            told(count)
            break


class _Http:
    def __init__(self, vehicle: Vehicle, gateway: Gateway, client: httpx.AsyncClient) -> None:
        self._vehicle, self._client = vehicle, client
        self._url = f"{gateway.url.rstrip('/')}/v1/readings"

    async def send(self, batch: Columns) -> None:
        body = batch_json(batch)
        content, encoding = compressed(body)
        headers = {
            "Authorization": f"Bearer {self._vehicle.token}",
            "Content-Type": "application/json",
            "Content-Encoding": encoding,
            "Idempotency-Key": hashlib.sha256(body).hexdigest(),
        }
        answer = await self._client.post(self._url, content=content, headers=headers)
        if answer.status_code in PASSING:
            raise TimeoutError
        if answer.status_code != 200:
            raise _Refused(f"HTTP {answer.status_code}")
        receipt = msgspec.json.decode(answer.content, type=_Receipt)
        if receipt.accepted + receipt.duplicate + receipt.quarantined != len(batch["fix_time_us"]):
            raise _Refused("a receipt of another number of readings")


class _Osmand:
    """A phone app without batches: a request a reading."""

    def __init__(self, vehicle: Vehicle, gateway: Gateway, client: httpx.AsyncClient) -> None:
        assert vehicle.token is not None
        self._token, self._client = vehicle.token, client
        self._url = f"{gateway.url.rstrip('/')}/osmand"

    async def send(self, batch: Columns) -> None:
        for query in osmand_queries(batch, self._token):
            answer = await self._client.get(self._url, params=query)
            if answer.status_code in PASSING:
                raise TimeoutError
            if answer.status_code != 200:
                raise _Refused(f"HTTP {answer.status_code}")


class _Tcp:
    """A tracker's connection, opened when there is something to send and again after trouble."""

    def __init__(self, vehicle: Vehicle, gateway: Gateway) -> None:
        self._imei = imei_of(vehicle.number).encode()
        self._extended = vehicle.number % 2 == 1
        assert gateway.tcp is not None
        self._address = gateway.tcp
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, batch: Columns) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = self._streams or await self._connected()
                for packet in teltonika_packets(batch, extended=self._extended):
                    writer.write(packet)
                    await writer.drain()
                    records = packet[9]
                    if int.from_bytes(await reader.readexactly(4)) != records:
                        raise EOFError
        except NOT_ACKNOWLEDGED:
            if self._streams is not None:
                self._streams[1].close()
                self._streams = None
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self._address)
        self._streams = reader, writer
        writer.write(len(self._imei).to_bytes(2) + self._imei)
        await writer.drain()
        if await reader.readexactly(1) != IMEI_ACCEPTED:
            raise _Refused("the IMEI is not admitted")
        return reader, writer
