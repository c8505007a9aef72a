"""`wayrate ingest` and `wayrate score`: files of readings, into the database or straight to scored trips."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from cli.layers import Accidents, AccidentsColumns, AccidentsCrs, Territory, TerritoryField, read_layers
from cli.options import AsOf, DataDir, Mapping, Roads, database_of, messages, moment
from cli.progress import progress_bar
from cli.rate import plan_named
from ingest.decoded import Rejected
from ingest.rejection import Rejection

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
    _say_refused(refused)
    if refused[Rejection.TOO_LATE]:
        messages.print("  An older file? Say when it is received, such as --as-of 2019-10-01.")
    if not totals["accepted"] + totals["duplicate"]:
        messages.print("Nothing was stored.")
        raise typer.Exit(1)


def score(
    files: Files,
    mapping: Mapping = None,
    roads: Roads = None,
    vehicle_class: Annotated[str, typer.Option("--vehicle-class", help="Whose thresholds to use.")] = "car",
    territory: Territory = None,
    territory_field: TerritoryField = None,
    accidents: Accidents = None,
    accidents_crs: AccidentsCrs = None,
    accidents_columns: AccidentsColumns = None,
    plan: Annotated[
        str | None, typer.Option("--plan", help="A rate plan's TOML file, or one that ships: score by its model.")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Score files without a database: one JSON object a trip on standard output, messages on standard error."""
    from ingest.files.mapping import find_mapping
    from scoring.files import score_files
    from scoring.score import PRIOR_MODEL

    refused: Counter[str] = Counter()
    first: dict[str, str] = {}

    def on_refused(path: Path, row: Rejected) -> None:
        reason = str(row.reason)
        refused[reason] += 1
        first.setdefault(reason, f"{path}, record {(row.record_index or 0) + 1}: {row.detail}")

    columns = find_mapping(mapping) if mapping else None
    model = PRIOR_MODEL if plan is None else plan_named(plan).score_model
    trips = unmatched = 0
    scored = score_files(
        files,
        columns,
        roads,
        vehicle_class,
        as_of=moment(as_of),
        on_refused=on_refused,
        layers_on=lambda road_map: read_layers(
            road_map, territory, territory_field, accidents, accidents_crs, accidents_columns
        ),
        model=model,
    )
    for trip in scored:
        typer.echo(json.dumps(trip, ensure_ascii=False))
        trips += 1
        quality = trip["quality"]
        unmatched += roads is not None and isinstance(quality, dict) and not quality["matched_share"]
        if trip["excluded"]:
            messages.print(f"Trip of {trip['started_at']} is listed but not scored: {trip['excluded']}.")
    messages.print(f"{trips} trip(s).")
    if unmatched:
        messages.print(f"{unmatched} of them unmatched: {roads} does not cover them, so speeding is not measurable.")
    _say_refused(refused, first)
    if refused and not trips:
        raise typer.Exit(1)


def _say_refused(refused: Counter[str], first: dict[str, str] | None = None) -> None:
    """What was refused, by reason, with the first of each where it is known."""
    for reason, count in refused.most_common():
        example = f"; first {first[reason]}" if first else ""
        messages.print(f"  refused {count:,}: {reason}{example} (docs/quarantine.md)", markup=False)
