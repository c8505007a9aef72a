"""Own claims are worked out at a renewal from what is on record, charged for that term, and declared by nobody."""

import tomllib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817
from typing import Any

import pytest

from pricing.agreements import Asked, assess_claim, endorse, keep_claim, renew
from pricing.claim_rule import ClaimRule, RecordedClaim
from pricing.claims_record import ClaimsRecord, counts_from, percent_of_record
from pricing.close import close_period
from pricing.errors import BadPlan, BadPolicy, PolicyDiffers
from pricing.live_book import live_impact
from pricing.plan import OWN_CLAIMS, check_profile, parse_plan
from pricing.plan_text import toml_text
from pricing.policies import add_policy, checked, packaged_plan, with_declared_claims
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
at_fault_from_percent = 51
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
    keep_claim(database, "P-1", "C-3", "liability", date(2026, 10, 12), NOW)  # not at fault
    keep_claim(database, "P-1", "C-4", "liability", date(2026, 10, 13), NOW)  # not determined
    for claim, at_fault_percent in (("C-1", 40), ("C-1", 51), ("C-0", 100), ("C-3", 0), ("C-4", None)):
        assert assess_claim(database, claim, D(900), True, NOW, at_fault_percent)
    assert not assess_claim(database, "C-1", D(900), True, NOW)  # what is not said stays as it was
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
    assess_claim(database, "C-2", D(900), True, NOW, 100)
    close_period(database, "2027-01", datetime(2027, 2, 2, tzinfo=UTC))
    step, _ = [one for one in postings(database)[-1].worksheet if one["label"].startswith("own claims")]
    said = "own claims percent: 130 to under 1000 (claims at fault from 51 percent)"
    assert (step["label"], step["rate"]) == (said, "1.35")
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
        (CONTENT + BANDS + SECTION.replace("51", "101"), "own_claims.at_fault_from_percent: 101 is over 100"),
        (CONTENT + BANDS + SECTION + 'undetermined = "maybe"\n', "own_claims.undetermined: 'maybe' is not one of"),
        (CONTENT + BANDS + SECTION + "years = 0\n", "own_claims.years: must be a whole number, 1 or more"),
        (CONTENT + BANDS + SECTION + 'new_business = "no"\n', "own_claims.new_business: 'no' is not one of"),
        (
            CONTENT + BANDS + SECTION.replace('["liability"]', '["hail"]'),
            "own_claims.covers: must be a list of the plan",
        ),
    ],
)
def test_a_section_that_is_not_whole_is_refused_by_its_place(content: str, place: str) -> None:
    with pytest.raises(BadPlan, match=place):
        parse_plan(content, "broken")


def claim(at_fault_percent: int | None, incurred: int | None = 900) -> RecordedClaim:
    cost = None if incurred is None else D(incurred)
    return RecordedClaim(date(2026, 3, 1), "liability", at_fault_percent, cost)


@pytest.mark.parametrize(
    ("rule", "found", "counts"),
    [
        (ClaimRule(51, False, None, None), claim(51), True),
        (ClaimRule(51, False, None, None), claim(50), False),  # two at fault alike: nobody principally
        (ClaimRule(51, False, None, None), claim(None), False),
        (ClaimRule(51, True, None, None), claim(None), True),
        (ClaimRule(51, True, None, None), claim(0), False),  # determined: not at fault
        (ClaimRule(0, False, None, None), claim(None), True),  # whoever was at fault
        (ClaimRule(51, False, D(1000), None), claim(100, 1000), False),
        (ClaimRule(51, False, D(1000), None), claim(100, 1001), True),
        (ClaimRule(51, False, D(1000), None), claim(100, None), False),
    ],
)
def test_a_claim_counts_by_fault_and_cost(rule: ClaimRule, found: RecordedClaim, counts: bool) -> None:
    assert rule.counts(found) is counts


def test_a_section_without_a_share_of_the_fault_counts_every_claim_as_it_did_before_the_key_was_known() -> None:
    before = parse_plan(CONTENT + BANDS + SECTION.replace("at_fault_from_percent = 51\n", ""), "before").own_claims
    assert before is not None
    assert all(before.counts(claim(share, cost)) for share in (None, 0, 50, 100) for cost in (None, 0, 900))
    assert not before.counts(replace(claim(100), cover="collision"))


