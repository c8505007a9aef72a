"""Postings: a period's statement, and the signed adjustments that correct it. Nothing posted is edited."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Literal
from uuid import UUID

from pricing.rating import Line, Premium


@dataclass(frozen=True, slots=True)
class Posting:
    """One immutable row of the ledger of a policy and period; revision 0 is the statement, later ones adjust it."""

    statement_id: UUID
    policy_key: UUID
    period: str
    kind: Literal["statement", "adjustment"]
    revision: int
    amount: Decimal
    currency: str
    lines: list[dict[str, str]]
    worksheet: list[dict[str, str]]
    inputs: dict[str, object]
    inputs_digest: str
    plan_hash: str
    versions: dict[str, object]
    reason: str
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A period's statement as one line of a list: what it comes to with its adjustments, and the metres charged."""

    period: str
    currency: str
    total: Decimal
    adjustments: int
    charged_m: int
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class PeriodStatement:
    """All postings of a policy and period: what was charged, what corrected it, and what it comes to."""

    policy_id: str
    period: str
    currency: str
    postings: tuple[Posting, ...]

    @property
    def total(self) -> Decimal:
        """The statement plus its adjustments."""
        return sum((posting.amount for posting in self.postings), Decimal(0))

    def as_dict(self) -> dict[str, object]:
        """The statement as JSON-able values; money as text."""
        return {
            "policy": self.policy_id,
            "period": self.period,
            "currency": self.currency,
            "total": str(self.total),
            "postings": [
                {
                    "kind": posting.kind,
                    "revision": posting.revision,
                    "amount": str(posting.amount),
                    "lines": posting.lines,
                    "worksheet": posting.worksheet,
                    "inputs": posting.inputs,
                    "inputs_digest": posting.inputs_digest,
                    "plan_hash": posting.plan_hash,
                    "versions": posting.versions,
                    "reason": posting.reason,
                    "posted_at": posting.posted_at.isoformat(),
                }
                for posting in self.postings
            ],
        }


def statements_of(policy_id: str, postings: Iterable[Posting]) -> list[PeriodStatement]:
    """Postings in order of period and revision as statements, the latest first."""
    by_period = [(period, tuple(members)) for period, members in groupby(postings, lambda one: one.period)]
    return [PeriodStatement(policy_id, period, all_of[0].currency, all_of) for period, all_of in by_period[::-1]]


def difference(premium: Premium, posted: Sequence[Posting]) -> tuple[Line, ...]:
    """The lines that bring what is posted to `premium`: new minus posted, by line; none where they agree."""
    wanted = {line.name: line.amount for line in premium.lines}
    held: dict[str, Decimal] = {}
    for posting in posted:
        for line in posting.lines:
            held[line["name"]] = held.get(line["name"], Decimal(0)) + Decimal(line["amount"])
    names = [*wanted, *(name for name in held if name not in wanted)]
    lines = (Line(name, wanted.get(name, Decimal(0)) - held.get(name, Decimal(0))) for name in names)
    return tuple(line for line in lines if line.amount)
