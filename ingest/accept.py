"""The front door: what has been received becomes durable here, for the gateway and for files alike.

decode -> validate -> hash -> store -> commit -> receipt, in `accept` and `accept_decoded`. A receipt exists only after
the commit; whatever fails before it leaves nothing behind and acknowledges nothing.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import numpy as np

from ingest import store
from ingest.body import MAX_RECORDS
from ingest.decoded import Decoded
from ingest.devices import find_device
from ingest.errors import DeviceNotNamed, IdempotencyConflict
from ingest.moments import microseconds
from ingest.readings import Int64s, content_hash
from ingest.store import Device, Upload
from ingest.validate import refuse_expired, validate
from storage.partitions import ensure_partitions_of, reading_floor
from storage.pool import Conn, Database

_LOG = logging.getLogger(__name__)
FILE_VERSION = "file/1"


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
    """One frame of an authenticated device to its receipt.

    Raises what `decode` raises, `IdempotencyConflict`, `DeviceRevoked`, `StorageUnavailable`; then nothing is stored.
    """
    decoded = decode(body)
    upload = Upload(
        device.device_key,
        received_at,
        channel,
        tier or device.tier,
        decoder_version,
        sha256(body).digest(),
        idempotency_key,
    )
    return accept_decoded(database, upload, decoded)


def accept_decoded(database: Database, upload: Upload, decoded: Decoded) -> Receipt:
    """Decoded records to their receipt; the steps after decoding, in one transaction."""
    checked = validate(decoded, upload.received_at)
    hashes = content_hash(checked.readings)
    with database.role("telemetry") as conn:
        receipt = store_checked(conn, upload, checked, hashes)
    return receipt  # noqa: RET504 - the block has committed: only now may anybody be told


def store_checked(conn: Conn, upload: Upload, checked: Decoded, hashes: Int64s) -> Receipt:
    """What passed validation, with its content hashes, into the caller's transaction: not true before its commit."""
    store.lock_device(conn, upload.device_key)
    earlier = _earlier_receipt(conn, upload)
    if earlier is not None:
        return earlier
    floor = reading_floor(conn)
    if floor is not None and len(checked.readings) and checked.readings.fix_time_us.min() < microseconds(floor):
        checked = refuse_expired(checked, floor)
        hashes = content_hash(checked.readings)
    return _store(conn, upload, checked, hashes)


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


def _earlier_receipt(conn: Conn, upload: Upload) -> Receipt | None:
    """The receipt of the same body under the same key. Raises `IdempotencyConflict` for another body."""
    if upload.idempotency_key is None:
        return None
    earlier = store.fetch_earlier_upload(conn, upload.device_key, upload.idempotency_key)
    if earlier is None:
        return None
    if earlier.body_sha256 != upload.body_sha256:
        conflict = IdempotencyConflict(earlier.body_sha256.hex(), upload.body_sha256.hex())
        _LOG.warning(
            "device %d: one Idempotency-Key, two bodies: sha-256 %s, then %s",
            upload.device_key, conflict.earlier_sha256, conflict.sent_sha256,
        )  # fmt: skip
        raise conflict
    refusals = tuple(Refusal(*row) for row in store.fetch_quarantined(conn, earlier.upload_id))
    return Receipt(
        earlier.records_stored, earlier.records_duplicate, earlier.records_quarantined, refusals, replayed=True
    )


def _store(conn: Conn, upload: Upload, checked: Decoded, hashes: Int64s) -> Receipt:
    """Ledger, readings, quarantine and dirty window: all or nothing."""
    count = len(checked.readings)
    stored = 0
    readings = checked.readings.replace(device_key=np.full(count, upload.device_key))
    ensure_partitions_of(conn, readings.fix_time_us)
    upload_id = store.insert_upload(conn, upload, len(checked.rejected))
    store.insert_quarantine(conn, upload, upload_id, checked.rejected)
    if count:
        merged = store.merge_readings(conn, upload_id, readings, hashes)
        stored = merged.stored
        store.count_records(conn, upload_id, stored, count - stored)
        if merged.stored or merged.reflagged:
            span = int(readings.fix_time_us.min()), int(readings.fix_time_us.max())
            store.mark_dirty(conn, upload.device_key, *span, upload.received_at)
    refusals = tuple(Refusal(one.record_index, one.reason.value, one.detail) for one in checked.rejected)
    return Receipt(stored, count - stored, len(refusals), refusals)
