"""The TCP gateway of Teltonika devices: IMEI, then AVL packets, each acknowledged once all its records are durable.

An IMEI is a claim, not a proof, so what comes here has the tier `claim`. Devices are enrolled as `imei-<digits>`. A
damaged packet is not acknowledged and the device sends it again; what breaks the framing, the order of things or the
deadline closes the connection. A connection has one packet under way: what it sends beyond is not read.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from ingest.accept import make_offer
from ingest.background import running_beside
from ingest.coalesce import Answer, Coalescer
from ingest.decoded import Decoded, refused_frame
from ingest.decoders.avl import LEAST_LENGTH, MAX_LENGTH, OVERHEAD, Fault
from ingest.decoders.teltonika import (
    IMEI_ACCEPTED,
    IMEI_REFUSED,
    KEEPALIVE,
    VERSION,
    Packet,
    decode_frames,
    decode_tcp,
)
from ingest.devices import find_device
from ingest.errors import Overloaded, UnknownDevice
from ingest.imei import IMEI_DIGITS, parse_imei
from ingest.metrics import OPEN_SOCKETS
from ingest.rejection import Rejection
from ingest.security import SecurityEvent, record
from ingest.store import Device
from ingest.upload_store import active_devices
from storage.errors import StorageUnavailable
from storage.pool import Database

_LOG = logging.getLogger(__name__)
FRAME_DEADLINE_S = 30.0
REVOCATION_CHECK_S = 30.0
GATHER_S = 0.004  # packets that arrive within it are decoded by one pass
STUCK_REPEATS = 5
STUCK_WITHIN = timedelta(minutes=10)
_LOOKUPS_AT_ONCE = 4
_LINGER_S = 2.0  # for a refused device to read its refusal and hang up
_MOST_UNREAD = 16 * 1024  # bytes taken from a connection beyond the packet that is under way
_CHANNEL = "teltonika-tcp"
_TIER = "claim"
_IMEI_PREFIX = b"\x00\x0f"
_HELLO_BYTES = len(_IMEI_PREFIX) + IMEI_DIGITS
_HEADER_BYTES = 8  # preamble and length


@dataclass(slots=True)
class _Damaged:
    """One device's damaged packet, by hash, and when it came."""

    digest: bytes
    times: list[datetime]


