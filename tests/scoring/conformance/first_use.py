"""A drive and a frame that use every kernel of scoring and decoding: their machine code is kept for who comes next."""

from multiprocessing import get_context

import numpy as np

from ingest.decoders import teltonika
from ingest.readings import Readings, make_readings
from scoring.clean import CleanReadings, clean_readings
from scoring.cutting import Steps
from scoring.driven import on_roads
from scoring.match import HiddenMarkovMatcher
from scoring.measuring import measure_trips
from scoring.motion import new_motion
from scoring.path import score_readings
from scoring.roads import RoadMap
from scoring.segments import segments_of
from scoring.settings import DEFAULT_SETTINGS
from scoring.trips import Trips, cut_trips
from tests.ingest.teltonika_frames import Record, body, packet
from tests.scoring.conformance.physics import G, Leg, World, journey, seen
from tests.scoring.test_events import straight_road


def compile_kernels() -> None:
    """Scores one noisy drive with every sensor: by speed and by positions alone, with and without a map.

    What measures and decodes is compiled meanwhile in a process of its own: half of all, and nothing else waits for it.
    """
    beside = get_context("fork").Process(target=_measure_and_decode)
    beside.start()
    roads = straight_road(50.0)
    matcher = HiddenMarkovMatcher(roads)
    readings = seen(journey(15, [Leg(120), Leg(3, -0.45 * G), Leg(60)]), World(noise="white"))
    _cut_and_match(readings, matcher, roads)
    count = len(readings)
    felt = readings.replace(
        acceleration_forward_mps2=np.zeros(count),
        acceleration_lateral_mps2=np.zeros(count),
        acceleration_vertical_mps2=np.full(count, G),
        phone_in_use=np.ones(count),
        belt_fastened=np.zeros(count),
    )
    unsaid = readings.replace(speed_mps=np.full(count, np.nan), heading_deg=np.full(count, np.nan))
    beside.join()
    for one in (felt, unsaid):
        score_readings(one, matcher, roads, device="car", with_yardstick=True)
        score_readings(one.take(slice(None, None, -1)), None, None, device="car")


def _cut_and_match(readings: Readings, matcher: HiddenMarkovMatcher, roads: RoadMap) -> None:
    trips = cut_trips(segments_of(clean_readings(readings), None, DEFAULT_SETTINGS.cutting), DEFAULT_SETTINGS.cutting)
    on_roads(trips.trip(0, DEFAULT_SETTINGS.cutting), matcher, roads)


def _measure_and_decode() -> None:
    """Decodes a record, and measures no trips: their columns are empty and of the very types."""
    teltonika.decode_tcp(packet(body([Record()])))
    whole, real, said = np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.bool_)
    clean = CleanReadings(make_readings(0), whole)
    steps = Steps(real, real, said)
    none = Trips(clean, new_motion(0), steps, whole, whole, whole, real, real, real, said, whole, said)
    measure_trips(none, None, DEFAULT_SETTINGS.thresholds)
