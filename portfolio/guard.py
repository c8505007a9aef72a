"""The creepiness guard: what an offer tells a person that we know of them, and where the line is. Pure.

Two looks, as each alone can be fooled: at the data that the words are made of, and at the words themselves as the
person will read them. Nothing that is refused is ever softened into something that is sent.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

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
    "coaching": ("what of your driving could change", "coaching"),
}
NEVER: Mapping[str, str] = {
    "place": "it would tell a place",
    "trip_time": "it would tell an exact time",
    "other_driver": "it would tell how somebody else drives",
    "health": "it would guess at health",
    "willingness_to_pay": "it would use what the person would put up with",
}
_CLOCK = re.compile(
    r"\b([01]?\d|2[0-3])[:h][0-5]\d\b|\bat ([01]?\d|2[0-3])\.[0-5]\d\b"
    r"|\b(1[0-2]|[1-9])\s?(am|pm|a\.m\.|p\.m\.)(?!\w)|\bo'clock\b",
    re.I,
)
_DAY = re.compile(
    r"\b(on|last|every|this)\s+(mon|tues|wednes|thurs|fri|satur|sun)days?\b"
    r"|\b(yesterday|last night|this morning|tonight)\b"
    r"|\b\d{4}-\d{2}-\d{2}\b",
    re.I,
)
_COORDINATE = re.compile(r"-?\d{1,3}\.\d{3,}\s*,?\s*-?\d{1,3}\.\d{3,}|\d+°")
_PLACE = re.compile(
    r"\b\w+\s?(street|road|avenue|lane|square|boulevard|highway|station|airport|school|mall|church|mosque|stadium)\b"
    r"|\w+(katu|tie|strasse|straße|gasse|weg|gatan|vägen)\b"
    r"|\b(at home|your home|your work ?place|your office|where you (live|work|park))\b",
    re.I,
)
_HEALTH = re.compile(
    r"\b(hospital|clinic|doctor|therap\w+|pharmac\w+|medic\w+|pregnan\w+|diabet\w+|eyesight|dementia|tired\w*|fatigue\w*"
    r"|sleep\w*|insomnia|alcohol\w*|drunk\w*|drink\w*|drug\w*|stress\w*|depress\w*|ageing|aging)\b",
    re.I,
)
_OTHERS = re.compile(
    r"\byour (wife|husband|partner|son|daughter|child\w*|teenager|kids?|mother|father|parents?)\b", re.I
)
_LOOKS = {
    "place": (_COORDINATE, _PLACE),
    "trip_time": (_CLOCK, _DAY),
    "health": (_HEALTH,),
    "other_driver": (_OTHERS,),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may be sent, what it tells the person, and why not."""

    allowed: bool
    reveals: tuple[str, ...]
    reasons: tuple[str, ...]


def judge(words: str, uses: Collection[str], agreed: Collection[str], names: Collection[str] = ()) -> Verdict:
    """The verdict on an offer.

    `words` as the person will read them; `uses`: the data they are made of; `agreed`: purposes agreed to now; `names`:
    of the others in the household and of known places, which may not stand in the words.
    """
    reasons = []
    for datum in sorted(set(uses)):
        if datum in NEVER:
            reasons.append(NEVER[datum])
        elif datum not in REVEALS:
            reasons.append(f"nobody has said what {datum!r} tells a person")
        elif (purpose := REVEALS[datum][1]) is not None and purpose not in agreed:
            reasons.append(f"it uses {datum} and the person has not agreed to {purpose}")
    for kind, looks in _LOOKS.items():
        found = next((match.group().strip() for look in looks if (match := look.search(words))), None)
        if found is not None:
            reasons.append(f"{NEVER[kind]} ({found!r})")
    for name in sorted(set(names)):
        if re.search(rf"\b{re.escape(name)}\b", words, re.I):
            reasons.append(f"it names {name!r}")
    if not words.strip():
        reasons.append("it says nothing")
    reveals = dict.fromkeys(REVEALS[datum][0] for datum in sorted(set(uses)) if datum in REVEALS)
    return Verdict(not reasons, tuple(reveals), tuple(dict.fromkeys(reasons)))
