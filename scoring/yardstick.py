"""Other people's public formulas on our trips, so that people can compare. None of them is the price or the score.

A value is None, with a reason, where an input cannot be measured; `partial` then holds what the measured inputs alone
give. Formulas and thresholds are those that vendors publish (docs/scoring.md names them); units as they use them.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from scoring.driven import Driven
from scoring.events import Findings, forces, over_limit_mps
from scoring.geodesy import wrapped_deg
from scoring.series import Bools, Floats, runs
from scoring.settings import Thresholds
from scoring.trips import Trip

G_MPS2 = 9.80665
METRES_PER_MILE = 1609.344
MPH = METRES_PER_MILE / 3600
# Caps in percent (FCW: warnings per 1000 miles) and the growth of the collision frequency for each unit.
TESLA_V1 = {"fcw": (1.014495, 101.9), "hb": (1.127294, 5.2), "at": (1.019630, 13.2), "uf": (1.001444, 63.2)}
TESLA_V2 = {
    "hb": (1.23599110, 5.2),
    "at": (1.01219290, 13.2),
    "uf": (1.00271921, 63.2),
    "ln": (1.03231810, 14.2),
    "es": (1.02439511, 10.0),
    "ub": (1.01151237, 31.7),
}
TESLA_V2_UF_WITHOUT_SENSORS = 21.8
MOTIVE_WEIGHTS = {
    "hard_acceleration": 1,
    "hard_brake": 4,
    "hard_corner": 2,
    "speeding": 6,
    "close_following": 9,
    "phone_use": 10,
    "distraction": 5,
    "seat_belt_off": 6,
}
MOTIVE_LEAST_MILES = 100.0
ZENDRIVE_FORCE_MPS2, ZENDRIVE_CORNER_MPS2 = 7 * MPH, 8 * MPH  # in one second
ZENDRIVE_TURN_DEG, ZENDRIVE_ENTRY_MPS = 30.0, 11 * MPH
ZENDRIVE_OVER_MPS, ZENDRIVE_OVER_S, ZENDRIVE_PHONE_S = 5 * MPH, 10.0, 3.0
DAMOOV_EDGES_KMH = (40.0, 55.0, 105.0)
DAMOOV_PER_S = (0.0434, 0.2372, 0.2929, 0.4821)
DAMOOV_TOLERANCE_KMH = (85.0, 15.0, 20.0)  # up to this limit the first, above it the second


@dataclass(frozen=True, slots=True)
class Limits:
    """A vendor's thresholds of a harsh event, in m/s2, and of speeding as a share over the limit for some seconds."""

    brake_mps2: float
    acceleration_mps2: float
    corner_mps2: float
    speeding_share: float | None = None
    speeding_least_s: float = 5.0


