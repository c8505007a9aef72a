"""The SQL of expiry: what waits to be scored, and what has gone. Role: telemetry."""

from dataclasses import dataclass
from datetime import datetime

from storage.pool import Conn


@dataclass(frozen=True, slots=True)
class Gone:
    """Sums over all uploads and all of quarantine: what has expired up to now."""

    readings: int
    quarantined: int


_COUNT_UNSCORED = "select count(*) from telemetry.dirty_window where from_time < %(before)s"
_GONE = """
    select (select coalesce(sum(records_expired), 0) from telemetry.upload where records_expired > 0),
           (select count(*) from telemetry.quarantine where expired_at is not null)
"""


def count_unscored(conn: Conn, before: datetime) -> int:
    """Dirty windows that begin before the time: their readings have not become trips yet."""
    row = conn.execute(_COUNT_UNSCORED, {"before": before}).fetchone()
    return int(str(row[0])) if row else 0


def count_gone(conn: Conn) -> Gone:
    """Readings and quarantined records that have expired up to now."""
    row = conn.execute(_GONE).fetchone()
    assert row is not None
    return Gone(int(str(row[0])), int(str(row[1])))
