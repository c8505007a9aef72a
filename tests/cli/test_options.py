"""A time on the command line: what is none is refused before anything is done, and so is one that nothing can be
reckoned from.
"""

from datetime import UTC, datetime

import pytest

from cli.errors import BadTime
from cli.options import moment, since_time


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-10-31T18:00:00", "9999-12-31", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", ""],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    for read in (moment, since_time):
        with pytest.raises(BadTime, match="is not a time of the years 1970 to 2999"):
            read(text)


def test_a_day_is_its_end_or_as_a_limit_its_begin() -> None:
    assert moment("2026-10-31") == datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)
    assert since_time("2026-10-31") == datetime(2026, 10, 31, tzinfo=UTC)
    assert moment("2026-10-31T20:00:00+02:00") == datetime(2026, 10, 31, 18, tzinfo=UTC)
