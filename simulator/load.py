"""A load of virtual vehicles: open loop, so that a slow gateway gets no rest, with a device's buffer and repetition.

A packet's latency counts from when it was due, not from when it could be sent.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import chain

import httpx
import numpy as np

from simulator.errors import GatewayUnavailable
from simulator.load_frames import Round, rounds

ACK_TIMEOUT_S = 30.0  # a device that hears nothing sends again
RECONNECT_S = 1.0
DRAIN_S = 30.0
_TICK_S = 0.002
_CONNECTS_AT_ONCE = 100
_HTTP_CONNECTIONS = 100


@dataclass(frozen=True, slots=True)
class Target:
    """One vehicle's way into a gateway: its IMEI and where TCP listens, or its token and the gateway's URL."""

    imei: str = ""
    tcp: tuple[str, int] | None = None
    token: str = ""
    url: str = ""


@dataclass(slots=True)
class Step:
    """What happened at one rate. Latencies are in seconds, of packets that were due in this step."""

    rate: float
    seconds: float
    offered: int = 0
    acknowledged: int = 0
    within: int = 0  # acknowledged before the step's end
    latencies_s: list[float] = field(default_factory=list)
    resent: int = 0
    reconnected: int = 0
    backlog: int = 0  # readings due and not acknowledged when the step ended

    def latency_s(self, percent: float) -> float:
        """The latency that so many percent of the packets stayed within; NaN without any."""
        return float(np.percentile(self.latencies_s, percent)) if self.latencies_s else float("nan")

    @property
    def throughput(self) -> float:
        """Readings acknowledged a second, while readings were sent."""
        return self.within / self.seconds


@dataclass(slots=True)
class _Due:
    """A packet that its vehicle keeps until it is acknowledged."""

    content: bytes
    records: int
    due_s: float
    step: Step


@dataclass(slots=True)
class Vehicle:
    """What a vehicle has in its memory, and how much of what it sent was acknowledged: in order, from the first."""

    target: Target
    waiting: deque[_Due] = field(default_factory=deque)
    acknowledged: int = 0
    sent_s: float | None = None  # when the packet under way was sent

    def settle(self, now_s: float) -> None:
        """The oldest packet is acknowledged."""
        one = self.waiting.popleft()
        self.sent_s = None
        self.acknowledged += one.records
        one.step.acknowledged += one.records
        one.step.latencies_s.append(now_s - one.due_s)


class _TcpSender(asyncio.Protocol):
    """A vehicle's Teltonika connection; it comes back when it is lost."""

    def __init__(self, vehicle: Vehicle, loop: asyncio.AbstractEventLoop) -> None:
        self.vehicle = vehicle
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.admitted = False
        self.ended = False

    async def connect(self) -> None:
        """A connection that says who it is. Raises `OSError`."""
        assert self.vehicle.target.tcp is not None
        await self._loop.create_connection(lambda: self, *self.vehicle.target.tcp)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._received, self.admitted = transport, b"", False
        transport.write(len(self.vehicle.target.imei).to_bytes(2) + self.vehicle.target.imei.encode())

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        if not self.admitted:
            self.admitted, received = received[:1] == b"\x01", received[1:]
            if not self.admitted and self._transport:
                self._transport.close()
                return
        while len(received) >= 4 and self.vehicle.waiting:
            if int.from_bytes(received[:4]) == self.vehicle.waiting[0].records:
                self.vehicle.settle(self._loop.time())
            else:
                self.vehicle.sent_s = None  # another number: the device sends it again
            received = received[4:]
        self._received = received
        self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self.admitted, self.vehicle.sent_s = None, False, None
        if not self.ended:
            self._loop.call_later(RECONNECT_S, lambda: self._loop.create_task(self._reconnect()))

    def wake(self) -> None:
        """Send the oldest packet, unless one is under way; again when it has been under way for too long."""
        vehicle, now_s = self.vehicle, self._loop.time()
        if not (self.admitted and vehicle.waiting and self._transport):
            return
        if vehicle.sent_s is not None:
            if now_s - vehicle.sent_s < ACK_TIMEOUT_S:
                return
            vehicle.waiting[0].step.resent += 1
        vehicle.sent_s = now_s
        self._transport.write(vehicle.waiting[0].content)

    def close(self) -> None:
        """The end of the load."""
        self.ended = True
        if self._transport:
            self._transport.abort()

    async def _reconnect(self) -> None:
        if self.ended:
            return
        if self.vehicle.waiting:
            self.vehicle.waiting[0].step.reconnected += 1
        try:
            await self.connect()
        except OSError:
            self._loop.call_later(RECONNECT_S, lambda: self._loop.create_task(self._reconnect()))


