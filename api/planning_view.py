"""Segments, strategies and offers as pages show them: kept results in words, masked for who may see groups alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from api import wording
from api.planning_charts import LEVELS, curve, interval_bar, territory_map
from api.trip_view import Fact
from portfolio.planning_store import Result
from portfolio.strategy_report import MEASURES, TITLES, shown

LEAST_PEOPLE = 20  # of fewer in a territory nothing is told
ROUNDED_TO = 10  # what underwriters see of sizes
ACTUARIES_ALONE = ("value", "needs", "night_known", "channels", "choices", "kept", "chance", "smallest")

type Group = dict[str, Any]


def masked(found: Mapping[str, Any]) -> dict[str, Any]:
    """The segments as underwriters see them: sizes rounded, no value, needs, channels or choices."""

    def group(one: Mapping[str, Any]) -> Group:
        kept = {name: value for name, value in one.items() if name not in ACTUARIES_ALONE}
        return kept | {"customers": _rounded(one["customers"]), "exposure_years": _rounded(one["exposure_years"])}

    groups = {name: [group(one) for one in found[name]] for name in ("segments", "territories")}
    paying = [one | {"policies": _rounded(one["policies"])} for one in found["paying"]]
    return dict(found) | groups | {"customers": _rounded(found["customers"]), "paying": paying}


def without_the_few(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without territories of fewer than LEAST_PEOPLE."""
    return dict(found) | {"territories": [one for one in found["territories"] if one["customers"] >= LEAST_PEOPLE]}


def segments_view(result: Result, versions: Sequence[int]) -> dict[str, Any]:
    """The page of one version; `result` is masked already where it has to be."""
    found = result.found
    own = {name for one in found["paying"] if len(one["names"]) == 1 for name in one["names"]}
    currency = found["currency"]
    segments = [_segment(one, currency, one["name"] in own) for one in found["segments"]]
    return {
        "version": result.version,
        "versions": versions,
        "made": f"{result.made_at:%Y-%m-%d %H:%M} UTC",
        "facts": _facts(found),
        "rows": segments,
        "masked": "value" not in found["segments"][0],
        "paying": [f"{' + '.join(one['names'])} ({one['policies']:,} policies)" for one in found["paying"]],
        "map": _map(found),
        "drawn": found["outlines"]["drawn"],
        "places": [_place(one, currency) for one in found["territories"]],
        "least_people": LEAST_PEOPLE,
    }


def strategies_view(result: Result) -> dict[str, Any]:
    """The page of one kept comparison."""
    found = result.found
    turning, years = found["break_even"]["cost_per_treatment"], found["years"]
    rows = {name: found["strategies"][name] for name in TITLES}  # JSON keeps no order
    measures = []
    for name, (title, form) in MEASURES.items():
        ends = [row[name][end] for row in rows.values() for end in ("low", "high")]
        bars = [
            {"name": TITLES[key], "words": shown(row[name], form),
             "bar": interval_bar(row[name], min(*ends, 0.0), max(ends), f"{TITLES[key]}: {shown(row[name], form)}")}
            for key, row in rows.items()
        ]  # fmt: skip
        measures.append({"name": name, "title": title, "rows": bars})
    points = [(one["cost"], one["lead"]) for one in found["break_even"]["curve"]]
    lost = f"{turning['mean']:.0f} ({turning['low']:.0f} to {turning['high']:.0f})"
    return {
        "version": result.version,
        "made": f"{result.made_at:%Y-%m-%d %H:%M} UTC",
        "meant": f"{found['seeds']} simulated markets of {found['customers']:,} customers over {years} years; "
        "means with 95 % intervals",
        "measures": measures,
        "turning": f"{lost} euro a year for each policy treated individually",
        "never": found["break_even"]["never_lost"],
        "curve": curve(points, f"Lead of one-to-one by the cost of a treatment; it is gone at {lost} euro"),
        "costs": [Fact(wording.words(name), f"{cost:g}", "euro") for name, cost in found["costs"].items()],
    }


