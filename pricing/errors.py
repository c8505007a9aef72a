"""What pricing refuses, with its facts."""

from dataclasses import dataclass


class PricingError(Exception):
    """Base of pricing's errors."""


@dataclass(eq=False)
class BadPlan(PricingError):
    """A rate plan that must not price: the place in the file and what is wrong there."""

    source: str
    place: str
    problem: str

    def __str__(self) -> str:
        return f"rate plan {self.source}: {self.place}: {self.problem}"


@dataclass(eq=False)
class UnknownLevel(PricingError):
    """A rating factor's level that the plan does not know."""

    plan: str
    factor: str
    level: str
    known: tuple[str, ...]

    def __str__(self) -> str:
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
class NoPlan(PricingError):
    """No published rate plan of that name is in effect on the day."""

    name: str
    day: str

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
class PeriodNotOver(PricingError):
    """A month that has not ended yet at the given time."""

    period: str
    policy: str
    ends_at: str

    def __str__(self) -> str:
        return (
            f"{self.period} is not over ({self.policy}) before {self.ends_at}: close it then, or give a later --as-of"
        )


@dataclass(eq=False)
class BadPeriod(PricingError):
    """Not a month."""

    text: str

    def __str__(self) -> str:
        return f"{self.text!r} is not a month: write it as 2026-10"
