"""The SQL behind the map of where the book drives. Role: telemetry. It leaves as counts of squares only."""

from collections.abc import Iterator

from storage.pool import Conn

# Trip ids are hashes: their order is a lot.
_PATHS = """
    select t.device_key, p.path from telemetry.trip t join telemetry.trip_path p using (trip_id)
     where t.local_month = %s and t.excluded is null order by t.trip_id limit %s
"""
_LATEST = "select max(local_month) from telemetry.trip join telemetry.trip_path using (trip_id) where excluded is null"


def each_path(conn: Conn, period: str, most: int) -> Iterator[tuple[int, bytes]]:
    """(device, packed path) of at most so many trips of a month, chosen by lot."""
    with conn.cursor(name="paths") as cursor:
        cursor.itersize = 200
        for device_key, path in cursor.execute(_PATHS, (period, most)):
            yield int(str(device_key)), bytes(path)  # type: ignore[call-overload]


def fetch_latest_driven_month(conn: Conn) -> str | None:
    """The latest month of which a path is kept."""
    row = conn.execute(_LATEST).fetchone()
    return None if row is None or row[0] is None else str(row[0])
