"""A drive that uses every kernel of scoring, so that their machine code is kept for who scores next."""

import numpy as np

from scoring.match import HiddenMarkovMatcher
from scoring.path import score_readings
from tests.scoring.conformance.physics import G, Leg, World, journey, seen
from tests.scoring.test_events import straight_road


def compile_scoring() -> None:
    """Scores one noisy drive with every sensor: by speed and by positions alone, with and without a map."""
    roads = straight_road(50.0)
    readings = seen(journey(15, [Leg(120), Leg(3, -0.45 * G), Leg(60)]), World(noise="white"))
    count = len(readings)
    felt = readings.replace(
        acceleration_forward_mps2=np.zeros(count),
        acceleration_lateral_mps2=np.zeros(count),
        acceleration_vertical_mps2=np.full(count, G),
        phone_in_use=np.ones(count),
        belt_fastened=np.zeros(count),
    )
    unsaid = readings.replace(speed_mps=np.full(count, np.nan), heading_deg=np.full(count, np.nan))
    for one in (felt, unsaid):
        score_readings(one, HiddenMarkovMatcher(roads), roads, device="car", with_yardstick=True)
        score_readings(one.take(slice(None, None, -1)), None, None, device="car")
