"""The what-if page: three sliders round a month's own driving, and what the plan's own rating makes of them."""

from dataclasses import dataclass
from decimal import Decimal

from api import wording
from api.languages import current, say
from api.receipt import Receipt, changes_of, receipt
from pricing.plan import RatePlan
from pricing.rating import Premium
from pricing.what_if import Driving, Outcome, Wish, outcome


@dataclass(frozen=True, slots=True)
class Slider:
    """One thing that could be otherwise, in whole steps of its unit; `own`: as it is."""

    name: str
    title: str
    note: str
    value: int
    own: int
    highest: int
    unit: str


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What was asked, and the answer beside how it is."""

    sliders: list[Slider]
    changed: bool
    amount: str
    own_amount: str
    difference: str
    direction: str
    score: str
    own_score: str
    receipt: Receipt
    own_steps: dict[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """The sliders as sent, None where not: the distance in the reader's unit, the shares in percent."""

    distance: int | None = None
    night: int | None = None
    over: int | None = None


def what_if(plan: RatePlan, driving: Driving, asked: Asked) -> WhatIf:
    """The month as asked beside the month as it is. A slider left where it stands changes nothing, to the cent."""
    sliders = _sliders(driving, asked)
    own = outcome(plan, driving)
    wish = _wish(sliders)
    then = outcome(plan, driving, wish) if wish != Wish() else own
    difference = then.premium.amount - own.premium.amount
    return WhatIf(
        sliders=sliders,
        changed=wish != Wish(),
        amount=wording.money(then.premium.amount, plan.currency),
        own_amount=wording.money(own.premium.amount, plan.currency),
        difference=_difference(difference, plan.currency),
        direction="same" if not difference else "up" if difference > 0 else "down",
        score=_score(then),
        own_score=_score(own),
        receipt=_receipt(then.premium, driving.inputs.period),
        own_steps={step.name: step.amount for step in _receipt(own.premium, driving.inputs.period).steps},
    )


def _sliders(driving: Driving, asked: Asked) -> list[Slider]:
    unit = current().units
    distance = round(driving.distance_m / wording.METRES[unit])
    night, over = round(100 * driving.night_share), round(100 * driving.over_share)
    highest = max(200, -(-4 * distance // 100) * 100)
    return [
        _slider("distance", say("How far"), say("in the month"), asked.distance, distance, highest, unit),
        _slider("night", say("At night"), say("22–05, of the way"), asked.night, night, 100, "%"),
        _slider("over", say("Over the limit"), say("of the way with a known limit"), asked.over, over, 100, "%"),
    ]


def _slider(name: str, title: str, note: str, asked: int | None, own: int, highest: int, unit: str) -> Slider:
    value = own if asked is None else min(max(asked, 0), highest)
    return Slider(name, title, note, value, own, highest, unit)


def _wish(sliders: list[Slider]) -> Wish:
    distance, night, over = (None if slider.value == slider.own else slider.value for slider in sliders)
    return Wish(
        distance_m=None if distance is None else round(distance * wording.METRES[current().units]),
        night_share=None if night is None else night / 100,
        over_share=None if over is None else over / 100,
    )


def _difference(difference: Decimal, currency: str) -> str:
    if not difference:
        return say("the same")
    amount = wording.money(abs(difference), currency)
    return say("{amount} more", amount=amount) if difference > 0 else say("{amount} less", amount=amount)


def _receipt(premium: Premium, period: str) -> Receipt:
    return receipt(changes_of([step.as_json() for step in premium.worksheet]), period, premium.currency)


def _score(found: Outcome) -> str:
    return wording.number(found.score.value) if found.score else "–"
