"""What `wayrate work` and `wayrate demo` share: everything that has arrived scored, what that corrects posted."""

from datetime import datetime

from cli.progress import progress_bar
from pricing.close import post_adjustments
from pricing.close_errors import NotAllPriced
from scoring.layers import NO_LAYERS, Layers
from scoring.match import Matcher
from scoring.roads import RoadMap
from scoring.worker import work_once
from storage.pool import Database

type Drained = tuple[int, int, NotAllPriced | None]


def drain(
    database: Database, matcher: Matcher | None, roads: RoadMap | None, as_of: datetime, layers: Layers = NO_LAYERS
) -> Drained:
    """Score every dirty window and post what that corrects: (windows scored, adjustments posted, who could not be
    priced).
    """
    with progress_bar("Scoring trips") as advance:
        windows = work_once(database, matcher, roads, as_of=as_of, layers=layers, progress=advance)
    try:
        return windows, len(post_adjustments(database, as_of)), None
    except NotAllPriced as waiting:
        return windows, len(waiting.posted), waiting