def _facts(found: Mapping[str, Any]) -> list[Fact]:
    stability, alike = found["stability"], found["alike_before"]
    facts = [
        Fact("Customers", f"{found['customers']:,}", f"since {found['since'][:7]}, in {found['currency']}"),
        Fact("Segments", str(len(found["segments"])), f"of {found['wanted']['least']:,} customers at least"),
        Fact("Stability", f"{stability['value']:.2f}", f"{stability['low']:.2f} to {stability['high']:.2f} on "
             f"{found['reruns']} resamples; 1: the same, 0: by chance"),
    ]  # fmt: skip
    if alike is not None:
        facts.append(Fact("Against the version before", f"{alike:.2f}", "how alike it divides these customers"))
    return facts


def _segment(one: Group, currency: str, pays: bool) -> Group:
    row = {
        "name": one["name"],
        "customers": f"{one['customers']:,}",
        "years": f"{one['exposure_years']:,.0f}",
        "km": f"{one['km_per_year']:,.0f}",
        "premium": wording.money(one["premium"], currency, decimals=0),
        "loss_ratio": _interval(one["loss_ratio"], "{:.2f}"),
        "credibility": f"{one['credibility']:.2f}",
        "credible": f"{one['credible_loss_ratio']:.2f}",
        "take_up": "no quotes" if one["take_up"] is None else _interval(one["take_up"], "{:.0%}"),
        "reachable": f"{one['reachable']:.0%}",
        "pays": pays,
    }
    if "value" in one:
        row |= {
            "value": _interval(one["value"], "{:,.0f}"),
            "kept": "none ended" if one["kept"] is None else _interval(one["kept"], "{:.0%}"),
            "needs": _shares(one["needs"]),
            "night_known": f"{one['night_known']:.0%}",
            "channels": _shares(one["channels"]),
            "choices": ", ".join(
                f"{wording.words(name)} {_interval(part, '{:.0%}')}" for name, part in one["choices"].items()
            ),
            "smallest": _smallest(one["smallest"]),
            "chance": f"{one['chance']:.0%}",
        }
    return row


def _smallest(policies: int | None) -> str:
    if policies is None:
        return "No number of such customers would pay for an offer of its own with a chance of 90 %."
    return f"From {policies:,} such customers on an offer of its own pays with a chance of 90 %."


def _place(one: Group, currency: str) -> Group:
    return {
        "name": one["name"],
        "customers": f"{one['customers']:,}",
        "premium": wording.money(one["premium"], currency, decimals=0),
        "loss_ratio": _interval(one["loss_ratio"], "{:.2f}"),
    }


def _map(found: Mapping[str, Any]) -> Markup:
    """By the credible loss ratio, in steps of equal width between the lowest and the highest."""
    ratios = {one["name"]: float(one["credible_loss_ratio"]) for one in found["territories"]}
    low, high = (min(ratios.values()), max(ratios.values())) if ratios else (0.0, 1.0)
    span = max(high - low, 1e-9)
    levels = {name: min(int(LEVELS * (ratio - low) / span), LEVELS - 1) for name, ratio in ratios.items()}
    words = {name: f"loss ratio {ratio:.2f} with credibility" for name, ratio in ratios.items()}
    outlines = found["outlines"]
    return territory_map(outlines["paths"], outlines["height"], levels, words, named=not outlines["drawn"])


def _interval(one: Mapping[str, float], form: str) -> str:
    return f"{form.format(one['value'])} ({form.format(one['low'])} to {form.format(one['high'])})"


def _shares(parts: Mapping[str, float]) -> str:
    held = sorted(((share, name) for name, share in parts.items() if share >= 0.005), reverse=True)
    return ", ".join(f"{wording.words(name).lower()} {share:.0%}" for share, name in held) or "none"


def _rounded(count: float) -> int:
    return round(count / ROUNDED_TO) * ROUNDED_TO
