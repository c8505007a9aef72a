"""The audit log by page, for those who watch over it; that they looked is noted in it as well."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from api import wording
from api.access import looked, noted_filter
from api.accounts import ROLES
from api.languages import say
from api.rendering import page
from api.roles import AuditReader, Now, Store
from api.workbench.audit_store import AuditFilter, AuditRow, each_audit_row, fetch_actions, fetch_audit_rows
from api.workbench.tables import PAGE_ROWS, address, csv_answer, midnight
from storage.pool import Database

router = APIRouter(include_in_schema=False)
CSV_HEAD = ("sequence", "noted_at", "actor", "role", "action", "policy", "of_a_person", "object", "details")
Code = Annotated[str, Query(max_length=40)]


def asked_filter(
    *,
    action: Code = "",
    role: Code = "",
    actor: Annotated[str, Query(max_length=320)] = "",
    policy: Annotated[str, Query(max_length=64)] = "",
    since: Annotated[str, Query(max_length=10)] = "",
    until: Annotated[str, Query(max_length=10)] = "",
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> AuditFilter:
    """The filter of the address; days by UTC, `until` included. What is no day: any."""
    last = midnight(until)
    return AuditFilter(
        action, role, actor.strip().lower(), policy.strip(), midnight(since), last and last + timedelta(days=1), before
    )


Asked = Annotated[AuditFilter, Depends(asked_filter)]


@router.get("/audit", response_class=HTMLResponse)
def show_audit(request: Request, reader: AuditReader, database: Store, now: Now, which: Asked) -> Response:
    """Who looked at whose data and who decided about money, the latest first."""
    looked(database, reader, "audit_read", now, object_id=noted_filter(query_of(which)))
    with database.role("policy") as conn:
        rows = fetch_audit_rows(conn, which, PAGE_ROWS + 1)
        actions = fetch_actions(conn)
    after = str(rows[PAGE_ROWS - 1].sequence) if len(rows) > PAGE_ROWS else ""
    return page(
        request,
        "audit.html",
        reader,
        rows=[_shown(row) for row in rows[:PAGE_ROWS]],
        actions={one: wording.words(one) for one in actions},
        roles={one: wording.words(one) for one in (*ROLES, "program")},
        asked=query_of(which),
        filtered=which != replace(AuditFilter(), before=which.before),
        after=address("/audit", {**query_of(which), "before": after}) if after else None,
        csv=address("/audit.csv", query_of(which)),
    )


@router.get("/audit.csv")
def download_audit(reader: AuditReader, database: Store, now: Now, which: Asked) -> Response:
    """The same as CSV; noted."""
    looked(database, reader, "audit_exported", now, object_id=noted_filter(query_of(which)))
    return csv_answer("audit.csv", CSV_HEAD, _csv_rows(database, which))


def query_of(which: AuditFilter) -> dict[str, str]:
    """The filter as it stands in the address, without its page."""
    last = which.until and which.until - timedelta(days=1)
    return {
        "action": which.action,
        "role": which.role,
        "actor": which.actor,
        "policy": which.policy,
        "since": f"{which.since:%Y-%m-%d}" if which.since else "",
        "until": f"{last:%Y-%m-%d}" if last else "",
    }


def _csv_rows(database: Database, which: AuditFilter) -> Iterator[tuple[object, ...]]:
    with database.role("policy") as conn:
        for row in each_audit_row(conn, which):
            yield (
                row.sequence, row.noted_at.isoformat(), row.actor, row.role, row.action, row.policy_id,
                "yes" if row.of_a_person else "no", row.object, row.details,
            )  # fmt: skip


def _shown(row: AuditRow) -> dict[str, object]:
    details = json.loads(row.details)
    return {
        "sequence": row.sequence,
        "at": wording.moment(row.noted_at, seconds=True),
        "who": row.actor or say("the program"),
        "role": wording.words(row.role),
        "action": wording.words(row.action),
        "policy": row.policy_id,
        "person": say("yes") if row.of_a_person else "–",
        "object": row.object,
        "details": ", ".join(f"{wording.inside(wording.words(name))} {value}" for name, value in details.items()),
    }
