"""The front door: what has been received becomes durable here, for the gateway and for files alike.

decode -> validate -> hash -> store -> commit -> receipt: `accept` for one upload, `accept_together` for many at once. A
receipt exists only after the commit; whatever fails before it leaves nothing behind and acknowledges nothing.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from time import monotonic

import numpy as np

from ingest import upload_store as store
from ingest.body import MAX_RECORDS
from ingest.decoded import Decoded
from ingest.devices import find_device
from ingest.errors import DeviceNotNamed, DeviceRevoked, IdempotencyConflict
from ingest.joined import Joined, join
from ingest.metrics import acknowledge_after, count_receipt, counting_failures
from ingest.readings import Flag, content_hash
from ingest.security import SecurityEvent, record_in
from ingest.store import Device, Upload
from ingest.validate import validate
from ingest.vin import is_vin
from storage.partitions import ensure_partitions_of, reading_floor
from storage.pool import Conn, Database

_LOG = logging.getLogger(__name__)
FILE_VERSION = "file/1"
_NEVER_US = np.iinfo(np.int64).max
_MOST_MARKS = 200_000  # devices whose last fix time a process remembers: some 30 MB


@dataclass(frozen=True, slots=True)
class Refusal:
    """One quarantined record. `index` is its place in the frame; None: the whole frame."""

    index: int | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one upload's records, every one of them."""

    accepted: int
    duplicate: int
    quarantined: int
    records: tuple[Refusal, ...]
    replayed: bool = False  # the receipt of an earlier upload under the same key, given again


@dataclass(frozen=True, slots=True)
class FileReceipt:
    """What became of a file's records."""

    accepted: int
    duplicate: int
    quarantined: int
    rejected: tuple[Refusal, ...]  # by place in the file, as far as they have one


@dataclass(frozen=True, slots=True)
class Offer:
    """One upload of an authenticated device with its frame and the records decoded from it."""

    upload: Upload
    frame: bytes
    decoded: Decoded


type Outcome = Receipt | IdempotencyConflict | DeviceRevoked


def make_offer(
    device: Device,
    frame: bytes,
    decoded: Decoded,
    *,
    received_at: datetime,
    channel: str,
    decoder_version: str,
    tier: str | None = None,
    idempotency_key: str | None = None,
    flags: tuple[str, ...] = (),
) -> Offer:
    """What `frame` was decoded to, ready to be accepted; `tier` where the channel is trusted less than the device."""
    decoded = marked_vins(decoded, device.vin)
    digest = sha256(frame).digest()
    trusted = tier or device.tier
    upload = Upload(device.device_key, received_at, channel, trusted, decoder_version, digest, idempotency_key, flags)
    return Offer(upload, frame, decoded)


def marked_vins(decoded: Decoded, declared: str | None) -> Decoded:
    """The same with readings flagged that came with a number that is not the declared vehicle's, or no vehicle's."""
    wrong = [place for place, vin in decoded.vins.items() if not is_vin(vin) or (declared and vin != declared)]
    if not wrong:
        return decoded
    readings = decoded.readings
    flags = np.where(np.isin(decoded.record_index, wrong), readings.flags | Flag.VIN_MISMATCH, readings.flags)
    return replace(decoded, readings=readings.replace(flags=flags))


def accept(
    database: Database,
    device: Device,
    body: bytes,
    decode: Callable[[bytes], Decoded],
    *,
    received_at: datetime,
    channel: str,
    decoder_version: str,
    tier: str | None = None,
    idempotency_key: str | None = None,
) -> Receipt:
    """One frame of an authenticated device to its receipt, in a transaction of its own.

    Raises what `decode` raises, `IdempotencyConflict`, `DeviceRevoked`, `StorageUnavailable`; then nothing is stored.
    """
    offer = make_offer(
        device, body, decode(body), received_at=received_at, channel=channel, decoder_version=decoder_version,
        tier=tier, idempotency_key=idempotency_key,
    )  # fmt: skip
    return accept_decoded(database, offer.upload, offer.decoded)


