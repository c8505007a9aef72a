"""The world of `wayrate demo`: who is in it. Simulated people on real roads, the same at every run."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

SEED = 20261001
PERIOD = "2026-10"
FIRST_DAY = date(2026, 10, 1)
DAYS = 30
UNDER_WAY = date(2026, 11, 1)  # the month that is not over yet, and has no statement
DAYS_UNDER_WAY = 8
DRIVERS_UNDER_WAY = 3
TIME_ZONE = "Europe/Helsinki"
UPLOADED_AT = datetime(2026, 11, 1, 6, tzinfo=UTC)
CLOSED_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATE_AT = datetime(2026, 11, 9, 9, tzinfo=UTC)
PASSWORD = "simulated-month"  # noqa: S105  of a throw-away database on this machine, printed for whoever runs it
LATE_DRIVER = 0
UNDERWRITER = "underwriter@demo.example"
SUPPORT = "support@demo.example"
ACTUARY = "actuary@demo.example"
SECOND_ACTUARY = "second.actuary@demo.example"
PRIVACY_OFFICER = "privacy@demo.example"
ADMIN = "admin@demo.example"

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

    @property
    def pay_plan(self) -> str:
        """The three pay plans in turn."""
        return PAY_PLANS[(self.number - 1) % len(PAY_PLANS)]

    def policy(self) -> dict[str, object]:
        """The policy as a file would describe it."""
        return {
            "policy": self.policy_id,
            "name": self.name,
            "email": self.email,
            "starts_on": date(2026, 1, 1),
            "ends_on": date(2027, 1, 1),
            "time_zone": TIME_ZONE,
            "plan": "wayrate-2026",
            "pay_plan": self.pay_plan,
            "covers": ["liability", "collision"] if self.number % 4 else ["liability"],
            "declared_km_per_year": 4_000 + 2_500 * (self.number % 5),
            "factors": {
                "vehicle_class": VEHICLE_CLASSES[self.number % len(VEHICLE_CLASSES)],
                "territory": TERRITORIES[self.number % len(TERRITORIES)],
                "driver_age": AGES[self.number % len(AGES)],
            },
        }


PARTICIPANTS = tuple(Participant(number) for number in range(1, 15))
