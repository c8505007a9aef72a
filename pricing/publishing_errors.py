"""What publishing a rate plan refuses."""

from dataclasses import dataclass

from pricing.errors import PricingError


@dataclass(eq=False)
class NoBiasTest(PricingError):
    """A jurisdiction that asks for a test of unfair discrimination, and a plan submitted without one."""

    name: str
    version: str
    jurisdiction: str

    def __str__(self) -> str:
        return (
            f"rate plan {self.name} version {self.version}: {self.jurisdiction} asks for a bias test: run "
            "`wayrate plan audit PLAN BOOK.parquet --json` and give what it prints with --bias-test"
        )


@dataclass(eq=False)
class WrongBiasTest(PricingError):
    """A bias test of another plan."""

    plan_hash: str
    tested: str

    def __str__(self) -> str:
        return f"the bias test is of plan {self.tested}, not of {self.plan_hash}: run it again on this plan"


@dataclass(eq=False)
class NotSubmitted(PricingError):
    """A plan to approve that nobody submitted as it is."""

    name: str
    version: str
    plan_hash: str
    submitted: str | None

    def __str__(self) -> str:
        if self.submitted is None:
            return f"rate plan {self.name} version {self.version} ({self.plan_hash}) was not submitted by anybody"
        return (
            f"rate plan {self.name} version {self.version} is not what was submitted: its hash is {self.plan_hash}, "
            f"that of the submission {self.submitted}; whoever changed it must submit it again"
        )


@dataclass(eq=False)
class OwnApproval(PricingError):
    """An author who approves."""

    name: str
    version: str
    author: str

    def __str__(self) -> str:
        return (
            f"rate plan {self.name} version {self.version} was submitted by {self.author}: another person approves it"
        )


@dataclass(eq=False)
class SubmissionExpired(PricingError):
    """A submission that waited too long for its approval."""

    name: str
    version: str
    submitted_on: str
    days: int

    def __str__(self) -> str:
        return (
            f"rate plan {self.name} version {self.version} was submitted on {self.submitted_on}, over {self.days} days "
            "ago: look at it again and submit it as another version"
        )
