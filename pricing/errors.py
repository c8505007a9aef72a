"""What pricing refuses, with its facts."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


class PricingError(Exception):
    """Base of pricing's errors."""


@dataclass(eq=False)
class BadPlan(PricingError):
    """A rate plan that must not price: the place in the file and what is wrong there."""

    source: str
    place: str
    problem: str

    @property
    def field(self) -> str:
        """The place, as every refusal that has one names it."""
        return self.place

    def __str__(self) -> str:
        return f"rate plan {self.source}: {self.place}: {self.problem}"


@dataclass(eq=False)
class NoBalance(PricingError):
    """A plan whose rates cannot be scaled to bring in what they should."""

    plan: str
    problem: str

    def __str__(self) -> str:
        return f"rate plan {self.plan}: off-balance: {self.problem}"


@dataclass(eq=False)
class NoSuchPlan(PricingError):
    """A name that is neither a file nor a plan that ships."""

    name: str
    shipped: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name!r} is neither a .toml file nor a plan that ships ({', '.join(self.shipped)})"


@dataclass(eq=False)
class UnknownLevel(PricingError):
    """A rating factor's level that the plan does not know; None: none was given."""

    plan: str
    factor: str
    level: str | None
    known: tuple[str, ...]

    def __str__(self) -> str:
        if self.level is None:
            return f"plan {self.plan}: factor {self.factor!r} is missing (it has {', '.join(self.known)})"
        return f"plan {self.plan}: factor {self.factor!r} has no level {self.level!r} (it has {', '.join(self.known)})"


@dataclass(eq=False)
class NotMoney(PricingError):
    """A number that no amount can be made of."""

    value: str

    def __str__(self) -> str:
        return f"{self.value} is not an amount of money: amounts are finite decimals"


@dataclass(eq=False)
class UnknownCurrency(PricingError):
    """A currency whose minor unit we do not know."""

    currency: str

    def __str__(self) -> str:
        return f"currency {self.currency!r} is not known: add its minor unit to pricing/money.py"


@dataclass(eq=False)
class BadPolicy(PricingError):
    """A policy that cannot be in the book: the field and what is wrong with it."""

    policy: str
    field: str
    problem: str

    def __str__(self) -> str:
        return f"policy {self.policy}: field {self.field!r}: {self.problem}"


@dataclass(eq=False)
class PolicyDiffers(PricingError):
    """A policy id that is in the book already, with other content."""

    policy: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"policy {self.policy} is in the book already and differs in {', '.join(self.fields)}: "
            "a policy is endorsed, not overwritten; give the file another policy id"
        )


@dataclass(eq=False)
class UnknownPolicy(PricingError):
    """A policy id that is not in the book."""

    policy: str

    def __str__(self) -> str:
        return f"no policy {self.policy!r}: add it with `wayrate policy add FILE`"


@dataclass(eq=False)
class UnknownDevice(PricingError):
    """A device that is not enrolled."""

    device: str

    field: ClassVar[str] = "devices"

    def __str__(self) -> str:
        return f"no device {self.device!r}: enrol it with `wayrate device enrol {self.device}`"


@dataclass(eq=False)
class DeviceTaken(PricingError):
    """A device that measures another policy at that time."""

    device: str
    policy: str

    def __str__(self) -> str:
        return f"device {self.device} measures policy {self.policy} already: end that assignment first"


@dataclass(eq=False)
class EndedDevice(PricingError):
    """A device that was ended: it measures nobody from then on."""

    device: str

    field: ClassVar[str] = "device"
    what_to_do: ClassVar[str] = "Enrol the device under another id and link that one."

    def __str__(self) -> str:
        return f"device {self.device} was ended, and its id is not used again"


@dataclass(eq=False)
class NothingToMeasure(PricingError):
    """A device for a policy that covers nothing from that time on."""

    policy: str
    from_time: datetime

    field: ClassVar[str] = "policy"
    what_to_do: ClassVar[str] = "Renew the policy, or link the device to one that is in force then."

    def __str__(self) -> str:
        return f"policy {self.policy} covers nothing from {self.from_time.isoformat()} on: there is no time to measure"


@dataclass(eq=False)
class NoPlan(PricingError):
    """No published rate plan of that name is in effect on the day."""

    name: str
    day: str

    field: ClassVar[str] = "plan"

    def __str__(self) -> str:
        return f"no published rate plan {self.name!r} is in effect on {self.day}"


@dataclass(eq=False)
class PlanVersionTaken(PricingError):
    """A plan's version that is published already, with other content."""

    name: str
    version: str

    def __str__(self) -> str:
        return (
            f"rate plan {self.name} version {self.version} is published with other content: what is published is never "
            "edited; give the changed plan another version"
        )


@dataclass(eq=False)
class AlteredPlan(PricingError):
    """A stored plan whose content is not what its hash says."""

    plan_hash: str
    found: str

    def __str__(self) -> str:
        return f"stored rate plan {self.plan_hash} has the content of {self.found}: it was altered, so it prices none"


@dataclass(eq=False)
class BadPeriod(PricingError):
    """Not a month."""

    text: str

    def __str__(self) -> str:
        return f"{self.text!r} is not a month of the years 1000 to 2999: write it as 2026-10"


