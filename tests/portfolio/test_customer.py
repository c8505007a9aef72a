"""The next step: what is owed comes first, nobody is contacted too often, and silence is an answer."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from portfolio.customer import Known, next_step

QUIET = Known(
    today=date(2026, 11, 24),
    complaint_since=None,
    contest_since=None,
    measured=True,
    last_trip_on=date(2026, 11, 23),
    premium_change=Decimal("0.02"),
    largest_cause="kilometres",
    declared_km_per_year=10_000,
    driven_km_per_year=10_500.0,
    contacts=0,
    coaching_consent=True,
    coaching=None,
)
OWED = {
    "complaint": {"complaint_since": datetime(2026, 11, 20, tzinfo=UTC)},
    "contest": {"contest_since": datetime(2026, 11, 1, tzinfo=UTC)},
    "device": {"last_trip_on": date(2026, 11, 1)},
    "explain": {"premium_change": Decimal("0.25")},
}
HELPFUL = {"declared_km": {"driven_km_per_year": 20_000.0}, "coaching": {"coaching": "less at night"}}


def test_where_nothing_is_owed_nothing_is_offered() -> None:
    assert next_step(QUIET).name == "nothing"


@pytest.mark.parametrize("name", [*OWED, *HELPFUL])
def test_each_step_has_its_cause(name: str) -> None:
    step = next_step(replace(QUIET, **(OWED | HELPFUL)[name]))
    assert step.name == name
    assert step.why


def test_what_is_owed_comes_in_order_and_before_what_helps() -> None:
    everything = {key: value for one in [*OWED.values(), *HELPFUL.values()] for key, value in one.items()}
    known = replace(QUIET, **everything)
    found = []
    undo = {
        "complaint": "complaint_since",
        "contest": "contest_since",
        "device": "last_trip_on",
        "explain": "premium_change",
    }
    while (step := next_step(known)).name in undo:
        found.append(step.name)
        known = replace(known, **{undo[step.name]: getattr(QUIET, undo[step.name])})
    assert found == list(OWED)
    assert step.name == "declared_km"


def test_nobody_is_contacted_a_third_time_but_what_is_owed_is_still_done() -> None:
    often = replace(QUIET, contacts=2, **HELPFUL["declared_km"])
    assert next_step(often).name == "nothing"
    assert next_step(replace(often, **OWED["contest"])).name == "contest"


def test_coaching_asks_for_consent() -> None:
    assert next_step(replace(QUIET, **HELPFUL["coaching"], coaching_consent=False)).name == "nothing"
    assert next_step(replace(QUIET, **HELPFUL["coaching"], coaching_consent=None)).name == "nothing"
