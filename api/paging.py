"""Lists by pages: `limit` and `cursor` of the request, and the way to the next page in the answer's `Link` header.

A cursor names the last row that was shown, so a page that follows is right whatever was added meanwhile. It is made
here, read here, and of no meaning to anybody else.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.errors import BadCursor
from pricing.periods import MONTH_PATTERN

MOST_ROWS = 1000
_MOST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for: `limit` rows behind the one whose key is `last` (None: from the begin)."""

    request: Request
    response: Response
    limit: int
    last: str | None

    @property
    def most(self) -> int:
        """How many rows to fetch behind `last`: one more than is shown tells whether there is another page."""
        return self.limit + 1

    @property
    def last_id(self) -> int | None:
        """The key of the last row as a number. Raises BadCursor."""
        if self.last is None:
            return None
        if not (self.last.isascii() and self.last.isdigit()) or int(self.last[:20]) > _MOST_ID:
            raise BadCursor
        return int(self.last)

    @property
    def last_uuid(self) -> UUID | None:
        """The key of the last row as an id. Raises BadCursor."""
        try:
            return None if self.last is None else UUID(self.last)
        except ValueError:
            raise BadCursor from None

    @property
    def last_month(self) -> str | None:
        """The key of the last row as a month. Raises BadCursor."""
        if self.last is not None and not re.fullmatch(MONTH_PATTERN, self.last):
            raise BadCursor
        return self.last

    @property
    def last_start(self) -> tuple[datetime, UUID] | None:
        """The key of the last row as a time and an id (`by("started_at", "trip_id")`). Raises BadCursor."""
        if self.last is None:
            return None
        start, _, row_id = self.last.partition("/")
        try:
            at = datetime.fromisoformat(start)
            key = at.astimezone(UTC), UUID(row_id)  # a time without a zone is none of ours
        except (ValueError, OverflowError):
            raise BadCursor from None
        return key

    def cut[Row](self, rows: Sequence[Row], key: Callable[[Row], object]) -> Sequence[Row]:
        """The page out of all rows. Raises BadCursor where the last one shown is not among them."""
        if self.last is not None:
            keys = (str(key(row)) for row in rows)
            at = next((number for number, one in enumerate(keys, 1) if one == self.last), None)
            if at is None:
                raise BadCursor
            rows = rows[at:]
        return self.shown(rows, key)

    def shown[Row](self, rows: Sequence[Row], key: Callable[[Row], object]) -> Sequence[Row]:
        """The page out of rows fetched behind `last`; where there are more, the answer says how to get them."""
        page = rows[: self.limit]
        if len(rows) > len(page):
            url = self.request.url.include_query_params(cursor=sealed(str(key(page[-1]))))
            self.response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return page


async def _paging(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page")] = 100,
    cursor: Annotated[
        str | None, Query(max_length=200, description="Out of the `Link` header of the page before, as it stands there")
    ] = None,
) -> Paging:
    return Paging(request, response, limit, None if cursor is None else _opened(cursor))


def sealed(key: str) -> str:
    """The cursor that names the row of this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _opened(cursor: str) -> str:
    try:
        key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise BadCursor from None
    if not key.isprintable():
        raise BadCursor
    return key


def by(*names: str) -> Callable[[object], str]:
    """The key of a row: these of its values."""
    return lambda row: "/".join(str(getattr(row, name)) for name in names)


Page = Annotated[Paging, Depends(_paging)]
EVERYTHING = 10_000  # of what one person has; it is fetched whole and cut
