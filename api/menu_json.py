"""A menu as JSON: what is the same for everybody is made once a process, so that an answer is mostly amounts."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np

from api.menu_view import Axis, PolicyMenu
from pricing.menu import Menu, Offer
from pricing.money import MINOR_DIGITS
from pricing.plan import RatePlan


def menu_json(found: PolicyMenu, policy_id: str) -> bytes:
    """The whole menu of a policy, as `MenuOut` describes it."""
    facts = menu_facts(found.plan, found.menu, found.chosen, found.axes)
    return msgspec.json.encode({"policy": policy_id, "period": found.period} | facts)


def menu_facts(plan: RatePlan, menu: Menu, chosen: Offer, axes: Sequence[Axis]) -> dict[str, object]:
    """What every menu says, to be encoded."""
    return {
        "currency": menu.currency,
        "plan_hash": plan.plan_hash,
        "chosen": _offer(chosen),
        "axes": axes,
        "offers": msgspec.Raw(_offers(menu)),
    }


def _offer(offer: Offer) -> dict[str, object]:
    return {
        "pay_plan": offer.pay_plan,
        "covers": offer.covers,
        "needs": offer.needs,
        "amount": format(offer.amount, "f"),
    }


def _offers(menu: Menu) -> bytes:
    """All offers: a text that is made once, with the amounts put in at one go."""
    digits = MINOR_DIGITS[menu.currency]
    unit = 10**digits
    texts = []
    for section in menu.sections:
        if not section.minor_units:
            continue
        if min(section.minor_units) < 0:
            texts.append(msgspec.json.encode([_offer(one) for one in menu.offers_of(section)])[1:-1])
            continue
        text = _text(section.pay_plan, section.needs, section.shape.covers, digits)
        places = np.divmod(np.array(section.minor_units), unit)
        values = np.stack(places, axis=1).ravel() if digits else places[0]
        texts.append(text % tuple(values.tolist()))
    return b"[" + b",".join(texts) + b"]"


@lru_cache(512)
def _text(pay_plan: str, needs: str, covers: tuple[tuple[str, ...], ...], digits: int) -> bytes:
    """Offers without their amounts, which `%` puts in."""
    amount = f"%d.%0{digits}d" if digits else "%d"
    offers = [{"pay_plan": pay_plan, "covers": one, "needs": needs, "amount": "$"} for one in covers]
    return msgspec.json.encode(offers)[1:-1].replace(b"%", b"%%").replace(b'"$"', f'"{amount}"'.encode())
