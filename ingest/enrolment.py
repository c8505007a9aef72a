"""How a device comes to its token: by a one-time code, by its IMEI's enrolment, or behind a forwarder with a list.

A code is 60 random bits in 12 letters and digits that cannot be taken for each other. It is redeemed once, within its
time; of it only the SHA-256 is stored, and whoever guesses waits.
"""

import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from ingest import enrolment_store as store
from ingest.devices import Enrolled, Tier, enrol, find_device, rotate, was_erased
from ingest.errors import BadImei, CodeSpent, DeviceErased, TooManyCodes, UnknownCode, UnknownDevice
from ingest.imei import parse_imei
from ingest.security import SecurityEvent, record
from ingest.store import Device
from storage.pool import Conn, Database

CODE_LIFETIME = timedelta(hours=24)
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: without I, L, O, U
CODE_LENGTH = 12
IMEI_PREFIX = "imei-"
_MISREAD = str.maketrans({"I": "1", "L": "1", "O": "0", "-": "", " ": ""})
_GUESSES_IN_WINDOW = 5
_GUESS_WINDOW = timedelta(minutes=10)
_MOST_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code, in groups of four: shown once, stored nowhere."""

    text: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a device gets for its code: who it is, and what it shall send."""

    device_id: str
    token: str
    tier: str


@dataclass(slots=True)
class Guesses:
    """Wrong codes by sender's address (of IPv6 its /64) within the window, in this process."""

    at: OrderedDict[str, deque[datetime]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, address: str, as_of: datetime) -> None:
        """Raises `TooManyCodes` while the address has guessed too often."""
        with self.lock:
            times = self.at.get(network_of(address), deque())
            while times and times[0] <= as_of - _GUESS_WINDOW:
                times.popleft()
            if len(times) >= _GUESSES_IN_WINDOW:
                raise TooManyCodes(max(1, round((times[0] + _GUESS_WINDOW - as_of).total_seconds())))

    def wrong(self, address: str, as_of: datetime) -> bool:
        """Count one more; whether the address must wait now."""
        with self.lock:
            times = self.at.setdefault(network_of(address), deque())
            self.at.move_to_end(network_of(address))
            times.append(as_of)
            if len(self.at) > _MOST_ADDRESSES:
                self.at.popitem(last=False)
            return len(times) >= _GUESSES_IN_WINDOW


def make_code(
    conn: Conn,
    device_id: str,
    as_of: datetime,
    *,
    lifetime: timedelta = CODE_LIFETIME,
    tier: Tier = "tls",
    vehicle_class: str = "car",
) -> Code:
    """A code for a device, which is enrolled (without a token) if it is not yet. Raises `BadDeviceId`, `BadImei`."""
    try:
        device_key = find_device(conn, device_id).device_key
    except UnknownDevice:
        device_key = enrol_without_token(conn, device_id, as_of, vehicle_class=vehicle_class)
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    code = Code("-".join(letters[at : at + 4] for at in range(0, CODE_LENGTH, 4)), as_of + lifetime)
    store.insert_code(conn, _hashed(code.text), device_key, tier, made_at=as_of, expires_at=code.expires_at)
    return code


def redeem(database: Database, text: str, as_of: datetime, *, address: str, guesses: Guesses) -> NewToken:
    """The token for a code; the device's earlier tokens end after the overlap of a rotation.

    Raises `TooManyCodes`, `UnknownCode`, `CodeSpent`, `StorageUnavailable`; then the code is as it was.
    """
    guesses.check(address, as_of)
    code_hash = _hashed(text)
    with database.role("telemetry") as conn:
        redeemed = store.redeem_code(conn, code_hash, as_of)
        token = None if redeemed is None else rotate(conn, redeemed.device_id, as_of, tier=redeemed.tier).token
        spent = store.fetch_code_device(conn, code_hash)
    if redeemed is not None and token is not None:
        return NewToken(redeemed.device_id, token, redeemed.tier)
    raise _wrong_code(database, spent, as_of, address, guesses)


