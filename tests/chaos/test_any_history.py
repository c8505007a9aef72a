"""Any history of uploads, deaths, closes and adjustments ends at what one upload in order and one close give."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from pricing.store import Change, fetch_changes, forget_changes
from scoring.worker import Span, merge_spans
from storage.pool import Conn, Database
from tests.chaos.failpoints import install
from tests.chaos.history import FIRST_CLOSE, LONGEST, Interruption, Outcome, System
from tests.chaos.world import DEVICES, PERIODS, records

FETCH_CHANGES = fetch_changes
RECORDS = {device_id: records(number) for number, device_id in enumerate(DEVICES)}
SEEDS = st.integers(0, 2**16)
CARS = st.sampled_from(DEVICES)


def interruptions(*others: str, steps: int) -> st.SearchStrategy[Interruption | None]:
    """None, a death at any of so many steps, or another's deed there; never one that waits for what it interrupts."""
    struck = st.builds(Interruption, st.integers(0, steps), st.sampled_from(("die", "die", "die", *others)))
    return st.one_of(st.none(), struck, struck)


class History(RuleBasedStateMachine):
    """Rules are what may happen; the law stands in `teardown`."""

    def __init__(self, system: System, expected: Outcome) -> None:
        super().__init__()
        self.system, self.expected = system, expected

    @initialize()
    def begin(self) -> None:
        self.system.forget()

    @rule(
        car=CARS, start=st.floats(0, 1), length=st.integers(1, 400), stride=st.sampled_from((1, 1, -1, 2, 3, 7)),
        again=st.booleans(), interruption=interruptions("work", "close", "adjust", steps=24), seed=SEEDS,
    )  # fmt: skip
    def upload(
        self,
        car: str,
        start: float,
        length: int,
        stride: int,
        again: bool,
        interruption: Interruption | None,
        seed: int,
    ) -> None:
        rows = range(len(RECORDS[car]))[int(start * (len(RECORDS[car]) - 1)) :: stride][:length]
        with self.system.interrupted(interruption, seed):
            self.system.upload(car, rows)
            if again:
                self.system.upload(car, rows[::-1])

    @rule(interruption=interruptions("upload", "close", "adjust", "work", steps=60), seed=SEEDS)
    def work(self, interruption: Interruption | None, seed: int) -> None:
        with self.system.interrupted(interruption, seed):
            self.system.work()

    @rule(period=st.sampled_from(PERIODS), interruption=interruptions("upload", "work", steps=24), seed=SEEDS)
    def close(self, period: str, interruption: Interruption | None, seed: int) -> None:
        with self.system.interrupted(interruption, seed):
            self.system.close(period)

    @rule(interruption=interruptions("upload", "work", steps=30), seed=SEEDS)
    def adjust(self, interruption: Interruption | None, seed: int) -> None:
        with self.system.interrupted(interruption, seed):
            self.system.adjust()

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.system.now = min(self.system.now + timedelta(days=days), FIRST_CLOSE + LONGEST)

    def teardown(self) -> None:
        self.system.settle()
        assert self.system.outcome() == self.expected


@pytest.fixture
def system(database: Database, monkeypatch: pytest.MonkeyPatch) -> System:
    found = System(database, install(monkeypatch), RECORDS)
    found.enter()
    return found


@pytest.fixture
def expected(system: System) -> Outcome:
    """One upload in order, one pass, one close."""
    system.forget()
    for device_id in DEVICES:
        system.upload(device_id, range(len(RECORDS[device_id])))
    system.finish()
    return system.outcome()


def run(system: System, expected: Outcome, *, examples: int, steps: int, **changes: object) -> None:
    """So many histories of so many deeds each; one that breaks the law is printed in its shortest form."""
    made = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck), **changes,
    )  # type: ignore[arg-type]  # fmt: skip
    run_state_machine_as_test(lambda: History(system, expected), settings=made)  # type: ignore[no-untyped-call]


def test_any_history_ends_at_the_same_trips_scores_and_premiums(system: System, expected: Outcome) -> None:
    assert {name: rows for name, (rows, _) in expected.parts.items() if rows < 5} == {}
    assert all(sum(lines.values()) > 0 for lines in expected.totals.values())
    run(system, expected, examples=8, steps=12, derandomize=True)
    assert system.deaths > 1
    assert system.overtaken > 1


@pytest.mark.long
def test_many_histories(system: System, expected: Outcome) -> None:
    run(system, expected, examples=200, steps=25)
    print(f"{system.deaths} deaths, {system.overtaken} times overtaken")


def cut_only_what_came(conn: Conn, device_key: int, windows: list[Span], gap_us: int) -> list[Span]:
    """A worker that does not look beyond the dirty window."""
    return merge_spans(windows)


def lose_one(conn: Conn) -> list[Change]:
    """A closer that forgets a change before its adjustment is posted, and never comes to it."""
    changes = FETCH_CHANGES(conn)
    forget_changes(conn, changes[-1:])
    return changes[:-1]


@pytest.mark.long
@pytest.mark.parametrize(
    ("place", "mistake"),
    [("scoring.worker.regions", cut_only_what_came), ("pricing.store.fetch_changes", lose_one)],
    ids=["worker", "adjustments"],
)
def test_a_mistake_is_found(
    system: System, expected: Outcome, monkeypatch: pytest.MonkeyPatch, place: str, mistake: Callable[..., object]
) -> None:
    """The controls: with these mistakes in the code some history breaks the law."""
    monkeypatch.setattr(place, mistake)
    with pytest.raises(AssertionError):
        run(system, expected, examples=200, steps=25, phases=(Phase.generate,))
