"""Which claims on record may load a premium: by fault, cost and age. A plan states it, and a profile can demand it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pricing.plan_reader import Reader

PRINCIPALLY_AT_FAULT_PERCENT = 51  # more than half of the fault
MOST_YEARS = 100
UNDETERMINED = ("does_not_count", "counts")
KEYS = ("at_fault_from_percent", "undetermined", "incurred_over", "years")


@dataclass(frozen=True, slots=True)
class RecordedClaim:
    """A claim as far as it is known. `at_fault_percent`: the insured driver's share of the fault; None: not
    determined. `incurred` None: not known. `cover` "": not said.
    """

    occurred_on: date
    cover: str
    at_fault_percent: int | None
    incurred: Decimal | None


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """A claim counts where its driver bore `at_fault_from_percent` of the fault or more (0: whoever was at fault, and
    `undetermined_counts` says nothing), and it cost over `incurred_over` (None: whatever it cost). Claims, and what is
    expected beside them, are of the last `years` (None: of all).
    """

    at_fault_from_percent: int
    undetermined_counts: bool
    incurred_over: Decimal | None
    years: int | None

    def counts(self, claim: RecordedClaim) -> bool:
        """Whether a claim may load, its age apart."""
        if self.incurred_over is not None and (claim.incurred is None or claim.incurred <= self.incurred_over):
            return False
        if claim.at_fault_percent is None:
            return self.undetermined_counts or self.at_fault_from_percent == 0
        return claim.at_fault_percent >= self.at_fault_from_percent

    def laxer_than(self, demanded: "ClaimRule") -> Iterator[tuple[str, str]]:
        """Each key by which a claim counts here that would not count there, and what is demanded."""
        if self.at_fault_from_percent < demanded.at_fault_from_percent:
            yield "at_fault_from_percent", f"must be {demanded.at_fault_from_percent} or more"
        if self.undetermined_counts and not demanded.undetermined_counts:
            yield "undetermined", f"must be {UNDETERMINED[0]}"
        least = demanded.incurred_over
        if least is not None and (self.incurred_over is None or self.incurred_over < least):
            yield "incurred_over", f"must be {least} or more"
        if demanded.years is not None and (self.years is None or self.years > demanded.years):
            yield "years", f"must be {demanded.years} or less"


def read_claim_rule(part: Reader) -> ClaimRule:
    """The rule in a table; what it leaves out does not narrow which claims count, as before the key was known: a plan
    that is published means what it meant. Raises BadPlan.
    """
    percent = part.whole("at_fault_from_percent") if "at_fault_from_percent" in part.values else 0
    if percent > 100:
        raise part.refuse("at_fault_from_percent", f"{percent} is over 100: it is a share of the fault in percent")
    return ClaimRule(
        at_fault_from_percent=percent,
        undetermined_counts="undetermined" in part.values and part.one_of("undetermined", UNDETERMINED) == "counts",
        incurred_over=part.number("incurred_over") if "incurred_over" in part.values else None,
        years=part.whole("years", 1, MOST_YEARS) if "years" in part.values else None,
    )
