"""Where the records of a JSON batch begin and end, found on its bytes before any parser reads it.

A record that no parser takes (NaN, bad UTF-8, 5,000 digits) then spoils itself alone, and nesting is known to be low.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.errors import EmptyBody, TooDeep

MAX_DEPTH = 32
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_HEAD = re.compile(rb'\s*\{\s*"readings"\s*:\s*\[\s*')
_NOTHING = re.compile(rb"\s*(null|\[\s*\]|\{\s*\})?\s*\Z")
_RECORD_DEPTH = 2  # inside the object and its list


@dataclass(frozen=True, slots=True)
class Records:
    """The byte ranges of a batch's n records in its body, and how many keys its objects name altogether."""

    body: bytes
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    keys: int

    def __len__(self) -> int:
        return len(self.starts)

    def raw_of(self, index: int) -> bytes:
        """The bytes of one record."""
        return self.body[self.starts[index] : self.ends[index]].strip()


def find_records(body: bytes) -> Records | None:
    """The records of `{"readings": [...]}`, None when the body has another shape.

    Raises `EmptyBody` and `TooDeep`.
    """
    if _NOTHING.match(body):
        raise EmptyBody
    plain, outside, depth = _nesting(body)
    head, tail = _HEAD.match(body), _end_of_list(body)
    if head is None or tail is None or not outside[-1] or depth[-1] != 0 or depth.min() < 0:
        return None
    first, last = head.end(), tail
    if first >= last:
        return Records(body, np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp), 1)
    if depth[first:last].min() < _RECORD_DEPTH:
        return None  # the list closes in between: two lists, or more keys
    commas = np.flatnonzero((plain == ord(",")) & outside & (depth == _RECORD_DEPTH))
    keys = int(np.count_nonzero((plain == ord(":")) & outside))
    return Records(body, np.concatenate(([first], commas + 1)), np.concatenate((commas, [last])), keys)


def check_depth(body: bytes) -> None:
    """Raises `TooDeep` for JSON nested over MAX_DEPTH, which no parser should be asked to follow."""
    if body:
        _nesting(body)


def _nesting(body: bytes) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.int32]]:
    """Per byte: itself with escapes blanked, whether it stands outside texts, and how deep it stands."""
    plain = np.frombuffer(_ESCAPE.sub(b"__", body), dtype=np.uint8)
    outside = np.cumsum(plain == ord('"'), dtype=np.int32) % 2 == 0
    opens = ((plain == ord("{")) | (plain == ord("["))) & outside
    closes = ((plain == ord("}")) | (plain == ord("]"))) & outside
    depth = np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32)
    if depth.max() > MAX_DEPTH:
        raise TooDeep(MAX_DEPTH)
    return plain, outside, depth


def _end_of_list(body: bytes) -> int | None:
    """Where the closing brackets at the end begin."""
    end = len(body.rstrip())
    if not body.endswith(b"}", 0, end):
        return None
    end = len(body[: end - 1].rstrip())
    return end - 1 if body.endswith(b"]", 0, end) else None
