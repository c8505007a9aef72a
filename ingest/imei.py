"""The number that every cellular device carries."""

IMEI_DIGITS = 15


def parse_imei(digits: bytes) -> str | None:
    """The IMEI that 15 ASCII digits name, None when they are not an IMEI (number of digits, other letters, Luhn)."""
    if len(digits) != IMEI_DIGITS or not all(0x30 <= digit <= 0x39 for digit in digits):
        return None
    doubled = [int(chr(digit)) * (1 + place % 2) for place, digit in enumerate(digits)]
    return digits.decode("ascii") if sum(value // 10 + value % 10 for value in doubled) % 10 == 0 else None
