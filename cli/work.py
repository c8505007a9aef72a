"""`wayrate work`: score what has arrived and correct what was already posted."""

import time
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from cli.layers import Accidents, AccidentsColumns, AccidentsCrs, Territory, TerritoryField, read_layers
from cli.options import AsOf, DataDir, Roads, database_of, messages, moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cli.drain import Drained
    from scoring.roads import RoadMap
    from storage.pool import Database

POLL_S = 2.0
COLLECT_S = 60.0  # between two looks for outcomes of experiments


def work(
    roads: Roads = None,
    rematch: Annotated[
        bool, typer.Option("--rematch", help="Also score again the trips that were matched on another map, or on none.")
    ] = False,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", help="Port on 127.0.0.1 for Prometheus to ask the worker.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep working as uploads arrive, until Ctrl-C.")] = False,
    territory: Territory = None,
    territory_field: TerritoryField = None,
    accidents: Accidents = None,
    accidents_crs: AccidentsCrs = None,
    accidents_columns: AccidentsColumns = None,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Cut, match and score the trips of everything that arrived; post adjustments where a posted month changed."""
    from prometheus_client import start_http_server

    from cli.drain import drain
    from cli.logs import log_as_json
    from ingest.metrics import REGISTRY
    from scoring.extract import read_road_map
    from scoring.match import HiddenMarkovMatcher
    from scoring.worker import mark_matched_elsewhere

    if metrics_port is not None:
        start_http_server(metrics_port, addr="127.0.0.1", registry=REGISTRY)
    if watch:
        log_as_json()
    with database_of(data_dir, keep_running=watch) as database:
        road_map = read_road_map(roads) if roads else None
        if road_map is None:
            messages.print("No --roads: trips are stored unmatched and speeding is not measurable.")
        matcher = HiddenMarkovMatcher(road_map) if road_map else None
        layers = read_layers(road_map, territory, territory_field, accidents, accidents_crs, accidents_columns)
        if rematch:
            marked = mark_matched_elsewhere(database, road_map.version if road_map else None, moment(as_of))
            messages.print(f"{marked} device(s) have trips matched on another map: they are scored again.")
        _work(lambda: drain(database, matcher, road_map, moment(as_of), layers), database, road_map, as_of, watch=watch)


def _work(
    drain: "Callable[[], Drained]", database: "Database", roads: "RoadMap | None", as_of: str | None, *, watch: bool
) -> None:
    """Round after round, or one. Who cannot be priced is said once; one round ends with exit code 1 then."""
    from storage.errors import StorageUnavailable

    collect_at, told = 0.0, ""
    while True:
        try:
            windows, adjustments, waiting = drain()
            if windows or adjustments or not watch:
                messages.print(f"Scored {windows} dirty window(s), posted {adjustments} adjustment(s).")
                _say_unmatched(database, roads)
            if waiting is not None and str(waiting) != told:
                told = str(waiting)
                messages.print(told)
            if not watch or monotonic() >= collect_at:
                _collect(database, moment(as_of))
                collect_at = monotonic() + COLLECT_S
            if not watch:
                raise typer.Exit(1 if waiting else 0)
        except StorageUnavailable as err:
            if not watch:
                raise
            messages.print(f"Waiting for the database: {err}")
        time.sleep(POLL_S)


def _collect(database: "Database", as_of: "datetime") -> None:
    """What became of people in running experiments."""
    from portfolio.collecting import collect_outcomes

    with database.role("policy") as conn:
        for name, count in collect_outcomes(conn, as_of).items():
            messages.print(f"Experiment {name}: {count} more outcome(s).")


def _say_unmatched(database: "Database", roads: "RoadMap | None") -> None:
    """How many trips lie where the map has no roads: they are stored and priced as off the map."""
    from scoring.worker import count_unmatched

    if roads is not None and (unmatched := count_unmatched(database, roads.version)):
        messages.print(
            f"{unmatched} trip(s) unmatched: this extract does not cover them, so speeding is not measurable and their "
            "km count as off the map. With an extract that does: wayrate work --rematch --roads X"
        )
