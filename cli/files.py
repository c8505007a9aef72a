"""`wayrate ingest` and `wayrate score`: files of readings, into the database or straight to scored trips."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsOf, DataDir, Roads, database_of, messages, moment
from cli.progress import progress_bar

Mapping = Annotated[
    str | None,
    typer.Option(
        "--mapping", help="TOML file that names a CSV's columns and units, or a packaged one: curitiba, omaha, rabat."
    ),
]
Files = Annotated[
    list[Path], typer.Argument(help="CSV, GPX or Parquet files of readings.", exists=True, dir_okay=False)
]


def ingest(
    files: Files,
    device: Annotated[str | None, typer.Option("--device", help="The enrolled device these readings are of.")] = None,
    mapping: Mapping = None,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Store the readings of files. Bad rows go to quarantine with a reason; the others are stored."""
    from ingest.accept import accept_file
    from ingest.files.mapping import find_mapping
    from ingest.files.read import read_file

    columns = find_mapping(mapping) if mapping else None
    parts = [(path, part) for path in files for part in read_file(path, columns, device)]
    refused: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    with database_of(data_dir) as database, progress_bar("Storing readings") as advance:
        for done, (_, (device_id, decoded)) in enumerate(parts, start=1):
            receipt = accept_file(database, device_id, decoded, moment(as_of))
            totals.update(accepted=receipt.accepted, duplicate=receipt.duplicate, quarantined=receipt.quarantined)
            refused.update(str(one.reason) for one in receipt.rejected)
            advance(done, len(parts))
    messages.print(
        f"{totals['accepted']:,} stored, {totals['duplicate']:,} duplicate, {totals['quarantined']:,} quarantined."
    )
    for reason, count in refused.most_common():
        messages.print(f"  quarantined {count:,}: {reason} (docs/quarantine.md)")


def score(
    files: Files,
    mapping: Mapping = None,
    roads: Roads = None,
    vehicle_class: Annotated[str, typer.Option("--vehicle-class", help="Whose thresholds to use.")] = "car",
) -> None:
    """Score files without a database: one JSON object a trip on standard output, messages on standard error."""
    from ingest.files.mapping import find_mapping
    from scoring.files import score_files

    trips = 0
    for trip in score_files(files, find_mapping(mapping) if mapping else None, roads, vehicle_class):
        typer.echo(json.dumps(trip, ensure_ascii=False))
        trips += 1
    messages.print(f"{trips} trip(s).")
