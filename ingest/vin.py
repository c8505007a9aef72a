"""The number of a vehicle: ISO 3779, with the check digit of 49 CFR 565.15 where the maker's region uses it."""

VIN_LENGTH = 17
_VALUES = dict(zip("ABCDEFGH", range(1, 9), strict=True)) | dict(zip("JKLMN", range(1, 6), strict=True))
_VALUES |= (
    {"P": 7, "R": 9} | dict(zip("STUVWXYZ", range(2, 10), strict=True)) | {str(digit): digit for digit in range(10)}
)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_AT = 8
_CHECKED = frozenset("12345L")  # North America and China; elsewhere the ninth place is free


def is_vin(text: str) -> bool:
    """Whether these are 17 of its letters and digits (no I, O, Q), with the check digit that they should have."""
    if len(text) != VIN_LENGTH or any(letter not in _VALUES for letter in text):
        return False
    if text[0] not in _CHECKED:
        return True
    rest = sum(_VALUES[letter] * weight for letter, weight in zip(text, _WEIGHTS, strict=True)) % 11
    return text[_CHECK_AT] == ("X" if rest == 10 else str(rest))
