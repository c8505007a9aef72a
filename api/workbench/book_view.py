"""The book's list as a page shows it: filters, headings, totals and rows in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal

from api import wording
from api.languages import say
from api.trip_view import Fact
from api.workbench.book_store import BookFilter, BookRow, BookTotals
from pricing.periods import month_bounds, months_before
from pricing.plan import RatePlan

COLUMNS = {
    "policy": "Policy",
    "pay_plan": "Pay plan",
    "territory": "Territory",
    "vehicle_class": "Vehicle",
    "km": "Driven",
    "score": "Score",
    "quality": "Data quality",
    "premium": "Premium",
    "change": "Month before",
    "adjusted": "Adjusted",
    "relabelled": "Relabelled",
}
NUMBERS = ("km", "score", "quality", "premium", "change", "adjusted", "relabelled")
SCORES = {
    "80-up": "80 and over", "70-80": "70 to 79", "60-70": "60 to 69", "50-60": "50 to 59", "to-50": "under 50",
    "none": "no score",
}  # fmt: skip
QUALITIES = {
    "95-up": "95 % and over counts", "80-95": "80 to 94 % counts", "to-80": "under 80 % counts",
    "none": "nothing measured",
}  # fmt: skip
CHANGES = {
    "up-10": "up by more than 10 %", "up": "up by 10 % or less", "same": "the same", "down": "down by 10 % or less",
    "down-10": "down by more than 10 %", "none": "no two months posted",
}  # fmt: skip
CSV_HEAD = (
    "policy", "pay_plan", "territory", "vehicle_class", "trips", "driven_m", "charged_m", "relabelled_m", "score",
    "premium", "adjusted", "currency", "premium_month_before",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter: its name in the address, its words, the ways to set it by code, and the one that is set."""

    name: str
    title: str
    options: Mapping[str, str]
    chosen: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row as text."""

    policy_id: str
    pay_plan: str
    territory: str
    vehicle_class: str
    km: str
    score: str
    quality: str
    premium: str
    posted: bool
    change: str
    adjusted: str
    relabelled: str


def bounds_of(period: str) -> dict[str, date | str]:
    """The month's first day and the day after it, and the month before. Raises BadPeriod."""
    first, after = month_bounds(period)
    return {"first": first, "after": after, "before": months_before(period, 1)}


def query_of(which: BookFilter) -> dict[str, str]:
    """The filter as it stands in the address."""
    return asdict(which)


def choices(which: BookFilter, plans: Sequence[RatePlan]) -> list[Choice]:
    """The filters; what can be chosen of a policy's terms is what the plans of the book know."""
    pay_plans = {one.name: say(one.title).split(":")[0] for plan in plans for one in plan.pay_plans.values()}
    levels = {
        name: {
            level: wording.words(level) for plan in plans if name in plan.factors for level in plan.factors[name].levels
        }
        for name in ("territory", "vehicle_class")
    }
    scores, qualities, moves = ({code: say(name) for code, name in one.items()} for one in (SCORES, QUALITIES, CHANGES))
    return [
        Choice("pay_plan", say("Pay plan"), pay_plans, which.pay_plan),
        Choice("territory", say("Territory"), levels["territory"], which.territory),
        Choice("vehicle_class", say("Vehicle class"), levels["vehicle_class"], which.vehicle_class),
        Choice("score", say("Score"), scores, which.score),
        Choice("quality", say("Data quality"), qualities, which.quality),
        Choice("change", say("Premium against the month before"), moves, which.change),
    ]


def totals(sums: Sequence[BookTotals]) -> list[Fact]:
    """The figures of all rows of the filter together, amounts by currency."""
    driven, charged, relabelled = (
        sum(getattr(one, name) for one in sums) for name in ("driven_m", "charged_m", "relabelled_m")
    )
    scored = sum(one.scored for one in sums)
    paid = [one for one in sums if one.currency]
    return [
        Fact(say("Policies"), wording.number(sum(one.policies for one in sums)),
             say("{count} trips", count=wording.number(sum(one.trips for one in sums)))),
        Fact(say("Driven"), wording.km(driven), say("{share} counts", share=_share(charged, driven))),
        Fact(say("Relabelled"), _share(relabelled, driven), say("of the way, by policyholders")),
        Fact(say("Premium"), _amounts([(one.premium, one.currency) for one in paid]),
             say("statements and adjustments")),
        Fact(say("Of it adjustments"), _amounts([(one.adjusted, one.currency) for one in paid], signed=True)),
        Fact(say("Score on average"), wording.number(sum(one.score_sum for one in sums) / scored) if scored else "–"),
    ]  # fmt: skip


def shown(row: BookRow, pay_plans: Mapping[str, str]) -> ShownRow:
    """A row as text."""
    currency = row.currency or ""
    change = None if row.premium is None or row.before is None else row.premium - row.before
    return ShownRow(
        policy_id=row.policy_id,
        pay_plan=pay_plans.get(row.pay_plan, wording.words(row.pay_plan)),
        territory=wording.words(row.territory) or "–",
        vehicle_class=wording.words(row.vehicle_class) or "–",
        km=wording.km(row.driven_m),
        score="–" if row.score is None else wording.number(row.score),
        quality=wording.percent(row.charged_m / row.driven_m) if row.driven_m else "–",
        premium=say("not posted") if row.premium is None else wording.money(row.premium, currency),
        posted=row.premium is not None,
        change="–" if change is None else wording.money(change, currency, signed=True),
        adjusted=wording.money(row.adjusted, currency, signed=True) if row.adjusted else "–",
        relabelled=wording.percent(row.relabelled_m / row.driven_m) if row.relabelled_m else "–",
    )


def csv_row(row: BookRow) -> tuple[object, ...]:
    """A row for a spreadsheet, in the order of CSV_HEAD: whole metres, exact amounts."""
    return (
        row.policy_id, row.pay_plan, row.territory, row.vehicle_class, row.trips, row.driven_m, row.charged_m,
        row.relabelled_m, "" if row.score is None else round(row.score, 1), "" if row.premium is None else row.premium,
        row.adjusted, row.currency or "", "" if row.before is None else row.before,
    )  # fmt: skip


def _amounts(amounts: Sequence[tuple[Decimal, str]], *, signed: bool = False) -> str:
    return ", ".join(wording.money(amount, currency, signed=signed) for amount, currency in amounts) or "–"


def _share(part: int, whole: int) -> str:
    return wording.percent(part / whole if whole else 0)
