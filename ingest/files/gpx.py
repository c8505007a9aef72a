"""GPX tracks (1.0 and 1.1) as columns of text under the readings' own names."""

from xml.etree.ElementTree import Element, ParseError, tostring

import defusedxml.ElementTree
import numpy as np
import pyarrow as pa
from defusedxml import DefusedXmlException

from ingest.errors import UnreadableFile
from ingest.files.table import SourceTable

# Elements of a point, wherever they stand in it (extensions too), and the column they fill: GPX is in SI units.
_ELEMENTS = {
    "ele": "altitude_m",
    "time": "fix_time",
    "hdop": "hdop",
    "sat": "satellites",
    "speed": "speed_mps",
    "course": "heading_deg",
}


def read_gpx(file: str, content: bytes) -> SourceTable:
    """The points of all tracks, in order. Raises `UnreadableFile`."""
    try:
        root = defusedxml.ElementTree.fromstring(content)
    except (ParseError, DefusedXmlException, ValueError) as err:
        raise UnreadableFile(file, f"it is not GPX: {err}") from err
    points = [element for element in root.iter() if _local(element) == "trkpt"]
    columns: dict[str, list[str | None]] = {
        "latitude_deg": [point.get("lat") for point in points],
        "longitude_deg": [point.get("lon") for point in points],
        "fix_time": [None] * len(points),
    }
    for row, point in enumerate(points):
        for element in point.iter():
            name = _ELEMENTS.get(_local(element))
            if name is not None:
                columns.setdefault(name, [None] * len(points))[row] = element.text

    def raw_of(place: int) -> bytes:
        return bytes(tostring(points[place]))

    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    return SourceTable(file, arrays, np.arange(len(points)), len(points), (), 1, raw_of)


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
