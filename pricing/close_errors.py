"""What closing a period refuses."""

from dataclasses import dataclass

from pricing.errors import PricingError

MOST_NAMED = 20


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
class NotAllPriced(PricingError):
    """Policies that could not be priced, each with its reason; what was posted of the others stands."""

    posted: tuple[object, ...]
    problems: tuple[tuple[str, PricingError], ...]

    def __str__(self) -> str:
        each = "; ".join(f"{policy}: {problem}" for policy, problem in self.problems[:MOST_NAMED])
        if len(self.problems) > MOST_NAMED:
            each += f"; and {len(self.problems) - MOST_NAMED} more"
        return (
            f"{len(self.problems)} policy(s) could not be priced and wait until they can; of the others "
            f"{len(self.posted)} posting(s) were made. {each}"
        )
