"""Which engine keeps the readings of the server under test, and on which day its weeks begin."""

import os
from datetime import UTC, datetime, timedelta
from functools import cache

import psycopg

_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_THURSDAY = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def _has_timescale() -> bool:
    """Whether the server that WAYRATE_TEST_DSN names has preloaded it; the embedded one never has."""
    given = os.environ.get("WAYRATE_TEST_DSN")
    if not given:
        return False
    with psycopg.connect(given) as conn:
        row = conn.execute("select exists (select from pg_settings where name = 'timescaledb.disable_load')").fetchone()
    return bool(row and row[0])


def week_of(time: datetime) -> datetime:
    """Where the week of readings begins that holds `time`, counted by hand."""
    first = _THURSDAY if _has_timescale() else _MONDAY
    return time - (time - first) % timedelta(days=7)