VENDORS: dict[str, Limits] = {
    "geotab_passenger_car": Limits(0.30 * G_MPS2, 0.30 * G_MPS2, 0.42 * G_MPS2, 0.20),
    "geotab_light_truck": Limits(0.28 * G_MPS2, 0.28 * G_MPS2, 0.32 * G_MPS2, 0.20),
    "geotab_heavy": Limits(0.20 * G_MPS2, 0.20 * G_MPS2, 0.24 * G_MPS2, 0.20),
    "gps_insight_class_1": Limits(0.38 * G_MPS2, 0.37 * G_MPS2, 0.38 * G_MPS2),
    "sentiance": Limits(3.0, 2.25, 3.5),
    "teltonika_fmm00a": Limits(2.7, 2.5, 3.4),
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the formulas read of a trip; None: not measurable. Shares in percent of time."""

    distance_m: float
    duration_s: float
    brake_share: float | None  # of the time braking over 0.1 g, that over 0.3 g
    turn_share: float | None  # of the time turning over 0.2 g, that over 0.4 g
    night_share: float
    fast_share: float  # over 85 mph
    unbelted_share: float | None  # of the time over 10 mph
    over_limit_s: float | None
    over_damoov_s: float | None  # over the limit by more than Damoov tolerates
    events: Mapping[str, int | None]
    phone_kmh_s: tuple[tuple[float, float], ...] | None  # speed and seconds of each handheld stretch
    vendor_counts: Mapping[str, Mapping[str, int | None]]


def tesla_v1_pcf(*, fcw: float, hb: float, at: float, uf: float, fad: int) -> float:
    """Predicted collisions per million miles, v1.0 (2021): warnings per 1000 miles, shares in percent, 0 or 1."""
    growth = _product(TESLA_V1, {"fcw": fcw, "hb": hb, "at": at, "uf": uf})
    return 0.682854 * growth * (1.317958 if fad else 1.0)


def tesla_v1_score(pcf: float) -> float:
    """0 to 100 of a v1.0 frequency."""
    return _clamped(115.382324 - 22.526504 * pcf)


def tesla_v2_pcf(*, hb: float, at: float, uf: float, fad: int, ln: float, es: float, ub: float) -> float:
    """Predicted collisions per million miles, v2.2: shares in percent, `fad` 0 or 1."""
    growth = _product(TESLA_V2, {"hb": hb, "at": at, "uf": uf, "ln": ln, "es": es, "ub": ub})
    return 0.57198191 * growth * (1.32343362 if fad else 1.0)


def tesla_v2_score(pcf: float, *, sensors: bool) -> float:
    """0 to 100 of a v2.2 frequency; cars without forward sensors have their own intercept, for `uf` fixed at 21.8."""
    return _clamped((122.15240383 if sensors else 123.50230309) - 38.72920381 * pcf)


def samsara_score(harsh_events: int, distance_m: float, over_limit_s: float, duration_s: float) -> int:
    """100 less harsh events per 1000 miles, less the percent of time over the limit, each part in whole points."""
    per_1000_miles = harsh_events / (distance_m / METRES_PER_MILE) * 1000
    return max(0, 100 - round(per_1000_miles) - round(100 * over_limit_s / duration_s))


def motive_score(events: Mapping[str, int], distance_m: float) -> float:
    """100 less weighted events per 1000 miles, shown from 50 to 100."""
    per_1000_miles = 1000 / (distance_m / METRES_PER_MILE)
    lost = sum(MOTIVE_WEIGHTS[kind] * count for kind, count in events.items()) * per_1000_miles
    return min(100.0, max(50.0, 100.0 - lost))


def damoov_phone_penalty(phone_kmh_s: tuple[tuple[float, float], ...]) -> float:
    """Points for handheld seconds, each weighed by the band of its speed."""
    bands = np.searchsorted(DAMOOV_EDGES_KMH, [kmh for kmh, _ in phone_kmh_s], side="right")
    return float(sum(DAMOOV_PER_S[band] * seconds for band, (_, seconds) in zip(bands, phone_kmh_s, strict=True)))


def measure(trip: Trip, driven: Driven, findings: Findings, zone: str, limits: Thresholds) -> Inputs:
    """The inputs of one trip. `zone`: the IANA zone whose clock says when it is night."""
    seconds = np.where(trip.in_gap, 0.0, trip.step_s)
    forward, lateral = forces(trip, driven, limits)
    speed, known_s = trip.speed_mps[:-1], float(seconds.sum())
    over = over_limit_mps(trip, driven)[:-1]
    limit_known_s = float(seconds[np.isfinite(over)].sum())
    offset = datetime.fromtimestamp(int(trip.readings.fix_time_us[0]) / 1e6, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None  # an aware time has one
    hour = (trip.readings.fix_time_us[:-1] // 1_000_000 + int(offset.total_seconds())) // 3600 % 24
    belt, fast = trip.readings.belt_fastened[:-1], speed > 10 * MPH
    phone, missing = trip.readings.phone_in_use[:-1] == 1.0, findings.not_measurable
    return Inputs(
        distance_m=float(trip.step_m.sum()),
        duration_s=known_s,
        brake_share=None if forward is None else _share(-forward[:-1], 0.3, 0.1, seconds),
        turn_share=None if lateral is None else _share(np.abs(lateral[:-1]), 0.4, 0.2, seconds),
        night_share=_percent(float(seconds[(hour >= 22) | (hour < 4)].sum()), known_s),
        fast_share=_percent(float(seconds[speed > 85 * MPH].sum()), known_s),
        unbelted_share=None
        if "seat_belt_off" in missing
        else _percent(float(seconds[fast & (belt == 0.0)].sum()), float(seconds[fast & np.isfinite(belt)].sum())),
        over_limit_s=float(seconds[over > 1e-4].sum()) if limit_known_s > 0 else None,
        over_damoov_s=float(seconds[over > _damoov_tolerance_mps(driven.limit_mps[:-1])].sum())
        if limit_known_s > 0
        else None,
        events={
            kind: None if kind in missing else sum(event.kind == kind for event in findings.events)
            for kind in MOTIVE_WEIGHTS
            if kind not in ("close_following", "distraction")
        },
        phone_kmh_s=None
        if "phone_use" in missing
        else tuple(zip((speed[phone] * 3.6).tolist(), seconds[phone].tolist(), strict=True)),
        vendor_counts={
            name: {
                "hard_brake": _count(None if forward is None else -forward, vendor.brake_mps2, trip, limits),
                "hard_acceleration": _count(forward, vendor.acceleration_mps2, trip, limits),
                "hard_corner": _count(None if lateral is None else np.abs(lateral), vendor.corner_mps2, trip, limits),
                "speeding": _speeding(trip, driven, vendor),
            }
            for name, vendor in VENDORS.items()
        }
        | {
            "zendrive_class": zendrive_counts(trip, driven, limits, phone=phone if "phone_use" not in missing else None)
        },
    )


def yardstick(inputs: Inputs) -> dict[str, dict[str, object]]:
    """Every formula's answer for one trip, JSON-able: `value`, and a `reason` where it is None."""
    return {
        "tesla_v1_0": _tesla_v1(inputs),
        "tesla_v2_2": _tesla_v2(inputs),
        "samsara": _samsara(inputs),
        "motive": _motive(inputs),
        "damoov_phone_penalty": _damoov(inputs),
        "damoov_speeding": _damoov_speeding(inputs),
    } | {name: _counts(counts) for name, counts in inputs.vendor_counts.items()}


def _tesla_v1(inputs: Inputs) -> dict[str, object]:
    shown = {"hb": inputs.brake_share, "at": inputs.turn_share}
    return _unknown(("forward collision warnings", "headway"), shown)


def _tesla_v2(inputs: Inputs) -> dict[str, object]:
    """As for a car without forward sensors or an autopilot. The weights of night hours are not public: all are 1."""
    hb, at, ub = inputs.brake_share, inputs.turn_share, inputs.unbelted_share
    shown = {"hb": hb, "at": at, "ln": inputs.night_share, "es": inputs.fast_share, "ub": ub}
    if hb is None or at is None or ub is None:
        names = {"braking": hb, "turning": at, "seat belt": ub}
        return _unknown(tuple(name for name, share in names.items() if share is None), shown)
    uf = TESLA_V2_UF_WITHOUT_SENSORS
    pcf = tesla_v2_pcf(hb=hb, at=at, uf=uf, fad=0, ln=inputs.night_share, es=inputs.fast_share, ub=ub)
    return {"value": round(tesla_v2_score(pcf, sensors=False), 4), "pcf": round(pcf, 6), "inputs": _rounded(shown)}


def _samsara(inputs: Inputs) -> dict[str, object]:
    known = {kind: inputs.events[kind] for kind in ("hard_brake", "hard_acceleration", "hard_corner")}
    missing = tuple(kind for kind, count in known.items() if count is None)
    harsh = sum(count for count in known.values() if count is not None)
    shown = {"harsh_events": None if missing else float(harsh), "over_limit_s": inputs.over_limit_s}
    if inputs.over_limit_s is None or missing or inputs.distance_m <= 0:
        return _unknown(missing if inputs.over_limit_s is not None else (*missing, "posted limit"), shown)
    value = samsara_score(harsh, inputs.distance_m, inputs.over_limit_s, inputs.duration_s)
    return {"value": value, "inputs": _rounded(shown)}


def _motive(inputs: Inputs) -> dict[str, object]:
    known = {kind: count for kind, count in inputs.events.items() if count is not None}
    missing = tuple(kind for kind in MOTIVE_WEIGHTS if kind not in known)
    answer = _unknown(missing, {kind: float(count) for kind, count in known.items()})
    if inputs.distance_m < MOTIVE_LEAST_MILES * METRES_PER_MILE:
        return answer | {"partial": None, "reason": f"{answer['reason']}; under 100 miles it is not given"}
    return answer | {"partial": round(motive_score(known, inputs.distance_m), 4)}


def _damoov(inputs: Inputs) -> dict[str, object]:
    if inputs.phone_kmh_s is None:
        return _unknown(("phone use",), {})
    return {"value": round(damoov_phone_penalty(inputs.phone_kmh_s), 4)}


def _damoov_speeding(inputs: Inputs) -> dict[str, object]:
    """Seconds, for the points they cost are not public."""
    if inputs.over_damoov_s is None:
        return _unknown(("posted limit",), {})
    return {"value": round(inputs.over_damoov_s, 3), "unit": "s"}


def _damoov_tolerance_mps(limit_mps: Floats) -> Floats:
    up_to_kmh, low_kmh, high_kmh = DAMOOV_TOLERANCE_KMH
    with np.errstate(invalid="ignore"):
        return np.where(limit_mps * 3.6 <= up_to_kmh + 1e-3, low_kmh, high_kmh) / 3.6 + 1e-4


def zendrive_counts(trip: Trip, driven: Driven, limits: Thresholds, *, phone: Bools | None) -> dict[str, int | None]:
    """Events as Zendrive's class of apps counts them. `phone`: in use from each reading on, shape (n - 1,)."""
    forward, lateral = forces(trip, driven, limits)
    known_limit = np.isfinite(driven.limit_mps).any()
    over = over_limit_mps(trip, driven)
    with np.errstate(invalid="ignore"):
        speeding = [
            trip.t_s[stop - 1] - trip.t_s[start] >= ZENDRIVE_OVER_S for start, stop in runs(over > ZENDRIVE_OVER_MPS)
        ]
        handheld = [] if phone is None else runs(phone & (trip.speed_mps[:-1] > ZENDRIVE_ENTRY_MPS))
    return {
        "hard_brake": _count(None if forward is None else -forward, ZENDRIVE_FORCE_MPS2, trip, limits),
        "hard_acceleration": _count(forward, ZENDRIVE_FORCE_MPS2, trip, limits),
        "hard_corner": None if lateral is None else _zendrive_corners(trip, np.abs(lateral)),
        "speeding": sum(map(bool, speeding)) if known_limit else None,
        "phone_use": None
        if phone is None
        else sum(bool(trip.t_s[stop] - trip.t_s[start] >= ZENDRIVE_PHONE_S) for start, stop in handheld),
    }


def _zendrive_corners(trip: Trip, lateral_mps2: Floats) -> int:
    """Turns of more than 30 degrees, entered above 11 mph, that somewhere reach 8 mph a second sideways."""
    turn_deg = np.append(np.nan_to_num(wrapped_deg(np.diff(trip.readings.heading_deg.astype(np.float64)))), 0.0)
    found = 0
    with np.errstate(invalid="ignore"):
        for start, stop in runs(lateral_mps2 > ZENDRIVE_CORNER_MPS2 / 2):  # the whole turn, not its sharpest second
            sharp = lateral_mps2[start:stop].max() > ZENDRIVE_CORNER_MPS2
            found += bool(
                sharp
                and trip.speed_mps[start] > ZENDRIVE_ENTRY_MPS
                and abs(turn_deg[start:stop].sum()) > ZENDRIVE_TURN_DEG
            )
    return found


def _counts(counts: Mapping[str, int | None]) -> dict[str, object]:
    missing = tuple(kind for kind, count in counts.items() if count is None)
    answer: dict[str, object] = {"counts": dict(counts)}
    return answer | ({"reason": f"not measurable: {', '.join(missing)}"} if missing else {})


def _unknown(missing: tuple[str, ...], shown: Mapping[str, float | None]) -> dict[str, object]:
    reason = f"not measurable: {', '.join(missing) or 'no distance'}"
    return {"value": None, "reason": reason, "inputs": _rounded(shown)}


def _rounded(shown: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in shown.items()}


def _product(growth: Mapping[str, tuple[float, float]], inputs: Mapping[str, float]) -> float:
    product = 1.0
    for name, value in inputs.items():
        base, cap = growth[name]
        product *= base ** min(value, cap)
    return product


def _clamped(score: float) -> float:
    return min(100.0, max(0.0, score))


def _percent(part_s: float, whole_s: float) -> float:
    return 100.0 * part_s / whole_s if whole_s > 0 else 0.0


def _share(force_mps2: Floats, hard_g: float, some_g: float, seconds: Floats) -> float:
    with np.errstate(invalid="ignore"):
        hard, some = force_mps2 > hard_g * G_MPS2, force_mps2 > some_g * G_MPS2
    return _percent(float(seconds[hard].sum()), float(seconds[some].sum()))


def _count(force_mps2: Floats | None, threshold_mps2: float, trip: Trip, limits: Thresholds) -> int | None:
    """How many stretches go over a threshold; two that are no further apart than `merge_s` are one."""
    if force_mps2 is None:
        return None
    with np.errstate(invalid="ignore"):
        found = runs(force_mps2 > threshold_mps2)
    apart = [
        trip.t_s[after[0]] - trip.t_s[before[1] - 1] > limits.merge_s for before, after in itertools.pairwise(found)
    ]
    return len(found) - apart.count(False)


def _speeding(trip: Trip, driven: Driven, vendor: Limits) -> int | None:
    """Stretches faster than the posted limit and a share of it for long enough; None without a limit or such a rule."""
    if vendor.speeding_share is None or not np.isfinite(driven.limit_mps).any():
        return None
    with np.errstate(invalid="ignore"):
        over: Bools = trip.speed_mps > driven.limit_mps * (1 + vendor.speeding_share)
    lasted = [trip.t_s[stop - 1] - trip.t_s[start] for start, stop in runs(over)]
    return sum(bool(duration_s > vendor.speeding_least_s) for duration_s in lasted)
