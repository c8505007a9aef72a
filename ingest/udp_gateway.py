"""The UDP gateway of Teltonika devices: a datagram names its IMEI, and is acknowledged once its records are durable.

What is not acknowledged is sent again, so a datagram that is damaged, that nobody enrolled sent, or that comes when
everything is busy is let fall. Datagram ids wrap at 256: repetitions are found by content. The sender's address and
IMEI are claims.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import errors as postgres

from ingest.accept import accept
from ingest.background import running_beside
from ingest.decoders.avl import Fault
from ingest.decoders.teltonika import VERSION, Packet, decode_udp
from ingest.devices import find_device
from ingest.errors import DeviceRevoked, UnknownDevice
from storage.errors import StorageUnavailable
from storage.pool import Database

_LOG = logging.getLogger(__name__)
_MAX_WAITING = 500
_CHANNEL = "teltonika-udp"
_TIER = "claim"
_PASSING = (
    StorageUnavailable,
    postgres.SerializationFailure,
    postgres.DeadlockDetected,
    postgres.QueryCanceled,
    postgres.LockNotAvailable,
)


@dataclass(slots=True)
class _Datagrams(asyncio.DatagramProtocol):
    database: Database
    clock: Callable[[], datetime]
    transport: asyncio.DatagramTransport | None = None
    waiting: set[asyncio.Task[None]] = field(default_factory=set)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if len(self.waiting) >= _MAX_WAITING:
            return  # the device sends it again
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self.waiting.add(task)
        task.add_done_callback(self.waiting.discard)

    async def _answer(self, datagram: bytes, sender: tuple[str | Any, int]) -> None:
        """Store, then acknowledge."""
        packet = decode_udp(datagram)
        if packet.fault not in {Fault.NONE, Fault.COMMAND} or packet.imei is None:
            _LOG.info("teltonika: datagram not acknowledged: %s", packet.fault.name.lower())
            return
        try:
            await asyncio.to_thread(_store, self.database, self.clock(), packet, datagram)
        except (UnknownDevice, DeviceRevoked):
            _LOG.info("teltonika: datagram of a device that is not enrolled")
        except _PASSING as err:
            _LOG.warning("teltonika: datagram not acknowledged: %s", type(err).__name__)
        else:
            if packet.ack is not None and self.transport is not None:
                self.transport.sendto(packet.ack, sender)


def _store(database: Database, received_at: datetime, packet: Packet, datagram: bytes) -> None:
    with database.role("telemetry") as conn:
        device = find_device(conn, f"imei-{packet.imei}")
    accept(
        database, device, datagram, lambda _: packet.decoded, received_at=received_at, channel=_CHANNEL,
        decoder_version=VERSION, tier=_TIER,
    )  # fmt: skip


def serving_udp(
    database: Database, clock: Callable[[], datetime], bound: socket.socket
) -> AbstractContextManager[None]:
    """The gateway on a bound UDP socket, in a thread of its own until the block ends."""

    async def run(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(database, clock), sock=bound)
        await stop.wait()
        transport.close()

    decode_udp(b"")  # loads the machine code, or compiles it: no device shall wait for that
    return running_beside("teltonika-udp", run)
