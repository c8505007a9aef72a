"""The monitoring page: the series of `monitoring.monitor` as drawings and tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pricing.document import Block, Heading, Points, Rows, Text
from pricing.risk.drawing import INK, OURS, QUIET, THEIRS, figure, groups_table
from pricing.risk.monitoring import LARGE_MOVE, LEVEL, SMALL_MOVE, Monitored
from pricing.risk.reference import PREDICTED

WIDE_IN = 9.0
LIMITS = (
    "Claims that are not reported yet are missing: A/E of the last periods is too low by as many.",
    "Intervals are Poisson's. One policy's claims come together more than that, so a little more lies outside them.",
    "A term that the book's end cuts off has few measured km: its driving features scatter more, and drift by that.",
    "Drift tells that a book changed, not that the model is wrong: A/E and the slope tell that.",
)


def report(name: str, found: Monitored) -> Iterator[Block]:
    """The page's blocks; `name` is the model's."""
    over = found.over_time
    yield Heading(1, f"Monitoring: {name}")
    yield Text(
        f"Model {found.sha256[:16]} on data {found.data_digest[:16]}, {len(found.periods)} periods by {found.by}: "
        f"{over.whole.exposure_years:,.0f} years, {over.whole.actual:,.0f} claims where "
        f"{over.whole.expected:,.1f} were expected, A/E {over.whole.ratio:.3f} "
        f"({over.whole.low:.3f} to {over.whole.high:.3f})."
    )
    if over.high is not None:
        yield Text(
            f"Between periods: as much scatter of A/E comes by chance in {over.differ:.1%} of cases. A/E moves by a "
            f"factor of {over.a_year:.3f} a year ({over.low:.3f} to {over.high:.3f})."
        )
    yield figure("Actual over expected, 95 %", lambda axes: _ratio(axes, found), WIDE_IN)
    yield groups_table([period.whole for period in found.periods])
    yield Heading(2, "Calibration over time")
    yield Text(
        "The slope of a recalibration in the logarithm of the predicted rate: 1 is right, below 1 the rates are too "
        "far apart, above 1 too close. Tenths: how many of ten by predicted rate have an interval that holds."
    )
    yield figure("Slope, 95 %", lambda axes: _slope(axes, found), WIDE_IN)
    yield Rows(["", "slope", "95 %", "tenths that hold"], [_slope_row(found, place) for place in _places(found)])
    yield Heading(2, "Drift against the learn part")
    yield Text(
        f"The population stability index of each factor and of the predicted rate. Named below are those of "
        f"{SMALL_MOVE} or more (large: {LARGE_MOVE}) that are also further than chance at {LEVEL:.0%} over all tests."
    )
    yield figure("Stability index", lambda axes: _drift(axes, found), WIDE_IN)
    yield Rows(
        ["period", "what moved", "index", "chance where nothing moved", ""],
        [[row["period"], row["name"], f"{row['index']:.3f}", f"{row['chance']:.1e}", "large" if row["large"] else ""]
         for row in found.moved] or [["-", "nothing", "", "", ""]],
    )  # fmt: skip
    names = [one.name for one in found.periods[0].drift]
    yield Rows(["", *names], [[one.name, *(f"{d.index:.3f}" for d in one.drift)] for one in found.periods])
    yield Heading(2, "Limits")
    yield Points(LIMITS)


def _places(found: Monitored) -> range:
    return range(len(found.periods))


def _slope_row(found: Monitored, place: int) -> list[str]:
    period = found.periods[place]
    if period.slope is None:
        return [period.name, "too few claims", "", ""]
    value, low, high = period.slope
    return [period.name, f"{value:.2f}", f"{low:.2f} to {high:.2f}", str(period.tenths_that_hold)]


def _ratio(axes: Any, found: Monitored) -> None:
    groups = [period.whole for period in found.periods]
    _with_intervals(axes, found, [(place, one.ratio, one.low, one.high) for place, one in enumerate(groups)])
    axes.set_ylabel("actual over expected")


def _slope(axes: Any, found: Monitored) -> None:
    _with_intervals(axes, found, [(place, *one.slope) for place, one in enumerate(found.periods) if one.slope])
    axes.set_ylabel("slope")


def _with_intervals(axes: Any, found: Monitored, rows: list[tuple[int, float, float, float]]) -> None:
    at, value, low, high = np.array(rows).reshape(-1, 4).T
    axes.axhline(1.0, color=QUIET, linewidth=0.8)
    axes.errorbar(at, value, np.abs(np.stack([low, high]) - value), fmt="o", markersize=4, color=OURS, ecolor=INK)
    _name_periods(axes, found)


def _drift(axes: Any, found: Monitored) -> None:
    for name in (one.name for one in found.periods[0].drift):
        series = [next(one.index for one in period.drift if one.name == name) for period in found.periods]
        strong = name == PREDICTED
        axes.plot(
            series, marker="o", markersize=3, color=OURS if strong else None, linewidth=2 if strong else 0.8, label=name
        )
    for mark in (SMALL_MOVE, LARGE_MOVE):
        axes.axhline(mark, color=THEIRS, linewidth=0.8, linestyle="--")
    axes.set_ylim(bottom=0)
    _name_periods(axes, found)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _name_periods(axes: Any, found: Monitored) -> None:
    axes.set_xlim(-0.5, len(found.periods) - 0.5)
    step = max(1, len(found.periods) // 12)
    axes.set_xticks(list(_places(found))[::step], [one.name for one in found.periods[::step]], rotation=30)
