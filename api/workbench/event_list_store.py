"""The SQL of the security events' list. Role: telemetry."""

from datetime import datetime, timedelta

from api.workbench.list_store import Listed, Which, begins
from ingest.enrolment_store import SecurityEventRow

_SORTS = {
    "when": "e.security_event_id",
    "kind": "e.kind",
    "channel": "e.channel",
    "device": "d.device_id",
}
_COLUMNS = "select e.security_event_id, e.happened_at, e.kind, e.channel, d.device_id, e.detail"
_TABLES = " from telemetry.security_event e left join telemetry.device d using (device_key)"
EVENTS = Listed(SecurityEventRow, _COLUMNS, _TABLES, _SORTS, "e.security_event_id")


def events_where(kind: str, device: str, since: datetime | None, until: datetime | None, sort: str) -> Which:
    """Events of a kind ("": any) and of devices whose id begins so, from one day to another, both with it."""
    asked = ["e.kind = %(kind)s"] if kind else []
    asked += ["d.device_id like %(like)s"] if device else []
    asked += ["e.happened_at >= %(since)s"] if since else []
    asked += ["e.happened_at < %(after)s"] if until else []
    after = until and until + timedelta(days=1)
    return Which(asked, {"kind": kind, "like": begins(device), "since": since, "after": after}, sort)
