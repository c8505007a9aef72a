"""Quarantine after the fact: looked at, and replayed through the same front door once a decoder or a rule was mended.

A replay is an upload of its own in the ledger, at the time the bytes were received, under a key that no device can
send. It happens once: the row is marked in the transaction that stores its readings. What is refused again for the
same reason leaves everything as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from psycopg import Rollback

from ingest import quarantine_store as store
from ingest.accept import Receipt, store_checked
from ingest.decoded import Decoded
from ingest.decoders import osmand, owntracks, teltonika, traccar, wayrate
from ingest.decoders.avl import CODEC_8, CODEC_8E, CODEC_16, Fault
from ingest.enrolment import sender_of
from ingest.errors import BodyError, DeviceRevoked, UnknownQuarantine, UnreadablePacket
from ingest.quarantine_store import Filter, Kept
from ingest.readings import Flag
from ingest.store import Device, Upload
from ingest.validate import validate
from storage.pool import Conn, Database


class Outcome(StrEnum):
    """What a replay came to."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # all of its readings were there already
    NOTHING = "nothing"  # it is read now, and holds no reading
    STILL_QUARANTINED = "still_quarantined"
    REPLAYED_BEFORE = "replayed_before"
    EXPIRED = "expired"  # its bytes went with the readings of their time
    DEVICE_REVOKED = "device_revoked"
    NOT_REPLAYABLE = "not_replayable"  # a row of a file: ingest the file again


