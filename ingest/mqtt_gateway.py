"""The subscriber that takes devices' messages from a broker, and acknowledges each to it once it is durable here.

A device is who its topic says, `devices/<id>/...`: the broker lets each user write below its own id alone. Its session
at the broker is persistent, so what comes while we are away, or what we never acknowledged, comes again; repetitions
are found by content. What no repetition would mend is kept in quarantine and acknowledged. A message of QoS 0 has no
promise to keep: it is stored as it can be, and flagged.
"""

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from psycopg import errors as postgres

from ingest.accept import Offer, make_offer
from ingest.background import running_beside
from ingest.broker_files import GATEWAY_USER
from ingest.coalesce import Coalescer
from ingest.decoded import Decoded, refused_frame
from ingest.decoders import owntracks, wayrate
from ingest.decoders.single import nothing
from ingest.errors import BadBrokerAddress, BodyError, DeviceRevoked, EmptyBody, Overloaded
from ingest.readings import Flag
from ingest.rejection import Rejection
from ingest.security import SecurityEvent, record
from ingest.store import fetch_broker_device
from storage.errors import StorageUnavailable
from storage.pool import Database

_LOG = logging.getLogger(__name__)
CHANNEL = "broker"
_TOPICS = "devices/+/#"
_ROOT = "devices"
_UNACKNOWLEDGED = 500  # messages under way from the broker at once
_READERS = 4
_NEVER_EXPIRES = 0xFFFFFFFF
_KEEPALIVE_S = 30
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 30.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PASSING = (
    StorageUnavailable,
    postgres.SerializationFailure,
    postgres.DeadlockDetected,
    postgres.QueryCanceled,
    postgres.LockNotAvailable,
)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and how we sign in."""

    host: str
    port: int
    tls: bool
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes
    qos: int
    packet_id: int
    connection: int  # the number of the connection by which it came: on another its packet id says nothing


def parse_broker(address: str, password: str) -> Broker:
    """`mqtt://HOST[:PORT]`, `mqtts://` for TLS. Raises `BadBrokerAddress`."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as err:
        raise BadBrokerAddress(address) from err
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.path.strip("/"):
        raise BadBrokerAddress(address)
    return Broker(parts.hostname, port, parts.scheme == "mqtts", password)


def decode(topic: str, payload: bytes) -> tuple[str, Decoded]:
    """The version of the decoder that the topic names, and the message's records, whatever it holds."""
    part = topic.split("/")[2:]
    match part[:1]:
        case ["readings"]:
            return wayrate.VERSION, _batch(payload)
        case ["owntracks"]:
            return owntracks.VERSION, owntracks.decode(payload)
        case ["will"]:
            return "will/1", nothing(payload)  # written before it happened: it says that a device is gone, no more
        case _:
            detail = "the topic is none of devices/ID/readings, devices/ID/owntracks, devices/ID/will"
            return "none/1", refused_frame(payload, Rejection.MALFORMED, detail)


def _batch(payload: bytes) -> Decoded:
    try:
        return wayrate.decode(payload)
    except EmptyBody:
        return nothing(payload)
    except BodyError as err:  # who publishes hears no answer, so it cannot be asked to send it otherwise
        return refused_frame(payload, Rejection.MALFORMED, str(err))


def _unpromised(decoded: Decoded) -> Decoded:
    flags = decoded.readings.flags | int(Flag.UNACKED_CHANNEL)
    return replace(decoded, readings=decoded.readings.replace(flags=flags))


