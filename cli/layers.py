"""The options that lay an insurer's own files over the map, and what they say of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import AccidentsWithoutRoads
from cli.options import messages

if TYPE_CHECKING:
    from scoring.layers import Layers
    from scoring.roads import RoadMap

Territory = Annotated[
    Path | None,
    typer.Option("--territory", help="Named polygons (GeoJSON, GeoPackage, shapefile): shares of km by territory."),
]
TerritoryField = Annotated[
    str | None, typer.Option("--territory-field", help="The field that holds their names. Default: territory or name.")
]
Accidents = Annotated[
    Path | None,
    typer.Option("--accidents", help="Recorded accidents (CSV, or points that GDAL reads): density along the way."),
]
AccidentsCrs = Annotated[
    str | None, typer.Option("--accidents-crs", help="CRS of a CSV's columns, such as EPSG:3879. Default: degrees.")
]
AccidentsColumns = Annotated[
    str | None, typer.Option("--accidents-columns", help="East and north of a CSV, such as ita_etrs,pohj_etrs.")
]


def read_layers(
    roads: "RoadMap | None",
    territory: Path | None,
    territory_field: str | None,
    accidents: Path | None,
    accidents_crs: str | None,
    accidents_columns: str | None,
) -> "Layers":
    """The layers of these options; what was found in them goes to standard error.

    Raises AccidentsWithoutRoads, BadLayer.
    """
    from scoring.layers import NO_LAYERS

    if territory is None and accidents is None:
        return NO_LAYERS
    from scoring.accidents import read_accidents
    from scoring.layers import Layers
    from scoring.territory import read_territories

    territories = read_territories(territory, territory_field) if territory else None
    if territories:
        messages.print(f"{len(set(territories.names))} territories.", markup=False)
        if territories.overlaps:
            first, second = territories.overlaps[0]
            messages.print(
                f"{len(territories.overlaps)} pair(s) of them overlap, such as {first} and {second}: a place "
                "in both is of the smaller polygon.",
                markup=False,
            )
    if accidents is None:
        return Layers(territories)
    if roads is None:
        raise AccidentsWithoutRoads(accidents)
    east, _, north = (accidents_columns or "").partition(",")
    density = read_accidents(accidents, roads, accidents_crs, (east.strip(), north.strip()) if north else None)
    messages.print(f"{density.on_roads:,} of {density.accidents:,} accidents lie on the map's roads.", markup=False)
    return Layers(territories, density)
