"""The SQL of experiments: plans, steps and outcomes, added and never edited. Role: policy."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from portfolio.consent_store import purpose_named
from portfolio.experiments import Assessment, Plan
from storage.pool import Conn

RESEARCH = "research"  # the purpose that lets a person be in an experiment

_INSERT = """
    insert into policy.experiment (name, template, plan, planned_by, planned_at) values (%s, %s, %s, %s, %s)
    on conflict do nothing
"""
_STEP = """
    insert into policy.experiment_step (name, step, words, done_by, done_at, verdict) values (%s, %s, %s, %s, %s, %s)
    on conflict do nothing
"""
_ALL = "select name, template, plan, planned_by, planned_at from policy.experiment order by planned_at desc, name"
_ONE = "select name, template, plan, planned_by, planned_at from policy.experiment where name = %s"
_STEPS = "select name, step, words, done_by, done_at, verdict from policy.experiment_step order by done_at"
# Of those who agree to research as it is worded today: who withdraws is out of it in the next look.
_OUTCOME = """
    insert into policy.experiment_outcome (name, person_key, outcome, guarded, known_at)
    select %(name)s, %(person)s, %(outcome)s, %(guarded)s, %(known_at)s
     where policy.agrees(%(person)s, 'research', %(words)s) on conflict do nothing
"""
_OUTCOMES = """
    select person_key, outcome, guarded from policy.experiment_outcome
     where name = %(name)s and policy.agrees(person_key, 'research', %(words)s) order by known_at, person_key
"""
_RUNNING = """
    select e.name, e.template, e.plan, e.planned_by, e.planned_at from policy.experiment e
     where e.template = %s
       and exists (select 1 from policy.experiment_step s where s.name = e.name and s.step = 'build')
       and not exists (select 1 from policy.experiment_step s where s.name = e.name and s.step = 'assess')
"""
_ALL_RUNNING = """
    select e.name, e.template, e.plan, e.planned_by, e.planned_at, b.done_at,
           exists (select 1 from policy.experiment_step s where s.name = e.name and s.step = 'execute')
      from policy.experiment e join policy.experiment_step b on b.name = e.name and b.step = 'build'
     where not exists (select 1 from policy.experiment_step s where s.name = e.name and s.step = 'assess')
     order by b.done_at, e.name
"""
# The latest finished one of each contact, where what is measured is whether people stay.
_EFFECTS = """
    select distinct on (e.plan ->> 'action') e.plan ->> 'action', e.name, s.verdict
      from policy.experiment e join policy.experiment_step s on s.name = e.name and s.step = 'assess'
     where e.plan ->> 'measured_by' = 'stays' and e.plan ->> 'action' is not null
       and s.verdict ->> 'verdict' <> 'undecided'
     order by 1, s.done_at desc
"""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is tried, as it was planned."""

    name: str
    template: str | None
    plan: dict[str, Any]
    planned_by: UUID
    planned_at: datetime

    @property
    def planned(self) -> Plan:
        """The plan."""
        return Plan(**self.plan)


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment that is built and not assessed; once it is executed nobody more is treated."""

    experiment: Experiment
    built_at: datetime
    is_executed: bool


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step that was done."""

    name: str
    step: str
    words: str
    done_by: UUID
    done_at: datetime
    verdict: dict[str, Any] | None


def insert_experiment(conn: Conn, plan: Plan, template: str | None, by: UUID, as_of: datetime) -> bool:
    """False where the name is taken."""
    return conn.execute(_INSERT, (plan.name, template, Jsonb(asdict(plan)), by, as_of)).rowcount == 1


def insert_step(
    conn: Conn,
    name: str,
    step: str,
    words: str,
    *,
    by: UUID,
    as_of: datetime,
    verdict: Assessment | None = None,
    by_customer: Mapping[str, Any] | None = None,
) -> bool:
    """False where it was done before. `by_customer`: how the effect differs by customer, kept with the verdict."""
    kept = None if verdict is None else Jsonb(_finite(asdict(verdict)) | {"by_customer": by_customer})
    return conn.execute(_STEP, (name, step, words, by, as_of, kept)).rowcount == 1


def fetch_experiments(conn: Conn) -> list[Experiment]:
    """All, the latest planned first."""
    with conn.cursor(row_factory=class_row(Experiment)) as cur:
        return cur.execute(_ALL).fetchall()


def fetch_experiment(conn: Conn, name: str) -> Experiment | None:
    """One of them."""
    with conn.cursor(row_factory=class_row(Experiment)) as cur:
        return cur.execute(_ONE, (name,)).fetchone()


def fetch_running(conn: Conn, template: str) -> list[Experiment]:
    """Those that are built and not yet assessed, of one offer: their held-out people do not get it."""
    with conn.cursor(row_factory=class_row(Experiment)) as cur:
        return cur.execute(_RUNNING, (template,)).fetchall()


def fetch_all_running(conn: Conn) -> list[Running]:
    """All that are built and not assessed, in the order in which they were built."""
    with conn.cursor(row_factory=tuple_row) as cur:
        rows = cur.execute(_ALL_RUNNING).fetchall()
    return [Running(Experiment(*row[:5]), row[5], row[6]) for row in rows]


def fetch_effects(conn: Conn) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, experiment and verdict of the latest that decided each contact before a renewal."""
    with conn.cursor(row_factory=tuple_row) as cur:
        return [(str(row[0]), str(row[1]), row[2]) for row in cur.execute(_EFFECTS).fetchall()]


def fetch_steps(conn: Conn) -> list[StepRow]:
    """Every step of every experiment, in order of time."""
    with conn.cursor(row_factory=class_row(StepRow)) as cur:
        return cur.execute(_STEPS).fetchall()


def insert_outcomes(conn: Conn, name: str, rows: Sequence[tuple[UUID, float, float | None]], as_of: datetime) -> int:
    """How many were new; a person's first outcome stands, and who has not agreed to research has none."""
    words = purpose_named(RESEARCH).text_hash
    kept = [
        {"name": name, "person": person, "outcome": outcome, "guarded": guarded, "known_at": as_of, "words": words}
        for person, outcome, guarded in rows
    ]
    with conn.cursor() as cur:
        cur.executemany(_OUTCOME, kept)
        return max(cur.rowcount, 0)


def fetch_outcomes(conn: Conn, name: str) -> list[tuple[UUID, float, float | None]]:
    """Person, outcome, guarded, in the order in which they became known, of those who agree to research now."""
    values = {"name": name, "words": purpose_named(RESEARCH).text_hash}
    with conn.cursor(row_factory=tuple_row) as cur:
        return [(UUID(str(row[0])), row[1], row[2]) for row in cur.execute(_OUTCOMES, values).fetchall()]


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: an interval that says nothing yet has no ends."""
    return {
        name: None if isinstance(value, float) and value in (float("inf"), float("-inf")) else value
        for name, value in values.items()
    }
