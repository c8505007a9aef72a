"""The TCP gateway of Teltonika devices: IMEI, then AVL packets, each acknowledged once all its records are durable.

An IMEI is a claim, not a proof, so what comes here has the tier `claim`. Devices are enrolled as `imei-<digits>`. A
damaged packet is not acknowledged and the device sends it again; what breaks the framing, the order of things or the
deadline closes the connection.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from psycopg import errors as postgres

from ingest.accept import accept
from ingest.background import running_beside
from ingest.decoded import Decoded, refused_frame
from ingest.decoders.avl import LEAST_LENGTH, MAX_LENGTH, Fault
from ingest.decoders.teltonika import (
    IMEI_ACCEPTED,
    IMEI_DIGITS,
    IMEI_REFUSED,
    KEEPALIVE,
    VERSION,
    Packet,
    decode_tcp,
    parse_imei,
)
from ingest.devices import find_device
from ingest.errors import DeviceRevoked, UnknownDevice
from ingest.rejection import Rejection
from ingest.store import Device
from storage.errors import StorageUnavailable
from storage.pool import Database

_LOG = logging.getLogger(__name__)
FRAME_DEADLINE_S = 30.0
REVOCATION_CHECK_S = 45.0
STUCK_REPEATS = 5
STUCK_WITHIN = timedelta(minutes=10)
_COMMITS_AT_ONCE = 8
_CHANNEL = "teltonika-tcp"
_TIER = "claim"
_IMEI_PREFIX = b"\x00\x0f"
_PASSING = (
    StorageUnavailable,
    postgres.SerializationFailure,
    postgres.DeadlockDetected,
    postgres.QueryCanceled,
    postgres.LockNotAvailable,
)


class _Closed(Exception):
    """The connection ends here, for the reason given."""


@dataclass(slots=True)
class _Damaged:
    """One device's damaged packet, by hash, and when it came."""

    digest: bytes
    times: list[datetime]


