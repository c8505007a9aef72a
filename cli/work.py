"""`wayrate work`: score what has arrived and correct what was already posted."""

import time
from typing import Annotated

import typer

from cli.options import AsOf, DataDir, Roads, database_of, messages, moment

POLL_S = 2.0


def work(
    roads: Roads = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep working as uploads arrive, until Ctrl-C.")] = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Cut, match and score the trips of everything that arrived; post adjustments where a posted month changed."""
    from cli.drain import drain
    from scoring.extract import read_road_map
    from scoring.match import HiddenMarkovMatcher

    with database_of(data_dir) as database:
        road_map = read_road_map(roads) if roads else None
        if road_map is None:
            messages.print("No --roads: trips are stored unmatched and speeding is not measurable.")
        matcher = HiddenMarkovMatcher(road_map) if road_map else None
        while True:
            windows, adjustments = drain(database, matcher, road_map, moment(as_of))
            if windows or adjustments or not watch:
                messages.print(f"Scored {windows} dirty window(s), posted {adjustments} adjustment(s).")
            if not watch:
                return
            time.sleep(POLL_S)
