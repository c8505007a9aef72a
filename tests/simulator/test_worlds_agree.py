"""What a book draws has the distribution of what is scored on simulated trips, of drivers on whom it was not measured.

Over months: in a week or two a night out happens or does not, where a book's shares are never exactly none.
"""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from cli.demo_world import TIME_ZONE
from scoring.extract import demo_extract, read_road_map
from scoring.features import BY_NAME, sum_totals
from scoring.match import HiddenMarkovMatcher
from simulator.book.behaviour import FEATURES, read_behaviour
from simulator.book.trips import scored_halves

DRIVERS, DAYS, SEED = 60, 28, 79
COPIES = 100
# Nobody can tell shares or counts per 100 km apart that are closer than this; a drawn share is never exactly none.
RESOLUTION = {name: 0.1 if name.endswith("_per_100km") else 0.002 for name in FEATURES}
SIGNIFICANCE = 0.01 / len(FEATURES)


@pytest.mark.long
def test_trips_and_books_are_of_one_world() -> None:
    roads = read_road_map(demo_extract())
    matcher = HiddenMarkovMatcher(roads)
    halves = scored_halves(roads, matcher, drivers=DRIVERS, days=DAYS, time_zone=TIME_ZONE, seed=SEED)
    totals = [sum_totals([*first, *second]) for first, second in halves]
    totals = [one for one in totals if one["distance_m"] > 5_000]
    assert len(totals) > DRIVERS / 2
    rng = np.random.default_rng(SEED)
    behaviour = read_behaviour()
    km = np.tile([one["distance_m"] / 1000.0 for one in totals], COPIES)
    drawn = behaviour.driven(behaviour.drivers(rng.standard_normal(len(km)), rng), km, rng)
    apart = {}
    for column, name in enumerate(FEATURES):
        scored = np.array([value for one in totals if (value := BY_NAME[name].of(one)) is not None])
        steps = [np.round(values / RESOLUTION[name]) for values in (scored, drawn[:, column])]
        apart[name] = float(ks_2samp(*steps).pvalue)
    assert {name: p for name, p in apart.items() if p < SIGNIFICANCE} == {}
