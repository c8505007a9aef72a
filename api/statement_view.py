"""A statement with its adjustments, lines, inputs and worksheet, as its page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from api import wording
from api.explain import feature_name
from api.languages import say, say_count
from api.receipt import Receipt, Sheet, receipt_of, sheets_of
from api.statement_trips import TripsBehind, trips_behind
from api.trip_view import Fact
from api.worksheet_words import reason_words
from pricing.event_costs import EventCost
from pricing.statement import PeriodStatement, Posting, StatementLine


@dataclass(frozen=True, slots=True)
class Amount:
    """A named amount."""

    name: str
    amount: str


@dataclass(frozen=True, slots=True)
class PostingRow:
    """One row of the ledger."""

    period: str
    period_name: str
    what: str
    reason: str
    posted: str
    amount: str


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One month in a list of statements."""

    period: str
    period_name: str
    total: str
    summary: str
    posted: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """The events of a kind in the score's months, and what the month would have cost without them."""

    name: str
    count: str
    amount: str


@dataclass(frozen=True, slots=True)
class StatementView:
    """The whole statement of a month."""

    period: str
    period_name: str
    posted: str
    total: str
    first_amount: str
    sentence: str
    receipt: Receipt
    adjustments: list[PostingRow]
    trips: TripsBehind | None
    lines: list[Amount]
    lines_total: str
    inputs: list[Fact]
    events: list[EventRow]
    worksheets: list[Sheet]
    counts_in_km: str  # empty for who reads kilometres
    versions: str


def statement_view(
    statement: PeriodStatement,
    time_zone: str,
    own_trips: Mapping[str, datetime] | None = None,
    events: Sequence[EventCost] = (),
) -> StatementView:
    """The statement as it stands, with what each posting added; `own_trips` as in `trips_behind`."""
    first, latest = statement.postings[0], statement.postings[-1]
    return StatementView(
        period=statement.period,
        period_name=wording.month(statement.period),
        posted=wording.long_day(first.posted_at),
        total=wording.money(statement.total, statement.currency),
        first_amount=wording.money(first.amount, statement.currency),
        sentence=_sentence(statement),
        receipt=receipt_of(statement),
        adjustments=[posting_row(posting) for posting in statement.postings[1:]],
        trips=trips_behind(statement, time_zone, own_trips),
        lines=_summed_lines(statement),
        lines_total=wording.money(statement.total, statement.currency),
        inputs=_inputs(latest.inputs),
        events=[
            EventRow(
                feature_name(one.feature) if one.feature else say("All of these"),
                wording.number(one.events),
                wording.money(one.difference, statement.currency, signed=True),
            )
            for one in events
        ],
        worksheets=sheets_of(latest),
        counts_in_km=_counts_in_km(),
        versions=say(
            "Computed with plan {plan}, inputs {inputs}.",
            plan=latest.plan_hash[:12],
            inputs=latest.inputs_digest[:12],
        ),
    )


def statement_rows(statements: Sequence[StatementLine]) -> list[StatementRow]:
    """A line for each month."""
    return [
        StatementRow(
            period=statement.period,
            period_name=wording.month(statement.period),
            total=wording.money(statement.total, statement.currency),
            summary=_summary(statement),
            posted=say("posted {day}", day=wording.long_day(statement.posted_at)),
        )
        for statement in statements
    ]


def posting_row(posting: Posting) -> PostingRow:
    """One row of the ledger in words."""
    adjustment = posting.kind == "adjustment"
    return PostingRow(
        period=posting.period,
        period_name=wording.month(posting.period),
        what=say("Adjustment {number}", number=posting.revision) if adjustment else say("Statement"),
        reason=reason_words(posting.reason),
        posted=wording.long_day(posting.posted_at),
        amount=wording.money(posting.amount, posting.currency, signed=adjustment),
    )


def charged_m(inputs: Mapping[str, object]) -> int:
    """Metres of the charged trips of a posting's inputs."""
    trips = inputs.get("trips")
    if not isinstance(trips, list):
        return 0
    return sum(int(trip["distance_m"]) for trip in trips if trip["not_charged"] is None)


def _summary(statement: StatementLine) -> str:
    count = statement.adjustments
    parts = [wording.km(statement.charged_m)]
    if count:
        parts.append(say_count("{count} adjustment", "{count} adjustments", count))
    return " · ".join(parts)


def _sentence(statement: PeriodStatement) -> str:
    month = wording.month(statement.period)
    adjusted = statement.total - statement.postings[0].amount
    if len(statement.postings) == 1:
        return say("for {month}, with fee and tax.", month=month)
    change = wording.money(abs(adjusted), statement.currency)
    if adjusted > 0:
        return say("for {month}, with fee and tax; {change} more than first posted.", month=month, change=change)
    return say("for {month}, with fee and tax; {change} less than first posted.", month=month, change=change)


def _counts_in_km() -> str:
    """What a reader of miles must know to follow the worksheet: it multiplies exactly, and that only in kilometres."""
    if wording.unit() == "km":
        return ""
    return say(
        "The worksheet counts in kilometres, as the rates of the plan do: one mile is {km} km.",
        km=wording.exact(str(wording.METRES_PER_MILE / 1000)),
    )


def _summed_lines(statement: PeriodStatement) -> list[Amount]:
    """Each line over all postings: statement plus adjustments."""
    sums: dict[str, Decimal] = {}
    for posting in statement.postings:
        for line in posting.lines:
            sums[line["name"]] = sums.get(line["name"], Decimal(0)) + Decimal(line["amount"])
    return [Amount(wording.words(name), wording.money(amount, statement.currency)) for name, amount in sums.items()]


def _inputs(inputs: Mapping[str, object]) -> list[Fact]:
    trips = inputs.get("trips")
    trips = trips if isinstance(trips, list) else []
    charged = [trip for trip in trips if trip["not_charged"] is None]
    facts = [
        Fact(say("Days of cover"), str(inputs.get("days", "–"))),
        Fact(say("Charged trips"), say("{charged} of {trips}", charged=len(charged), trips=len(trips))),
        Fact(say("Measured"), wording.km(sum(int(trip["distance_m"]) for trip in charged))),
        Fact(say("Estimated in gaps"), wording.km(sum(int(trip["gap_m"]) for trip in charged))),
    ]
    behaviour = inputs.get("behaviour")
    if isinstance(behaviour, Mapping):
        window = say(
            "{first} to {last}, {distance}",
            first=behaviour["from_month"],
            last=behaviour["to_month"],
            distance=wording.km(1000 * float(str(behaviour["km"])), 0),
        )
        claims, mean = (wording.exact(str(behaviour[name])) for name in ("claims_per_100000_km", "class_mean"))
        facts.append(Fact(say("Claims per 100,000 km"), claims, window))
        facts.append(Fact(say("Class mean"), mean))
    return facts
