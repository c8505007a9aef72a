"""A month of a policy whose terms may change within it: each part rated by its own days, trips and terms.

Every part is a period of its own to the plan: its covers are rounded at its end. Minimum premium, fee and tax come
once, on what the covers of all parts come to. A month without a change is one part, rated as `rate_period` does.

Where a term ends within the month its days are rated by its own plan; the charges are those of the month's plan, which
is that of the last part.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from pricing.errors import UnknownLevel
from pricing.money import EXACT, total
from pricing.plan import RatePlan
from pricing.rating import DrivenTrip, Inputs, Line, Premium, Step, charges, rate_period, unrounded


@dataclass(frozen=True, slots=True)
class Part:
    """The days [from_day, to_day) of the month, and everything their premium is a function of.

    `plan`: of a term that ends within the month, by another plan than the month's; else None.
    """

    from_day: date
    to_day: date
    inputs: Inputs
    plan: RatePlan | None = None


@dataclass(frozen=True, slots=True)
class Month:
    """The parts of a policy's month, in order; at least one, of no days where the policy was not in force."""

    parts: tuple[Part, ...]

    @property
    def days(self) -> int:
        """The days of cover."""
        return sum(part.inputs.days for part in self.parts)

    @property
    def trips(self) -> tuple[DrivenTrip, ...]:
        """The trips of all parts."""
        return tuple(trip for part in self.parts for trip in part.inputs.trips)

    def as_json(self) -> dict[str, Any]:
        """As stored: one part as its inputs alone; more as the whole month, with `parts` beside it.

        There `terms` and `behaviour` are those of the last part, but `covers` those of any.
        """
        last = self.parts[-1].inputs
        if len(self.parts) == 1:
            return last.as_json()
        covers = dict.fromkeys(cover for part in self.parts for cover in part.inputs.terms.covers)
        whole = replace(
            last,
            days=self.days,
            trips=self.trips,
            terms=replace(last.terms, covers=tuple(covers)),
            unmeasured_days=sum(part.inputs.unmeasured_days for part in self.parts),
        )
        parts = [_part_as_json(part) for part in self.parts]
        return whole.as_json() | {"parts": parts}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], plan_of: Callable[[str], RatePlan]) -> "Month":
        """The month of a stored posting, from which its premium can be computed again; `plan_of` a hash."""
        if "parts" not in stored:
            return cls((Part(date.min, date.max, Inputs.from_json(stored)),))
        trips = {trip["trip_id"]: trip for trip in stored["trips"]}
        return cls(
            tuple(
                Part(
                    date.fromisoformat(part["from_day"]),
                    date.fromisoformat(part["to_day"]),
                    Inputs.from_json({**stored, **part, "trips": [trips[trip_id] for trip_id in part["trips"]]}),
                    plan_of(part["plan_hash"]) if "plan_hash" in part else None,
                )
                for part in stored["parts"]
            )
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the inputs of all parts; of one part that of its inputs."""
        if len(self.parts) == 1:
            return self.parts[0].inputs.digest
        days_and_digests = [
            (str(part.from_day), str(part.to_day), part.inputs.digest, *([part.plan.plan_hash] if part.plan else []))
            for part in self.parts
        ]
        return hashlib.sha256(json.dumps(days_and_digests).encode()).hexdigest()


def rate_month(plan: RatePlan, month: Month) -> Premium:
    """The premium of one policy for one month; none of anything where it was not in force. Raises UnknownLevel."""
    premiums = [rate_period(part.plan or plan, part.inputs) for part in month.parts if part.inputs.days]
    if len(premiums) == 1 and len(month.parts) == 1:
        return premiums[0]
    steps: list[Step] = []
    lines = []
    for cover in dict.fromkeys(cover for part in month.parts for cover in part.inputs.terms.covers):
        amounts = []
        for part, premium in zip(month.parts, premiums, strict=False):
            if cover in part.inputs.terms.covers:
                steps += _section(part, premium, cover)
                amounts += [line.amount for line in premium.lines if line.name == cover]
        if amounts:
            lines.append(Line(cover, total(amounts)))
    lines += charges(plan, lines, steps) if premiums else []
    return Premium(
        lines=tuple(lines),
        worksheet=tuple(steps),
        trip_costs=_costs(premiums),
        currency=plan.currency,
        plan_hash=plan.plan_hash,
        inputs_digest=month.digest,
    )


def expiring_of(before: Sequence[RatePlan], inputs: Inputs) -> dict[str, Decimal]:
    """What the term before would have cost on these inputs, by cover, itself held to the term before it.

    A cover that a plan did not know has no such amount; one of levels that it did not know begins anew.
    """
    was: dict[str, Decimal] = {}
    for plan in before:  # all in one currency: no version of a plan is published in another
        covers = tuple(cover for cover in inputs.terms.covers if cover in plan.covers)
        asked = replace(inputs, terms=replace(inputs.terms, covers=covers), expiring=was)
        try:
            sections = unrounded(rate_period(plan, asked))
        except UnknownLevel:
            was = {}
        else:
            was = {cover: sections[cover] for cover in covers}
    return was


def _section(part: Part, premium: Premium, cover: str) -> list[Step]:
    """A cover's steps of one part; the first says which days."""
    first, *others = (step for step in premium.worksheet if step.section == cover)
    last_day = part.to_day - timedelta(days=1)
    return [replace(first, label=f"{part.from_day} to {last_day}: {first.label}"), *others]


def _costs(premiums: Sequence[Premium]) -> dict[str, Decimal]:
    """Each trip's part of the covers: a trip is in one part."""
    costs: dict[str, Decimal] = {}
    for premium in premiums:
        for trip_id, cost in premium.trip_costs.items():
            costs[trip_id] = EXACT.add(costs.get(trip_id, Decimal(0)), cost)
    return costs


def _part_as_json(part: Part) -> dict[str, Any]:
    """A part beside the whole month: its trips by their ids alone."""
    stored = part.inputs.as_json()
    return {
        "from_day": part.from_day.isoformat(),
        "to_day": part.to_day.isoformat(),
        "days": stored["days"],
        "terms": stored["terms"],
        "behaviour": stored["behaviour"],
        "trips": [trip.trip_id for trip in part.inputs.trips],
        "unmeasured_days": part.inputs.unmeasured_days,
        "expiring": stored.get("expiring", {}),
        **({"plan_hash": part.plan.plan_hash} if part.plan else {}),
    }
