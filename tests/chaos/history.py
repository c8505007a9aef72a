"""What can happen to a system: uploads, passes of the worker, closes, adjustments, each cut short or overtaken."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from ingest.accept import accept
from ingest.devices import enrol, find_device
from ingest.store import Device
from pricing.close import close_period, post_adjustments
from pricing.policies import PolicyDocument, add_policy
from pricing.store import fetch_statement_of_period
from scoring.match import Matcher
from scoring.roads import RoadMap
from scoring.verify import verify
from scoring.worker import work_once
from storage.pool import Database
from tests.chaos.failpoints import Failpoint, Killed, die
from tests.chaos.world import DEVICES, PERIODS, POLICY_OF, Sent, frames
from tests.pricing.book import FIELDS

FIRST_CLOSE = datetime(
    2026, 11, 2, tzinfo=UTC
)  # both months are over; all readings are younger than 90 days till 27 Dec
LONGEST = timedelta(days=40)
_FORGET = (
    "telemetry.reading", "telemetry.quarantine", "telemetry.upload", "telemetry.dirty_window", "telemetry.trip",
    "telemetry.trip_change", "policy.statement",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the law speaks of: rows and digest of each part, and what each policy's month comes to, line by line."""

    parts: dict[str, tuple[int, str]]
    totals: dict[tuple[str, str], dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Interruption:
    """At step `at` of what is done, `what` happens: the process dies, or another process does that meanwhile."""

    at: int
    what: str  # die, upload, work, close, adjust


@dataclass(slots=True)
class System:
    """A real database with two cars and their policies, and the clock of what happens to them."""

    database: Database
    failpoint: Failpoint
    worlds: dict[str, list[Sent]]
    matcher: Matcher | None = None
    roads: RoadMap | None = None
    now: datetime = FIRST_CLOSE
    deaths: int = 0
    overtaken: int = 0
    devices: dict[str, Device] = field(default_factory=dict)
    acknowledged: dict[str, set[int]] = field(default_factory=dict)

    def enter(self) -> None:
        """Devices and policies, once."""
        for device_id in DEVICES:
            with self.database.role("telemetry") as conn:
                enrol(conn, device_id, FIRST_CLOSE - timedelta(days=300))
                self.devices[device_id] = find_device(conn, device_id)
            fields = FIELDS | {
                "policy": POLICY_OF[device_id],
                "email": f"{device_id}@example.com",
                "name": device_id,
                "devices": [device_id],
            }
            add_policy(self.database, PolicyDocument("test.toml", fields), FIRST_CLOSE)

    def forget(self) -> None:
        """Everything away but devices, policies and plans."""
        self.now = FIRST_CLOSE
        self.acknowledged = {device_id: set() for device_id in DEVICES}
        with self.database.role("owner") as conn:
            conn.execute("set local session_replication_role = replica")  # statements refuse to be truncated
            conn.execute(f"truncate {', '.join(_FORGET)} cascade")  # type: ignore[arg-type]

    # What happens

    def upload(self, device_id: str, rows: Sequence[int]) -> None:
        """These records of the car, in this order, through the front door."""
        world = self.worlds[device_id]
        for frame in frames({row: world[row] for row in rows}):
            accept(
                self.database, self.devices[device_id], frame.body, frame.decode, received_at=self.now,
                channel=frame.protocol, decoder_version="test/1",
            )  # fmt: skip
            self.acknowledged[device_id].update(frame.rows)

    def work(self) -> None:
        """One pass of the worker."""
        work_once(self.database, self.matcher, self.roads, as_of=self.now)

    def close(self, period: str) -> None:
        """The month's statements."""
        close_period(self.database, period, self.now)

    def adjust(self) -> None:
        """What changed trips mean for what was posted."""
        post_adjustments(self.database, self.now)

    def meanwhile(self, what: str, seed: int) -> Callable[[], None]:
        """An interruption as a function; `seed` draws its details."""
        rng = np.random.default_rng(seed)
        device_id = DEVICES[int(rng.integers(2))]
        count = len(self.worlds[device_id])
        start, length = int(rng.integers(count)), int(rng.integers(1, count))
        doings: dict[str, Callable[[], None]] = {
            "upload": lambda: self.upload(device_id, range(start, min(start + length, count))),
            "work": self.work,
            "close": lambda: self.close(PERIODS[seed % 2]),
            "adjust": self.adjust,
        }

        def act() -> None:
            if what == "die":
                self.deaths += 1
                die()
            self.overtaken += 1
            doings[what]()

        return act

    @contextmanager
    def interrupted(self, interruption: Interruption | None, seed: int) -> Iterator[None]:
        """The block with the interruption in it; it ends early, and silently, when it dies."""
        if interruption is None:
            yield
            return
        self.failpoint.arm(interruption.at, self.meanwhile(interruption.what, seed))
        try:
            yield
        except Killed:
            pass
        finally:
            self.failpoint.disarm()

    # What came of it

    def settle(self) -> None:
        """What was not acknowledged comes, a stretch of it at a time, the last first; then nothing is left to do.

        What was acknowledged does not come again: that would mark it all dirty, and hide what a pass left undone.
        """
        for device_id in DEVICES:
            for stretch in reversed(self.missing(device_id)):
                self.upload(device_id, stretch)
                self.work()
        self.finish()

    def missing(self, device_id: str) -> list[list[int]]:
        """The records that were not acknowledged yet, in order, in three uploads."""
        absent = sorted(set(range(len(self.worlds[device_id]))) - self.acknowledged[device_id])
        return [part.tolist() for part in np.array_split(absent, 3) if len(part)]

    def finish(self) -> None:
        """All windows scored, both months closed, every change followed."""
        self.work()
        for period in PERIODS:
            self.close(period)
        self.adjust()

    def outcome(self) -> Outcome:
        """Digests and totals; conservation must hold, and doing everything again must change nothing."""
        before = self._outcome()
        self.finish()
        assert self._outcome() == before
        with self.database.role("telemetry") as conn:
            for table in ("dirty_window", "trip_change"):
                assert conn.execute(f"select count(*) from telemetry.{table}").fetchone() == (0,)  # type: ignore[arg-type]
        return before

    def _outcome(self) -> Outcome:
        found = verify(self.database)
        assert found.breaks == ()
        parts = {part.name: (part.rows, part.digest) for part in found.parts}
        totals: dict[tuple[str, str], dict[str, Decimal]] = {}
        with self.database.role("policy") as conn:
            for policy_id in POLICY_OF.values():
                for period in PERIODS:
                    statement = fetch_statement_of_period(conn, policy_id, period)
                    lines: dict[str, Decimal] = {}
                    for posting in statement.postings if statement else ():
                        for line in posting.lines:
                            lines[line["name"]] = lines.get(line["name"], Decimal(0)) + Decimal(line["amount"])
                    totals[policy_id, period] = {name: amount for name, amount in lines.items() if amount}
        return Outcome(parts, totals)
