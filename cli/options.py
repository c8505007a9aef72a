"""Options that several commands share, and the two things every command needs: a database and a clock."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import platformdirs
import typer
from rich.console import Console

from cli.errors import BadTime
from storage.open import open_database
from storage.pool import Database

# Messages go to standard error so that standard output holds only what was asked for.
messages = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False)

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Folder of the embedded PostgreSQL. Default: the user data folder.", show_default=False
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="The clock to work by: a date (its end, UTC) or a time with offset. Default: now.",
    ),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From this on: a date (its begin, UTC) or a time.")
]
type Part = Literal["all", "gateway", "api"]  # of what `wayrate serve` serves
Mapping = Annotated[
    str | None,
    typer.Option(
        "--mapping", help="TOML file that names a CSV's columns and units, or a packaged one: curitiba, omaha, rabat."
    ),
]
Roads = Annotated[
    Path | None,
    typer.Option(
        "--roads",
        envvar="WAYRATE_ROADS",
        help="OpenStreetMap extract (.osm.pbf), GeoJSON lines (.geojson[.gz]) or built map (.npz) to match on.",
    ),
]


def data_folder(data_dir: Path | None) -> Path:
    """The folder that `--data-dir` names; the user's data folder when it is not given."""
    return data_dir or Path(platformdirs.user_data_dir("wayrate"))


@contextmanager
def database_of(data_dir: Path | None, *, keep_running: bool = False) -> Iterator[Database]:
    """The database at WAYRATE_DSN, or the embedded one in `data_dir`: started if need be and migrated."""
    with open_database(data_folder(data_dir), os.environ.get("WAYRATE_DSN"), keep_running=keep_running) as database:
        yield database


YEARS = range(1970, 3000)  # what is reckoned from a time, months and terms, stays within what a date can be


def moment(as_of: str | None) -> datetime:
    """The time `--as-of` names, UTC; now when it is not given. A bare date is the last second of that day."""
    if as_of is None:
        return datetime.now(UTC)
    try:
        if len(as_of) == len("2026-10-31"):
            parsed = datetime.combine(date.fromisoformat(as_of), time(23, 59, 59), UTC)
        else:
            parsed = datetime.fromisoformat(as_of)
    except ValueError:
        raise BadTime(as_of) from None
    if parsed.tzinfo is None or parsed.year not in YEARS:
        raise BadTime(as_of)
    return parsed.astimezone(UTC)


def since_time(since: str | None) -> datetime | None:
    """The time that `--since` or `--until` names, UTC; a bare date is its begin."""
    if since is not None and len(since) == len("2026-10-31"):
        return moment(since).replace(hour=0, minute=0, second=0)
    return None if since is None else moment(since)


def running_clock(as_of: str | None) -> Callable[[], datetime]:
    """A clock that starts at `as_of` and runs on; the real one when it is not given."""
    start, began = moment(as_of), monotonic()
    return lambda: start + timedelta(seconds=monotonic() - began)
