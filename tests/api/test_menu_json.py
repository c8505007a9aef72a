"""The whole menu as JSON, made of kept pieces: it says what its offers are, and its basis follows every change."""

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest

from api.languages import reading, reads
from api.menu_json import MOST_AMOUNTS, _Amounts, _amounts, _offers, menu_facts
from api.menu_view import ConfiguredMenu
from pricing.menu import Layout, Menu, Section, Shape, price_menu
from pricing.menu_lines import cover_rates
from pricing.policies import MENU_PLAN, packaged_plan
from pricing.products import catalogue_of
from tests.pricing.cases import inputs, trip

COVERS = (("liability",), ("liability", "glass 100%"), ("liability", 'a "word"', "ü"))
BY_COVERS: Mapping[frozenset[str], int] = MappingProxyType({frozenset(one): n for n, one in enumerate(COVERS)})
SHAPE, NONE = (Shape(covers, np.zeros((len(covers), 1), dtype=np.int64), BY_COVERS, ()) for covers in (COVERS, ()))
PLAN = packaged_plan(MENU_PLAN)
CATALOGUE = catalogue_of(PLAN)
assert CATALOGUE is not None


@cache
def layout(pay_plan: str) -> Layout:
    sections = Section(pay_plan, "score", SHAPE, 0), Section("per_km", "full", NONE, 3), Section("x", "full", SHAPE, 3)
    return Layout(cover_rates(packaged_plan(), ()), sections, (), 6)


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_it_says_what_the_offers_are(currency: str) -> None:
    for amounts in ((0, 5, 99), (100, 123_456, 7), (-1, -100, -123_456)):
        found = Menu(currency, layout("flat"), np.array([*amounts, 0, 1, 10**15]), np.zeros((3, 0)))
        texts = _amounts(len(format(found.amount(0), "f").partition(".")[2]))
        said = json.loads(_offers(found.layout).filled(found.minor_units.tolist(), texts))
        assert said == [
            {
                "pay_plan": one.pay_plan,
                "covers": list(one.covers),
                "needs": one.needs,
                "amount": format(one.amount, "f"),
            }
            for one in found.offers
        ]


def configured(**declared: object) -> ConfiguredMenu:
    driven = [trip(5, cells=[("residential", "night", 12_345)], gap_m=1500)]
    menu = price_menu(CATALOGUE, PLAN, inputs("autograph", driven, frequency="0.93", **declared))
    chosen = menu.find("behaviour", ("liability", "collision_500"))
    assert chosen is not None
    return ConfiguredMenu(CATALOGUE, PLAN, menu, chosen)


@pytest.mark.parametrize("language", ["en", "de"])
def test_each_choice_is_said_as_the_page_has_it(language: str) -> None:
    found = configured(driver_age=19)  # to whom a rule refuses a cover
    with reads(reading(language)):
        said = json.loads(b"{" + menu_facts(found)[0] + b"}")
        assert said["chosen"]["amount"] == format(found.chosen.amount, "f")
        assert said["axes"] == [
            {
                "name": axis.name,
                "title": axis.title,
                "choices": [
                    {
                        "name": one.name,
                        "title": one.title,
                        "chosen": one.chosen,
                        "amount": None if one.amount is None else format(one.amount, "f"),
                        "difference": None if one.difference is None else format(one.difference, "f"),
                        "needs": one.needs,
                        "because": one.because,
                    }
                    for one in axis.choices
                ],
            }
            for axis in found.axes
        ]
        assert None in {choice["amount"] for axis in said["axes"] for choice in axis["choices"]}


def test_the_basis_is_the_same_for_the_same_and_another_for_any_other() -> None:
    found = configured(driver_age=38)
    cheaper = found.menu.lines.copy()
    cheaper[-1, -1] -= 1
    elsewhere = found.menu.find("flat", ("liability",))
    assert elsewhere is not None
    others = [
        ConfiguredMenu(
            CATALOGUE, PLAN, Menu(PLAN.currency, found.menu.layout, found.menu.minor_units, cheaper), found.chosen
        ),
        ConfiguredMenu(CATALOGUE, PLAN, found.menu, elsewhere),
        configured(driver_age=19),
    ]
    basis = menu_facts(found)[1]
    assert menu_facts(configured(driver_age=38))[1] == basis
    assert len({basis, *(menu_facts(one)[1] for one in others)}) == 4
    with reads(reading("de")):
        assert menu_facts(found)[1] != basis


def test_kept_amounts_are_bounded() -> None:
    amounts = _Amounts(2)
    for units in range(MOST_AMOUNTS + 10):
        assert amounts[units] == f"{units // 100}.{units % 100:02}".encode()
    assert len(amounts) == 10


def test_a_menu_of_nothing_is_an_empty_list() -> None:
    nothing = Layout(cover_rates(packaged_plan(), ()), (Section("flat", "score", NONE, 0),), (), 0)
    assert _offers(nothing).filled([], _Amounts(2)) == b"[]"
