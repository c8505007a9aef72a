"""The header by which a request that is sent again is not done again."""

from typing import Annotated

from fastapi import Header

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Of your making, fresh for every request; sent again, the request is not done again",
    ),
]
