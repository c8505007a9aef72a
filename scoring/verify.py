"""`verify`: proof that nothing received was lost, and digests by which two systems can be compared."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from scoring import verify_store
from scoring.verify_store import LedgerDay
from storage.pool import Database


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one table and the SHA-256 of their content in a fixed order."""

    name: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Conservation over all devices and days, its breaks in words, and what is held."""

    received: int
    stored: int
    duplicate: int
    quarantined: int
    breaks: tuple[str, ...]
    parts: tuple[Part, ...]

    def as_dict(self) -> dict[str, object]:
        """The same for JSON."""
        return asdict(self)


def verify(database: Database) -> Verification:
    """Check received = stored + duplicate + quarantined for each device and day, and digest the tables.

    Nobody is held up, and everything is seen at one moment. A reading that no upload brought, or whose content no
    longer gives the hash in its key, breaks the proof too. Equal readings give equal digests, whatever the order,
    batches and times in which they came: keys that are random and times of receipt have no part in them.
    """
    with database.role("telemetry") as conn:
        verify_store.see_one_moment(conn)
        ledger = verify_store.fetch_ledger(conn)
        unaccounted, altered = verify_store.count_unaccounted(conn), verify_store.count_altered(conn)
        parts = tuple(Part(name, *verify_store.digest_rows(conn, name)) for name in verify_store.DIGESTED)
    return Verification(
        received=sum(day.received for day in ledger),
        stored=sum(day.stored for day in ledger),
        duplicate=sum(day.duplicate for day in ledger),
        quarantined=sum(day.quarantined for day in ledger),
        breaks=(
            *(broken for day in ledger for broken in _breaks(day)),
            *([f"{unaccounted} reading(s) in the table that no upload brought"] if unaccounted else []),
            *(f"device {device_id}: {count} reading(s) altered since stored" for device_id, count in altered.items()),
        ),
        parts=parts,
    )


def _breaks(day: LedgerDay) -> Iterator[str]:
    where = f"device {day.device_id} on {day.day}"
    if day.received != day.stored + day.duplicate + day.quarantined:
        yield f"{where}: received {day.received}, but stored, duplicate and quarantined do not sum to it"
    if day.readings_held != day.stored:
        yield f"{where}: the ledger stored {day.stored} readings, the table holds {day.readings_held} of them"
    if day.quarantine_held != day.quarantined:
        yield f"{where}: the ledger refused {day.quarantined} records, the quarantine holds {day.quarantine_held}"