def accept_decoded(database: Database, upload: Upload, decoded: Decoded) -> Receipt:
    """Decoded records to their receipt; the steps after decoding, in one transaction."""
    began_s = monotonic()
    checked = validate(decoded, upload.received_at)
    with counting_failures(), database.role("telemetry") as conn:
        receipt = store_checked(conn, upload, checked)
    # The block has committed: only now may anybody be told.
    count_receipt(upload.channel, receipt)
    acknowledge_after(upload.channel, began_s)
    return receipt


def store_checked(conn: Conn, upload: Upload, checked: Decoded) -> Receipt:
    """What passed validation into the caller's transaction: not true before its commit."""
    outcome = _store(conn, join([upload], [checked]), {}, wait=True)[0]
    assert outcome is not None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def accept_together(database: Database, offers: Sequence[Offer], newest: dict[int, int]) -> list[Outcome | None]:
    """Many uploads in one transaction, each to the outcome that it would have had alone. All or none are stored.

    None: not this time, for somebody else stores for the device, or it has another upload of the same idempotency key
    among these; offer it again. `newest` is what earlier calls of this process stored last, the fix time in
    microseconds by device: a guess at what cannot be a duplicate, never relied on. Raises `StorageUnavailable`, and
    whatever an upload's values provoke.
    """
    joined = join([offer.upload for offer in offers], [offer.decoded for offer in offers]).validated()
    with counting_failures(), database.role("telemetry") as conn:
        outcomes = _store(conn, joined, newest, wait=False)
    for offer, outcome in zip(offers, outcomes, strict=True):
        if isinstance(outcome, Receipt):
            count_receipt(offer.upload.channel, outcome)
    _learn(newest, joined, outcomes)
    return outcomes


def accept_file(
    database: Database, device_id: str | None, decoded: Decoded, received_at: datetime, *, channel: str = "file"
) -> FileReceipt:
    """A file's records of one enrolled device, in as many uploads as it takes; repeating it stores nothing twice.

    Raises `DeviceNotNamed`, `UnknownDevice` and `StorageUnavailable`; uploads before the failing one stay.
    """
    if device_id is None:
        raise DeviceNotNamed
    with database.role("telemetry") as conn:
        device = find_device(conn, device_id)
    counts = np.zeros(3, dtype=np.int64)
    refusals: list[Refusal] = []
    for part in _parts(decoded):
        digest = sha256(content_hash(part.readings).tobytes() + b"".join(one.raw for one in part.rejected)).digest()
        upload = Upload(device.device_key, received_at, channel, device.tier, FILE_VERSION, digest, None)
        receipt = accept_decoded(database, upload, part)
        counts += (receipt.accepted, receipt.duplicate, receipt.quarantined)
        refusals += receipt.records
    accepted, duplicate, quarantined = counts.tolist()
    return FileReceipt(accepted, duplicate, quarantined, tuple(sorted(refusals, key=lambda one: one.index or 0)))


def _parts(decoded: Decoded) -> Iterator[Decoded]:
    """The same records in frames of at most MAX_RECORDS."""
    for start in range(0, len(decoded.readings), MAX_RECORDS):
        yield decoded.take(slice(start, start + MAX_RECORDS))
    for start in range(0, len(decoded.rejected), MAX_RECORDS):
        rejected = decoded.rejected[start : start + MAX_RECORDS]
        empty = decoded.take(slice(0, 0))
        yield Decoded(empty.readings, len(rejected), rejected, empty.record_index, decoded.raw_of)


def _store(conn: Conn, joined: Joined, newest: Mapping[int, int], *, wait: bool) -> list[Outcome | None]:
    """Ledger, readings, quarantine and dirty windows of all uploads that are to be stored, and each one's outcome."""
    settled = _settled(conn, joined.uploads, wait=wait)
    outcomes = [settled.get(place) for place in range(len(joined.uploads))]
    chosen = [place for place in range(len(joined.uploads)) if place not in settled]
    if chosen:
        receipts = _store_all(conn, joined.only(chosen) if settled else joined, newest)
        for place, receipt in zip(chosen, receipts, strict=True):
            outcomes[place] = receipt
    return outcomes


