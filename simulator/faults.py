"""Faults of delivery, a layer of its own: the truth stays, only what is sent when, how often and in what order changes.

Pure functions of lists, of trips or of anything else that is sent.
"""

from collections.abc import Callable, Sequence


def hold_back[Sent](items: Sequence[Sent], is_late: Callable[[Sent], bool]) -> tuple[list[Sent], list[Sent]]:
    """What is sent now and what comes late, each in the order given."""
    now = [item for item in items if not is_late(item)]
    late = [item for item in items if is_late(item)]
    return now, late


def double[Sent](items: Sequence[Sent]) -> list[Sent]:
    """Everything twice, as a device does that missed the first receipt: each item follows itself."""
    return [item for item in items for _ in range(2)]


def reverse[Sent](items: Sequence[Sent]) -> list[Sent]:
    """The last first, as a device does that empties its memory from the newest end."""
    return list(items[::-1])
