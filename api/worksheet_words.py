"""The labels and reasons that pricing keeps, in the reader's words. What is stored stays as it was written.

They are English sentences made of parts (`km on primary roads, morning`): each pattern finds the parts again.
"""

import re
from collections.abc import Callable
from datetime import date

from api import wording
from api.languages import say, say_count


def label_words(label: str) -> str:
    """A worksheet step's label."""
    return _first_fitting(label, LABELS) or wording.words(label)


def reason_words(reason: str) -> str:
    """Why a posting was made; more reasons than one are parted by semicolons."""
    parts = [_first_fitting(part, REASONS) or wording.words(part) for part in reason.split("; ")]
    return "; ".join([parts[0], *(wording.inside(part) for part in parts[1:])])


def _first_fitting(text: str, patterns: list[tuple[str, Callable[..., str]]]) -> str:
    for pattern, in_words in patterns:
        if found := re.fullmatch(pattern, text):
            return in_words(*found.groups())
    return ""


def _span(first: str, last: str, label: str) -> str:
    days = (wording.long_day(date.fromisoformat(day)) for day in (first, last))
    return say("{first} to {last}: {what}", first=next(days), last=next(days), what=label_words(label))


def _place_and_time(road: str, hour: str) -> str:
    return say(
        "km on {road} roads, {hour}", road=wording.inside(wording.words(road)), hour=wording.inside(wording.words(hour))
    )


def _behaviour(claims: str, mean: str) -> str:
    return say(
        "Behaviour: {claims} / {mean} claims per 100,000 km",
        claims=wording.exact(claims),
        mean=wording.exact(mean),
    )


def _table_of_two(rows: str, columns: str, row: str, column: str) -> str:
    factors = f"{wording.words(rows)} × {wording.inside(wording.words(columns))}"
    return f"{factors}: {_level(row)}, {_level(column)}"


def _at_fault(label: str, percent: str) -> str:
    return say("{what} (claims at fault from {percent} %)", what=label_words(label), percent=percent)


def _late(changes: str) -> str:
    return say("Late data: {changes}", changes=", ".join(_changed(part) for part in changes.split(", ")))


def _changed(part: str) -> str:
    return _first_fitting(part, CHANGES) or wording.inside(wording.words(part))


LABELS: list[tuple[str, Callable[..., str]]] = [
    (r"(\d{4}-\d\d-\d\d) to (\d{4}-\d\d-\d\d): (.*)", _span),
    (r"(\d+) days", lambda days: say_count("{count} day", "{count} days", int(days))),
    (r"km on (\w+) roads, (\w+)", _place_and_time),
    (r"km off the map, (\w+)", lambda hour: say("km off the map, {hour}", hour=wording.inside(wording.words(hour)))),
    (r"estimated km of gaps", lambda: say("Estimated km of gaps")),
    (r"minutes of driving", lambda: say("Minutes of driving")),
    (
        r"declared km of (\d+) days without readings",
        lambda days: say("Declared km of {days} days without readings", days=days),
    ),
    (
        r"renewal: at most (\S+) x what the term before would have cost",
        lambda most: say("Renewal: at most {bound} × what the term before would have cost", bound=wording.exact(most)),
    ),
    (
        r"renewal: at least (\S+) x what the term before would have cost",
        lambda least: say(
            "Renewal: at least {bound} × what the term before would have cost", bound=wording.exact(least)
        ),
    ),
    (r"measured km", lambda: say("Measured km")),
    (r"behaviour: (\S+) / (\S+) claims per 100,000 km", _behaviour),
    (r"([\w ]+) x ([\w ]+): (.+), (.+)", _table_of_two),
    (r"([\w ]+: .+) \(claims at fault from (\d+) percent\)", _at_fault),
    (r"([\w ]+): (.+)", lambda factor, level: f"{wording.words(factor)}: {_level(level)}"),
    (r"to the minor unit of (\w+)", lambda currency: say("Rounded to the minor unit of {currency}", currency=currency)),
    (r"up to (\S+) for the covers", lambda least: say("up to {amount} for the covers", amount=least)),
]
REASONS: list[tuple[str, Callable[..., str]]] = [
    (r"late data: (.*)", _late),
    (
        r"(\d+) contest\(s\) upheld",
        lambda count: say_count("{count} contest upheld", "{count} contests upheld", int(count)),
    ),
    (r"(\d+) trip\(s\) (.*)", lambda count, what: _changed(f"{count} trip(s) {what}")),
]
CHANGES: list[tuple[str, Callable[..., str]]] = [
    (
        r"(\d+) trip\(s\) added",
        lambda count: say_count("{count} trip added", "{count} trips added", int(count)),
    ),
    (
        r"(\d+) trip\(s\) taken out",
        lambda count: say_count("{count} trip taken out", "{count} trips taken out", int(count)),
    ),
    (
        r"(\d+) trip\(s\) measured anew",
        lambda count: say_count("{count} trip measured anew", "{count} trips measured anew", int(count)),
    ),
    (
        r"(\d+) trip\(s\) relabelled",
        lambda count: say_count("{count} trip relabelled", "{count} trips relabelled", int(count)),
    ),
    (
        r"the driving of the score's window changed",
        lambda: say("the driving of the score's window changed"),
    ),
]


def _level(level: str) -> str:
    """A factor's level: a name, or a band of numbers."""
    found = re.fullmatch(r"(\d+) to under (\d+)", level)
    if found:
        return say("{low} to under {high}", low=found[1], high=found[2])
    return wording.inside(wording.words(level))
