"""The book's figures in words and charts: what was earned and lost, how often, and whether the model still holds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from api import wording
from api.charts import share_bar
from api.explain import feature_name
from api.languages import say, say_count
from api.trip_view import Fact
from api.workbench import charts
from api.workbench.book_sum_store import RISK_EDGES, MonthBand, RiskBand
from api.workbench.charts import Point
from api.workbench.portfolio_store import Cell, MonthClaims
from pricing.risk.metrics import Group, actual_over_expected
from pricing.risk.monitoring import LARGE_MOVE, SMALL_MOVE
from pricing.risk.reference import moved
from scoring.score import ScoreModel

DAYS_A_YEAR = 365
LEAST_EXPECTED = 0.5  # claims: of fewer A/E says nothing
BANDS = 11  # of scores: tens, and none


@dataclass(frozen=True, slots=True)
class MonthLine:
    """A month's figures."""

    period: str
    policies: int
    years: float
    earned: Decimal
    incurred: Decimal
    claims: int
    assessed: int
    is_open: int
    driven_m: int
    charged_m: int
    expected: float

    @property
    def loss_ratio(self) -> float | None:
        """Incurred over earned premium, of the claims that have an amount."""
        return float(self.incurred / self.earned) if self.earned else None


@dataclass(frozen=True, slots=True)
class MonthRow:
    """The same as text."""

    month: str
    policies: str
    earned: str
    claims: str
    incurred: str
    loss_ratio: str
    frequency: str
    a_e: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A group as text."""

    level: str
    vehicles: str
    earned: str
    claims: str
    frequency: str
    loss_ratio: str
    a_e: str
    bar: Markup


def month_lines(bands: Sequence[MonthBand], claims: Sequence[MonthClaims]) -> list[MonthLine]:
    """A line a posted month, the earliest first; claims of months that are not posted are left out."""
    by_month: dict[str, list[MonthBand]] = defaultdict(list)
    for band in bands:
        by_month[band.period].append(band)
    of_month: dict[str, list[MonthClaims]] = defaultdict(list)
    for one in claims:
        of_month[one.period].append(one)
    return [
        MonthLine(
            period=period,
            policies=sum(one.policies for one in own),
            years=sum(one.days for one in own) / DAYS_A_YEAR,
            earned=sum((one.premium - one.tax for one in own), Decimal(0)),
            incurred=sum((one.incurred for one in of_month[period]), Decimal(0)),
            claims=sum(one.claims for one in of_month[period]),
            assessed=sum(one.assessed for one in of_month[period]),
            is_open=sum(one.is_open for one in of_month[period]),
            driven_m=sum(one.driven_m for one in own),
            charged_m=sum(one.charged_m for one in own),
            expected=sum(one.expected_claims for one in own),
        )
        for period, own in sorted(by_month.items())
    ]


def key_figures(lines: Sequence[MonthLine], currency: str) -> list[Fact]:
    """The months together."""
    earned = sum((one.earned for one in lines), Decimal(0))
    incurred = sum((one.incurred for one in lines), Decimal(0))
    claims, assessed, waiting = (sum(getattr(one, name) for one in lines) for name in ("claims", "assessed", "is_open"))
    years, driven = sum(one.years for one in lines), sum(one.driven_m for one in lines)
    charged = sum(one.charged_m for one in lines)
    return [
        Fact(say("Earned premium"), wording.money(earned, currency, decimals=0), say("without tax")),
        Fact(say("Incurred"), wording.money(incurred, currency, decimals=0),
             say("{assessed} of {claims} claims assessed; {open} open", assessed=wording.number(assessed),
                 claims=wording.number(claims), open=wording.number(waiting))),
        Fact(say("Loss ratio"), wording.percent(incurred / earned) if earned else "–", say("incurred over earned")),
        Fact(say("Frequency"), said_frequency(claims, years), say("claims a 1,000 vehicle-years, 95 %")),
        Fact(say("Mean claim"), wording.money(incurred / assessed, currency, decimals=0) if assessed else "–"),
        Fact(say("Exposure"), say("{count} years", count=wording.number(years, 1)),
             say("{distance} driven", distance=wording.km(driven))),
        Fact(say("Data quality"), wording.percent(charged / driven) if driven else "–", say("of the way counts")),
    ]  # fmt: skip


def month_rows(lines: Sequence[MonthLine], currency: str) -> list[MonthRow]:
    """The months as text, the latest first."""
    return [
        MonthRow(
            month=wording.month(one.period),
            policies=wording.number(one.policies),
            earned=wording.money(one.earned, currency, decimals=0),
            claims=wording.number(one.claims),
            incurred=wording.money(one.incurred, currency, decimals=0),
            loss_ratio="–" if one.loss_ratio is None else wording.percent(one.loss_ratio),
            frequency=said_frequency(one.claims, one.years),
            a_e=said_a_e(a_e_of(one.period, one.claims, one.expected, one.years)),
        )
        for one in reversed(lines)
    ]


def premium_chart(lines: Sequence[MonthLine], currency: str) -> Markup:
    """Earned premium by month."""
    bars = [(_short(one), float(one.earned), wording.money(one.earned, currency, decimals=0)) for one in lines]
    return charts.histogram(bars, say("Earned premium by month"))


def loss_ratio_chart(lines: Sequence[MonthLine]) -> Markup:
    """Loss ratio by month, with the line at 100 %."""
    points = [
        Point(
            _short(one),
            one.loss_ratio and 100 * one.loss_ratio,
            text=wording.percent(one.loss_ratio or 0),
        )
        for one in lines
    ]
    return charts.interval_chart(points, say("Loss ratio by month, in percent"), reference=100.0)


def frequency_chart(lines: Sequence[MonthLine]) -> Markup:
    """Claims a 1,000 vehicle-years by month with exact 95 % intervals."""
    points = []
    for one in lines:
        years = max(one.years, 1e-9)
        group = actual_over_expected(one.period, float(one.claims), years / 1000, years)
        points.append(_point(_short(one), group, said_frequency(one.claims, one.years)))
    return charts.interval_chart(points, say("Claims a 1,000 vehicle-years by month, with 95 % intervals"))


def score_chart(bands: Sequence[MonthBand], period: str) -> Markup:
    """How many policies of a month have which score."""
    counts = _score_counts(bands, period)
    names = [f"{10 * band}" for band in range(10)]  # from which on: a phone has no room for both ends
    bars = [
        (name, float(count), say_count("{count} policy", "{count} policies", int(count)))
        for name, count in zip(names, counts[:10], strict=True)
    ]
    return charts.histogram(
        [*bars, (say("none"), float(counts[10]), say_count("{count} policy", "{count} policies", int(counts[10])))],
        say("Policies by score"),
    )


def quality_chart(lines: Sequence[MonthLine]) -> Markup:
    """The share of the km that counts, by month."""
    points = [
        Point(_short(one), 100 * one.charged_m / one.driven_m if one.driven_m else None,
              text=wording.percent(one.charged_m / one.driven_m, 1) if one.driven_m else "")
        for one in lines
    ]  # fmt: skip
    return charts.interval_chart(points, say("Share of the kilometres that counts by month, in percent"), top=100.0)


def a_e_chart(lines: Sequence[MonthLine]) -> Markup:
    """Actual over expected claims by month, with exact 95 % intervals and the line at 1."""
    points = [_point(_short(one), a_e_of(one.period, one.claims, one.expected, one.years)) for one in lines]
    return charts.interval_chart(
        points, say("Actual over expected claims by month, with 95 % intervals"), reference=1.0
    )


def calibration_groups(risks: Sequence[RiskBand], claims: Sequence[MonthClaims]) -> list[Group]:
    """A/E of posted months by band of predicted frequency, the lowest first."""
    edges = [wording.exact(f"{edge:g}") for edge in RISK_EDGES]
    names = [say("under {number}", number=edges[0]), *(f"{low}–{high}" for low, high in pairwise(edges)),
             say("{number} and over", number=edges[-1])]  # fmt: skip
    actual, expected, days = (np.zeros(len(names)) for _ in range(3))
    for one in risks:
        expected[one.risk_band] += one.expected_claims
        days[one.risk_band] += one.days
    posted = {one.period for one in risks}
    for each in claims:
        if each.risk_band is not None and each.period in posted:
            actual[each.risk_band] += each.claims
    return [
        actual_over_expected(name, float(actual[band]), float(expected[band]), float(days[band]) / DAYS_A_YEAR)
        for band, name in enumerate(names)
        if expected[band] >= LEAST_EXPECTED
    ]


def calibration_chart(groups: Sequence[Group]) -> Markup:
    """A/E by predicted frequency: a calibrated model stays at 1 throughout."""
    points = [_point(one.name, one) for one in groups]
    return charts.interval_chart(
        points, say("Actual over expected claims by predicted frequency over the class mean's"), 1.0
    )


def drift_rows(bands: Sequence[MonthBand]) -> list[tuple[str, str, str, str]]:
    """(month, stability index, chance of as much by chance, verdict) of the scores of each month against the first."""
    months = sorted({one.period for one in bands})
    rows = []
    for period in months[1:]:
        before, after = _score_counts(bands, months[0]), _score_counts(bands, period)
        found = moved("score", before, after, float(before.sum()), float(after.sum()))
        chance = wording.percent(max(found.chance, 1e-4), 0 if found.chance >= 0.01 else 2)
        chance = chance if found.chance >= 1e-4 else say("under {number}", number=chance)
        rows.append(
            (wording.month(period), wording.number(found.index, 3), chance, _verdict(found.index, found.chance))
        )
    return rows[::-1]


def segment_rows(cells: Sequence[Cell], segment: str, least: int, currency: str) -> list[SegmentRow]:
    """Groups of at least so many vehicles by one of SEGMENTS, with their loss ratio as a bar."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[getattr(cell, segment)].append(cell)
    shown = {level: own for level, own in sorted(groups.items()) if sum(one.vehicles for one in own) >= least}
    ratios = {level: _loss_ratio(own) for level, own in shown.items()}
    top = max([1.0, *ratios.values()])
    rows = []
    for level, own in shown.items():
        years, claims = sum(one.days for one in own) / DAYS_A_YEAR, sum(one.claims for one in own)
        expected = sum(one.expected_claims for one in own)
        rows.append(
            SegmentRow(
                level=wording.words(level) or say("not said"),
                vehicles=wording.number(sum(one.vehicles for one in own)),
                earned=wording.money(sum((one.earned for one in own), Decimal(0)), currency, decimals=0),
                claims=wording.number(claims),
                frequency=said_frequency(claims, years),
                loss_ratio=wording.percent(ratios[level]),
                a_e=said_a_e(a_e_of(level, claims, expected, years)),
                bar=share_bar(ratios[level] / top),
            )
        )
    return rows