class _HttpSender:
    """A vehicle that posts our own batches, one at a time, under a key of its content."""

    def __init__(self, vehicle: Vehicle, loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> None:
        self.vehicle = vehicle
        self._loop = loop
        self._client = client
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Begin to send, unless that is under way."""
        if self.vehicle.waiting and (self._task is None or self._task.done()):
            self._task = self._loop.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self.vehicle.waiting:
            one = self.vehicle.waiting[0]
            headers = {
                "Authorization": f"Bearer {self.vehicle.target.token}",
                "Content-Type": "application/json",
                "Idempotency-Key": sha256(one.content).hexdigest(),
            }
            try:
                answer = await self._client.post(
                    f"{self.vehicle.target.url}/v1/readings", content=one.content, headers=headers
                )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                self.vehicle.settle(self._loop.time())
            else:
                one.step.resent += 1
                await asyncio.sleep(RECONNECT_S)

    def close(self) -> None:
        """The end of the load."""
        if self._task:
            self._task.cancel()


@dataclass(frozen=True, slots=True)
class Load:
    """What was done to the gateway. Each vehicle's readings are one second apart from `start_ms` on."""

    steps: list[Step]
    vehicles: list[Vehicle]
    start_ms: int
    knee: float | None  # the highest rate at which the gateway kept up; None: it did not break


async def run_load(
    targets: Sequence[Target],
    rates: Sequence[float],
    seconds: float,
    records: int,
    start_ms: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
    kept_up: Callable[[Step], bool] = lambda step: True,
    connected: Callable[[], None] = lambda: None,
) -> Load:
    """All vehicles connected, then each rate (readings a second, of the whole fleet) for so many seconds.

    It ends at the first rate at which the gateway does not keep up. `progress` is told (seconds gone, seconds in all),
    `connected` is called before the first packet is due.
    Raises `GatewayUnavailable` where a vehicle cannot connect at first.
    """
    loop = asyncio.get_running_loop()
    limits = httpx.Limits(max_connections=_HTTP_CONNECTIONS, max_keepalive_connections=_HTTP_CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=ACK_TIMEOUT_S) as client:
        senders = [
            _TcpSender(Vehicle(target), loop) if target.tcp else _HttpSender(Vehicle(target), loop, client)
            for target in targets
        ]
        await _connect([one for one in senders if isinstance(one, _TcpSender)])
        stream = _packets(targets, records, start_ms, rng)
        stream = chain([next(stream)], stream)  # machine code is loaded, or compiled, before the clock runs
        load = Load([], [one.vehicle for one in senders], start_ms, None)
        connected()
        good = None
        total_s = round(seconds * len(rates))
        for number, rate in enumerate(rates):
            gone_s = number * seconds
            step = Step(rate, seconds)
            load.steps.append(step)
            await _run_step(senders, stream, step, records, partial(_tell, progress, gone_s, total_s))
            if not kept_up(step):
                load = Load(load.steps, load.vehicles, start_ms, good or 0.0)
                break
            good = rate
        for one in senders:
            one.close()
    return load


async def _connect(senders: Sequence[_TcpSender]) -> None:
    gate = asyncio.Semaphore(_CONNECTS_AT_ONCE)

    async def connect(one: _TcpSender) -> None:
        async with gate:
            try:
                await one.connect()
            except OSError as err:
                assert one.vehicle.target.tcp is not None
                host, port = one.vehicle.target.tcp
                raise GatewayUnavailable(f"{host}:{port}", 1, str(err)) from err

    await asyncio.gather(*map(connect, senders))
    for _ in range(600):
        if all(one.admitted for one in senders):
            return
        await asyncio.sleep(0.1)
    waiting = sum(not one.admitted for one in senders)
    raise GatewayUnavailable("the gateway", 1, f"{waiting} vehicles were not admitted in 60 s")


def _tell(progress: Callable[[int, int], None], gone_s: float, total_s: int, step_s: float) -> None:
    progress(round(gone_s + step_s), total_s)


def _packets(
    targets: Sequence[Target], records: int, start_ms: int, rng: np.random.Generator
) -> Iterator[tuple[int, bytes]]:
    """The vehicles' packets, a round after the other, each with its vehicle's place."""
    for one in rounds(len(targets), records, start_ms, rng):
        for place, target in enumerate(targets):
            yield place, one.packets[place] if target.tcp else _batch(one, place)


def _batch(one: Round, place: int) -> bytes:
    columns = zip(
        (one.times_ms[place] / 1000).tolist(), one.latitude_deg[place].tolist(), one.longitude_deg[place].tolist(),
        one.speed_mps[place].tolist(), strict=True,
    )  # fmt: skip
    names = ("fix_time", "latitude_deg", "longitude_deg", "speed_mps")
    return json.dumps({"readings": [dict(zip(names, row, strict=True)) for row in columns]}).encode()


async def _run_step(
    senders: Sequence[_TcpSender | _HttpSender], stream: Iterator[tuple[int, bytes]], step: Step, records: int,
    progress: Callable[[float], None],
) -> None:  # fmt: skip
    """Packets when they are due, whatever the gateway does; then the rest, within DRAIN_S."""
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    period_s = records / step.rate
    number, told_s = 0, 0.0
    while (now_s := loop.time()) < begin_s + step.seconds:
        while begin_s + number * period_s <= now_s:
            place, content = next(stream)
            sender = senders[place]
            sender.vehicle.waiting.append(_Due(content, records, begin_s + number * period_s, step))
            step.offered += records
            sender.wake()
            number += 1
        if now_s - begin_s > told_s + 1:
            told_s = now_s - begin_s
            progress(told_s)
            for sender in senders:  # those that have heard nothing for too long
                sender.wake()
        await asyncio.sleep(_TICK_S)
    step.within = step.acknowledged
    step.backlog = step.offered - step.acknowledged
    for tick in range(int(DRAIN_S / 0.05)):
        if not any(sender.vehicle.waiting for sender in senders):
            break
        if tick % 20 == 0:
            for sender in senders:
                sender.wake()
        await asyncio.sleep(0.05)
    progress(step.seconds)
