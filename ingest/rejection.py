"""Why a frame or reading was refused: a closed set, so a refusal can be counted, stored, documented and replayed."""

from enum import StrEnum


class Rejection(StrEnum):
    """A quarantine reason code. The numbers are the rows of the bad-inputs contract in docs/."""

    TRAILING = "trailing"  # 10: bytes left after the last record
    CRC_STUCK = "crc_stuck"  # 5, 7: a device that repeats one damaged packet for ever
    UNKNOWN_CODEC = "unknown_codec"  # 11: a codec that no decoder here reads
    UNSOLICITED = "unsolicited"  # 12: the answer to a command that was not sent
    BAD_ID = "bad_id"  # 35: an id outside the credential's devices, or not an id
    DUPLICATE_KEY = "duplicate_key"  # 28: a JSON object names one key twice
    NOT_FINITE = "not_finite"  # 29: NaN, Infinity, 1e999, or the string "nan"
    TYPE = "type"  # 30: a number as a string, a boolean as a number
    NUMBER_RANGE = "number_range"  # 31: a number no column can hold
    ENCODING = "encoding"  # 33: invalid UTF-8 or a lone surrogate
    NUL = "nul"  # 34: a NUL in text
    MALFORMED = "malformed"  # a frame or row that cannot be read at all
    MISSING_FIELD = "missing_field"  # a required field is absent
    RANGE = "range"  # 43, 44: latitude over 90, longitude over 180, raw integer extremes
    TELEPORT = "teleport"  # 51
    UNSYNCED_CLOCK = "unsynced_clock"  # 56: 1970, 1980-01-06, 2000-01-01
    FUTURE = "future"  # 57: more than 24 h after receipt
    NAIVE_TIME = "naive_time"  # 60: a local time without an offset
    TOO_LATE = "too_late"  # 63: older than retention
    RATE = "rate"  # 73
    INTERNAL = "internal"  # 55: our own computation failed an assertion
