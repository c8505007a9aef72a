"""A menu as JSON: what is the same for everybody is made once a process, so that an answer is mostly amounts."""

from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import blake2b

import msgspec
import numpy as np

from api.menu_view import Axis, PolicyMenu
from pricing.menu import Menu, Offer, Shape
from pricing.money import MINOR_DIGITS
from pricing.plan import RatePlan

MOST_AMOUNTS = 100_000
_SPLIT = "\0"  # stands for an amount; no text of a plan or catalogue holds it


def menu_json(found: PolicyMenu, policy_id: str) -> tuple[bytes, bytes]:
    """The whole menu of a policy, as `MenuOut` describes it, and the few bytes that it follows from."""
    offers, basis = _offers(found.menu)
    head = {"policy": policy_id, "period": found.period} | _facts(found.plan, found.menu, found.chosen, found.axes)
    return msgspec.json.encode(head | {"offers": msgspec.Raw(offers)}), msgspec.json.encode(head) + basis


def menu_facts(plan: RatePlan, menu: Menu, chosen: Offer, axes: Sequence[Axis]) -> dict[str, object]:
    """What every menu says, to be encoded."""
    return _facts(plan, menu, chosen, axes) | {"offers": msgspec.Raw(_offers(menu)[0])}


def _facts(plan: RatePlan, menu: Menu, chosen: Offer, axes: Sequence[Axis]) -> dict[str, object]:
    return {"currency": menu.currency, "plan_hash": plan.plan_hash, "chosen": _offer(chosen), "axes": axes}


def _offer(offer: Offer) -> dict[str, object]:
    return {
        "pay_plan": offer.pay_plan,
        "covers": offer.covers,
        "needs": offer.needs,
        "amount": format(offer.amount, "f"),
    }


def _offers(menu: Menu) -> tuple[bytes, bytes]:
    """All offers: pieces that are made once with the amounts between them; and what they follow from."""
    units = [one for section in menu.sections for one in section.minor_units]
    pieces, digest = _pieces(tuple(_Ways(one.pay_plan, one.needs, one.shape) for one in menu.sections))
    said: list[bytes] = [b""] * (2 * len(units) + 1)
    said[0::2] = pieces
    said[1::2] = map(_amounts(MINOR_DIGITS[menu.currency]).__getitem__, units)
    return b"".join(said), digest + np.array(units, dtype=np.int64).tobytes()


class _Ways(msgspec.Struct, frozen=True):
    """The combinations of a pay plan without their amounts. Shapes are kept: the same one is the same object."""

    pay_plan: str
    needs: str
    shape: Shape


@lru_cache(512)
def _pieces(sections: tuple[_Ways, ...]) -> tuple[list[bytes], bytes]:
    """The list's JSON cut at its amounts, and a digest of it."""
    offers = [
        {"pay_plan": one.pay_plan, "covers": covers, "needs": one.needs, "amount": _SPLIT}
        for one in sections
        for covers in one.shape.covers
    ]
    text = msgspec.json.encode(offers)
    return text.split(msgspec.json.encode(_SPLIT)[1:-1]), blake2b(text, digest_size=16).digest()


class _Amounts(dict[int, bytes]):
    """Minor units as an amount's text."""

    def __init__(self, digits: int) -> None:
        self.digits, self.unit = digits, 10**digits

    def __missing__(self, units: int) -> bytes:
        if len(self) >= MOST_AMOUNTS:
            self.clear()
        whole, part = divmod(abs(units), self.unit)
        sign = b"-" if units < 0 else b""
        text = sign + (b"%d.%0*d" % (whole, self.digits, part) if self.digits else b"%d" % whole)
        self[units] = text
        return text


@cache
def _amounts(digits: int) -> _Amounts:
    return _Amounts(digits)
