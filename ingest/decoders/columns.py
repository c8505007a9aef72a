"""Decoded records' fields, name by name, into arrays. The only place where a decoder touches values one by one."""

from collections.abc import Iterable, Sequence

import numpy as np

from ingest.moments import parse_iso
from ingest.readings import Float64s, Int64s
from ingest.rejection import Rejection

NOT_A_TIME = {
    Rejection.NAIVE_TIME: "a time without its offset from UTC",
    Rejection.MALFORMED: "not an ISO 8601 time",
    Rejection.NUL: "a text with a NUL",
}


def float_column(values: Iterable[object], unsaid: object = None) -> Float64s:
    """Values as floats, shape (n,); None and `unsaid` as NaN, booleans as 1 and 0."""
    nan = np.nan
    return np.array([nan if value is None or value is unsaid else value for value in values], dtype=np.float64)


def time_column(values: Sequence[str | float]) -> tuple[Int64s, dict[int, Rejection]]:
    """Times, shape (n,), in microseconds since 1970, of ISO texts or epoch seconds; why some are none, by place."""
    times: list[int] = []
    faults: dict[int, Rejection] = {}
    for place, value in enumerate(values):
        parsed = parse_iso(value) if isinstance(value, str) else round(value * 1e6)
        if isinstance(parsed, Rejection):
            faults[place] = parsed
            parsed = 0
        times.append(parsed)
    return np.array(times, dtype=np.int64), faults
