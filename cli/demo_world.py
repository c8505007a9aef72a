"""The world of `wayrate demo`: who is in it. Simulated people on real roads, the same at every run."""

from dataclasses import dataclass
from datetime import UTC, datetime

SEED = 20261001
PERIOD = "2026-10"
FIRST_DAY = datetime(2026, 10, 1, tzinfo=UTC).date()
DAYS = 30
TIME_ZONE = "Europe/Helsinki"
UPLOADED_AT = datetime(2026, 11, 1, 6, tzinfo=UTC)
CLOSED_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATE_AT = datetime(2026, 11, 9, 9, tzinfo=UTC)
PASSWORD = "simulated-month"  # noqa: S105  of a throw-away database on this machine, printed for whoever runs it
UNDERWRITER = "underwriter@demo.example"

PAY_PLANS = ("autograph", "per_km", "flat")
AGES = (24, 31, 38, 45, 52, 67, 29)
VEHICLE_CLASSES = ("small", "compact", "suv", "compact")
TERRITORIES = ("urban", "urban", "suburban")


@dataclass(frozen=True, slots=True)
class Participant:
    """One simulated policyholder with one car and one device."""

    number: int

    @property
    def policy_id(self) -> str:
        """`DEMO-01`, `DEMO-02`, ..."""
        return f"DEMO-{self.number:02}"

    @property
    def device_id(self) -> str:
        """`demo-car-01`, ..."""
        return f"demo-car-{self.number:02}"

    @property
    def email(self) -> str:
        """The address to sign in with."""
        return f"driver{self.number:02}@demo.example"

    @property
    def name(self) -> str:
        """Says what it is: nobody real."""
        return f"Simulated driver {self.number:02}"


PARTICIPANTS = tuple(Participant(number) for number in range(1, 15))
