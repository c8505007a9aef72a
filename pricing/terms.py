"""What a policy agreed to on each day: the terms it was bound with and the changes since, folded in order of effect.

A change holds from its day on, whenever it was entered: two endorsements of different days lead to the same terms in
either order. Of two that change the same field from the same day, the one entered last holds.

A term keeps the rate plan by which it was agreed until it ends: what is published later prices the terms after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Literal
from uuid import UUID

from pricing.periods import month_bounds
from pricing.rating import Terms

type Kind = Literal["bind", "endorse", "cancel", "renew"]

SHARING = ("odometer", "score", "full")  # what of the driving leaves the device, from the least on
TERM_FIELDS = ("pay_plan", "covers", "factors", "declared_km_per_year", "sharing")
AT_THE_HOST = UUID(int=0)  # who works the command line


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One immutable row. `terms`: of a bind all of them, else those that change; `ends_on` None: as it was;
    `plan_hash`: what prices the term that a bind or a renewal begins.
    """

    change_id: UUID
    policy_key: UUID
    sequence: int
    kind: Kind
    effective_on: date
    ends_on: date | None
    terms: Mapping[str, Any]
    reason: str
    made_by: UUID
    made_at: datetime
    idempotency_key: str
    request_digest: str
    plan_hash: str | None

    def as_dict(self) -> dict[str, object]:
        """The change as JSON-able values, without who made it."""
        return {
            "sequence": self.sequence,
            "kind": self.kind,
            "effective_on": self.effective_on.isoformat(),
            "ends_on": self.ends_on and self.ends_on.isoformat(),
            "terms": dict(self.terms),
            "plan_hash": self.plan_hash,
            "reason": self.reason,
            "made_at": self.made_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Span:
    """Days [from_day, to_day) with one set of terms.

    `plan_hashes`: of the terms of cover until this one, its own the last; of plans that are all the same, one.
    """

    from_day: date
    to_day: date
    terms: Terms
    sharing: str
    plan_hashes: tuple[str, ...]

    @property
    def plan_hash(self) -> str:
        """What prices these days."""
        return self.plan_hashes[-1]


def term_of(changes: Sequence[PolicyChange]) -> tuple[date, date]:
    """The first day of cover, and the first without: a cancellation ends what binding and renewals had agreed."""
    starts_on = next(change.effective_on for change in changes if change.kind == "bind")
    agreed = max(change.ends_on for change in changes if change.ends_on and change.kind in ("bind", "renew"))
    return starts_on, cancelled_on(changes) or agreed


def cancelled_on(changes: Sequence[PolicyChange]) -> date | None:
    """The first day without cover of a cancelled policy, of several cancellations the earliest; None: of none."""
    return min((change.ends_on for change in changes if change.kind == "cancel" and change.ends_on), default=None)


def spans_of(changes: Sequence[PolicyChange]) -> tuple[Span, ...]:
    """The terms of every day of cover, in order; neighbours differ. Empty: cancelled from its first day on."""
    _, ends_on = term_of(changes)
    steps = sorted(
        (change for change in changes if change.kind != "cancel" and change.effective_on < ends_on),
        key=lambda change: (change.effective_on, change.sequence),
    )
    days = [*dict.fromkeys(step.effective_on for step in steps), ends_on]
    found: list[Span] = []
    for from_day, to_day in pairwise(days):
        held: dict[str, Any] = {}
        for step in steps:
            if step.effective_on <= from_day:
                held = changed(held, step.terms)
        span = Span(from_day, to_day, rated_terms(held), held.get("sharing", "full"), _plan_hashes(steps, from_day))
        if found and replace(found[-1], to_day=to_day) == replace(span, from_day=found[-1].from_day):
            span = replace(span, from_day=found.pop().from_day)
        found.append(span)
    return tuple(found)


def _plan_hashes(steps: Sequence[PolicyChange], day: date) -> tuple[str, ...]:
    """Of the terms that begin until that day, in order."""
    found = tuple(step.plan_hash for step in steps if step.plan_hash is not None and step.effective_on <= day)
    return found if len(set(found)) > 1 else found[:1]


def changed(held: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    """The terms after a change; of the factors those that it names."""
    terms = dict(held) | {name: by[name] for name in TERM_FIELDS if name in by}
    if "factors" in by:
        terms["factors"] = dict(held.get("factors", {})) | dict(by["factors"])
    return terms


def in_month(spans: Sequence[Span], period: str) -> tuple[Span, ...]:
    """The parts of the spans that lie in a month."""
    first, after = month_bounds(period)
    parts = (replace(span, from_day=max(span.from_day, first), to_day=min(span.to_day, after)) for span in spans)
    return tuple(part for part in parts if part.from_day < part.to_day)


def rated_terms(held: Mapping[str, Any]) -> Terms:
    """What of the terms a price reads."""
    return Terms(held["pay_plan"], tuple(held["covers"]), held["factors"], held["declared_km_per_year"])
