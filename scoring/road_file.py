"""A built road map as one file of arrays: written once, read without the extract that it came from."""

import json
import tempfile
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from scoring.errors import BadRoadFile
from scoring.roads import RoadMap

ROAD_FILE_ENDING = ".npz"
_TEXTS = ("version", "names")  # kept as JSON beside the arrays
_ARRAYS = tuple(field.name for field in fields(RoadMap) if field.name not in _TEXTS)


def save_road_map(roads: RoadMap, path: Path) -> None:
    """Writes the map; readers see the whole file or none. Raises OSError."""
    texts = json.dumps({"version": roads.version, "names": roads.names}).encode()
    arrays = {name: getattr(roads, name) for name in _ARRAYS}
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(file, texts=np.frombuffer(texts, dtype=np.uint8), **arrays)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def load_road_map(path: Path) -> RoadMap:
    """The map in a file that `save_road_map` wrote. Raises `BadRoadFile` that names the array that is wrong."""
    if not zipfile.is_zipfile(path):
        raise BadRoadFile(path, "it holds no arrays")
    try:
        with np.load(path, allow_pickle=False) as kept:
            absent = [name for name in ("texts", *_ARRAYS) if name not in kept]
            if absent:
                raise BadRoadFile(path, f"{absent[0]} is missing")
            texts = json.loads(kept["texts"].tobytes())
            columns = {name: kept[name] for name in _ARRAYS}
        roads = RoadMap(version=str(texts["version"]), names=tuple(texts["names"]), **columns)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise BadRoadFile(path, str(error) or type(error).__name__) from error
    _check(roads, path)
    return roads


def _check(roads: RoadMap, path: Path) -> None:
    """Refuses arrays that do not fit together: matching would read beside them."""
    edges, nodes, points = len(roads), len(roads.node_latitude_deg), len(roads.shape_latitude_deg)
    rules = {
        "shape_offset": len(roads.shape_offset) == edges + 1
        and roads.shape_offset[0] == 0
        and roads.shape_offset[-1] == points
        and bool(np.all(np.diff(roads.shape_offset) >= 2)),
        "shape_longitude_deg": len(roads.shape_longitude_deg) == points,
        "node_longitude_deg": len(roads.node_longitude_deg) == nodes,
        **{name: len(getattr(roads, name)) == edges for name in _ARRAYS if name.startswith("edge_")},
    }
    bounds = {"edge_from_node": nodes, "edge_to_node": nodes, "edge_name": len(roads.names)}
    for name, holds in rules.items():
        if edges == 0 or not holds:
            raise BadRoadFile(path, f"{name} does not fit the other arrays")
    for name, most in bounds.items():
        if getattr(roads, name).min() < 0 or getattr(roads, name).max() >= most:
            raise BadRoadFile(path, f"{name} is out of range")