@dataclass(slots=True)
class _Subscriber:
    database: Database
    coalescer: Coalescer
    clock: Callable[[], datetime]
    client: mqtt.Client
    loop: asyncio.AbstractEventLoop
    connection: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: set[asyncio.Task[None]] = field(default_factory=set)
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READERS))

    # In the client's thread

    def connected(self, reason: ReasonCode, flags: mqtt.ConnectFlags) -> None:
        if reason.is_failure:
            _LOG.error("mqtt: the broker refuses us: %s", reason)
            return
        if not flags.session_present:
            _LOG.warning("mqtt: connected; the broker held no session of ours, so nothing from before now")
        # Of retained messages only those that a lost session would have brought: once, and no more than once.
        once = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        self.client.subscribe(_TOPICS, options=once)

    def left(self) -> None:
        with self.lock:
            self.connection += 1

    def came(self, message: mqtt.MQTTMessage) -> None:
        one = _Message(message.topic, bytes(message.payload), message.qos, message.mid, self.connection)
        self.loop.call_soon_threadsafe(self._take, one)

    # In the loop's thread

    def _take(self, message: _Message) -> None:
        if message.qos == 0 and len(self.waiting) >= 2 * _UNACKNOWLEDGED:
            return  # best effort ends where it would crowd out what was promised
        task = self.loop.create_task(self._keep(message))
        self.waiting.add(task)
        task.add_done_callback(self.waiting.discard)

    async def _keep(self, message: _Message) -> None:
        """Store, then acknowledge; while storage is away, wait: the broker holds back the rest."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                await self._store(message)
                break
            except DeviceRevoked as err:
                _LOG.warning("security: mqtt: device %d: its message is let fall: %s", err.device_key, err)
                break
            except Overloaded:
                pass  # one device sent much at once: its turn comes
            except _PASSING as err:
                _LOG.warning("mqtt: not acknowledged yet: %s", type(err).__name__)
            if message.connection != self.connection:
                return  # it comes again by the present connection, or had no promise
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        if message.qos:
            with self.lock:
                if message.connection == self.connection:
                    self.client.ack(message.packet_id, message.qos)

    async def _store(self, message: _Message) -> None:
        async with self.readers:
            offer = await asyncio.to_thread(_read, self.database, self.clock(), message)
        if offer is not None:
            await self.coalescer.accept(offer)


def _read(database: Database, received_at: datetime, message: _Message) -> Offer | None:
    """What the message holds, with its device; None when nobody may send it."""
    device_id = message.topic.split("/")[1]
    with database.role("telemetry") as conn:
        device = fetch_broker_device(conn, device_id, received_at)
    if device is None:
        record(database, SecurityEvent.BROKER_REFUSED, received_at, channel=CHANNEL, detail="the message is let fall")
        return None
    version, decoded = decode(message.topic, message.payload)
    if message.qos == 0:
        decoded = _unpromised(decoded)
    return make_offer(
        device, message.payload, decoded, received_at=received_at, channel=CHANNEL, decoder_version=version
    )


def _client(broker: Broker) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=GATEWAY_USER, protocol=mqtt.MQTTv5, manual_ack=True)
    client.username_pw_set(GATEWAY_USER, broker.password)
    if broker.tls:
        client.tls_set_context(ssl.create_default_context())
    client.reconnect_delay_set(min_delay=1, max_delay=int(_LONGEST_WAIT_S))
    return client


def _begin(subscriber: _Subscriber, broker: Broker) -> None:
    client = subscriber.client
    client.on_connect = lambda _client, _data, flags, reason, _properties: subscriber.connected(reason, flags)
    client.on_connect_fail = lambda _client, _data: _LOG.warning("mqtt: the broker is not there; trying again")
    client.on_disconnect = lambda _client, _data, _flags, _reason, _properties: subscriber.left()
    client.on_pre_connect = lambda _client, _data: subscriber.left()
    client.on_message = lambda _client, _data, message: subscriber.came(message)
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wishes.SessionExpiryInterval = _NEVER_EXPIRES
    wishes.ReceiveMaximum = _UNACKNOWLEDGED
    client.connect_async(broker.host, broker.port, _KEEPALIVE_S, clean_start=False, properties=wishes)
    client.loop_start()


def serving_mqtt(
    database: Database, coalescer: Coalescer, clock: Callable[[], datetime], broker: Broker
) -> AbstractContextManager[None]:
    """The subscriber to `broker`, in threads of its own until the block ends; it waits for a broker that is away."""

    async def run(stop: asyncio.Event) -> None:
        subscriber = _Subscriber(database, coalescer, clock, _client(broker), asyncio.get_running_loop())
        _begin(subscriber, broker)
        await stop.wait()
        subscriber.client.disconnect()
        await asyncio.to_thread(subscriber.client.loop_stop)  # what is being stored commits, and comes again

    return running_beside("mqtt", run)
