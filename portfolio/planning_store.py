"""The SQL of what planning came to: versions that are added and never edited. Role: policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import args_row, class_row, scalar_row
from psycopg.types.json import Jsonb

from storage.pool import Conn

type Kind = Literal["segments", "strategies", "leaving"]

_INSERT = """
    insert into policy.planning_result (kind, version, made_at, found)
    select %(kind)s, coalesce(max(version), 0) + 1, %(as_of)s, %(found)s
      from policy.planning_result where kind = %(kind)s
    returning version
"""
# One at a time, so that two runs make two versions.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('policy.planning_result ' || %s, 0))"
_LATEST = """
    select kind, version, made_at, found from policy.planning_result
     where kind = %(kind)s and version = coalesce(%(version)s, version) order by version desc limit 1
"""
# What customers are judged by: the latest segments without their drawings, and the latest model of leaving.
_JUDGED_BY = """
    select (select found -> 'segments' from policy.planning_result
             where kind = 'segments' order by version desc limit 1),
           (select found from policy.planning_result where kind = 'leaving' order by version desc limit 1)
"""
_VERSIONS = "select version from policy.planning_result where kind = %s order by version desc limit 20"


@dataclass(frozen=True, slots=True)
class Result:
    """One version."""

    kind: str
    version: int
    made_at: datetime
    found: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """What customers are judged by; None: none is kept yet."""

    segments: list[dict[str, Any]] | None
    leaving: dict[str, Any] | None


def keep_result(conn: Conn, kind: Kind, found: Mapping[str, Any], as_of: datetime) -> int:
    """Keeps what was found as the next version, and says which."""
    conn.execute(_LOCK, (kind,))
    row = conn.execute(_INSERT, {"kind": kind, "as_of": as_of, "found": Jsonb(dict(found))}).fetchone()
    assert row is not None, "a maximum is always one row"
    return int(str(row[0]))


def fetch_result(conn: Conn, kind: Kind, version: int | None = None) -> Result | None:
    """That version, or the latest."""
    with conn.cursor(row_factory=class_row(Result)) as cur:
        return cur.execute(_LATEST, {"kind": kind, "version": version}).fetchone()


def fetch_judged_by(conn: Conn) -> JudgedBy:
    """The latest of each."""
    with conn.cursor(row_factory=args_row(JudgedBy)) as cur:
        return cur.execute(_JUDGED_BY).fetchone() or JudgedBy(None, None)


def fetch_versions(conn: Conn, kind: Kind) -> list[int]:
    """The latest versions, the last first."""
    with conn.cursor(row_factory=scalar_row) as cur:
        versions: list[int] = cur.execute(_VERSIONS, (kind,)).fetchall()
    return versions
