"""The next step: what is owed comes first, nobody is contacted too often, and silence is an answer."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from portfolio.customer import Known, next_step
from portfolio.needs import Use, needs_of
from portfolio.offer_store import Offer
from portfolio.offers import answered
from portfolio.suppression import Circumstances, left_alone

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
    left_alone=(),
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
    assert left_alone(Circumstances(contacts=1)) == ()
    often = replace(QUIET, left_alone=left_alone(Circumstances(contacts=2)), **HELPFUL["declared_km"])
    assert next_step(often).name == "nothing"
    assert "2 contacts" in next_step(often).why
    assert next_step(replace(often, **OWED["contest"])).name == "contest"


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (Circumstances(claim_since=date(2026, 11, 2)), "claim"),
        (Circumstances(complaint_since=date(2026, 11, 2)), "complaint"),
        (Circumstances(needs_care=True), "care"),
    ],
)
def test_who_has_trouble_is_left_alone_and_the_card_says_why(found: Circumstances, word: str) -> None:
    step = next_step(replace(QUIET, left_alone=left_alone(found), **HELPFUL["declared_km"]))
    assert (step.name, word in step.why) == ("nothing", True)


def test_needs_follow_from_what_is_known_and_nothing_is_guessed() -> None:
    assert needs_of(Use()) == ()
    family = Use(declared_km_per_year=9000, driver_age=40, household_vehicles=2, household_people=4, children=2)
    assert [one.name for one in needs_of(family)] == ["family", "several drivers", "several vehicles"]
    assert [one.name for one in needs_of(Use(declared_km_per_year=9000, driven_km_per_year=4000))] == ["low mileage"]
    nights = Use(declared_km_per_year=9000, measured_km=900, night_share=0.35)
    assert [one.name for one in needs_of(nights)] == ["night worker"]
    assert needs_of(replace(nights, measured_km=200)) == ()  # too few kilometres to say


def test_coaching_asks_for_consent() -> None:
    assert next_step(replace(QUIET, **HELPFUL["coaching"], coaching_consent=False)).name == "nothing"
    assert next_step(replace(QUIET, **HELPFUL["coaching"], coaching_consent=None)).name == "nothing"


def test_a_need_tells_what_became_of_the_offer_that_served_it() -> None:
    """Taken, refused, or a month of silence: each changes what is known of the need; an open offer does not yet."""
    now, made = datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    needs = needs_of(Use(declared_km_per_year=4000.0))

    def told(taken: bool | None, made_at: datetime = made, template: str = "declared_km") -> str:
        offer = Offer(uuid4(), template, "Words.", [], made_at, taken, None if taken is None else now)
        return answered(needs, [offer], now)[0].because

    assert told(True).endswith("; an offer for it was taken on 2026-11-24")
    assert told(False).endswith("; an offer for it was refused on 2026-11-24")
    assert told(None).endswith("; no answer to the offer for it of 2026-10-01")
    assert told(None, now) == needs[0].because
    assert told(False, template="coaching") == needs[0].because  # serves no need of mileage
