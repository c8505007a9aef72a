"""The header by which a request that is sent again is not done again."""

from secrets import token_urlsafe
from typing import Annotated

from fastapi import Form, Header

VISIBLE = r"^[\x21-\x7e]+$"
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=VISIBLE,
        description="Of your making, fresh for every request; sent again, the request is not done again",
    ),
]
FormKey = Annotated[str, Form(min_length=8, max_length=128, pattern=VISIBLE)]
"""The same in a page's form, which holds a fresh one each time that it is shown."""


def fresh_key() -> str:
    """The key that a page's form is shown with: whoever sends that form twice asks once."""
    return token_urlsafe(16)