@dataclass(frozen=True, slots=True)
class Replay:
    """One row's replay. `reason` and `detail` say why when nothing was stored."""

    quarantine_id: int
    outcome: Outcome
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Bytes as text that is safe in any terminal or page: printable ASCII, else `\\xNN`; or as hexadecimal digits."""

    form: Literal["text", "hex"]
    content: str


def replay(database: Database, quarantine_id: int, as_of: datetime) -> Replay:
    """Put one kept row through the front door again. Raises `UnknownQuarantine`, `StorageUnavailable`."""
    with database.role("telemetry") as conn:
        kept = store.lock_kept(conn, quarantine_id)
        if kept is None:
            raise UnknownQuarantine(quarantine_id)
        if kept.replayed_at is not None:
            return Replay(quarantine_id, Outcome.REPLAYED_BEFORE)
        if kept.expired_at is not None:
            return Replay(quarantine_id, Outcome.EXPIRED)
        return _replay(conn, kept, as_of)


def replay_all(
    database: Database, which: Filter, as_of: datetime, progress: Callable[[int, int], None] | None = None
) -> list[Replay]:
    """Replay every waiting row of the filter, a transaction each, in order of their ids."""
    with database.role("telemetry") as conn:
        ids = store.fetch_ids(conn, which, limit=1_000_000)
    done = []
    for number, quarantine_id in enumerate(ids, start=1):
        done.append(replay(database, quarantine_id, as_of))
        if progress:
            progress(number, len(ids))
    return done


def shown(raw: bytes) -> Shown:
    """The bytes as text when most of them are, else as hexadecimal."""
    printable = sum(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in raw)
    if printable < 0.9 * len(raw):
        return Shown("hex", raw.hex())
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in raw)
    return Shown("text", "".join(plain))


_BINARY_HEAD_BYTES = 10  # preamble, length, codec and count of a Teltonika packet: no reading begins before


def masked(kept: Kept) -> Shown:
    """The bytes without any digit, or the head of a binary frame: enough to see a form, never a place or a time."""
    seen = shown(kept.raw)
    if seen.form == "text":
        plain = ("#" if 0x30 <= byte <= 0x39 else chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in kept.raw)
        return Shown("text", "".join(plain))
    head = kept.raw[:_BINARY_HEAD_BYTES].hex() if kept.record_index is None and kept.raw[:4] == b"\0\0\0\0" else ""
    return Shown("hex", head + "..")


def masked_text(text: str) -> str:
    """A detail without its digits: it may quote a place."""
    return "".join("#" if letter.isdigit() else letter if letter.isprintable() else "?" for letter in text)


def _replay(conn: Conn, kept: Kept, as_of: datetime) -> Replay:
    read = READERS.get(kept.channel)
    if read is None or kept.device_key is None:
        detail = "correct the file's mapping and ingest the file again" if kept.channel == "file" else None
        return Replay(kept.quarantine_id, Outcome.NOT_REPLAYABLE, detail=detail)
    device = Device(kept.device_key, kept.device_id or "", kept.tier or "claim")
    if kept.channel == "traccar":  # its list may have grown since
        device = sender_of(conn, device, traccar.named_device(kept.raw))
    try:
        version, decoded = read(replace(kept, device_id=device.device_id))
    except (BodyError, UnreadablePacket) as err:
        return _still(kept, kept.reason, str(err))
    checked = validate(decoded, kept.received_at)
    if same := [one for one in checked.rejected if one.reason == kept.reason and one.raw == kept.raw]:
        return _still(kept, same[0].reason, same[0].detail)
    upload = Upload(
        device.device_key,
        kept.received_at,
        kept.channel,
        device.tier,
        version,
        sha256(kept.raw).digest(),
        f"↻{kept.quarantine_id}",  # a device's own key is ASCII
    )
    receipt: Receipt | None = None
    try:
        with conn.transaction() as attempt:
            receipt = store_checked(conn, upload, checked)
            if receipt.records and not receipt.accepted + receipt.duplicate:
                raise Rollback(attempt)  # refused as a whole: it stays where it is
    except DeviceRevoked:
        return Replay(kept.quarantine_id, Outcome.DEVICE_REVOKED)
    assert receipt is not None
    if receipt.records and not receipt.accepted + receipt.duplicate:
        return _still(kept, receipt.records[0].reason, receipt.records[0].detail)
    store.mark_replayed(conn, kept.quarantine_id, as_of)
    return Replay(kept.quarantine_id, _outcome(receipt), receipt.accepted, receipt.duplicate, receipt.quarantined)


def _outcome(receipt: Receipt) -> Outcome:
    if receipt.accepted:
        return Outcome.STORED
    return Outcome.DUPLICATE if receipt.duplicate else Outcome.NOTHING


def _still(kept: Kept, reason: str, detail: str) -> Replay:
    return Replay(kept.quarantine_id, Outcome.STILL_QUARANTINED, reason=str(reason), detail=detail)


# What each channel's bytes are read with. A record's bytes become a frame of that record alone.


def _wayrate(kept: Kept) -> tuple[str, Decoded]:
    whole = kept.record_index is None
    return wayrate.VERSION, wayrate.decode(kept.raw if whole else b'{"readings":[' + kept.raw + b"]}")


def _osmand(kept: Kept) -> tuple[str, Decoded]:
    is_json = kept.raw.lstrip()[:1] in {b"{", b"[", b'"'}
    return osmand.VERSION, osmand.decode(kept.raw, _NO_CREDENTIAL, is_json=is_json)


def _owntracks(kept: Kept) -> tuple[str, Decoded]:
    return owntracks.VERSION, owntracks.decode(kept.raw)


def _traccar(kept: Kept) -> tuple[str, Decoded]:
    return traccar.VERSION, traccar.decode(kept.raw, kept.device_id)


def _broker(kept: Kept) -> tuple[str, Decoded]:
    """By the decoder that its topic had. Whether it came with a promise is not kept, so it counts as without."""
    if (kept.decoder_version or "").startswith("owntracks"):
        version, decoded = _owntracks(kept)
    else:
        version, decoded = _wayrate(kept)
    flags = decoded.readings.flags | int(Flag.UNACKED_CHANNEL)
    return version, replace(decoded, readings=decoded.readings.replace(flags=flags))


def _teltonika_tcp(kept: Kept) -> tuple[str, Decoded]:
    return teltonika.VERSION, _packet(kept, teltonika.decode_tcp)


def _teltonika_udp(kept: Kept) -> tuple[str, Decoded]:
    return teltonika.VERSION, _packet(kept, teltonika.decode_udp)


def _packet(kept: Kept, decode: Callable[[bytes], teltonika.Packet]) -> Decoded:
    """A whole packet, or the one codec in which the record's bytes are one record, no more and no less."""
    if kept.record_index is None:
        packet = decode(kept.raw)
        if packet.fault in {Fault.NONE, Fault.COMMAND}:
            return packet.decoded
        raise UnreadablePacket(packet.fault.name.lower())
    body_starts = (bytes((codec, 1)) for codec in (CODEC_8, CODEC_8E, CODEC_16))
    packets = [teltonika.decode_udp(_datagram(start + kept.raw + b"\x01")) for start in body_starts]
    fitting = [one for one in packets if one.fault is Fault.NONE and one.decoded.received == 1]
    if len(fitting) != 1:
        raise UnreadablePacket("the record is one in no codec, or in several")
    return fitting[0].decoded


_NO_CREDENTIAL = "[credential]"  # what stands for it in the bytes that were kept
_DATAGRAM_HEAD = b"\0\0\x01\0" + len(b"000000000000000").to_bytes(2) + b"000000000000000"


def _datagram(body: bytes) -> bytes:
    """The body as a datagram, which has no check sum, from nobody."""
    rest = _DATAGRAM_HEAD + body
    return len(rest).to_bytes(2) + rest


READERS: dict[str, Callable[[Kept], tuple[str, Decoded]]] = {
    "http": _wayrate,
    "osmand": _osmand,
    "owntracks": _owntracks,
    "traccar": _traccar,
    "broker": _broker,
    "teltonika-tcp": _teltonika_tcp,
    "teltonika-udp": _teltonika_udp,
}
