"""`wayrate close`, `wayrate statement`: from scored trips to what is owed."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.errors import CannotWrite, NotFound
from cli.options import AsOf, DataDir, database_of, messages, moment, output
from cli.progress import progress_bar
from pricing.close import close_period
from pricing.errors import UnknownPolicy
from pricing.statement import Posting
from pricing.store import Policy, fetch_policy, fetch_statement_of_period
from storage.pool import Database

Period = Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month.")]


def close(
    period: Period,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Post the statements of a month that has ended; what is posted is never edited, only adjusted."""
    with database_of(data_dir) as database, progress_bar(f"Closing {period}") as advance:
        posted = close_period(database, period, moment(as_of), progress=advance)
    messages.print(f"Posted {len(posted)} statement(s) for {period}.")


def statement(
    policy: Annotated[str, typer.Argument(help="The policy's id.")],
    period: Period,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Write it as PDF to this file.", dir_okay=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """Show what was posted for a policy and month, with the worksheet that leads to it."""
    with database_of(data_dir) as database:
        with database.role("policy") as conn:
            held = fetch_policy(conn, policy)
            if held is None:
                raise UnknownPolicy(policy)
            found = fetch_statement_of_period(conn, policy, period)
        if found is not None and pdf is not None:
            _write_pdf(database, held, period, pdf)
            return
    if found is None:
        raise NotFound("statement", f"{policy} {period}", f"close the month first: wayrate close {period}")
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    output.print(f"[bold]{found.policy_id}[/], {found.period}: [bold]{found.total} {found.currency}[/]")
    for posting in found.postings:
        _show(posting)
    _show_trips(found.postings[-1])


def _write_pdf(database: Database, policy: Policy, period: str, path: Path) -> None:
    """The document that the statement's page offers."""
    from api.home_view import policy_view
    from api.policy_file import open_statement
    from api.statement_pdf import statement_pdf
    from api.statement_view import statement_view

    file = open_statement(database, policy, period, datetime.now(UTC))
    view = statement_view(file.statement, policy.time_zone, {})
    try:
        path.write_bytes(statement_pdf(policy_view(policy, file.plan), view))
    except OSError as error:
        raise CannotWrite(path, str(error)) from None
    messages.print(f"Wrote {path}.")


def _show(posting: Posting) -> None:
    """One posting: what is charged, and the worksheet that the month's premium follows from."""
    title = "Statement" if posting.kind == "statement" else f"Adjustment {posting.revision}"
    charged = Table("line", posting.currency, title=f"{title} of {posting.posted_at:%Y-%m-%d}: {posting.reason}")
    worksheet = Table("worksheet", "", "quantity", "rate", "running")
    for column in (charged.columns[1], *worksheet.columns[2:]):
        column.justify = "right"
    for line in posting.lines:
        charged.add_row(line["name"], line["amount"])
    charged.add_row("[bold]sum[/]", f"[bold]{posting.amount}[/]")
    for step in posting.worksheet:
        quantity = step["quantity"] if step["kind"] == "add" else ""
        rate = "" if step["kind"] == "round" else step["rate"]
        sign = {"add": "+", "times": "\u00d7", "round": "="}[step["kind"]]
        worksheet.add_row(
            f"{step['section']}: {step['label']}",
            sign,
            quantity,
            rate,
            step["running"],
            end_section=step["kind"] == "round",
        )
    output.print(charged)
    output.print(worksheet)


def _show_trips(posting: Posting) -> None:
    """The trips behind the amounts: what each adds to the covers before rounding, or why it adds nothing."""
    trips, costs = posting.inputs["trips"], posting.inputs["trip_costs"]
    assert isinstance(trips, list)
    assert isinstance(costs, dict)
    if not trips:
        return
    table = Table("trip", "km", "estimated km", f"adds {posting.currency}", title="The trips behind it")
    for column in table.columns[1:]:
        column.justify = "right"
    for trip in trips:
        cost = costs.get(trip["trip_id"])
        adds = trip["not_charged"] or (f"{Decimal(cost):.4f}" if cost else "0")
        gap = f"{trip['gap_m'] / 1000:.3f}" if trip["gap_m"] else ""
        table.add_row(trip["trip_id"][:8], f"{trip['distance_m'] / 1000:.3f}", gap, adds)
    output.print(table)