MILES = CONTENT.replace('["distance", "road_class", "hour_band", "behaviour"]', '["distance"]') + BANDS + SECTION
CALIFORNIA = 'undetermined = "does_not_count"\nincurred_over = 1000\nyears = 3\n'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("at_fault_from_percent = 51\n", "", "own_claims.at_fault_from_percent: must be 51 or more"),
        ("percent = 51", "percent = 50", "own_claims.at_fault_from_percent: must be 51 or more"),
        ("does_not_count", "counts", "own_claims.undetermined: must be does_not_count"),
        ("incurred_over = 1000\n", "", "own_claims.incurred_over: must be 1000 or more"),
        ("years = 3", "years = 4", "own_claims.years: must be 3 or less"),
        (
            "own_claims_percent]",
            "own_claims_count]",
            "own_claims_count: .* rate by own_claims that are declared",
        ),
    ],
)
def test_california_counts_only_accidents_principally_at_fault(old: str, new: str, problem: str) -> None:
    kept = MILES + CALIFORNIA
    check_profile(parse_plan(kept, "miles"), "california-miles-only", "miles")
    broken = kept.replace(old, new)
    if "own_claims_count" in new:  # a level that is declared: nobody sees whose fault it was
        broken = broken.partition("[own_claims]")[0]
    with pytest.raises(BadPlan, match=problem):
        check_profile(parse_plan(broken, "miles"), "california-miles-only", "miles")


UK = (
    CONTENT.replace('name = "own-claims"', 'name = "own-claims-uk"\njurisdiction = "uk"')
    + BANDS
    + SECTION
    + 'new_business = "declared"\n\n[duties]\nrenewal_price = "the chief actuary"\n'
)


def test_a_renewal_in_the_united_kingdom_costs_what_new_business_with_the_same_claims_does(database: Database) -> None:
    put_into_the_book(database, parse_plan(UK, "uk"))
    term = {"plan": "own-claims-uk", "pay_plan": "flat", "covers": ["liability"], "declared_km_per_year": 20_000}
    days, since = (date(2026, 12, 1), date(2027, 12, 1)), date(2023, 12, 1)
    old: dict[str, object] = {"occurred_on": "2024-05-02", "at_fault_percent": 100, "incurred": "1200"}
    own = [(date(2026, 2, 3), 100), (date(2026, 3, 4), 0), (date(2026, 4, 5), None)]
    percents, first, last = [], date(2025, 12, 1), date(2026, 12, 1)
    for had, (before, kept) in enumerate([([], []), ([old], own[1:]), ([old], own)]):
        stays, comes = f"STAYS-{had}", f"COMES-{had}"
        record = {"insured_since": since, "claims": before}
        staying = term | {"policy": stays, "email": f"{stays}@example.com", "starts_on": first, "ends_on": last}
        add_policy(database, document(**staying, claims_record=record), CLOSED_AT)
        for number, (day, share) in enumerate(kept):
            keep_claim(database, stays, f"C-{had}-{number}", "liability", day, NOW)
            assess_claim(database, f"C-{had}-{number}", D(700), True, NOW, share)
        percents.append(renew(database, stays, *days, {}, asked(stays)).change.terms["factors"][OWN_CLAIMS])
        same = [
            {"occurred_on": day, "cover": "liability", "at_fault_percent": share, "incurred": 700}
            for day, share in kept
        ]
        coming = term | {"policy": comes, "email": f"{comes}@example.com", "starts_on": days[0], "ends_on": days[1]}
        add_policy(database, document(**coming, claims_record=record | {"claims": before + same}), CLOSED_AT)
    close_period(database, "2026-12", datetime(2027, 1, 2, tzinfo=UTC))
    # Three years of 54.76 km a day and 1.10 for an urban policy expect 0.66 claims, faded 0.53; the old one
    # counts 0.70, the one at fault 0.89; neither the one not at fault nor the one of which nobody knows.
    assert percents == [82, 105, 134]
    for had in range(3):
        renewed, fresh = (postings(database, f"{who}-{had}")[-1] for who in ("STAYS", "COMES"))
        assert renewed.period == fresh.period == "2026-12"
        assert renewed.amount == fresh.amount


