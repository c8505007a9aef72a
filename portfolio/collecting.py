"""Outcomes that arrive by themselves: what became of people is put into the running experiments, by the lot of each.

Who answered an offer, and who renewed, is known to the system; nobody has to tell it. An outcome counts for the arm of
the lot whatever was done, of those alone who agree to research.
"""

from datetime import datetime

from portfolio import experiment_store as store
from portfolio.board import HELD_OUT
from portfolio.experiment_store import Experiment
from portfolio.offers import templates
from portfolio.outcome_store import Found, fetch_stays, fetch_takes
from storage.pool import Conn


def collect_outcomes(conn: Conn, as_of: datetime) -> dict[str, int]:
    """Puts what is known by now into every running experiment that measures it: how many were new, by its name."""
    kept = {}
    for running in store.fetch_all_running(conn):
        found = _found(conn, running.experiment, running.built_at, as_of)
        if found:
            kept[running.experiment.name] = store.insert_outcomes(conn, running.experiment.name, found, as_of)
    return {name: count for name, count in kept.items() if count}


def _found(conn: Conn, experiment: Experiment, built_at: datetime, as_of: datetime) -> Found:
    plan = experiment.planned
    if plan.measured_by == "stays":
        return fetch_stays(conn, plan.name, built_at, as_of)
    if plan.measured_by == "takes" and experiment.template in templates():
        about = templates()[experiment.template].about
        held = HELD_OUT.format(name=plan.name)
        return fetch_takes(conn, plan.name, experiment.template, about, held, built_at, as_of)
    return []