@dataclass(eq=False)
class OutsideTerm(PricingError):
    """A change of a policy from a day that its term does not hold."""

    policy: str
    day: str
    starts_on: str
    ends_on: str
    field: str = "effective_on"  # as the request calls the day

    def __str__(self) -> str:
        return f"policy {self.policy}: {self.day} is outside its term, {self.starts_on} to before {self.ends_on}"


@dataclass(eq=False)
class OverlappingPeriods(PricingError):
    """A renewal that begins before the term that it renews ends."""

    policy: str
    starts_on: str
    ends_on: str

    field: ClassVar[str] = "starts_on"

    def __str__(self) -> str:
        return f"policy {self.policy}: a term from {self.starts_on} overlaps the one that ends on {self.ends_on}"


@dataclass(eq=False)
class GapBetweenTerms(PricingError):
    """A renewal that begins after the term that it renews ended: days without cover are no renewal."""

    policy: str
    starts_on: str
    ends_on: str

    field: ClassVar[str] = "starts_on"

    def __str__(self) -> str:
        return (
            f"policy {self.policy}: a term from {self.starts_on} leaves days without cover after {self.ends_on}: "
            "renew it from that day, or bind another policy"
        )


@dataclass(eq=False)
class PolicyCancelled(PricingError):
    """A change of a policy that is cancelled."""

    policy: str
    day: str

    def __str__(self) -> str:
        return f"policy {self.policy} is cancelled from {self.day}: bind another policy"


@dataclass(eq=False)
class Backdated(PricingError):
    """A change from a day before today, by somebody who may only agree on what is to come."""

    policy: str
    day: str
    today: str
    field: str = "effective_on"  # as the request calls the day

    def __str__(self) -> str:
        return f"policy {self.policy}: {self.day} is before today, {self.today}: only an underwriter changes the past"


@dataclass(eq=False)
class NothingChanges(PricingError):
    """An endorsement to what holds already."""

    policy: str
    day: str

    def __str__(self) -> str:
        return f"policy {self.policy}: nothing of it would be different from {self.day}"


@dataclass(eq=False)
class KeyReused(PricingError):
    """An idempotency key that came with another request before."""

    key: str

    def __str__(self) -> str:
        return f"the key {self.key!r} came with another request before: take a fresh key for a fresh request"


@dataclass(eq=False)
class ClaimOutsideCover(PricingError):
    """A claim of a day, or of a peril, that the policy did not cover: before its inception, after its end."""

    claim: str
    policy: str
    day: str
    problem: str

    def __str__(self) -> str:
        return f"claim {self.claim}: policy {self.policy} gave no cover on {self.day}: {self.problem}"


@dataclass(eq=False)
class ClaimDiffers(PricingError):
    """A claim id that is kept already, with other facts."""

    claim: str

    def __str__(self) -> str:
        return f"claim {self.claim} is kept already with other facts: a claim is never overwritten"


@dataclass(eq=False)
class UnknownClaim(PricingError):
    """A claim id that was never kept."""

    claim: str

    def __str__(self) -> str:
        return f"no claim {self.claim!r}: keep it with `wayrate policy claim` first"


@dataclass(eq=False)
class ClaimInTheWay(PricingError):
    """A cancellation from a day before a claim that was kept for the policy."""

    policy: str
    day: str
    claim: str

    def __str__(self) -> str:
        return f"policy {self.policy} cannot end on {self.day}: claim {self.claim} occurred on that day or later"


@dataclass(eq=False)
class NothingToContest(PricingError):
    """A contest of a trip or event that is not there (any more)."""

    trip: str

    def __str__(self) -> str:
        return f"there is no such trip or event to contest in {self.trip}"


@dataclass(eq=False)
class AlreadyContested(PricingError):
    """A trip or event that was contested before: a contest has one decision."""

    contest: str

    def __str__(self) -> str:
        return f"it was contested before, by contest {self.contest}"


@dataclass(eq=False)
class TooLateToContest(PricingError):
    """A contest after the time in which the readings behind a trip are sure to be kept."""

    days: int

    def __str__(self) -> str:
        return f"a trip can be contested within {self.days} days, while the readings behind it are sure to be kept"


@dataclass(eq=False)
class BadContest(PricingError):
    """A contest or a decision that lacks what it needs: the field and what is wrong with it."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"field {self.field!r}: {self.problem}"


@dataclass(eq=False)
class UnknownContest(PricingError):
    """No such contest, or not one that this person may know of."""

    contest: str

    def __str__(self) -> str:
        return f"there is no contest {self.contest!r}"


@dataclass(eq=False)
class ContestDecided(PricingError):
    """A contest has one decision, and it is never edited."""

    contest: str

    def __str__(self) -> str:
        return f"contest {self.contest} is decided already"


@dataclass(eq=False)
class EvidenceNotSeen(PricingError):
    """A decision by somebody who has not looked at the evidence."""

    contest: str

    def __str__(self) -> str:
        return f"contest {self.contest} is decided by somebody who has looked at its evidence: open it first"


@dataclass(eq=False)
class NotEligible(PricingError):
    """A choice that this customer cannot have, and why."""

    field: str
    because: str

    def __str__(self) -> str:
        return f"{self.field} cannot be chosen: {self.because}"
