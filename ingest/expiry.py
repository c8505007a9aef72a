"""Expiry: raw readings of whole weeks deleted for good, and with them the drawn paths and quarantine's bytes.

Trips, features, scores and statements stay. Nothing from before the floor is stored again, and no window that reaches
below it is cut again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.errors import UnscoredWindows
from ingest.expiry_store import count_gone, count_unscored
from ingest.validate import RETENTION
from storage.partitions import announce_expiry, expire_partitions
from storage.pool import Database


@dataclass(frozen=True, slots=True)
class Expired:
    """What went: the weeks dropped, readings and quarantined records; `floor` is the first time that is kept."""

    floor: datetime
    weeks: tuple[str, ...]
    readings: int
    quarantined: int


def expire(database: Database, as_of: datetime, *, keep: timedelta = RETENTION, even_unscored: bool = False) -> Expired:
    """Delete the weeks of readings that ended over `keep` before `as_of`. Repeating it deletes nothing more.

    Raises `UnscoredWindows` while readings among them have not been scored, unless `even_unscored`; then nothing goes.
    """
    with database.role("telemetry") as conn:
        waiting = count_unscored(conn, as_of - keep)
        if waiting and not even_unscored:
            raise UnscoredWindows(waiting, as_of - keep)
        floor = announce_expiry(conn, as_of - keep, as_of)
    # From here on nothing can be stored below the floor: what is counted now is what will be dropped.
    with database.role("telemetry") as conn:
        before = count_gone(conn)
        weeks = tuple(expire_partitions(conn, floor))
        after = count_gone(conn)
    return Expired(floor, weeks, after.readings - before.readings, after.quarantined - before.quarantined)
