"""What a text that somebody types may hold: signs of any script that are shown. Every body is held to it (`bounds`)."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

BREAKS = "\t\n\r"
PASTED = "\u00ad\u200b\ufeff"  # where a word may break, and a mark of byte order: they come along with pasted prose
JOINERS = "\u200c\u200d"  # Persian, the scripts of India and emoji are not written without them
UNSHOWN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # controls, what turns or hides the text beside it, private signs


def unshown(text: str) -> str | None:
    """A sign of the text that no reader sees, or that turns what they see; None: there is none."""
    if text.isprintable():
        return None
    hidden = (one for one in sorted(set(text)) if unicodedata.category(one) in UNSHOWN)
    return next((one for one in hidden if one not in BREAKS + PASTED + JOINERS), None)


def _one_line(text: str) -> str:
    if any(one in BREAKS + PASTED for one in text):
        raise PydanticCustomError("one_line", "Is one line: leave out the tab, the line break or the hidden mark")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
"""A name or a short reason: no line break, for it stands in a row of a table, and no mark that tells two names apart
which look the same.
"""