@dataclass(slots=True)
class _Gateway:
    database: Database
    clock: Callable[[], datetime]
    frame_deadline_s: float
    sessions: dict[int, asyncio.StreamWriter] = field(default_factory=dict)
    damaged: dict[int, _Damaged] = field(default_factory=dict)
    refused: int = 0
    commits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_COMMITS_AT_ONCE))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its IMEI to its end."""
        device: Device | None = None
        try:
            device = await self._identify(reader, writer)
            while True:
                await self._answer(device, await self._packet(device, reader), writer)
        except _Closed as reason:
            _LOG.log(logging.INFO if device else logging.DEBUG, "teltonika: connection closed: %s", reason)
        except TimeoutError:
            _LOG.info("teltonika: connection closed: the packet did not arrive within its deadline")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the device hung up: what it was not told of, it sends again
        except _PASSING as err:
            _LOG.warning("teltonika: not acknowledged: %s", type(err).__name__)
        except DeviceRevoked as err:
            _LOG.warning("teltonika: connection closed: %s", err)
        finally:
            if device is not None and self.sessions.get(device.device_key) is writer:
                del self.sessions[device.device_key]
            writer.close()

    async def _identify(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Device:
        async with asyncio.timeout(self.frame_deadline_s):
            head = await reader.readexactly(2)
            if head == b"\0\0":
                raise _Closed("a packet before the IMEI")
            digits = await reader.readexactly(IMEI_DIGITS) if head == _IMEI_PREFIX else b""
        imei = parse_imei(digits)
        device = await self._find(imei) if imei else None
        if device is None:
            self.refused += 1
            if self.refused.bit_count() == 1:  # at 1, 2, 4, 8, ...: whoever knocks does not fill the log
                _LOG.warning("teltonika: %d connections refused for their IMEI", self.refused)
            writer.write(IMEI_REFUSED)
            await writer.drain()
            raise _Closed("the IMEI is none" if imei is None else "the IMEI is not enrolled")
        earlier = self.sessions.pop(device.device_key, None)
        if earlier is not None:
            _LOG.warning("dual_session: device %d opened another connection; the earlier one ends", device.device_key)
            earlier.transport.abort()
        self.sessions[device.device_key] = writer
        writer.write(IMEI_ACCEPTED)
        await writer.drain()
        return device

    async def _find(self, imei: str) -> Device | None:
        async with self.commits:
            return await asyncio.to_thread(_enrolled, self.database, f"imei-{imei}")

    async def _packet(self, device: Device, reader: asyncio.StreamReader) -> bytes:
        """The next packet, whole; its length is checked before anything is allocated."""
        first = await self._first_byte(device, reader)
        async with asyncio.timeout(self.frame_deadline_s):
            head = first + await reader.readexactly(3)
            if head[:2] == _IMEI_PREFIX:
                _LOG.warning("security: device %d sent a second IMEI on its connection", device.device_key)
                raise _Closed("a second IMEI")
            if any(head):
                _LOG.warning("teltonika: device %d: preamble %s", device.device_key, head.hex())
                raise _Closed("the preamble is not zero")
            size = await reader.readexactly(4)
            length = int.from_bytes(size)
            if not LEAST_LENGTH <= length <= MAX_LENGTH:
                raise _Closed(f"a length of {length}")
            return head + size + await reader.readexactly(length + 4)

    async def _first_byte(self, device: Device, reader: asyncio.StreamReader) -> bytes:
        """The first byte that is no keepalive. A device that is silent is asked after: it may have been revoked."""
        while True:
            try:
                async with asyncio.timeout(REVOCATION_CHECK_S):
                    first = await reader.readexactly(1)
            except TimeoutError:
                if await self._find(device.device_id.removeprefix("imei-")) is None:
                    raise DeviceRevoked(device.device_key) from None
                continue
            if first[0] != KEEPALIVE:
                return first

    async def _answer(self, device: Device, frame: bytes, writer: asyncio.StreamWriter) -> None:
        """Store, then acknowledge."""
        packet = decode_tcp(frame)
        if packet.fault is Fault.NONE:
            await self._store(device, frame, packet.decoded)
            acknowledged = packet.ack
        elif packet.fault is Fault.COMMAND:
            await self._store(device, frame, packet.decoded)
            acknowledged = None
        elif packet.fault is Fault.CODEC:
            await self._keep_once(device, frame)
            raise _Closed("a codec that is not known here")
        else:
            acknowledged = await self._damage(device, frame, packet)
        if acknowledged is not None:
            writer.write(acknowledged)
            await writer.drain()

    async def _store(self, device: Device, frame: bytes, decoded: Decoded, *, key: str | None = None) -> None:
        async with self.commits:
            await asyncio.to_thread(
                partial(
                    accept, self.database, device, frame, lambda _: decoded, received_at=self.clock(),
                    channel=_CHANNEL, decoder_version=VERSION, tier=_TIER, idempotency_key=key,
                )
            )  # fmt: skip

    async def _keep_once(self, device: Device, frame: bytes) -> None:
        """The device keeps its readings until the codec can be read; one copy of the packet shows what to build."""
        _LOG.error("teltonika: device %d sends codec %#04x, which is not known here", device.device_key, frame[8])
        detail = f"codec {frame[8]:#04x}"
        refused = refused_frame(frame, Rejection.UNKNOWN_CODEC, detail)
        await self._store(device, frame, refused, key=f"unknown-codec-{sha256(frame).hexdigest()}")

    async def _damage(self, device: Device, frame: bytes, packet: Packet) -> bytes | None:
        """None: the device shall send it again. Its fifth repetition is kept and acknowledged, to free the device."""
        _LOG.warning("teltonika: device %d: %s", device.device_key, packet.fault.name.lower())
        if packet.fault not in {Fault.CRC, Fault.COUNTS_DIFFER}:
            return None
        now, digest = self.clock(), sha256(frame).digest()
        seen = self.damaged.get(device.device_key)
        earlier = seen.times if seen and seen.digest == digest else []
        times = [*(time for time in earlier if now - time <= STUCK_WITHIN), now]
        self.damaged[device.device_key] = _Damaged(digest, times)
        if len(times) < STUCK_REPEATS:
            return None
        _LOG.error("teltonika: device %d repeats a damaged packet; it is quarantined", device.device_key)
        detail = f"{packet.fault.name.lower()}, {len(times)} times"
        await self._store(device, frame, refused_frame(frame, Rejection.CRC_STUCK, detail))
        del self.damaged[device.device_key]
        return frame[9].to_bytes(4)


def _enrolled(database: Database, device_id: str) -> Device | None:
    with database.role("telemetry") as conn:
        try:
            return find_device(conn, device_id)
        except UnknownDevice:
            return None


def serving_tcp(
    database: Database,
    clock: Callable[[], datetime],
    listener: socket.socket,
    *,
    frame_deadline_s: float = FRAME_DEADLINE_S,
) -> AbstractContextManager[None]:
    """The gateway on a listening socket, in a thread of its own until the block ends."""

    async def run(stop: asyncio.Event) -> None:
        gateway = _Gateway(database, clock, frame_deadline_s)
        server = await asyncio.start_server(gateway.serve, sock=listener)
        await stop.wait()
        server.close()  # the connections are then cancelled: what is being stored commits, and is not acknowledged

    decode_tcp(b"")  # loads the machine code, or compiles it: no device shall wait for that
    return running_beside("teltonika-tcp", run)
