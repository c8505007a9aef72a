"""The data-quality certificate of a trip: a grade, its reasons, and whether this is insured driving at all."""

from dataclasses import dataclass

import numpy as np

from ingest.readings import TIER_FLAGS, Flag
from scoring.driven import Driven
from scoring.geodesy import wrapped_deg
from scoring.motion import DENSE_S
from scoring.not_by_car import exclusion, likenesses, off_road
from scoring.settings import Settings
from scoring.survey import Survey, survey
from scoring.trips import Trip

GRADES = ("A", "B", "C", "uncertified")
LEAST_TURNING_STEP_M = 30.0
_OF_TIERS = TIER_FLAGS["claim"]  # all of them: a remark of their own, `tier`
_REMARKS = tuple((int(flag), str(flag.name).lower()) for flag in Flag if not flag & _OF_TIERS)
# The best grade that a remark still allows.
_CEILINGS = {
    "unsynced_clock": "C",
    "speed_mismatch": "C",
    "teleport": "B",
    "gap_before": "B",
    "off_road": "uncertified",
    "implausible_place": "uncertified",
    "odometer_mismatch": "C",
    "too_fast_for_vehicle": "uncertified",
}


@dataclass(frozen=True, slots=True)
class Quality:
    """A certificate. "uncertified": may never raise a premium. `excluded`: why it is no insured driving."""

    grade: str
    coverage: float
    flags: tuple[str, ...]
    reasons: tuple[str, ...]
    excluded: str | None
    readings: int
    gaps: int
    conflicts: int
    spikes: int
    matched_share: float | None
    discontinuities: int
    shortfall_share: float = 0.0  # of the distance, what straight lines between far readings are estimated to miss
    tier: str = "signed"  # the weakest trust tier that any of its readings came with

    @property
    def blocks_surcharges(self) -> bool:
        """Whether pricing must not let this trip raise a premium."""
        return self.grade == "uncertified"

    def as_json(self) -> dict[str, object]:
        """The certificate as it is stored and sent."""
        return {
            "grade": self.grade,
            "blocks_surcharges": self.blocks_surcharges,
            "coverage": self.coverage,
            "flags": list(self.flags),
            "reasons": list(self.reasons),
            "readings": self.readings,
            "gaps": self.gaps,
            "conflicts": self.conflicts,
            "spikes": self.spikes,
            "matched_share": self.matched_share,
            "discontinuities": self.discontinuities,
            "shortfall_share": self.shortfall_share,
            **({} if self.tier == "signed" else {"tier": self.tier}),
        }


def certify(
    trip: Trip,
    driven: Driven,
    settings: Settings,
    sensor_flags: tuple[str, ...] = (),
) -> Quality:
    """The certificate of a trip; each reason names what kept it from grade A."""
    wanted = settings.certificate
    count = len(trip.t_s)
    duration_s = float(trip.t_s[-1])
    seen = survey(trip, driven, settings.travel)
    coverage = 1.0 - seen.silent_s / duration_s
    conflicts, way_m = seen.conflicts, seen.way_m
    alike = [name for name, holds in likenesses(trip, seen, settings.travel).items() if holds]
    flags = (*_flags(trip, seen), *sensor_flags, *alike)
    if off_road(seen, wanted):
        flags = (*flags, "off_road")
    if driven.swapped:
        flags = (*flags, "implausible_place")
    grades = {
        "coverage": _at_least(coverage, wanted.coverage),
        "sampling_interval": _at_most(trip.sampling_interval_s, wanted.longest_interval_s),
        "conflicting_readings": _at_most(conflicts / (count + conflicts), wanted.most_conflicts),
        "dropped_fixes": _at_most(trip.spikes / (count + trip.spikes), wanted.most_dropped_fixes),
    }
    grades |= {flag: _CEILINGS[flag] for flag in flags if flag in _CEILINGS}
    excluded = exclusion(trip, seen, settings.cutting, wanted, settings.travel)
    reasons = [f"{name}:{grade}" for name, grade in grades.items() if grade != "A"]
    if driven.map_version is None:
        reasons.append("no_road_map")
    elif not driven.matched[:-1].any():
        reasons.append("unmatched")
    return Quality(
        grade=max(grades.values(), key=GRADES.index),
        coverage=round(coverage, 4),
        flags=flags,
        reasons=tuple(reasons),
        excluded=excluded,
        readings=count,
        gaps=seen.gaps,
        conflicts=conflicts,
        spikes=trip.spikes,
        matched_share=None if driven.map_version is None or way_m <= 0 else round(seen.matched_m / way_m, 4),
        discontinuities=driven.discontinuities,
        shortfall_share=round(shortfall_share(trip, driven, way_m), 4),
        tier=weakest_tier(seen.said),
    )


def weakest_tier(flags: int) -> str:
    """The tier that proves what readings with these flags, taken together, were all brought by."""
    return next(tier for tier, unproved in reversed(TIER_FLAGS.items()) if flags & unproved == unproved)


def shortfall_share(trip: Trip, driven: Driven, way_m: float) -> float:
    """What straight lines between readings far apart miss of the way, as a share of it, by how much they turn.

    An arc that turns by a is longer than its chord by a^2 / 24; turns of steps under 30 m are taken for noise.
    """
    if trip.sampling_interval_s <= DENSE_S or way_m <= 0 or len(trip.step_m) < 2:
        return 0.0
    latitude, longitude = np.radians(trip.readings.latitude_deg), trip.readings.longitude_deg
    east = np.radians(wrapped_deg(np.diff(longitude))) * np.cos((latitude[1:] + latitude[:-1]) / 2)
    course_deg = np.degrees(np.arctan2(east, np.diff(latitude)))
    far = (trip.step_m >= LEAST_TURNING_STEP_M) & ~driven.matched[1:]  # matched, they follow the road
    turn = np.where(far[1:] & far[:-1], np.abs(wrapped_deg(np.diff(course_deg))), 0.0)
    squares = np.radians(np.minimum(turn, 90.0)) ** 2
    at_both_ends = (np.concatenate(([0.0], squares)) + np.concatenate((squares, [0.0]))) / 2
    missed_m = float((trip.step_m * at_both_ends).sum()) / 24
    return missed_m / (way_m + missed_m)


def _flags(trip: Trip, seen: Survey) -> tuple[str, ...]:
    found = [name for flag, name in _REMARKS if seen.said & flag]
    own = {
        "speed_mismatch": not trip.speed_agrees,
        "teleport": trip.teleport,
        "spikes": trip.spikes > 0,
        "gap": seen.gaps > 0,
        "gap_before": trip.lead_in_gap_m > 0,
        "conflict_same_key": seen.conflicts > 0,
        "unacked_only": seen.unacked_only,
        "held_positions": bool(trip.held.any()),
    }
    return tuple(dict.fromkeys([*found, *(name for name, holds in own.items() if holds)]))


def _at_least(value: float, bounds: tuple[float, float, float]) -> str:
    return next((grade for grade, bound in zip(GRADES, bounds, strict=False) if value >= bound), "uncertified")


def _at_most(value: float, bounds: tuple[float, float, float]) -> str:
    return next((grade for grade, bound in zip(GRADES, bounds, strict=False) if value <= bound), "uncertified")
