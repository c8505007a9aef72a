"""Own claims are worked out at a renewal from what is on record, charged for that term, and declared by nobody."""

from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817

import pytest

from pricing.agreements import Asked, endorse, keep_claim, renew
from pricing.close import close_period
from pricing.errors import BadPlan, BadPolicy
from pricing.live_book import live_impact
from pricing.plan import OWN_CLAIMS, check_profile, parse_plan
from pricing.policies import add_policy, packaged_plan
from pricing.rating import Inputs, Terms, rate_period
from pricing.store import fetch_policy
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, document
from tests.pricing.test_agreements import WHO
from tests.pricing.test_plan_in_force import postings, put_into_the_book

BANDS = """
[factors.own_claims_percent]
bands = [
    { from = 0, to = 90, relativity = "0.80" },
    { from = 90, to = 110, relativity = "1.00" },
    { from = 110, to = 130, relativity = "1.20" },
    { from = 130, to = 1000, relativity = "1.35" },
]
"""
SECTION = """
[own_claims]
shape = "2.5"
half_life_years = "5"
claims_per_100000_km = "1"
covers = ["liability"]
"""
CONTENT = (
    packaged_plan().content.replace('name = "wayrate-2026"', 'name = "own-claims"').replace("2026-01-01", "2019-01-01")
)
PLAN = parse_plan(CONTENT + BANDS + SECTION, "own claims")
NOW = datetime(2026, 12, 2, tzinfo=UTC)


def asked(key: str) -> Asked:
    return Asked(WHO, key, NOW, may_backdate=True)


def test_a_renewal_is_charged_by_the_claims_on_record(database: Database) -> None:
    put_into_the_book(database, PLAN)
    add_with_device(
        database, plan=PLAN.name, pay_plan="flat", declared_km_per_year=36_500, covers=["liability", "collision"]
    )
    keep_claim(database, "P-1", "C-1", "liability", date(2026, 10, 10), NOW)
    keep_claim(database, "P-1", "C-0", "collision", date(2026, 10, 11), NOW)  # not of a cover that is meant
    close_period(database, "2026-10", NOW)
    close_period(database, "2026-11", NOW)
    assert "own claims percent: 90 to under 110" in str(postings(database)[0].worksheet)
    days = date(2027, 1, 1), date(2028, 1, 1)
    with pytest.raises(BadPolicy, match=f"factors.{OWN_CLAIMS}': is worked out from the policy's own claims"):
        renew(database, "P-1", *days, {"factors": {OWN_CLAIMS: 80}}, asked("no"))
    found = renew(database, "P-1", *days, {}, asked("yes"))
    # 100 km a day and 1.10 for an urban policy: 0.0341 claims expected in October and 0.033 in November, where 1 came;
    # 92 and 61 days fade them to 96.57 and 97.71 %: (2.5 + 0.9657) / (2.5 + 0.0329 + 0.0322) is 135.1 %.
    assert found.change.terms == {"factors": {OWN_CLAIMS: 135}}
    assert renew(database, "P-1", *days, {}, asked("yes")).repeated
    keep_claim(database, "P-1", "C-2", "liability", date(2026, 11, 10), NOW)  # known later: of the next renewal
    close_period(database, "2027-01", datetime(2027, 2, 2, tzinfo=UTC))
    step, _ = [one for one in postings(database)[-1].worksheet if one["label"].startswith("own claims")]
    assert (step["label"], step["rate"]) == ("own claims percent: 130 to under 1000", "1.35")
    with database.role("policy") as conn:
        impact = live_impact(conn, "2027-01", PLAN, PLAN)
        held = fetch_policy(conn, "P-1")
    assert impact is not None
    assert D(impact["old_amount"]) == postings(database)[-1].amount
    assert held is not None
    assert held.factors[OWN_CLAIMS] == 135
    with pytest.raises(BadPolicy, match=OWN_CLAIMS):
        endorse(database, "P-1", date(2027, 3, 1), {"factors": {OWN_CLAIMS: 50}}, asked("e"))


def test_nobody_declares_own_claims_and_without_a_record_they_are_the_class_means(database: Database) -> None:
    put_into_the_book(database, PLAN)
    factors = {"vehicle_class": "compact", "territory": "urban", "driver_age": 38}
    with pytest.raises(BadPolicy, match=f"factors.{OWN_CLAIMS}"):
        add_policy(database, document(plan=PLAN.name, factors=factors | {OWN_CLAIMS: 80}), CLOSED_AT)
    plain = parse_plan(CONTENT, "plain")
    terms = Terms("flat", ("liability",), factors, 12_000)
    both = [rate_period(plan, Inputs("P-1", "2026-10", 31, terms, (), None)).amount for plan in (PLAN, plain)]
    assert both[0] == both[1]
    add_policy(database, document(plan=PLAN.name, policy="P-2"), CLOSED_AT)
    found = renew(database, "P-2", date(2027, 1, 1), date(2028, 1, 1), {}, asked("none"))
    assert found.change.terms == {"factors": {OWN_CLAIMS: 100}}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (CONTENT + SECTION, "own_claims.shape: needs a factor own_claims_percent"),
        (CONTENT + BANDS.replace("from = 0,", "from = 10,") + SECTION, "own_claims.shape: needs a factor"),
        (CONTENT + BANDS + SECTION.replace('"2.5"', '"0"'), "own_claims.shape: 0 must be over 0"),
        (CONTENT + BANDS + SECTION + "window = 3\n", "own_claims.window: is not known here"),
        (
            CONTENT + BANDS + SECTION.replace('["liability"]', '["hail"]'),
            "own_claims.covers: must be a list of the plan",
        ),
    ],
)
def test_a_section_that_is_not_whole_is_refused_by_its_place(content: str, place: str) -> None:
    with pytest.raises(BadPlan, match=place):
        parse_plan(content, "broken")


def test_own_claims_are_not_read_where_the_profile_forbids_them() -> None:
    with pytest.raises(BadPlan, match=r"factors.own_claims_percent: .* does not let a plan rate by own_claims"):
        check_profile(
            parse_plan(
                CONTENT.replace('["distance", "road_class", "hour_band", "behaviour"]', '["distance"]')
                + BANDS + SECTION, "miles",
            ),
            "california-miles-only", "miles",
        )  # fmt: skip
