"""`wayrate roads`: the road map that trips are matched on, built once from an extract and looked at."""

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from cli.options import messages

roads = typer.Typer(no_args_is_help=True, help="Build a road map from an extract, and see what it holds.")

Source = Annotated[
    Path,
    typer.Argument(
        help="OpenStreetMap extract (.osm.pbf, .osm[.gz]), GeoJSON lines (.geojson[.gz]) or built map (.npz).",
        show_default=False,
    ),
]


@roads.command()
def build(
    source: Source,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write. Default: the extract's name with .npz, here.")
    ] = None,
    country: Annotated[
        str | None,
        typer.Option(
            "--country", metavar="CC", help="Give ways without a posted limit that of this country's law, such as FI."
        ),
    ] = None,
) -> None:
    """Build the arrays of a road map once, for `--roads`. The same file always gives the same version."""
    from cli.errors import CannotWrite
    from scoring.extract import read_road_map
    from scoring.road_file import ROAD_FILE_ENDING, save_road_map

    target = out or Path(source.name.split(".")[0] + ROAD_FILE_ENDING)
    if not target.name.endswith(ROAD_FILE_ENDING):
        raise CannotWrite(target, f"a built map is known by its ending: name it {target.name}{ROAD_FILE_ENDING}")
    built = read_road_map(source, country=country)
    try:
        save_road_map(built, target)
    except OSError as error:
        raise CannotWrite(target, error.strerror or str(error)) from error
    km = float(built.edge_length_m.sum()) / 1000
    messages.print(f"Wrote {target}: {len(built):,} edges, {km:,.1f} km, version {built.version}.", markup=False)


@roads.command()
def info(
    source: Source, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Show what a map holds: edges, km by class, names, one-way roads, where limits come from, extent, version."""
    from scoring.extract import read_road_map
    from scoring.roads import describe

    facts = cast(dict[str, Any], describe(read_road_map(source)))
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    south, west, north, east = facts["bounds_deg"]
    rows = [
        ("version", facts["version"]),
        ("edges, nodes", f"{facts['edges']:,}, {facts['nodes']:,}"),
        ("length", f"{facts['length_km']:,.1f} km"),
        *((f"  {name}", f"{km:,.1f} km") for name, km in facts["length_km_by_class"].items()),
        ("with a name", f"{facts['named_km_share']:.1%} of the km"),
        ("one-way", f"{facts['one_way_km_share']:.1%} of the km, {facts['one_way_edges']:,} edges"),
        *((f"limit {name}", f"{km:,.1f} km") for name, km in facts["length_km_by_limit_source"].items()),
        ("extent", f"{south:.5f}, {west:.5f} to {north:.5f}, {east:.5f}"),
    ]
    for name, value in rows:
        typer.echo(f"{name:<16} {value}")
    messages.print("Roads: © OpenStreetMap contributors, where the extract is of OpenStreetMap.")
