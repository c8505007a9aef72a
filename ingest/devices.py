"""Devices and their credentials. Who a device is comes from its token alone, never from what it sends.

Of a token only hashes are stored: its SHA-256, and PBKDF2 in the form of Mosquitto's password file. It is random and
long, so a slow hash would protect nothing more.
"""

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import pbkdf2_hmac, sha256
from typing import Literal

from ingest import store
from ingest.errors import BadDeviceId, BadVin, DeviceErased, DeviceExists, UnknownDevice
from ingest.store import Device
from ingest.vin import is_vin
from storage.pool import Conn

type Tier = Literal["claim", "bound_network", "tls", "signed"]

TOKEN_BYTES = 24  # 192 bits
ROTATION_OVERLAP = timedelta(days=7)
_BROKER_ITERATIONS = 101  # Mosquitto's own default
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)
_DEVICE_ID = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device's key and the token it shall send: shown once, stored nowhere."""

    device_key: int
    token: str


def enrol(conn: Conn, device_id: str, as_of: datetime, *, tier: Tier = "tls", vehicle_class: str = "car") -> Enrolled:
    """A device that may send from now on; `tier` is what its token proves when it comes over our own API.

    Raises `BadDeviceId`, `DeviceExists`, `DeviceErased`.
    """
    check_device_id(device_id)
    device_key = secrets.randbits(63)
    if not store.insert_device(conn, device_key, device_id, as_of, vehicle_class):
        raise DeviceErased(device_id) if store.is_erased(conn, device_id) else DeviceExists(device_id)
    return Enrolled(device_key, _issue(conn, device_key, tier, as_of))


def rotate(
    conn: Conn, device_id: str, as_of: datetime, *, tier: str = "tls", overlap: timedelta = ROTATION_OVERLAP
) -> Enrolled:
    """Another token for an enrolled device; its earlier ones end after `overlap`. Raises `UnknownDevice`."""
    device = find_device(conn, device_id)
    store.end_credentials(conn, device.device_key, as_of + overlap)
    return Enrolled(device.device_key, _issue(conn, device.device_key, tier, as_of))


def revoke(conn: Conn, device_id: str, as_of: datetime) -> None:
    """End a device and all of its tokens now. Raises `UnknownDevice`."""
    device = find_device(conn, device_id)
    store.end_credentials(conn, device.device_key, as_of)
    store.end_device(conn, device.device_key, as_of)


def declare_vin(conn: Conn, device_id: str, vin: str) -> None:
    """Say which vehicle the device is in. Raises `BadVin`, `UnknownDevice`."""
    if not is_vin(vin):
        raise BadVin(vin)
    store.set_vin(conn, find_device(conn, device_id).device_key, vin)


def authenticate(conn: Conn, token: str, as_of: datetime) -> Device | None:
    """The device whose token this is, None when it is nobody's (or ended)."""
    if not _TOKEN.fullmatch(token):
        return None
    return store.fetch_device_by_token(conn, _hashed(token), as_of)


def find_device(conn: Conn, device_id: str) -> Device:
    """The enrolled device of that id. Raises `UnknownDevice`."""
    device = store.fetch_device(conn, device_id) if _DEVICE_ID.fullmatch(device_id) else None
    if device is None:
        raise UnknownDevice(device_id)
    return device


def was_erased(conn: Conn, device_id: str) -> bool:
    """Whether a device of that id was erased with the person whom it measured."""
    return bool(_DEVICE_ID.fullmatch(device_id)) and store.is_erased(conn, device_id)


def check_device_id(device_id: str) -> None:
    """Raises `BadDeviceId` unless it is 1 to 64 of a-z, 0-9 and hyphen."""
    if not _DEVICE_ID.fullmatch(device_id):
        raise BadDeviceId(device_id)


def broker_password(password: str, salt: bytes | None = None) -> str:
    """The password as Mosquitto's password file holds it: PBKDF2 of SHA-512; `salt` is random by default."""
    salt = salt or secrets.token_bytes(12)
    digest = pbkdf2_hmac("sha512", password.encode(), salt, _BROKER_ITERATIONS)
    return f"$7${_BROKER_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _issue(conn: Conn, device_key: int, tier: str, as_of: datetime) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    store.insert_credential(conn, _hashed(token), device_key, tier, as_of, broker_password(token))
    return token


def _hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()