def test_own_claims_that_new_business_is_not_charged_by_break_the_profile_of_the_united_kingdom() -> None:
    for broken in (UK.replace('"declared"', '"class_mean"'), UK.replace('new_business = "declared"\n', "")):
        with pytest.raises(BadPlan, match=r"own_claims.new_business: must be declared"):
            parse_plan(broken, "uk")


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (None, "claims_record': is missing"),
        ({"since": "2020-01-01"}, "claims_record': must be a table of insured_since and claims"),
        ({"insured_since": "2026-02-01"}, "claims_record.insured_since': 2026-02-01 is not a day up to"),
        (
            {"insured_since": "2020-01-01", "claims": [{"occurred_on": "2026-01-01"}]},
            r"claims_record.claims\[0\].occurred_on': 2026-01-01 is not from insured_since to the day before",
        ),
        (
            {"insured_since": "2020-01-01", "claims": [{"occurred_on": "2025-01-01", "at_fault_percent": 101}]},
            r"claims_record.claims\[0\].at_fault_percent': 101 is not a whole number from 0 to 100",
        ),
        (
            {"insured_since": "2020-01-01", "claims": [{"occurred_on": "2025-01-01", "incurred": "NaN"}]},
            r"claims_record.claims\[0\].incurred': 'NaN' is no amount",
        ),
        *(
            (
                {"insured_since": "2020-01-01", "claims": [{"occurred_on": "2025-01-01", "incurred": written}]},
                "is no amount, such as 1234.50",
            )
            for written in (" 1", "1_000", "-1", "1e3", "１", "9" * 16, True, [])
        ),
    ],
)
def test_a_record_that_is_not_whole_is_refused_by_its_field(record: object, problem: str) -> None:
    declared = {} if record is None else {"claims_record": record}
    asks = document(**declared)
    with pytest.raises(BadPolicy, match=problem):
        with_declared_claims(checked(asks), asks, parse_plan(UK, "uk"))


def test_a_record_is_refused_where_the_plan_does_not_read_it() -> None:
    asks = document(claims_record={"insured_since": "2020-01-01"})
    with pytest.raises(BadPolicy, match="claims_record': is not read by own-claims"):
        with_declared_claims(checked(asks), asks, PLAN)


def test_the_years_of_claims_that_count_end_to_the_day(database: Database) -> None:
    three = parse_plan(CONTENT + BANDS + SECTION + 'years = 3\nnew_business = "declared"\n', "three years")
    assert three.own_claims is not None
    terms = Terms("flat", ("liability",), {"territory": "urban"}, 20_000)
    percents = []
    for days in ([], [date(2023, 10, 1), date(2023, 10, 30)], [date(2023, 10, 31)]):
        record = ClaimsRecord(date(2015, 1, 1), tuple(replace(claim(100), occurred_on=day) for day in days))
        percents.append(percent_of_record(three.own_claims, record, terms, three, date(2026, 10, 31)))
    assert percents[0] == percents[1] < percents[2]
    assert counts_from(three.own_claims, date(2028, 2, 29)) == date(2025, 3, 1)
    put_into_the_book(database, parse_plan(CONTENT + BANDS + SECTION + "years = 1\n", "one year"))
    for policy, day in (("P-1", None), ("P-2", date(2026, 1, 19)), ("P-3", date(2026, 1, 20))):
        bound = {"plan": PLAN.name, "policy": policy, "email": f"{policy}@example.com", "ends_on": date(2027, 1, 20)}
        add_policy(database, document(**bound, declared_km_per_year=36_500), CLOSED_AT)
        if day is not None:
            keep_claim(database, policy, f"C-{policy}", "liability", day, NOW)
            assess_claim(database, f"C-{policy}", D(900), True, NOW, 100)
    close_period(database, "2026-01", NOW)
    term = date(2027, 1, 20), date(2028, 1, 20)
    found = [renew(database, one, *term, {}, asked(one)).change.terms["factors"] for one in ("P-1", "P-2", "P-3")]
    assert found[0] == found[1] != found[2]


def test_a_plan_that_does_not_say_how_charges_the_class_mean_from_the_next_term_on(database: Database) -> None:
    """A percent of an earlier version of the plan ends with its term."""
    put_into_the_book(database, PLAN)
    put_into_the_book(
        database,
        parse_plan(CONTENT.replace("2019-01-01", "2027-06-01").replace('version = "1"', 'version = "2"') + BANDS, "2"),
    )
    add_policy(database, document(plan=PLAN.name, policy="P-1", declared_km_per_year=36_500), CLOSED_AT)
    keep_claim(database, "P-1", "C-1", "liability", date(2026, 10, 10), NOW)
    assess_claim(database, "C-1", D(900), True, NOW, 100)
    close_period(database, "2026-10", NOW)
    first = renew(database, "P-1", date(2027, 1, 1), date(2028, 1, 1), {}, asked("first"))
    second = renew(database, "P-1", date(2028, 1, 1), date(2029, 1, 1), {}, asked("second"))
    assert first.change.terms["factors"][OWN_CLAIMS] > 130
    assert second.change.terms["factors"] == {OWN_CLAIMS: 100}


