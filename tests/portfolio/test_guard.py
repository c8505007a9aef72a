"""The guard: what steps over the line is refused by the data it uses or by what it says; plain offers pass."""

import pytest

from portfolio.guard import NEVER, REVEALS, judge

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
    ],
)
def test_plain_words_pass(words: str) -> None:
    found = judge(words, ("name",), ALL, names=("Ben",))
    assert found.allowed, found.reasons