def _short(line: MonthLine) -> str:
    return wording.short_month(line.period)


def _loss_ratio(cells: Sequence[Cell]) -> float:
    earned = sum((one.earned for one in cells), Decimal(0))
    return float(sum((one.incurred for one in cells), Decimal(0)) / earned) if earned else 0.0


def a_e_of(name: str, claims: int, expected: float, years: float) -> Group | None:
    """Actual over expected with its exact interval; None where too little was expected to say anything."""
    return actual_over_expected(name, float(claims), expected, years) if expected >= LEAST_EXPECTED else None


def said_a_e(group: Group | None) -> str:
    """`1.12 (0.80–1.53)`."""
    if group is None:
        return say("too few to say")
    return wording.estimate(group.ratio, group.low, group.high, 2)


def said_frequency(claims: int, years: float) -> str:
    """Claims a 1,000 vehicle-years with the exact interval."""
    if years <= 0:
        return "–"
    group = actual_over_expected("", float(claims), years / 1000, years)
    return wording.estimate(group.ratio, group.low, group.high)


def weight_rows(model: ScoreModel) -> list[dict[str, str]]:
    """The terms of the score's model, as its report shows them."""
    return [
        {
            "feature": feature_name(one.feature),
            "factor": wording.number(np.exp(one.beta * one.spread), 3),
            "interval": "–".join(wording.number(np.exp(bound * one.spread), 3) for bound in one.beta_interval),
            "reference": wording.exact(f"{one.reference:g}"),
            "spread": wording.exact(f"{one.spread:g}"),
            "credibility": wording.km(1000 * one.credibility_km),
            "source": one.source,
        }
        for one in model.weights
    ]


def _score_counts(bands: Sequence[MonthBand], period: str) -> np.ndarray:
    counts = np.zeros(BANDS)
    for one in bands:
        if one.period == period:
            counts[one.score_band] += one.policies  # -1, no score, is the last
    return counts


def _verdict(index: float, chance: float) -> str:
    if index >= LARGE_MOVE:
        return say("moved far")
    if index >= SMALL_MOVE:
        return say("moved")
    return say("as before") if chance >= 0.01 else say("moved little, and not by chance")


def _point(label: str, group: Group | None, text: str = "") -> Point:
    if group is None:
        return Point(label, None)
    return Point(label, group.ratio, group.low, group.high, text or said_a_e(group))
