"""The customer card in words and small pictures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from markupsafe import Markup

from api import charts, wording
from api.customer_card import CustomerCard
from api.languages import say
from api.planning_words import said
from api.trip_view import Fact
from portfolio.circumstance_store import OVER, REASONS
from portfolio.customer import Step
from portfolio.touchpoint_store import Touchpoint
from portfolio.worth import YEARS

SHOWN = 12  # of the last meetings
CARE_WORDS = {
    "asked": "They asked us to take care",
    "life_event": "Something in their life has changed",
    "money": "Money is short",
    "understanding": "What we write is hard to follow",
    OVER: "It is over",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list: what it is, what stands at its side and under it."""

    main: str
    side: str
    under: str = ""


@dataclass(frozen=True, slots=True)
class CardView:
    """The card as the page shows it."""

    name: str
    email: str
    step: Step
    facts: list[Fact]
    needs: list[Row]
    worth: list[Fact]
    litmus: str
    alone: list[str]
    open_claims: str  # what to do about those that keep them alone
    care: list[tuple[str, str]]  # what may be said now: its word, and how it reads
    care_words: str
    policies: list[Row]
    household: list[Row]
    share: list[Fact]
    premium: list[Row]
    premium_words: str
    scores: Markup | None
    score_words: str
    log: list[Row]
    log_words: str
    not_known: list[str]


def card_view(card: CustomerCard, now: datetime) -> CardView:
    """Everything as text; dates by the clock of the policy."""
    zone = card.policies[0].time_zone if card.policies else "UTC"
    return CardView(
        name=card.person.name,
        email=card.person.email or say("no e-mail address"),
        step=Step(card.step.name, said(card.step.what), said(card.step.why)),
        facts=_facts(card, now, zone),
        needs=[Row(said(one.name.capitalize()), "", said(one.because)) for one in card.needs],
        worth=_worth(card),
        litmus=said(card.judged.litmus.why) if card.judged.litmus and card.step.name != "litmus" else "",
        alone=[said(f"{one[0].upper()}{one[1:]}") for one in card.left_alone],
        open_claims=_open_claims(card),
        care=[(one, say(CARE_WORDS[one])) for one in ((OVER,) if _cared(card) else REASONS)],
        care_words=_care_words(card, zone),
        policies=[
            Row(
                one.policy_id,
                say("until {day}", day=wording.long_day(one.ends_on - timedelta(days=1))),
                f"{wording.words(one.pay_plan)} · {', '.join(wording.words(cover) for cover in one.covers)}",
            )
            for one in card.policies
        ],
        household=[
            Row(one.name, wording.words(one.relation), say("{count} with us", count=one.policies))
            for one in card.household
        ],
        share=_share(card),
        premium=_premium_rows(card),
        premium_words=_premium_words(card),
        scores=_score_bars(card),
        score_words=_score_words(card),
        log=[_log_row(one, zone) for one in card.touchpoints[:SHOWN]],
        log_words=say(
            "{count} so far, {cost} to serve",
            count=len(card.touchpoints),
            cost=wording.money(card.served_cost, "EUR"),
        )
        if card.touchpoints
        else say("none so far"),
        not_known=[said(one) for one in card.not_known],
    )


def _open_claims(card: CustomerCard) -> str:
    waiting = [one.claim_id for one in card.claims if not one.is_settled]
    if not waiting:
        return ""
    return say(
        "Nothing is offered until every claim is settled here: {claims}. A claim that was paid or closed elsewhere "
        "counts as open until somebody keeps that, with wayrate policy assess CLAIM AMOUNT --settled.",
        claims=", ".join(waiting),
    )


def _facts(card: CustomerCard, now: datetime, zone: str) -> list[Fact]:
    waiting = card.open_contests
    since = wording.day(wording.local(waiting[0], zone).date()) if waiting else ""
    latest = card.scores[-1] if card.scores else None
    return [
        Fact(
            say("Policies"),
            str(sum(1 for one in card.policies if one.starts_on <= now.date() < one.ends_on)),
            say("in force"),
        ),
        Fact(
            say("Score"),
            wording.number(latest.score) if latest else say("none yet"),
            wording.km(1000 * latest.km) if latest else "",
        ),
        Fact(say("Open contests"), str(len(waiting)), say("the first since {day}", day=since) if waiting else ""),
        Fact(
            say("Claims"),
            str(len(card.claims)),
            say("the last on {day}", day=wording.day(max(one.occurred_on for one in card.claims)))
            if card.claims
            else "",
        ),
        Fact(
            say("Contact"), say("agreed") if card.may_contact else say("not agreed"), say("to be written to or called")
        ),
    ]


