"""Charts say the numbers they were given, escape text, and carry nothing that the content security policy forbids."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from api import charts

NAN = float("nan")


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def test_the_waterfall_floats_from_the_base_to_the_total() -> None:
    bars = charts.waterfall_bars([("base", 50.0), ("step", 10.0), ("step", -25.0), ("total", 35.0)])
    assert [(bar.start, bar.end, bar.kind) for bar in bars] == [
        (0.0, 50.0, "base"),
        (50.0, 60.0, "up"),
        (60.0, 35.0, "down"),
        (0.0, 35.0, "total"),
    ]


def test_a_waterfall_row_stands_at_its_share_of_the_scale() -> None:
    bar = charts.waterfall_bars([("base", 50.0), ("step", -25.0)])[1]
    rect = parsed(charts.waterfall_row(bar, 0.0, 100.0))[1]
    assert (rect.get("x"), rect.get("width"), rect.get("class")) == ("25.00%", "25.00%", "down")


@pytest.mark.parametrize(("effect", "x", "width"), [(-2.0, "25.00%", "25.00%"), (4.0, "50.00%", "50.00%")])
def test_an_effect_reaches_from_the_centre_by_its_share_of_the_largest(effect: float, x: str, width: str) -> None:
    rect = parsed(charts.effect_bar(effect, 4.0))[1]
    assert (rect.get("x"), rect.get("width")) == (x, width)


def test_the_score_scale_shows_interval_and_value() -> None:
    svg = parsed(charts.score_scale(71.6, 60.0, 80.0, "Score 72 of 100, likely between 60 and 80"))
    assert svg.get("aria-label") == "Score 72 of 100, likely between 60 and 80"
    assert (svg[1].get("x"), svg[1].get("width")) == ("60.00%", "20.00%")
    assert svg[2].get("x") == "71.60%"


def test_missing_speed_leaves_a_gap_and_never_a_zero() -> None:
    elapsed = np.array([0.0, 10, 20, 30, 40])
    svg = charts.speed_chart(elapsed, np.array([50.0, 50, NAN, 50, 50]), np.full(5, NAN), [])
    line = re.search(r'class="speed"[^>]* d="([^"]*)"', svg)
    assert line is not None
    assert line[1].count("M") == 2
    assert "1000.0L" not in line[1].replace("M1000.0", "")


def test_the_area_over_the_limit_lies_only_where_the_speed_is_over() -> None:
    elapsed = np.arange(5.0)
    area = charts.speed_chart(elapsed, np.array([40.0, 60, 60, 40, 40]), np.full(5, 50.0), [])
    path = re.search(r'class="over" d="([^"]*)"', area)
    assert path is not None
    xs = [float(x) for x in re.findall(r"[ML](\d+\.\d) ", path[1])]
    assert (min(xs), max(xs)) == (250.0, 500.0)


def test_text_in_a_chart_is_escaped() -> None:
    svg = charts.month_bars([('<script>"', 1.0, "1 & 2")])
    assert "<script>" not in svg
    assert parsed(svg).findtext(".//title") == '<script>": 1 & 2'


@pytest.mark.parametrize(
    "svg",
    [
        charts.score_scale(50, 40, 60, "Score 50 of 100"),
        charts.effect_bar(1.0, 2.0),
        charts.share_bar(0.4),
        charts.month_bars([("1", 2.0, "2 km")]),
        charts.speed_chart(np.arange(4.0), np.full(4, 30.0), np.full(4, 50.0), [(2.0, 1)]),
    ],
)
def test_no_chart_carries_a_style_or_a_script(svg: str) -> None:
    for element in parsed(svg).iter():
        assert element.tag != "script"
        assert not any(name == "style" or name.startswith("on") for name in element.attrib)
