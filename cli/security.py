"""`wayrate security`: what happened that somebody should look at."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cli.options import DataDir, Since, database_of, messages, since_time
from ingest.security import SecurityEvent


def security(
    kind: Annotated[
        SecurityEvent | None, typer.Option("--kind", help="Only of this kind (docs/devices.md).", show_choices=False)
    ] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Security events, the latest first."""
    from ingest.enrolment_store import fetch_security_events

    with database_of(data_dir) as database, database.role("telemetry") as conn:
        events = fetch_security_events(conn, kind, since_time(since), limit)
    for event in events:
        if as_json:
            typer.echo(json.dumps(asdict(event), default=str))
        else:
            typer.echo(
                f"{event.happened_at:%Y-%m-%d %H:%M:%SZ}  {event.kind:<16}  {event.channel:<13}  "
                f"{event.device_id or '-':<20}  {event.detail}"
            )
    if not events:
        messages.print("No security event of that kind.")
