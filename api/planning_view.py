"""Segments, strategies and offers as pages show them: kept results in words, masked for who may see groups alone."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from api import wording
from api.languages import say, say_count
from api.planning_charts import LEVELS, curve, interval_bar, territory_map
from api.planning_words import said
from api.trip_view import Fact
from portfolio.planning_store import Result
from portfolio.strategy_report import MEASURES, TITLES

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
        "made": f"{wording.moment(result.made_at)} UTC",
        "facts": _facts(found),
        "rows": segments,
        "masked": "value" not in found["segments"][0],
        "paying": [_paying(one) for one in found["paying"]],
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
    for name, (title, decimals) in MEASURES.items():
        ends = [row[name][end] for row in rows.values() for end in ("low", "high")]
        bars = []
        for key, row in rows.items():
            words = wording.estimate(row[name]["mean"], row[name]["low"], row[name]["high"], decimals)
            bar = interval_bar(row[name], min(*ends, 0.0), max(ends), f"{say(TITLES[key])}: {words}")
            bars.append({"name": say(TITLES[key]), "words": words, "bar": bar})
        measures.append({"name": name, "title": say(title), "rows": bars})
    points = [(one["cost"], one["lead"]) for one in found["break_even"]["curve"]]
    lost = wording.estimate(turning["mean"], turning["low"], turning["high"])
    return {
        "version": result.version,
        "made": f"{wording.moment(result.made_at)} UTC",
        "meant": say(
            "{seeds} simulated markets of {customers} customers over {years} years; means with 95 % intervals.",
            seeds=found["seeds"],
            customers=wording.number(found["customers"]),
            years=years,
        ),
        "measures": measures,
        "turning": say("{amount} euro a year for each policy treated individually", amount=lost),
        "never": found["break_even"]["never_lost"],
        "curve": curve(
            points, say("Lead of one-to-one by the cost of a treatment; it is gone at {amount} euro", amount=lost)
        ),
        "costs": [
            Fact(wording.words(name), wording.exact(f"{cost:g}"), say("euro")) for name, cost in found["costs"].items()
        ],
    }


def _facts(found: Mapping[str, Any]) -> list[Fact]:
    stability, alike = found["stability"], found["alike_before"]
    facts = [
        Fact(say("Customers"), wording.number(found["customers"]),
             say("since {month}, in {currency}", month=wording.month(found["since"][:7]), currency=found["currency"])),
        Fact(say("Segments"), str(len(found["segments"])),
             say("of {count} customers at least", count=wording.number(found["wanted"]["least"]))),
        Fact(say("Stability"), wording.number(stability["value"], 2), say(
            "{low} to {high} on {count} resamples; 1: the same, 0: by chance", low=wording.number(stability["low"], 2),
            high=wording.number(stability["high"], 2), count=found["reruns"])),
    ]  # fmt: skip
    if found.get("left_out"):
        left_out = wording.number(found["left_out"])
        facts.append(Fact(say("Left out"), left_out, say("policies of other currencies: a segment's money is of one")))
    if alike is not None:
        facts.append(
            Fact(
                say("Against the version before"), wording.number(alike, 2), say("how alike it divides these customers")
            )
        )
    return facts


def _segment(one: Group, currency: str, pays: bool) -> Group:
    row = {
        "name": said(one["name"]),
        "customers": wording.number(one["customers"]),
        "years": wording.number(one["exposure_years"]),
        "km": wording.number(one["km_per_year"] * 1000 / wording.METRES[wording.unit()]),
        "premium": wording.money(one["premium"], currency, decimals=0),
        "loss_ratio": _interval(one["loss_ratio"], 2),
        "credibility": wording.number(one["credibility"], 2),
        "credible": wording.number(one["credible_loss_ratio"], 2),
        "take_up": say("no quotes") if one["take_up"] is None else _shared(one["take_up"]),
        "reachable": wording.percent(one["reachable"]),
        "pays": pays,
    }
    if "value" in one:
        row |= {
            "value": _money_interval(one["value"], currency),
            "kept": say("none ended") if one["kept"] is None else _shared(one["kept"]),
            "needs": _shares(one["needs"]),
            "night_known": wording.percent(one["night_known"]),
            "channels": _shares(one["channels"]),
            "choices": ", ".join(f"{wording.words(name)} {_shared(part)}" for name, part in one["choices"].items()),
            "smallest": _smallest(one["smallest"]),
            "chance": wording.percent(one["chance"]),
        }
    return row


def _smallest(policies: int | None) -> str:
    if policies is None:
        return say("No number of such customers would pay for an offer of its own with a chance of 90 %.")
    return say(
        "From {count} such customers on an offer of its own pays with a chance of 90 %.", count=wording.number(policies)
    )


def _place(one: Group, currency: str) -> Group:
    return {
        "name": one["name"],
        "customers": wording.number(one["customers"]),
        "premium": wording.money(one["premium"], currency, decimals=0),
        "loss_ratio": _interval(one["loss_ratio"], 2),
    }


def _map(found: Mapping[str, Any]) -> Markup:
    """By the credible loss ratio, in steps of equal width between the lowest and the highest."""
    ratios = {one["name"]: float(one["credible_loss_ratio"]) for one in found["territories"]}
    low, high = (min(ratios.values()), max(ratios.values())) if ratios else (0.0, 1.0)
    span = max(high - low, 1e-9)
    levels = {name: min(int(LEVELS * (ratio - low) / span), LEVELS - 1) for name, ratio in ratios.items()}
    words = {
        name: say("loss ratio {ratio} with credibility", ratio=wording.number(ratio, 2))
        for name, ratio in ratios.items()
    }
    outlines = found["outlines"]
    return territory_map(outlines["paths"], outlines["height"], levels, words, named=not outlines["drawn"])


def _paying(one: Group) -> str:
    names = " + ".join(said(name) for name in one["names"])
    return f"{names} ({say_count('{count} policy', '{count} policies', one['policies'])})"


def _money_interval(one: Mapping[str, float], currency: str) -> str:
    value, low, high = (
        wording.money(Decimal(round(one[end])), currency, decimals=0) for end in ("value", "low", "high")
    )
    return say("{value} ({low} to {high})", value=value, low=low, high=high)


def _interval(one: Mapping[str, float], decimals: int) -> str:
    return wording.estimate(one["value"], one["low"], one["high"], decimals)


def _shared(one: Mapping[str, float]) -> str:
    value, low, high = (wording.number(100 * one[name]) for name in ("value", "low", "high"))
    return f"{value} % ({low}–{high})"


def _shares(parts: Mapping[str, float]) -> str:
    held = sorted(((share, name) for name, share in parts.items() if share >= 0.005), reverse=True)
    return ", ".join(
        f"{wording.inside(said(wording.words(name)))} {wording.percent(share)}" for share, name in held
    ) or say("none")


def _rounded(count: float) -> int:
    return round(count / ROUNDED_TO) * ROUNDED_TO