def _worth(card: CustomerCard) -> list[Fact]:
    judged, currency = card.judged, card.premium.currency if card.premium else "EUR"
    holds = "" if judged.litmus is not None and judged.litmus.action else say("the segment's treatment holds")
    facts = [] if judged.segment is None else [Fact(say("Planned with"), said(judged.segment), holds)]
    if (worth := judged.worth) is not None:
        low, high = (wording.money(Decimal(round(one)), currency, decimals=0) for one in (worth.low, worth.high))
        middle = wording.money(Decimal(round(worth.mean)), currency, decimals=0)
        facts.append(
            Fact(
                say("Worth"),
                middle,
                say("expected over {years} years, {low} to {high}", years=YEARS, low=low, high=high),
            )
        )
    return facts


def _cared(card: CustomerCard) -> bool:
    return card.care is not None and card.care.needs_care


def _care_words(card: CustomerCard, zone: str) -> str:
    if card.care is None or not card.care.needs_care:
        return say("Nobody has said that they need care.")
    since = wording.day(wording.local(card.care.said_at, zone).date())
    why = wording.inside(say(CARE_WORDS[card.care.reason]))
    return say("They need care since {day}: {why}. Nothing is offered to them.", day=since, why=why)


def _share(card: CustomerCard) -> list[Fact]:
    if card.share is None or card.answer is None:
        return []
    facts = [
        Fact(name, say("not known") if part is None else wording.percent(part), say("with us"))
        for name, part in (
            (say("Vehicles"), card.share.vehicles),
            (say("Kilometres"), card.share.km),
            (say("Covers"), card.share.covers),
        )
    ]
    worth = card.share.worth_per_year
    if card.share.missing_vehicles and worth is not None and card.premium:
        worth_text = wording.money(worth, card.premium.currency, decimals=0)
        facts.append(Fact(say("The rest"), worth_text, say("premium a year, if it were like what is with us")))
    return facts


def _premium_rows(card: CustomerCard) -> list[Row]:
    premium = card.premium
    return (
        []
        if premium is None
        else [
            Row(say(cause.name), wording.money(cause.amount, premium.currency, signed=True)) for cause in premium.causes
        ]
    )


def _premium_words(card: CustomerCard) -> str:
    premium = card.premium
    if premium is None:
        return say("Fewer than two months are posted.")
    amount = wording.money(premium.amount, premium.currency)
    difference = wording.money(premium.difference, premium.currency, signed=True)
    return say(
        "{month}: {amount}, {difference} against {before}",
        month=wording.month(premium.period),
        amount=amount,
        difference=difference,
        before=wording.month(premium.before),
    )


def _score_bars(card: CustomerCard) -> Markup | None:
    if len(card.scores) < 2:
        return None
    return charts.month_bars(
        [
            (wording.short_month(one.period), one.score, f"{wording.month(one.period)}: {wording.number(one.score)}")
            for one in card.scores
        ]
    )


def _score_words(card: CustomerCard) -> str:
    if len(card.scores) < 2:
        return say("One month is no trend yet.") if card.scores else say("No month is priced on driving yet.")
    change = card.scores[-1].score - card.scores[0].score
    since, points = wording.month(card.scores[0].period), wording.number(abs(change))
    if abs(change) < 0.5:
        return say("unchanged since {month}", month=since)
    if change > 0:
        return say("up {points} points since {month}", points=points, month=since)
    return say("down {points} points since {month}", points=points, month=since)


def _log_row(one: Touchpoint, zone: str) -> Row:
    day = wording.day(wording.local(one.occurred_at, zone).date())
    how = say("to the customer") if one.outbound else say("from the customer")
    how = f"{how}, {wording.inside(wording.words(one.channel))}"
    return Row(wording.words(one.kind), day, f"{how}{': ' + one.words if one.words else ''}")