@dataclass(slots=True)
class _Gateway:
    database: Database
    coalescer: Coalescer
    clock: Callable[[], datetime]
    frame_deadline_s: float
    loop: asyncio.AbstractEventLoop
    connections: set["_Connection"] = field(default_factory=set)
    sessions: dict[int, "_Connection"] = field(default_factory=dict)  # of those, the admitted ones by device
    damaged: dict[int, _Damaged] = field(default_factory=dict)
    gathered: list[tuple["_Connection", bytes]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    refused: int = 0
    lookups: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LOOKUPS_AT_ONCE))

    def arrived(self, connection: "_Connection", frame: bytes) -> None:
        """A whole packet: decoded together with those that come right after it."""
        if not self.gathered:
            self.loop.call_later(GATHER_S, self._answer_gathered)
        self.gathered.append((connection, frame))

    def _answer_gathered(self) -> None:
        gathered, self.gathered = self.gathered, []
        received_at = self.clock()
        packets = decode_frames([frame for _, frame in gathered])
        for (connection, frame), packet in zip(gathered, packets, strict=True):
            if not connection.ended:
                self._answer(connection, frame, packet, received_at)

    def _answer(self, connection: "_Connection", frame: bytes, packet: Packet, received_at: datetime) -> None:
        """Store, then acknowledge."""
        if packet.fault is Fault.NONE:
            self._store(connection, frame, packet.decoded, received_at, partial(connection.stored, packet.ack))
        elif packet.fault is Fault.COMMAND:
            self._store(connection, frame, packet.decoded, received_at, partial(connection.stored, None))
        elif packet.fault is Fault.CODEC:
            self._keep_once(connection, frame, received_at)
        else:
            self._damage(connection, frame, packet, received_at)

    def _store(
        self, connection: "_Connection", frame: bytes, decoded: Decoded, received_at: datetime,
        answer: Callable[[Answer], None], *, key: str | None = None,
    ) -> None:  # fmt: skip
        assert connection.device is not None
        offer = make_offer(
            connection.device, frame, decoded, received_at=received_at, channel=_CHANNEL, decoder_version=VERSION,
            tier=_TIER, idempotency_key=key, flags=connection.flags_of(frame),
        )  # fmt: skip
        try:
            self.coalescer.submit(offer, answer, self.loop)
        except (Overloaded, StorageUnavailable) as err:
            answer(err)

    def _keep_once(self, connection: "_Connection", frame: bytes, received_at: datetime) -> None:
        """The device keeps its readings until the codec can be read; one copy of the packet shows what to build."""
        _LOG.error("teltonika: device %d sends codec %#04x, which is not known here", connection.device_key, frame[8])
        refused = refused_frame(frame, Rejection.UNKNOWN_CODEC, f"codec {frame[8]:#04x}")

        def kept(_: Answer) -> None:
            connection.end("a codec that is not known here")

        key = f"unknown-codec-{sha256(frame).hexdigest()}"
        self._store(connection, frame, refused, received_at, kept, key=key)

    def _damage(self, connection: "_Connection", frame: bytes, packet: Packet, now: datetime) -> None:
        """The device shall send it again. Its fifth repetition is kept and acknowledged, to free the device."""
        fault, device_key = packet.fault.name.lower(), connection.device_key
        _LOG.warning("teltonika: device %d: %s", device_key, fault)
        if packet.fault not in {Fault.CRC, Fault.COUNTS_DIFFER}:
            connection.go_on()
            return
        digest = sha256(frame).digest()
        seen = self.damaged.get(device_key)
        earlier = seen.times if seen and seen.digest == digest else []
        times = [*(time for time in earlier if now - time <= STUCK_WITHIN), now]
        self.damaged[device_key] = _Damaged(digest, times)
        if len(times) < STUCK_REPEATS:
            connection.go_on()
            return
        _LOG.error("teltonika: device %d repeats a damaged packet; it is quarantined", device_key)
        refused = refused_frame(frame, Rejection.CRC_STUCK, f"{fault}, {len(times)} times")

        def kept(answer: Answer) -> None:
            if not isinstance(answer, Exception):
                self.damaged.pop(device_key, None)
            connection.stored(frame[9].to_bytes(4), answer)

        self._store(connection, frame, refused, now, kept)

    def identify(self, connection: "_Connection", digits: bytes) -> None:
        """Who it is; answered by one byte."""
        self._run(self._identify(connection, parse_imei(digits)))

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _identify(self, connection: "_Connection", imei: str | None) -> None:
        device = None
        if imei is not None:
            try:
                async with self.lookups:
                    device = await asyncio.to_thread(_enrolled, self.database, f"imei-{imei}")
            except StorageUnavailable:
                connection.end("storage is not available")
                return
        if connection.ended:
            return
        if device is None:
            self.refused += 1
            if self.refused.bit_count() == 1:  # at 1, 2, 4, 8, ...: whoever knocks does not fill the log
                _LOG.warning("teltonika: %d connections refused for their IMEI", self.refused)
            connection.end("the IMEI is none" if imei is None else "the IMEI is not enrolled", IMEI_REFUSED)
            return
        earlier = self.sessions.get(device.device_key)
        if earlier is not None:
            _LOG.warning("dual_session: device %d opened another connection; the earlier one ends", device.device_key)
            connection.flags = ("dual_session",)
            earlier.end("the device opened another connection", abort=True)
        self.sessions[device.device_key] = connection
        connection.admitted(device)

    def second_imei(self, device_key: int) -> None:
        """Keeps that a connection named another IMEI than its own."""
        self._run(self._keep_second_imei(device_key))

    async def _keep_second_imei(self, device_key: int) -> None:
        event = partial(record, channel=_CHANNEL, device_key=device_key)
        with suppress(StorageUnavailable):  # the log has it
            await asyncio.to_thread(event, self.database, SecurityEvent.SECOND_IMEI, self.clock())

    async def end_revoked(self, check_s: float) -> None:
        """Ends the connections of devices that may not send any more, whether they send or not."""
        while True:
            await asyncio.sleep(check_s)
            keys = list(self.sessions)
            try:
                active = await asyncio.to_thread(_active, self.database, keys) if keys else set()
            except StorageUnavailable:
                continue
            for key in keys:
                if key not in active and key in self.sessions:
                    self.sessions[key].end("the device is revoked")


