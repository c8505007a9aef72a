"""A menu as JSON: what is the same for everybody is made once a process, so that an answer is mostly amounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b

import msgspec

from api.languages import current
from api.menu_view import ConfiguredMenu, PolicyMenu, Way, ways_beside
from pricing.catalogue import Catalogue
from pricing.menu import Layout
from pricing.money import MINOR_DIGITS
from pricing.plan import RatePlan

MOST_AMOUNTS = 100_000
_SPLIT = "\0"  # stands for an amount; no text of a plan or catalogue holds it


def menu_json(found: PolicyMenu, policy_id: str) -> tuple[bytes, bytes]:
    """The whole menu of a policy, as `MenuOut` describes it, and the few bytes that it follows from."""
    head = msgspec.json.encode({"policy": policy_id, "period": found.period})
    facts, basis = menu_facts(found)
    return b"".join((head[:-1], b",", facts, b"}")), head + basis


def menu_facts(found: ConfiguredMenu) -> tuple[bytes, bytes]:
    """What every menu says, as the inside of a JSON object, and the few bytes that it follows from."""
    menu, chosen = found.menu, found.chosen
    units: list[int] = menu.minor_units.tolist()
    beside = _beside(found.catalogue, found.plan, menu.layout, chosen.pay_plan, chosen.covers, current().language)
    here = units[beside.places[0]]
    differing = [here]
    for place in beside.places[1:]:
        differing += (units[place], units[place] - here)
    offers = _offers(menu.layout)
    texts = _amounts(MINOR_DIGITS[menu.currency])
    said = beside.filled(differing, texts) + b',"offers":' + offers.filled(units, texts)
    return said, beside.digest + offers.digest + menu.lines.tobytes()


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


@dataclass(frozen=True, slots=True)
class _Template:
    """JSON cut at its amounts, and a digest of it. `places`: where the menu holds those that are no difference."""

    pieces: list[bytes]
    places: tuple[int, ...]
    digest: bytes

    def filled(self, units: Sequence[int], texts: _Amounts) -> bytes:
        """The JSON with these amounts."""
        said = [b""] * (2 * len(units) + 1)
        said[0::2] = self.pieces
        said[1::2] = map(texts.__getitem__, units)
        return b"".join(said)


def _template(said: bytes, places: Sequence[int] = ()) -> _Template:
    pieces = said.split(msgspec.json.encode(_SPLIT)[1:-1])
    return _Template(pieces, tuple(places), blake2b(said, digest_size=16).digest())


# Plans, catalogues and layouts are kept and shared, so that the same one is the same object.
@lru_cache(4096)
def _beside(
    catalogue: Catalogue, plan: RatePlan, layout: Layout, pay_plan: str, covers: tuple[str, ...], _language: str
) -> _Template:
    """Everything but the offers, beside this configuration."""
    found = layout.place_of(pay_plan, covers)
    assert found is not None  # it is the one that is looked at
    section, place = found
    axes = ways_beside(catalogue, plan, layout, pay_plan, covers)
    facts = {
        "currency": plan.currency,
        "plan_hash": plan.plan_hash,
        "chosen": {"pay_plan": pay_plan, "covers": covers, "needs": section.needs, "amount": _SPLIT},
        "axes": [
            {"name": axis.name, "title": axis.title, "choices": [_choice(way) for way in axis.ways]} for axis in axes
        ],
    }
    others = [way.place for axis in axes for way in axis.ways if way.place is not None]
    return _template(msgspec.json.encode(facts)[1:-1], (section.first + place, *others))


def _choice(way: Way) -> dict[str, object]:
    amount = None if way.place is None else _SPLIT
    return {
        "name": way.name,
        "title": way.title,
        "chosen": way.chosen,
        "amount": amount,
        "difference": amount,
        "needs": way.needs,
        "because": way.because,
    }


@lru_cache(512)
def _offers(layout: Layout) -> _Template:
    """The list of all offers."""
    offers = [
        {"pay_plan": one.pay_plan, "covers": covers, "needs": one.needs, "amount": _SPLIT}
        for one in layout.sections
        for covers in one.shape.covers
    ]
    return _template(msgspec.json.encode(offers))
