"""The whole menu as JSON, made of kept pieces: it says what its offers are, and its basis follows every change."""

import json
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest

from api.menu_json import MOST_AMOUNTS, _Amounts, _offers
from pricing.menu import Menu, Section, Shape

COVERS = (("liability",), ("liability", "glass 100%"), ("liability", 'a "word"', "ü"))
BY_COVERS: Mapping[frozenset[str], int] = MappingProxyType({frozenset(one): n for n, one in enumerate(COVERS)})
SHAPE, NONE = (Shape(covers, np.zeros((len(covers), 1), dtype=np.int64), BY_COVERS, ()) for covers in (COVERS, ()))


def menu(currency: str, *amounts: int, pay_plan: str = "flat") -> Menu:
    sections = (Section(pay_plan, "score", SHAPE, list(amounts)), Section("per_km", "full", NONE, []),
                Section("behaviour", "full", SHAPE, [0, 1, 10**15]))  # fmt: skip
    return Menu(currency, sections, ())


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_it_says_what_the_offers_are(currency: str) -> None:
    for amounts in ((0, 5, 99), (100, 123_456, 7), (-1, -100, -123_456)):
        found = menu(currency, *amounts)
        said = json.loads(_offers(found)[0])
        assert said == [
            {
                "pay_plan": one.pay_plan,
                "covers": list(one.covers),
                "needs": one.needs,
                "amount": format(one.amount, "f"),
            }
            for one in found.offers
        ]


def test_the_basis_is_the_same_for_the_same_and_another_for_any_other() -> None:
    same, *others = (
        _offers(one)[1]
        for one in (
            menu("EUR", 1, 2, 3),
            menu("EUR", 1, 2, 4),
            menu("EUR", 2, 1, 3),
            menu("EUR", 1, 2, 3, pay_plan="x"),
        )
    )
    assert _offers(menu("EUR", 1, 2, 3))[1] == same
    assert len({same, *others}) == 4


def test_kept_amounts_are_bounded() -> None:
    amounts = _Amounts(2)
    for units in range(MOST_AMOUNTS + 10):
        assert amounts[units] == f"{units // 100}.{units % 100:02}".encode()
    assert len(amounts) == 10


def test_a_menu_of_nothing_is_an_empty_list() -> None:
    assert _offers(Menu("EUR", (Section("flat", "score", NONE, []),), ()))[0] == b"[]"
