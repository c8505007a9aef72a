"""`wayrate expire`: raw readings past their time deleted for good."""

from datetime import timedelta
from typing import Annotated

import typer

from cli.options import AsOf, DataDir, database_of, messages, moment
from ingest.validate import RETENTION


def expire(
    days: Annotated[int, typer.Option("--days", min=1, help="How many days of readings are kept.")] = RETENTION.days,
    even_unscored: Annotated[
        bool, typer.Option("--even-unscored", help="Also delete readings that have not become trips yet.")
    ] = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Delete the weeks of raw readings that ended over 90 days ago, drawn paths and quarantined bytes with them.

    Trips, features, scores and statements stay; what comes later for that time is refused. Run it daily.
    """
    from ingest.expiry import expire as expire_readings

    with database_of(data_dir) as database:
        gone = expire_readings(database, moment(as_of), keep=timedelta(days=days), even_unscored=even_unscored)
    messages.print(
        f"Nothing before {gone.floor:%Y-%m-%d} is kept: {len(gone.weeks)} week(s) with {gone.readings:,} reading(s) "
        f"and {gone.quarantined:,} quarantined record(s) deleted."
    )