class _Connection(asyncio.Protocol):
    """One device's connection: bytes to packets, one packet under way at a time."""

    __slots__ = (
        "_buffer",
        "_busy",
        "_codec",
        "_deadline",
        "_gateway",
        "_paused",
        "_transport",
        "device",
        "ended",
        "flags",
    )

    def __init__(self, gateway: _Gateway) -> None:
        self._gateway = gateway
        self._buffer = bytearray()
        self._busy = self._paused = self.ended = False
        self._codec: int | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.device: Device | None = None
        self.flags: tuple[str, ...] = ()  # for its next upload

    @property
    def device_key(self) -> int:
        """Of the admitted device."""
        assert self.device is not None
        return self.device.device_key

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The device has its deadline to say who it is."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._gateway.connections.add(self)
        OPEN_SOCKETS.labels(_CHANNEL).inc()
        self._expect()

    def data_received(self, data: bytes) -> None:
        """More bytes, cut anywhere."""
        if self.ended:
            return  # read away: bytes that nobody read would reset the connection, and the last answer with it
        self._buffer += data
        if not self._busy:
            self._advance()
        elif len(self._buffer) > _MOST_UNREAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The device hung up: what it was not told of, it sends again."""
        self.ended = True
        self._gateway.connections.discard(self)
        OPEN_SOCKETS.labels(_CHANNEL).dec()
        self._in_time()
        if self.device is not None and self._gateway.sessions.get(self.device_key) is self:
            del self._gateway.sessions[self.device_key]

    def admitted(self, device: Device) -> None:
        """Its packets are taken from now on."""
        self.device = device
        self._transport.write(IMEI_ACCEPTED)
        self.go_on()

    def stored(self, acknowledgement: bytes | None, answer: Answer) -> None:
        """The packet under way is durable, or why it is not: then there is no acknowledgement."""
        if self.ended:
            return
        if isinstance(answer, Exception):
            _LOG.warning("teltonika: device %d: not acknowledged: %s", self.device_key, type(answer).__name__)
            if isinstance(answer, Overloaded):
                self.go_on()  # it sends again in its own time; connecting anew would be one more load
            else:
                self.end("a packet was not stored")
            return
        if acknowledgement is not None:
            self._transport.write(acknowledgement)
        self.go_on()

    def go_on(self) -> None:
        """The next packet."""
        self._busy = False
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._advance()

    def end(self, reason: str, last: bytes = b"", *, abort: bool = False) -> None:
        """Close it, after `last`."""
        if self.ended:
            return
        self.ended = True
        self._in_time()
        _LOG.log(logging.INFO if self.device else logging.DEBUG, "teltonika: connection closed: %s", reason)
        if abort:
            self._transport.abort()
        elif last:
            self._transport.write(last)
            self._transport.write_eof()
            if self._paused:
                self._transport.resume_reading()
            self._gateway.loop.call_later(_LINGER_S, self._transport.close)
        else:
            self._transport.close()

    def flags_of(self, frame: bytes) -> tuple[str, ...]:
        """What is noticed about the session with this packet, each thing once."""
        flags, self.flags = self.flags, ()
        codec, self._codec = self._codec, frame[8]
        return (*flags, "codec_switch") if codec is not None and codec != frame[8] else flags

    def _advance(self) -> None:
        if self.ended:
            return
        if self.device is None:
            self._read_hello()
        else:
            self._read_packet()

    def _read_hello(self) -> None:
        head = bytes(self._buffer[: len(_IMEI_PREFIX)])
        if head == b"\0\0":
            self.end("a packet before the IMEI")
        elif len(head) == len(_IMEI_PREFIX) and (head != _IMEI_PREFIX or len(self._buffer) >= _HELLO_BYTES):
            self._in_time()
            digits = bytes(self._buffer[len(_IMEI_PREFIX) : _HELLO_BYTES]) if head == _IMEI_PREFIX else b""
            del self._buffer[:_HELLO_BYTES]
            self._busy = True
            self._gateway.identify(self, digits)

    def _read_packet(self) -> None:
        """The next packet, once it is whole; its length is checked before its bytes are waited for."""
        buffer = self._buffer
        if buffer and buffer[0] == KEEPALIVE:
            self._buffer = buffer = buffer.lstrip(bytes([KEEPALIVE]))
        if not buffer:
            self._in_time()
            return
        head = bytes(buffer[:4])
        if head[:2] == _IMEI_PREFIX:
            self._gateway.second_imei(self.device_key)
            self.end("a second IMEI")
            return
        if any(head):
            _LOG.warning("teltonika: device %d: preamble %s", self.device_key, head.hex())
            self.end("the preamble is not zero")
            return
        if len(buffer) >= _HEADER_BYTES:
            length = int.from_bytes(buffer[4:_HEADER_BYTES])
            if not LEAST_LENGTH <= length <= MAX_LENGTH:
                self.end(f"a length of {length}")
                return
            if len(buffer) >= length + OVERHEAD:
                self._in_time()
                frame = bytes(buffer[: length + OVERHEAD])
                del buffer[: length + OVERHEAD]
                self._busy = True
                self._gateway.arrived(self, frame)
                return
        self._expect()

    def _expect(self) -> None:
        """What has begun shall be whole in time."""
        if self._deadline is None:
            late = "the packet did not arrive within its deadline"
            self._deadline = self._gateway.loop.call_later(self._gateway.frame_deadline_s, self.end, late)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _enrolled(database: Database, device_id: str) -> Device | None:
    with database.role("telemetry") as conn:
        try:
            return find_device(conn, device_id)
        except UnknownDevice:
            return None


def _active(database: Database, device_keys: list[int]) -> set[int]:
    with database.role("telemetry") as conn:
        return active_devices(conn, device_keys)


def serving_tcp(
    database: Database,
    clock: Callable[[], datetime],
    listener: socket.socket,
    coalescer: Coalescer,
    *,
    frame_deadline_s: float = FRAME_DEADLINE_S,
    revocation_check_s: float = REVOCATION_CHECK_S,
) -> AbstractContextManager[None]:
    """The gateway on a listening socket, in a thread of its own until the block ends, inside that of `coalescer`."""

    async def run(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        gateway = _Gateway(database, coalescer, clock, frame_deadline_s, loop)
        server = await loop.create_server(lambda: _Connection(gateway), sock=listener, backlog=2048)
        revoked = loop.create_task(gateway.end_revoked(revocation_check_s))
        await stop.wait()
        revoked.cancel()
        server.close()
        for connection in list(gateway.connections):  # what is being stored commits, and is not acknowledged
            connection.end("the gateway ends", abort=True)

    decode_tcp(b"")  # loads the machine code, or compiles it: no device shall wait for that
    return running_beside("teltonika-tcp", run)
