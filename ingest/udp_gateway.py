"""The UDP gateway of Teltonika devices: a datagram names its IMEI, and is acknowledged once its records are durable.

What is not acknowledged is sent again, so a datagram that is damaged, that nobody enrolled sent, or that comes when
everything is busy is let fall. Datagram ids wrap at 256: repetitions are found by content. The sender's address and
IMEI are claims.
"""

import asyncio
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from ingest.accept import make_offer
from ingest.background import running_beside
from ingest.coalesce import Coalescer
from ingest.decoded import Decoded, refused_frame
from ingest.decoders.avl import Fault
from ingest.decoders.teltonika import VERSION, Packet, decode_udp
from ingest.devices import find_device
from ingest.errors import DeviceRevoked, Overloaded, UnknownDevice
from ingest.rejection import Rejection
from ingest.store import Device
from storage.errors import StorageUnavailable
from storage.pool import Database

_LOG = logging.getLogger(__name__)
_MAX_WAITING = 500
_CHANNEL = "teltonika-udp"
_TIER = "claim"
_CODEC_AT = 23  # after length, packet id, type, AVL packet id and IMEI
_LOOKUPS_AT_ONCE = 4
_MOST_CODECS = 100_000  # devices whose last codec a process remembers


@dataclass(slots=True)
class _Datagrams(asyncio.DatagramProtocol):
    database: Database
    coalescer: Coalescer
    clock: Callable[[], datetime]
    lookups: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LOOKUPS_AT_ONCE))
    transport: asyncio.DatagramTransport | None = None
    waiting: set[asyncio.Task[None]] = field(default_factory=set)
    codecs: OrderedDict[int, int] = field(default_factory=OrderedDict)  # what each device spoke last

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
        if packet.fault not in {Fault.NONE, Fault.COMMAND, Fault.CODEC} or packet.imei is None:
            _LOG.info("teltonika: datagram not acknowledged: %s", packet.fault.name.lower())
            return
        try:
            async with self.lookups:
                device = await asyncio.to_thread(_enrolled, self.database, packet.imei)
            await self._store(device, packet, datagram)
        except (UnknownDevice, DeviceRevoked):
            _LOG.info("teltonika: datagram of a device that is not enrolled")
        except (Overloaded, StorageUnavailable) as err:
            _LOG.warning("teltonika: datagram not acknowledged: %s", type(err).__name__)
        else:
            if packet.ack is not None and self.transport is not None:
                self.transport.sendto(packet.ack, sender)

    async def _store(self, device: Device, packet: Packet, datagram: bytes) -> None:
        decoded, key = packet.decoded, None
        if packet.fault is Fault.CODEC:
            decoded, key = _unknown_codec(device, datagram)
        offer = make_offer(
            device, datagram, decoded, received_at=self.clock(), channel=_CHANNEL, decoder_version=VERSION,
            tier=_TIER, idempotency_key=key, flags=self._flags_of(device, datagram),
        )  # fmt: skip
        await self.coalescer.accept(offer)

    def _flags_of(self, device: Device, datagram: bytes) -> tuple[str, ...]:
        codec = datagram[_CODEC_AT]
        earlier = self.codecs.pop(device.device_key, codec)
        self.codecs[device.device_key] = codec
        if len(self.codecs) > _MOST_CODECS:
            self.codecs.popitem(last=False)
        return ("codec_switch",) if codec != earlier else ()


def _unknown_codec(device: Device, datagram: bytes) -> tuple[Decoded, str]:
    """The device keeps its readings until the codec can be read; one copy shows what to build.

    Its packet ids are no part of what makes it the same.
    """
    codec = datagram[_CODEC_AT]
    _LOG.error("teltonika: device %d sends codec %#04x, which is not known here", device.device_key, codec)
    key = f"unknown-codec-{sha256(datagram[_CODEC_AT:]).hexdigest()}"
    return refused_frame(datagram, Rejection.UNKNOWN_CODEC, f"codec {codec:#04x}"), key


def _enrolled(database: Database, imei: str) -> Device:
    with database.role("telemetry") as conn:
        return find_device(conn, f"imei-{imei}")


def serving_udp(
    database: Database, clock: Callable[[], datetime], bound: socket.socket, coalescer: Coalescer
) -> AbstractContextManager[None]:
    """The gateway on a bound UDP socket, in a thread of its own until the block ends, inside that of `coalescer`."""

    async def run(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(database, coalescer, clock), sock=bound)
        await stop.wait()
        transport.close()

    decode_udp(b"")  # loads the machine code, or compiles it: no device shall wait for that
    return running_beside("teltonika-udp", run)
