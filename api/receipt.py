"""A premium as a receipt: the worksheet's steps gathered over the covers, shown so that they add up to the cent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from markupsafe import Markup

from api import charts, wording
from api.languages import UNITS, say
from api.worksheet_words import label_words, reason_words
from pricing.money import EXACT, MINOR_DIGITS
from pricing.rating import SMOOTHING, recompute
from pricing.statement import PeriodStatement, Posting

DAYS, KILOMETRES, MINUTES = "Cover by the day", UNITS["km"], "Minutes of driving"
FACTORS, DRIVING, RENEWAL = "Car and driver", "Driving", "Renewal"


@dataclass(frozen=True, slots=True)
class Change:
    """One row before it is shown: an exact amount in currency units."""

    name: str
    why: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ReceiptStep:
    """One row of the receipt."""

    name: str
    why: str
    amount: str
    bar: Markup
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A waterfall from the first step to the amount."""

    period: str
    period_name: str
    caption: str
    steps: list[ReceiptStep]
    total_name: str
    total: str
    total_bar: Markup


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One line of the worksheet as it was computed, unrounded."""

    name: str
    factor: str
    amount: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """The worksheet of one section."""

    name: str
    lines: list[SheetLine]


def changes_of(worksheet: Sequence[Mapping[str, str]]) -> list[Change]:
    """What each kind of step changes, over all covers, in the worksheet's order; their sum is the premium exactly."""
    found: dict[str, list[Decimal]] = {}
    why: dict[str, str] = {}
    rounding = Decimal(0)
    before = Decimal(0)
    for step in worksheet:
        running = Decimal(step["running"])
        change = EXACT.subtract(running, before)
        if step["kind"] == "round":
            rounding += change
            before = Decimal(0)
            continue
        name, reason = _heading(step)
        found.setdefault(name, []).append(change)
        why.setdefault(name, reason)
        before = running
    changes = [Change(name, _why(name, why[name], worksheet), sum(parts, Decimal(0))) for name, parts in found.items()]
    covers = sum(1 for name in found if not _is_charge(name, worksheet))
    if abs(rounding) < Decimal("0.005"):
        # Too little for a row of its own: the last step of the covers takes it, so that fee and tax show as posted.
        last = changes[covers - 1]
        changes[covers - 1] = Change(last.name, last.why, last.amount + rounding)
    else:
        changes.insert(covers, Change(say("Rounding"), say("each cover to the cent"), rounding))
    return changes


def receipt_of(statement: PeriodStatement) -> Receipt:
    """The receipt of a period as it stands now, adjustments included."""
    latest = statement.postings[-1]
    if recompute(latest.worksheet, statement.currency) == statement.total:
        changes = changes_of(latest.worksheet)
    else:
        first = statement.postings[0]
        changes = changes_of(first.worksheet)
        changes += [
            Change(say("Adjustment"), reason_words(posting.reason), posting.amount)
            for posting in statement.postings[1:]
        ]
    return receipt(changes, statement.period, statement.currency)


def receipt(changes: Sequence[Change], period: str, currency: str) -> Receipt:
    """Rows whose shown amounts sum to the shown total: each is the step of the rounded running sum."""
    shown = cents_that_add_up([change.amount for change in changes], currency)
    total = sum(shown, Decimal(0))
    kinds = [("base" if index == 0 else "step", float(amount)) for index, amount in enumerate(shown)]
    bars = charts.waterfall_bars([*kinds, ("total", float(total))])
    lowest = min(0.0, *(min(bar.start, bar.end) for bar in bars))
    highest = max(0.01, *(max(bar.start, bar.end) for bar in bars))
    steps = [
        ReceiptStep(
            say(UNITS[wording.unit()] if change.name == KILOMETRES else change.name),
            change.why,
            wording.money(amount, currency, signed=index > 0),
            charts.waterfall_row(bar, lowest, highest),
        )
        for index, (change, amount, bar) in enumerate(zip(changes, shown, bars[:-1], strict=True))
    ]
    return Receipt(
        period=period,
        period_name=wording.month(period),
        caption=say("Each step adds to the one before; together they are the amount, to the cent."),
        steps=steps,
        total_name=say("Together"),
        total=wording.money(total, currency),
        total_bar=charts.waterfall_row(bars[-1], lowest, highest),
    )