def device_of_code(database: Database, text: str, as_of: datetime, *, address: str, guesses: Guesses) -> str:
    """The id of the device that a code is for: who holds the code has the device. The code stays as it is.

    Raises `TooManyCodes`, `UnknownCode`, `CodeSpent` (it has expired, or the device is revoked).
    """
    guesses.check(address, as_of)
    code_hash = _hashed(text)
    with database.role("telemetry") as conn:
        device_id = store.fetch_device_of_code(conn, code_hash, as_of)
        spent = store.fetch_code_device(conn, code_hash)
    if device_id is None:
        raise _wrong_code(database, spent, as_of, address, guesses)
    return device_id


def _wrong_code(
    database: Database, spent: int | None, as_of: datetime, address: str, guesses: Guesses
) -> UnknownCode | CodeSpent:
    """Records a code that opens nothing, and says why; `spent`: whose it was."""
    event = SecurityEvent.WRONG_CODE if spent is None else SecurityEvent.CODE_REUSED
    record(database, event, as_of, channel="http", device_key=spent)
    if guesses.wrong(address, as_of):
        record(database, SecurityEvent.CODE_GUESSING, as_of, channel="http", detail="one address waits now")
    return UnknownCode() if spent is None else CodeSpent()


def enrol_checked(conn: Conn, device_id: str, as_of: datetime, *, tier: Tier, vehicle_class: str) -> Enrolled:
    """As `enrol`, and an id that names an IMEI must name one that a device can have. Raises `BadImei` too."""
    check_imei_id(device_id)
    return enrol(conn, device_id, as_of, tier=tier, vehicle_class=vehicle_class)


def enrol_without_token(conn: Conn, device_id: str, as_of: datetime, *, vehicle_class: str = "car") -> int:
    """A device that is known by its IMEI alone, or whose token comes by a code; its key."""
    enrolled = enrol_checked(conn, device_id, as_of, tier="claim", vehicle_class=vehicle_class)
    store.drop_tokens(conn, enrolled.device_key)
    return enrolled.device_key


def check_imei_id(device_id: str) -> None:
    """Raises `BadImei` when the id begins like an IMEI's and is none: 15 ASCII digits, the last one Luhn's."""
    if device_id.startswith(IMEI_PREFIX):
        digits = device_id.removeprefix(IMEI_PREFIX)
        if parse_imei(digits.encode()) is None:
            raise BadImei(digits)


def allow(conn: Conn, forwarder_id: str, device_ids: Sequence[str], as_of: datetime) -> None:
    """Let the forwarder's credential bring these devices' positions. Raises `UnknownDevice`."""
    forwarder = find_device(conn, forwarder_id)
    for device_id in device_ids:
        store.allow_forwarding(conn, forwarder.device_key, find_device(conn, device_id).device_key, as_of)


def forbid(conn: Conn, forwarder_id: str, device_ids: Sequence[str]) -> None:
    """Let it no longer. Raises `UnknownDevice`."""
    forwarder = find_device(conn, forwarder_id)
    for device_id in device_ids:
        store.forbid_forwarding(conn, forwarder.device_key, find_device(conn, device_id).device_key)


def sender_of(conn: Conn, credential: Device, device_id: str | None) -> Device:
    """Whose position it is: the device named, when the credential's list has it; else the credential's own device.

    Raises `DeviceErased` where the one named was erased: nothing of it is kept, not even as refused.
    """
    if device_id is None or device_id == credential.device_id:
        return credential
    found = store.fetch_forwarded(conn, credential.device_key, device_id, credential.tier)
    if found is None and was_erased(conn, device_id):
        raise DeviceErased(device_id)
    return found or credential


def network_of(address: str) -> str:
    """The address, or the /64 that one customer has of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Address(int(parsed) >> 64 << 64)) if isinstance(parsed, IPv6Address) else address


def _hashed(text: str) -> bytes:
    return sha256(text.upper().translate(_MISREAD).encode()).digest()
