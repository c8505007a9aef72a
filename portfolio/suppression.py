"""Who is left alone, and why: the one definition for the card, for offers and for contacts of a whole book. Pure.

What a person asks, and what their policy needs, is answered whatever stands here; this is of what nobody asked for.
"""

from dataclasses import dataclass
from datetime import date

MOST_CONTACTS = 2  # that nobody asked for, within
CONTACT_WINDOW_DAYS = 30
RENEWAL_WITHIN_DAYS = 60  # of a policy's end, contacts that should keep somebody are made


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What keeps us from offering something to a person now. `contacts`: outbound and unasked, in the window."""

    claim_since: date | None = None  # the earliest claim that is not settled
    complaint_since: date | None = None
    needs_care: bool = False
    contacts: int = 0


def left_alone(found: Circumstances) -> tuple[str, ...]:
    """Why nothing is offered now, in words; () where it may be."""
    reasons = {
        f"a claim is open since {found.claim_since}": found.claim_since is not None,
        f"a complaint is open since {found.complaint_since}": found.complaint_since is not None,
        "they need care": found.needs_care,
        f"{found.contacts} contacts that nobody asked for in {CONTACT_WINDOW_DAYS} days; nobody gets more": (
            found.contacts >= MOST_CONTACTS
        ),
    }
    return tuple(words for words, holds in reasons.items() if holds)


def renewal_is_near(ends_on: date, today: date) -> bool:
    """Whether the term ends within the days in which contacts are made."""
    return 0 <= (ends_on - today).days <= RENEWAL_WITHIN_DAYS