@pytest.mark.parametrize("law", ["uk", "california-miles-only"])
def test_where_a_law_says_which_claims_count_a_plan_says_it_too(law: str) -> None:
    content = UK if law == "uk" else MILES + CALIFORNIA
    check_profile(parse_plan(content, "whole"), law, "whole")
    start, end = content.index("[own_claims]"), content.find("[duties]")
    broken = content[:start] + (content[end:] if end > 0 else "")
    with pytest.raises(BadPlan, match=f"factors.{OWN_CLAIMS}: needs the section own_claims"):
        check_profile(parse_plan(broken, "broken"), law, "broken")


def test_a_renewal_declares_claims_where_nothing_was_declared_before(database: Database) -> None:
    """A policy of before the plan asked; what is on record here stands for what is declared of the same day."""
    put_into_the_book(database, PLAN)
    put_into_the_book(
        database,
        parse_plan(
            UK.replace("own-claims-uk", "own-claims")
            .replace("2019-01-01", "2026-12-01")
            .replace('version = "1"', 'version = "2"'),
            "2",
        ),
    )
    bound = {"plan": PLAN.name, "policy": "P-1", "starts_on": date(2025, 12, 1), "ends_on": date(2026, 12, 1)}
    add_policy(database, document(**bound, declared_km_per_year=20_000), CLOSED_AT)
    keep_claim(database, "P-1", "C-1", "liability", date(2026, 2, 3), NOW)
    assess_claim(database, "C-1", D(700), True, NOW, 100)
    days = date(2026, 12, 1), date(2027, 12, 1)
    with pytest.raises(BadPolicy, match="claims_record': is missing: own-claims charges a renewal by it"):
        renew(database, "P-1", *days, {}, asked("none"))
    named = {"occurred_on": "2026-02-03", "cover": "liability", "at_fault_percent": 0}
    old = {"occurred_on": "2024-05-02", "cover": "", "at_fault_percent": 100, "incurred": None}
    record = {"insured_since": "2023-12-01", "claims": [named, old]}
    for wrong in ("hail", "li\0ability"):
        typed = record | {"claims": [named | {"cover": wrong}]}
        with pytest.raises(BadPolicy, match=r"claims_record.claims\[0\].cover': .* is not one of liability, collision"):
            renew(database, "P-1", *days, {"claims_record": typed}, asked("wrong"))
    found = renew(database, "P-1", *days, {"claims_record": record}, asked("all")).change.terms
    assert found["factors"] == {OWN_CLAIMS: 134}  # as new business with both claims at fault
    assert found["claims_record"]["insured_since"] == "2023-12-01"
    again = renew(database, "P-1", days[1], date(2028, 12, 1), {}, asked("next")).change.terms
    assert 100 < again["factors"][OWN_CLAIMS] < 134  # by the same record, which fades
    with pytest.raises(BadPolicy, match="claims_record': is not a term that can change"):
        endorse(database, "P-1", date(2027, 3, 1), {"claims_record": record}, asked("endorsed"))


def test_a_policy_file_whose_record_was_corrected_differs(database: Database) -> None:
    put_into_the_book(database, parse_plan(UK, "uk"))
    bound = {"plan": "own-claims-uk", "policy": "P-1", "declared_km_per_year": 20_000, "covers": ["liability"]}
    record: dict[str, object] = {"insured_since": "2020-01-01", "claims": []}
    for _ in range(2):
        add_policy(database, document(**bound, claims_record=record), CLOSED_AT)
    not_at_fault = {"occurred_on": "2024-05-02", "at_fault_percent": 0}
    with pytest.raises(PolicyDiffers, match="claims_record"):
        add_policy(database, document(**bound, claims_record=record | {"claims": [not_at_fault]}), CLOSED_AT)


GONE = object()
ODD: list[object] = ["", "1_000", -1, True, [], [[]], [{}], {}, date(9999, 12, 31), GONE]


def places_in(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if place:
        yield place
    below = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, one in below:
        yield from places_in(one, (*place, key))


def test_nothing_that_stands_in_any_place_of_a_plan_breaks_its_reading() -> None:
    whole, refused = tomllib.loads(UK, parse_float=D), 0
    for *way, last in places_in(whole):
        for odd in ODD:
            changed = deepcopy(whole)
            table: Any = changed
            for key in way:
                table = table[key]
            if odd is GONE:
                del table[last]
            else:
                table[last] = odd
            try:
                parse_plan(toml_text(changed), "odd")
            except BadPlan:
                refused += 1
    assert refused > 1000