def cents_that_add_up(amounts: Sequence[Decimal], currency: str, *, extra_digits: int = 0) -> list[Decimal]:
    """Each amount in minor units so that all running sums are the rounded exact ones, and so is the total.

    `extra_digits` makes the unit finer than the minor one.
    """
    unit = Decimal(1).scaleb(-MINOR_DIGITS.get(currency, 2) - extra_digits)
    exact = rounded = Decimal(0)
    shown = []
    for amount in amounts:
        exact += amount
        level = exact.quantize(unit, rounding=ROUND_HALF_UP)
        shown.append(level - rounded)
        rounded = level
    return shown


def sheets_of(posting: Posting) -> list[Sheet]:
    """The posting's worksheet by section, every step as it was computed."""
    sheets: list[Sheet] = []
    for step in posting.worksheet:
        if not sheets or sheets[-1].name != wording.words(step["section"]):
            sheets.append(Sheet(wording.words(step["section"]), []))
        sheets[-1].lines.append(_sheet_line(step))
    return sheets


def _sheet_line(step: Mapping[str, str]) -> SheetLine:
    running = plain(step["running"])
    if step["kind"] == "round":
        return SheetLine(label_words(step["label"]), "", running)
    name = label_words(step["label"])
    if step["kind"] == "times":
        return SheetLine(name, f"× {plain(step['rate'])}", running)
    bound = {"at_most": "≤ ", "at_least": "≥ "}.get(step["kind"], "")
    return SheetLine(name, f"{bound}{plain(step['quantity'])} × {plain(step['rate'])}", running)


def plain(number: str) -> str:
    """A decimal without trailing zeros, cut at nine decimals where it is longer (then marked …)."""
    whole, _, decimals = number.partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) > 9:
        return wording.exact(f"{whole}.{decimals[:9]}…")
    return wording.exact(f"{whole}.{decimals}") if decimals else whole


def _heading(step: Mapping[str, str]) -> tuple[str, str]:
    """The row that a step belongs to, and its remark."""
    section, label = step["section"], step["label"]
    if step["kind"] == "times":
        return (DRIVING, f"× {plain(step['rate'])}") if label.startswith("behaviour") else (FACTORS, "")
    if step["kind"] in SMOOTHING:
        return RENEWAL, say("held near what the term before would have cost")
    if label.endswith(" days"):
        return DAYS, label_words(label)
    if label == "minutes of driving":
        return MINUTES, say("{minutes} minutes", minutes=plain(step["quantity"]))
    if "km" in label.split():
        return KILOMETRES, ""
    rate = Decimal(step["rate"])
    is_share = Decimal(step["quantity"]) != 1 and rate < 1
    why = say(label)
    return wording.words(section), f"{plain(str(rate * 100))} % {why}" if is_share else why


def _why(name: str, reason: str, worksheet: Sequence[Mapping[str, str]]) -> str:
    """The first cover's remark for what every cover shares: its kilometres and its factors."""
    steps = [step for step in worksheet if step["section"] == worksheet[0]["section"] and step["kind"] != "round"]
    if name == KILOMETRES:
        adds = [step for step in steps if _heading(step)[0] == name]
        gaps, declared = (
            [step for step in adds if step["label"].startswith(kind)] for kind in ("estimated", "declared")
        )
        driven = _distance(adds)
        if declared:
            return say(
                "{driven} at the plan’s rates, {declared} of it declared, for days without readings",
                driven=driven,
                declared=_distance(declared),
            )
        if _km(gaps) < Decimal("0.05"):
            return say("{driven} at the plan’s rates", driven=driven)
        return say(
            "{driven} at the plan’s rates, {estimated} of it estimated", driven=driven, estimated=_distance(gaps)
        )
    if name == FACTORS:
        factors = [step for step in steps if _heading(step)[0] == name]
        return ", ".join(f"{wording.inside(label_words(step['label']))} × {plain(step['rate'])}" for step in factors)
    return reason


def _km(adds: Sequence[Mapping[str, str]]) -> Decimal:
    return sum((Decimal(step["quantity"]) for step in adds), Decimal(0))


def _distance(adds: Sequence[Mapping[str, str]]) -> str:
    """What steps count in kilometres, as the reader counts."""
    return wording.km(float(1000 * _km(adds)), 1)


def _is_charge(name: str, worksheet: Sequence[Mapping[str, str]]) -> bool:
    """Whether a row is a section of its own (minimum premium, fee, tax), after the covers."""
    return any(wording.words(step["section"]) == name for step in worksheet)
