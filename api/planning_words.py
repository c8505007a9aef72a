"""What planning says of customers and segments, in the reader's words; `portfolio` itself speaks English alone.

Each sentence is a message with `{parts}`: its English is found again in the text, its parts are said in turn.
"""

import re
from datetime import date
from functools import cache

from api import wording
from api.languages import current, say

SENTENCES = (  # the first that fits: the longer before the shorter
    # Why somebody is not contacted.
    "no renewal within {days} days", "not agreed to be contacted", "left alone: claim, complaint, care or frequency",
    "contacted already before this renewal", "part of a running experiment", "worth or effect not known",
    "no contact pays", "would pay, but the budget is spent on others",
    # The next step, and why.
    "Answer what is asked", "Answer what is asked, offer nothing", "Nothing is owed and nothing would help now.",
    "Deal with the complaint first", "It is open for {days}.", "Say where the contest stands",
    "It waits for a decision since {days}. Ask the underwriters today.", "It waits for a decision since {days}.",
    "Ask whether the car stands, and help with the device",
    "No trip for {days}: unmeasured days are charged by the declared kilometres.", "Explain the latest premium",
    "The premium rose by {share} %; most of it: {cause}.", "{action} before the renewal, and log it",
    "The lot of experiment {name} chose them: {hypothesis}", "Offer to correct the declared kilometres",
    "Declared are {declared} km a year; at the pace so far it will be {driven}.", "Offer coaching",
    "What would be worth most: {change}. They agreed to coaching.", "today", "a day", "{count} days", "not known",
    "{feature} ({points} points)",
    # Who is left alone.
    "A claim is open since {day}", "A complaint is open since {day}", "They need care",
    "{count} contacts that nobody asked for in {days} days; nobody gets more",
    # Needs.
    "Low mileage", "High mileage", "Night worker", "Family", "Several drivers", "Several vehicles", "Young driver",
    "an offer for it was taken on {day}", "an offer for it was refused on {day}",
    "no answer to the offer for it of {day}",
    "{count} km a year, driven", "{count} km a year, declared", "{share} of the kilometres at night",
    "{count} child in the household", "{count} children in the household", "{count} people in the household",
    "{count} in the household, by its own word", "{count} years old",
    # What a contact is worth.
    "No contact pays: {why}",
    "No contact is left: they did not take what was offered within a year",
    "{action} keeps {more} in a hundred more on average (experiment {name}: {low} to {high} in all), worth {worth} "
    "euro each, at {cost}: {gain} ({least} to {most})",
    "{action} keeps {more} in a hundred more for customers like them (experiment {name}: {low} to {high} in all), "
    "worth {worth} euro each, at {cost}: {gain} ({least} to {most})",
    # What is not known.
    "What they drive, and when, for offers: they have not agreed to it",
    "What coaching would say: they have not agreed to it", "What the household has elsewhere: nobody asked yet",
    "Who else drives: no household is known", "How the score moves: fewer than two months are priced",
    "When the car was last driven: no trip is known", "Which group they are planned with: no segments are kept yet",
    "How long they will stay: no model of leaving is kept yet", "What they are worth: nothing is posted to go by",
    "Whether a personal contact would pay: no finished experiment measured one",
    # Segments.
    "Everybody", "under {count} km a year", "{count} km a year or more", "{low} to {high} km a year",
    "younger than {count}", "{count} or older", "{low} to {high} years old", "outside towns", "in town",
    # Why an offer is not sent.
    "it would tell a place", "it would tell an exact time", "it would tell how somebody else drives",
    "it would guess at health", "it would use what the person would put up with", "it says nothing",
    "nobody has said what {what} tells a person", "it uses {what} and the person has not agreed to {purpose}",
    "it names {name}", "{why} ({found})",
    "offer {name} needs {what}, which is not known of this customer",
)  # fmt: skip
KEPT = {"name", "found", "hypothesis"}  # parts that are said as they stand
NUMBER = re.compile(r"([+-]?)(\d[\d,]*(?:\.\d+)?)(%?)")


def said(text: str) -> str:
    """A sentence, or several parted by `; ` or `, `, in the reader's language; what is not known stays as it is."""
    if current().language == "en":
        return text
    for sentence, pattern in _patterns():
        if found := pattern.fullmatch(text):
            parts = {name: part if name in KEPT else _part(part) for name, part in found.groupdict().items()}
            return _begun_as(say(sentence, **parts), text, sentence)
    for divider in ("; ", ", "):
        if divider in text:
            return divider.join(said(part) for part in text.split(divider))
    known = say(text[:1].upper() + text[1:])
    return _begun_as(known, text, text)


def _begun_as(words: str, text: str, sentence: str) -> str:
    """A capital where the English has one and its message has none: `In town` for `in town`."""
    return words[:1].upper() + words[1:] if text[:1].isupper() and sentence[:1].islower() else words


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each sentence with what finds its parts again, whether it begins with a capital or not."""
    return tuple(
        (one, re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(one)), re.IGNORECASE)) for one in SENTENCES
    )


def _part(part: str) -> str:
    if number := NUMBER.fullmatch(part):
        sign, digits, percent = number.groups()
        return f"{sign.replace('-', wording.MINUS)}{wording.separated(digits)}{'\xa0%' if percent else ''}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", part):
        return wording.long_day(date.fromisoformat(part))
    return said(part)
