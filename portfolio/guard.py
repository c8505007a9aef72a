"""The creepiness guard: what an offer tells a person that we know of them, and where the line is. Pure.

Two looks, as each alone can be fooled: at the data that the words are made of, and at the words themselves as the
person will read them. Nothing that is refused is ever softened into something that is sent.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

# What each datum tells the person that we know, and the purpose they must have agreed to (None: their own terms).
REVEALS: Mapping[str, tuple[str, str | None]] = {
    "name": ("who you are", None),
    "pay_plan": ("your terms", None),
    "covers": ("your terms", None),
    "declared_km": ("your terms", None),
    "premium": ("your premium", None),
    "driven_km": ("how much you drive", "personal_offers"),
    "score": ("how you drive", "personal_offers"),
    "saving": ("your premium with other terms", "personal_offers"),
    "night_share": ("how much of it is at night", "personal_offers"),
    "coaching": ("what of your driving could change", "coaching"),
}
NEVER: Mapping[str, str] = {
    "place": "it would tell a place",
    "trip_time": "it would tell an exact time",
    "other_driver": "it would tell how somebody else drives",
    "health": "it would guess at health",
    "willingness_to_pay": "it would use what the person would put up with",
}
LONGEST_NAME = 5  # words of a place's name
_WORD = re.compile(r"[^\W\d_][\w'’.-]*")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may be sent, what it tells the person, and why not."""

    allowed: bool
    reveals: tuple[str, ...]
    reasons: tuple[str, ...]


def judge(
    words: str,
    uses: Collection[str],
    agreed: Collection[str],
    names: Collection[str] = (),
    places: Collection[str] = (),
) -> Verdict:
    """The verdict on an offer.

    `words` as the person will read them; `uses`: the data they are made of; `agreed`: purposes agreed to now; `names`
    of the others in the household; `places`: names on the map, in small letters (a set: it may be large).
    """
    reasons = []
    for datum in sorted(set(uses)):
        if datum in NEVER:
            reasons.append(NEVER[datum])
        elif datum not in REVEALS:
            reasons.append(f"nobody has said what {datum!r} tells a person")
        elif (purpose := REVEALS[datum][1]) is not None and purpose not in agreed:
            reasons.append(f"it uses {datum} and the person has not agreed to {purpose}")
    for kind, looks in _looks().items():
        found = next((match.group().strip() for look in looks if (match := look.search(words))), None)
        if found is not None:
            reasons.append(f"{NEVER[kind]} ({found!r})")
    reasons += [
        f"it names {name!r}" for name in sorted(set(names)) if re.search(rf"\b{re.escape(name)}\b", words, re.I)
    ]
    if (place := _named_place(words, places)) is not None:
        reasons.append(f"{NEVER['place']} ({place!r})")
    if not words.strip():
        reasons.append("it says nothing")
    reveals = dict.fromkeys(REVEALS[datum][0] for datum in sorted(set(uses)) if datum in REVEALS)
    return Verdict(not reasons, tuple(reveals), tuple(dict.fromkeys(reasons)))


@cache
def _looks() -> dict[str, tuple[re.Pattern[str], ...]]:
    """The patterns of every language, by what they would tell."""
    table = tomllib.loads((files("portfolio") / "guard_words.toml").read_text("utf-8"))
    return {
        kind: tuple(re.compile(one, re.IGNORECASE) for ones in languages.values() for one in ones)
        for kind, languages in table.items()
    }


def _named_place(words: str, places: Collection[str]) -> str | None:
    """A name of the map in the words: of several words in any letters, of one word only where it is capitalised, for
    many a street has the name of a plain word.
    """
    found = [match.group().strip(".’'-") for match in _WORD.finditer(words)]
    for start in range(len(found)):
        for length in range(LONGEST_NAME, 0, -1):
            name = " ".join(found[start : start + length])
            if name.lower() in places and (" " in name or name[0].isupper()):
                return name
    return None
