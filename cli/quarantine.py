"""`wayrate quarantine`: what was refused, why, and once more through the front door after a fix."""

import json
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from cli.errors import NothingChosen
from cli.options import AsOf, DataDir, Since, database_of, messages, moment, since_time
from cli.progress import progress_bar
from ingest.rejection import Rejection

quarantine = typer.Typer(help="What was refused, and its replay.", no_args_is_help=True)
Reason = Annotated[Rejection | None, typer.Option("--reason", help="Only this reason.", show_choices=False)]
DeviceName = Annotated[str | None, typer.Option("--device", help="Only of this device.")]
Channel = Annotated[str | None, typer.Option("--channel", help="Only what came this way: http, osmand, ...")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Received before.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@quarantine.command("list")
def list_kept(
    reason: Reason = None,
    device: DeviceName = None,
    channel: Channel = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was replayed or has expired.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the earliest first.")] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """What waits in quarantine: id, time of receipt, device, channel, reason, place in its frame, bytes, detail."""
    from ingest.quarantine_store import Filter, fetch_rows

    which = Filter(reason, device, channel, since_time(since), since_time(until), waiting=not everything)
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        rows = fetch_rows(conn, which, limit + 1)
    for row in rows[:limit]:
        facts = asdict(row)
        if as_json:
            typer.echo(json.dumps(facts, default=_plain))
            continue
        place = "whole frame" if row.record_index is None else f"record {row.record_index}"
        state = "" if row.replayed_at is None else "  replayed"
        state += "" if row.expired_at is None else "  expired"
        typer.echo(
            f"{row.quarantine_id:>8}  {row.received_at:%Y-%m-%d %H:%M:%SZ}  {row.device_id or '-':<20}  "
            f"{row.channel:<13}  {row.reason:<14}  {place:<12} {row.size_bytes:>7} B  {_printable(row.detail)}{state}"
        )
    if len(rows) > limit:
        messages.print(f"There are more than {limit}: raise --limit, or narrow it by --reason, --device, --since.")
    elif not rows:
        messages.print("Nothing of that kind is in quarantine.")


@quarantine.command("counts")
def count_kept(since: Since = None, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """How many are kept of each reason and channel: waiting, replayed, expired."""
    from ingest.quarantine_store import count_by_reason

    with database_of(data_dir) as database, database.role("telemetry") as conn:
        counts = count_by_reason(conn, since_time(since))
    for count in counts:
        if as_json:
            typer.echo(json.dumps(asdict(count)))
        else:
            typer.echo(
                f"{count.reason:<14}  {count.channel:<13}  {count.waiting:>9,} waiting  {count.replayed:>9,} replayed  "
                f"{count.expired:>9,} expired"
            )
    if not counts:
        messages.print("Quarantine is empty.")


@quarantine.command("show")
def show_kept(
    quarantine_id: Annotated[int, typer.Argument(metavar="ID", help="The id that `list` shows.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """One refused record or frame with its bytes, as text safe for any terminal or as hexadecimal digits."""
    from ingest.errors import UnknownQuarantine
    from ingest.quarantine import shown
    from ingest.quarantine_store import fetch_kept

    with database_of(data_dir) as database, database.role("telemetry") as conn:
        kept = fetch_kept(conn, quarantine_id)
    if kept is None:
        raise UnknownQuarantine(quarantine_id)
    facts = {name: value for name, value in asdict(kept).items() if name not in {"raw", "device_key"}}
    seen = shown(kept.raw)
    facts |= {"size_bytes": len(kept.raw), seen.form: seen.content}
    if as_json:
        typer.echo(json.dumps(facts, default=_plain))
        return
    for name, value in facts.items():
        typer.echo(f"{name:<16} {'-' if value is None else _printable(str(value))}")


@quarantine.command("replay")
def replay_kept(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Which to replay.")] = None,
    reason: Reason = None,
    device: DeviceName = None,
    channel: Channel = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Put refused bytes through the front door again, after a fix. What is refused again stays as it is."""
    from ingest.quarantine import Replay, replay, replay_all
    from ingest.quarantine_store import Filter

    if not ids and not any((reason, device, channel, since, until)):
        raise NothingChosen("replay", "name ids, or choose by --reason, --device, --channel, --since, --until")
    which = Filter(reason, device, channel, since_time(since), since_time(until))
    at = moment(as_of)
    with database_of(data_dir) as database, progress_bar("Replaying") as advance:
        done: list[Replay] = [replay(database, each, at) for each in ids or ()]
        if not ids:
            done = replay_all(database, which, at, advance)
    for each in done:
        if as_json:
            typer.echo(json.dumps(asdict(each)))
        else:
            why = f"  {each.reason or ''} {_printable(each.detail or '')}".rstrip()
            typer.echo(
                f"{each.quarantine_id:>8}  {each.outcome:<17} {each.stored} stored, {each.duplicate} duplicate, "
                f"{each.quarantined} quarantined{why}"
            )
    outcomes = Counter(str(each.outcome) for each in done)
    said = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in outcomes.most_common())
    messages.print(f"{len(done):,} replayed{': ' + said if said else ''}.")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _printable(text: str) -> str:
    """Without what a terminal obeys: the text of a refusal may quote what was sent."""
    return "".join(letter if letter.isprintable() and letter.isascii() else ascii(letter)[1:-1] for letter in text)
