"""The book as a table: sorted by a column, filtered by a text, with its totals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from api import wording
from api.home_view import pay_plan_name
from api.store import BookRow
from api.trip_view import Fact
from pricing.plan import RatePlan
from scoring.score import score_totals

COLUMNS = {
    "policy": "Policy",
    "policyholder": "Policyholder",
    "pay_plan": "Pay plan",
    "km": "Driven",
    "score": "Score",
    "premium": "Premium",
    "adjusted": "Adjusted",
    "quality": "Data quality",
    "relabelled": "Relabelled",
}
NUMBERS = ("km", "score", "premium", "adjusted", "relabelled")


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """One policy's figures of the month."""

    policy_id: str
    policyholder: str
    pay_plan: str
    trips: int
    driven_m: int
    charged_m: int
    relabelled_m: int
    score: float | None
    premium: Decimal | None
    adjusted: Decimal
    currency: str

    @property
    def charged_share(self) -> float | None:
        """The part of the driven metres that is insured, certified driving in the policy's term."""
        return self.charged_m / self.driven_m if self.driven_m else None

    @property
    def relabelled_share(self) -> float:
        """The part of the driven metres that the policyholder said was no own drive: cheap to claim, so it is shown."""
        return self.relabelled_m / self.driven_m if self.driven_m else 0.0


@dataclass(frozen=True, slots=True)
class ShownLine:
    """The same as text."""

    policy_id: str
    policyholder: str
    pay_plan: str
    km: str
    score: str
    premium: str
    adjusted: str
    quality: str
    relabelled: str


@dataclass(frozen=True, slots=True)
class Column:
    """A heading that sorts."""

    name: str
    number: bool
    order: str | None
    href: str


_KEYS: dict[str, Callable[[PolicyLine], object]] = {
    "policy": lambda line: line.policy_id,
    "policyholder": lambda line: line.policyholder.casefold(),
    "pay_plan": lambda line: line.pay_plan,
    "km": lambda line: line.driven_m,
    "score": lambda line: line.score if line.score is not None else -1.0,
    "premium": lambda line: line.premium if line.premium is not None else Decimal(-1),
    "adjusted": lambda line: line.adjusted,
    "quality": lambda line: line.charged_share if line.charged_share is not None else -1.0,
    "relabelled": lambda line: line.relabelled_share,
}


def policy_lines(rows: Sequence[BookRow], plan: RatePlan) -> list[PolicyLine]:
    """Rows with the score of the window, which is the one that the premium is made with."""
    return [
        PolicyLine(
            policy_id=row.policy_id,
            policyholder=row.policyholder,
            pay_plan=pay_plan_name(plan, row.pay_plan),
            trips=row.trips,
            driven_m=row.driven_m,
            charged_m=row.charged_m,
            relabelled_m=row.relabelled_m,
            score=score_totals(row.totals).value if row.totals else None,
            premium=row.premium,
            adjusted=row.adjusted,
            currency=row.currency or plan.currency,
        )
        for row in rows
    ]


def found(lines: Sequence[PolicyLine], find: str) -> list[PolicyLine]:
    """The lines whose policy, policyholder or pay plan holds the text, whatever its case."""
    wanted = find.strip().casefold()
    return [line for line in lines if wanted in f"{line.policy_id}\n{line.policyholder}\n{line.pay_plan}".casefold()]


def in_order(lines: Sequence[PolicyLine], sort: str) -> list[PolicyLine]:
    """Sorted by a column (`-km`: falling); an unknown column sorts by policy."""
    key = _KEYS.get(sort.removeprefix("-"), _KEYS["policy"])
    return sorted(lines, key=key, reverse=sort.startswith("-"))  # type: ignore[arg-type]


def columns(sort: str, find: str, period: str) -> list[Column]:
    """Headings whose links sort by them, or turn the order where they already do."""
    current = sort.removeprefix("-")
    shown = []
    for key, name in COLUMNS.items():
        order = None
        if key == current:
            order = "descending" if sort.startswith("-") else "ascending"
        turned = f"-{key}" if order == "ascending" or (order is None and key in NUMBERS) else key
        query = {"sort": turned, "period": period} | ({"find": find} if find else {})
        shown.append(Column(name, key in NUMBERS, order, f"/book?{urlencode(query)}"))
    return shown


def totals(lines: Sequence[PolicyLine]) -> list[Fact]:
    """The figures of the lines together."""
    premium = sum((line.premium or Decimal(0) for line in lines), Decimal(0))
    adjusted = sum((line.adjusted for line in lines), Decimal(0))
    currency = lines[0].currency if lines else "EUR"
    driven = sum(line.driven_m for line in lines)
    charged = sum(line.charged_m for line in lines)
    scores = sorted(line.score for line in lines if line.score is not None)
    middle = f"{scores[len(scores) // 2]:.0f}" if scores else "–"
    return [
        Fact("Policies", f"{len(lines):,}", f"{sum(line.trips for line in lines):,} trips"),
        Fact("Driven", wording.km(driven), _share(charged, driven) + " counts"),
        Fact("Relabelled", _share(sum(line.relabelled_m for line in lines), driven), "of the km, by policyholders"),
        Fact("Premium", wording.money(premium, currency), "statements and adjustments"),
        Fact("Of it adjustments", wording.money(adjusted, currency, signed=True)),
        Fact("Score in the middle", middle, f"{scores[0]:.0f} to {scores[-1]:.0f}" if scores else ""),
        Fact("Premium a km", f"{wording.symbol(currency)}{premium * 1000 / driven:.3f}" if driven else "–"),
    ]


def shown(line: PolicyLine) -> ShownLine:
    """A line as text."""
    share = line.charged_share
    return ShownLine(
        policy_id=line.policy_id,
        policyholder=line.policyholder,
        pay_plan=line.pay_plan,
        km=wording.km(line.driven_m),
        score="–" if line.score is None else f"{line.score:.0f}",
        premium="not posted" if line.premium is None else wording.money(line.premium, line.currency),
        adjusted=wording.money(line.adjusted, line.currency, signed=True) if line.adjusted else "–",
        quality="–" if share is None else f"{100 * share:.0f} % counts",
        relabelled=f"{100 * line.relabelled_share:.0f} %" if line.relabelled_m else "–",
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "0 %"
