"""The guard: what steps over the line is refused by the data it uses or by what it says; plain offers pass."""

import pytest

from portfolio.guard import NEVER, REVEALS, judge
from scoring.extract import demo_extract, read_road_map

PLAIN = "With the pay plan Per km your October would have been €4.20 less. Would you like to change?"
ALL = ("coaching", "personal_offers", "contact")


def test_a_plain_offer_passes_and_says_what_it_reveals() -> None:
    found = judge(PLAIN, ("pay_plan", "saving"), ("personal_offers",))
    assert found.allowed
    assert found.reveals == ("your terms", "your premium with other terms")


@pytest.mark.parametrize("datum", sorted(name for name, (_, purpose) in REVEALS.items() if purpose))
def test_data_are_used_only_for_what_was_agreed(datum: str) -> None:
    purpose = REVEALS[datum][1]
    assert judge("A word.", (datum,), (purpose,)).allowed
    others = [one for one in ALL if one != purpose]
    found = judge("A word.", (datum,), others)
    assert not found.allowed
    assert purpose in found.reasons[0]


@pytest.mark.parametrize("datum", [*NEVER, "something_new"])
def test_some_data_are_never_used_whatever_was_agreed(datum: str) -> None:
    assert not judge("A word.", (datum,), ALL).allowed


@pytest.mark.parametrize(
    "words",
    [
        "You left at 23:40 again.",
        "You often drive at 11 pm.",
        "Every Friday you drive long.",
        "Last night you drove fast.",
        "Your trip of 2026-10-04 cost more.",
        "You park near Mannerheimintie.",
        "You pass Baker Street.",
        "There is a garage near where you work.",
        "At 60.1699, 24.9384 it is cheaper.",
        "You were at the hospital.",
        "Driving tired? Take a break.",
        "Drivers who drink pay more.",
        "Your daughter brakes hard.",
        "Ben drives faster than you.",
        "Sie fahren oft um 23 Uhr.",
        "Freitags fahren Sie weit.",
        "Sie parken in der Hauptstraße.",
        "Gibt es etwas Günstigeres, wo Sie wohnen?",
        "Nach dem Krankenhaus fahren Sie schneller.",
        "Ihre Tochter bremst hart.",
        "Ajat usein kello 23.",
        "Perjantaisin ajat pitkään.",
        "Pysäköit Fleminginkadulla.",
        "Väsyneenä ajat kovempaa.",
        "Tyttäresi jarruttaa kovaa.",
        "",
    ],
)
def test_words_that_tell_too_much_are_refused(words: str) -> None:
    assert not judge(words, ("name",), ALL, names=("Ben",)).allowed


@pytest.mark.parametrize(
    "words",
    [
        PLAIN,
        "You declared 12,000 km a year and drive some 7,000. Shall we correct that?",
        "Your score is 82. With glass cover you would pay €3.10 more a month.",
        "Braking more gently could raise your score by 3 points.",
        "Benefit from a lower rate.",  # the name of somebody within a word is no name
        "Mit dem Tarif pro Kilometer hätte Ihr Oktober 4,20 € weniger gekostet.",
        "Sanfteres Bremsen könnte Ihren Wert um 3 Punkte heben.",
        "Kilometrihinnalla lokakuusi olisi maksanut 4,20 € vähemmän.",
    ],
)
def test_plain_words_pass(words: str) -> None:
    found = judge(words, ("name",), ALL, names=("Ben",))
    assert found.allowed, found.reasons


def test_no_name_of_the_map_stands_in_an_offer() -> None:
    places = {"kaivopuisto", "rata", "fleming park", "unter den linden"}
    for words in ("You pass Kaivopuisto a lot.", "Less at fleming park.", "Unter den Linden is dear."):
        assert not judge(words, ("name",), ALL, places=places).allowed
    assert judge("The rata is lower than before.", ("name",), ALL, places=places).allowed  # a plain word
    assert judge(PLAIN, ("name",), ALL, places=places).allowed


def test_no_name_on_the_demo_map_refuses_a_plain_offer() -> None:
    roads = read_road_map(demo_extract())
    places = {name.lower() for name in roads.names if name}
    assert len(places) > 50
    assert judge(PLAIN, ("name",), ALL, places=places).allowed
    for name in filter(None, roads.names):
        assert not judge(f"It is dear near {name}.", ("name",), ALL, places=places).allowed, name