def _settled(conn: Conn, uploads: Sequence[Upload], *, wait: bool) -> dict[int, Outcome | None]:
    """The outcomes of the uploads, by place, that are not to be stored now; takes the devices of the others."""
    ours, busy = store.lock_devices(conn, {upload.device_key for upload in uploads}, wait=wait)
    asked = [(upload.device_key, upload.idempotency_key) for upload in uploads if upload.idempotency_key is not None]
    earlier = store.fetch_earlier_uploads(conn, asked) if asked else {}
    settled: dict[int, Outcome | None] = {}
    seen = set()
    for place, upload in enumerate(uploads):
        key = (upload.device_key, upload.idempotency_key or "")
        if upload.device_key not in ours:
            settled[place] = None if upload.device_key in busy else DeviceRevoked(upload.device_key)
        elif key in earlier:
            settled[place] = _earlier_outcome(conn, upload, earlier[key])
        elif upload.idempotency_key is not None and key in seen:
            settled[place] = None
        seen.add(key)
    return settled


def _earlier_outcome(conn: Conn, upload: Upload, earlier: store.EarlierUpload) -> Outcome:
    """The receipt of the same body under the same key, or the conflict of another."""
    if earlier.body_sha256 != upload.body_sha256:
        conflict = IdempotencyConflict(earlier.body_sha256.hex(), upload.body_sha256.hex())
        _LOG.warning(
            "device %d: one Idempotency-Key, two bodies: sha-256 %s, then %s",
            upload.device_key, conflict.earlier_sha256, conflict.sent_sha256,
        )  # fmt: skip
        return conflict
    refusals = tuple(Refusal(*row) for row in store.fetch_quarantined(conn, earlier.upload_id))
    return Receipt(
        earlier.records_stored, earlier.records_duplicate, earlier.records_quarantined, refusals, replayed=True
    )


def _store_all(conn: Conn, joined: Joined, newest: Mapping[int, int]) -> list[Receipt]:
    joined = joined.since(reading_floor(conn))
    uploads = joined.uploads
    ensure_partitions_of(conn, joined.readings.fix_time_us)
    upload_ids = store.take_upload_ids(conn, len(uploads))
    counts, first_us, last_us = joined.spans()
    expected = np.array([newest.get(upload.device_key, _NEVER_US) for upload in uploads]) < first_us
    hashes = content_hash(joined.readings)
    merged = store.merge_readings(conn, joined.readings, hashes, joined.upload, upload_ids, expected[joined.upload])
    duplicate = counts - merged.stored
    quarantined = np.array([len(rejected) for rejected in joined.rejected], dtype=np.int64)
    store.insert_uploads(conn, uploads, upload_ids, merged.stored, duplicate, quarantined)
    ids = upload_ids.tolist()
    refused = [(uploads[at], ids[at], one) for at, rejected in enumerate(joined.rejected) for one in rejected]
    store.insert_quarantine(conn, refused)
    _notify_of_vins(conn, joined)
    changed = np.flatnonzero((merged.stored > 0) | merged.reflagged)
    marked = [uploads[place] for place in changed.tolist()]
    store.mark_dirty(conn, marked, first_us[changed], last_us[changed])
    refusals = [
        tuple(Refusal(one.record_index, one.reason.value, one.detail) for one in rejected)
        for rejected in joined.rejected
    ]
    counted = zip(merged.stored.tolist(), duplicate.tolist(), quarantined.tolist(), refusals, strict=True)
    return [Receipt(*row) for row in counted]


def _notify_of_vins(conn: Conn, joined: Joined) -> None:
    """A security event for each upload with the number of another vehicle."""
    wrong = (joined.readings.flags & Flag.VIN_MISMATCH) != 0
    if wrong.any():
        for place in np.unique(joined.upload[wrong]).tolist():
            upload = joined.uploads[place]
            record_in(conn, SecurityEvent.VIN_MISMATCH, upload.received_at, upload.channel, upload.device_key)


def _learn(newest: dict[int, int], joined: Joined, outcomes: Sequence[Outcome | None]) -> None:
    """What was committed moves each device's mark on; a device that repeated itself has none until it says news."""
    if len(newest) > _MOST_MARKS:
        newest.clear()
    _, _, last_us = joined.spans()
    for upload, outcome, last in zip(joined.uploads, outcomes, last_us.tolist(), strict=True):
        if isinstance(outcome, Receipt) and outcome.duplicate:
            newest.pop(upload.device_key, None)
        elif isinstance(outcome, Receipt) and outcome.accepted:
            newest[upload.device_key] = max(last, newest.get(upload.device_key, last))
