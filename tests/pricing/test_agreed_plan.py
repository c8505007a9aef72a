"""A term keeps the rate plan by which it was agreed: what is published later, for whatever day, prices later terms."""

from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817
from functools import partial
from pathlib import Path

import pytest

from pricing.agreements import Agreed, Asked, endorse, history, renew
from pricing.close import close_period, post_adjustments
from pricing.errors import BadPolicy
from pricing.event_costs import event_costs
from pricing.month import Month, rate_month
from pricing.plan import RatePlan, parse_plan
from pricing.policies import add_policy, plan_of_hash
from pricing.rating import recompute
from pricing.statement import Posting
from pricing.store import fetch_policy, fetch_postings, fetch_statement_of_period
from pricing.verify import verify_statements
from pricing.what_if import with_and_without
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, document, put_trip
from tests.pricing.test_agreements import WHO
from tests.pricing.test_plan_in_force import FIRST, TERMS, put_into_the_book

CONTENT = FIRST.content
AT = datetime(2026, 9, 20, tzinfo=UTC)
MIGRATION = Path("storage/migrations/0079.agreed-plan.sql")
OVER = datetime(2026, 12, 2, tzinfo=UTC)
HALFWAY = date(2026, 10, 15)


def version(number: int, begins: str, *changes: tuple[str, str]) -> RatePlan:
    """The plan in another version, in effect from a day on."""
    text = CONTENT.replace('version = "1"', f'version = "{number}"').replace("2019-01-01", begins)
    for found, instead in changes:
        assert found in text
        text = text.replace(found, instead)
    return parse_plan(text, f"version {number}")


DEARER = ('per_year = "153.30"', 'per_year = "459.90"')
UNBOUND = ('highest = "1.15"', 'highest = "9"')


def renewed(database: Database, day: date, until: date, **terms: object) -> Agreed:
    return renew(database, "P-1", day, until, terms, Asked(WHO, f"renew {day}", AT, may_backdate=True))


def posted(database: Database, period: str, policy: str = "P-1") -> Posting:
    """The month's only posting, computed again from what it holds alone."""
    with database.role("policy") as conn:
        held = fetch_policy(conn, policy)
        assert held is not None
        found = fetch_postings(conn, held.policy_key, period)[-1]
        plan_of = partial(plan_of_hash, conn)
        premium = rate_month(plan_of(found.plan_hash), Month.from_json(found.inputs, plan_of))
    assert premium.inputs_digest == found.inputs_digest
    assert [step.as_json() for step in premium.worksheet] == found.worksheet
    assert recompute(found.worksheet, "EUR") == premium.amount
    return found


def lines(posting: Posting) -> dict[str, D]:
    return {line["name"]: D(line["amount"]) for line in posting.lines}


def parts(posting: Posting) -> list[dict[str, object]]:
    found = posting.inputs["parts"]
    assert isinstance(found, list)
    return found


def test_a_version_that_is_published_later_prices_nothing_that_was_agreed(database: Database) -> None:
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="flat", covers=["liability"])
    close_period(database, "2026-10", OVER)
    before = posted(database, "2026-10")
    put_into_the_book(database, version(2, "2020-01-01", DEARER), version(3, "2026-11-01", DEARER))
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC))
    assert post_adjustments(database, OVER) == []
    close_period(database, "2026-11", OVER)
    after = posted(database, "2026-11")
    assert (before.plan_hash, after.plan_hash) == (FIRST.plan_hash, FIRST.plan_hash)
    assert lines(after)["liability"] / 30 == pytest.approx(lines(before)["liability"] / 31, rel=D("0.001"))
    # but the next term
    renewed(database, date(2027, 1, 1), date(2028, 1, 1))
    close_period(database, "2027-01", datetime(2027, 2, 2, tzinfo=UTC))
    assert posted(database, "2027-01").plan_hash == version(3, "2026-11-01", DEARER).plan_hash


def test_an_endorsement_is_held_to_the_plan_of_its_term(database: Database) -> None:
    put_into_the_book(database, FIRST)
    add_with_device(database, **TERMS, pay_plan="flat", covers=["liability"])
    put_into_the_book(database, version(2, "2026-05-01", ("small", "tiny")))

    def endorsed(level: str) -> Agreed:
        asked = Asked(WHO, level, AT, may_backdate=True)
        return endorse(database, "P-1", date(2026, 6, 1), {"factors": {"vehicle_class": level}}, asked)

    with pytest.raises(BadPolicy, match=r"factors.vehicle_class.*tiny"):
        endorsed("tiny")
    endorsed("small")
    close_period(database, "2026-10", OVER)
    assert posted(database, "2026-10").plan_hash == FIRST.plan_hash


@pytest.mark.parametrize("pay_plan", ["flat", "per_minute", "per_km", "autograph"])
def test_a_renewal_within_a_month_prices_each_of_its_days_by_its_own_plan(database: Database, pay_plan: str) -> None:
    """And as new business of the same day is priced, whose month begins there: ICOBS 6B as a law."""
    second = version(
        2, "2026-10-01", DEARER, UNBOUND, ('fee = "1.50"', 'fee = "2.50"'), ('beta = "0.03"', 'beta = "0.06"')
    )
    put_into_the_book(database, FIRST, second)
    terms = TERMS | {"pay_plan": pay_plan, "covers": ["liability", "collision"]}
    add_with_device(database, **terms, ends_on=HALFWAY)
    renewed(database, HALFWAY, date(2027, 10, 15))
    add_policy(database, document(**terms, policy="P-2", email="two@example.com", starts_on=HALFWAY,
                                  ends_on=date(2027, 10, 15)), AT)  # fmt: skip
    if pay_plan == "autograph":
        for day in (3, 17):
            put_trip(database, datetime(2026, 10, day, 9, tzinfo=UTC), metres=60_000, hard_brakes=day)
    close_period(database, "2026-10", CLOSED_AT)
    found, new = posted(database, "2026-10"), posted(database, "2026-10", "P-2")
    assert found.plan_hash == second.plan_hash
    assert [part.get("plan_hash") for part in parts(found)] == [FIRST.plan_hash, None]
    assert lines(found)["fee"] == D("2.50")
    first_days = [step for step in found.worksheet if step["label"].startswith("2026-10-01 to 2026-10-14")]
    assert [step["quantity"] for step in first_days] == ["14", "14"]
    old_rate, new_rate = (
        next(D(step["rate"]) for step in found.worksheet if step["label"].startswith(f"2026-10-{day}"))
        for day in ("01", "15")
    )
    assert new_rate == 3 * old_rate
    if pay_plan == "flat":  # the days of the second term cost what new business of that day costs
        for cover in ("liability", "collision"):
            _, of_second = (step for step in found.worksheet if (step["kind"], step["section"]) == ("round", cover))
            assert D(of_second["running"]) == lines(new)[cover]
    if pay_plan == "autograph":
        models = [part["behaviour"]["model"] for part in parts(found)]  # type: ignore[index]
        assert models == [FIRST.score_model.version, second.score_model.version]
        assert found.versions["model"] == sorted(models)
        with database.role("policy") as conn:
            policy = fetch_policy(conn, "P-1")
            statement = fetch_statement_of_period(conn, "P-1", "2026-10")
            assert policy is not None
            assert statement is not None
            (brakes,) = event_costs(conn, policy, statement)
            assert (brakes.events, brakes.difference < 0) == (20, True)
            trip = str(parts(found)[0]["trips"][0])  # type: ignore[index]
            whole = with_and_without(conn, policy, second, "2026-10", trip)
        assert whole is not None
        assert whole[0].worksheet[0].label.startswith("2026-10-01")
        assert whole[1].amount < whole[0].amount
    assert verify_statements(database)[1] == ()


def test_late_data_and_endorsements_of_such_a_month_end_at_the_on_time_price(database: Database) -> None:
    put_into_the_book(database, FIRST, version(2, "2026-10-01", DEARER, UNBOUND))
    add_with_device(database, **TERMS, pay_plan="autograph", covers=["liability"], ends_on=HALFWAY)
    close_period(database, "2026-10", CLOSED_AT)  # the term ended with the 14th
    renewed(database, HALFWAY, date(2027, 10, 15))
    put_trip(database, datetime(2026, 10, 3, 9, tzinfo=UTC), metres=60_000, hard_brakes=3)
    post_adjustments(database, OVER)
    endorse(database, "P-1", date(2026, 10, 20), {"pay_plan": "per_km"}, Asked(WHO, "e", AT, may_backdate=True))
    put_trip(database, datetime(2026, 10, 17, 9, tzinfo=UTC), metres=60_000, hard_brakes=1)
    post_adjustments(database, OVER)
    assert len(parts(posted(database, "2026-10"))) == 3
    with database.role("policy") as conn:
        late = fetch_statement_of_period(conn, "P-1", "2026-10")
        assert late is not None
    with database.role("owner") as conn:
        conn.execute("alter table policy.statement disable trigger user")
        conn.execute("delete from policy.statement")
        conn.execute("alter table policy.statement enable trigger user")
    close_period(database, "2026-10", OVER)
    assert sum(lines(posted(database, "2026-10")).values()) == late.total


def test_smoothing_holds_the_days_of_the_renewal_alone(database: Database) -> None:
    put_into_the_book(database, FIRST, version(2, "2026-10-01", DEARER))
    add_with_device(database, **TERMS, pay_plan="per_minute", covers=["liability"], ends_on=HALFWAY)
    renewed(database, HALFWAY, date(2027, 10, 15))
    close_period(database, "2026-10", CLOSED_AT)
    found = posted(database, "2026-10")
    # 14 days x 0.42, and 17 at most 1.15 times that though the new plan asks for three times as much
    assert lines(found)["liability"] == D("5.88") + D("8.21")
    assert [bool(part["expiring"]) for part in parts(found)] == [False, True]


def test_a_renewal_by_a_plan_without_a_factor_reads_past_what_was_declared_of_it(database: Database) -> None:
    begin, end = CONTENT.index("[factors.vehicle_age]"), CONTENT.index("[factors.driver_age]")
    put_into_the_book(database, FIRST, version(2, "2027-01-01", (CONTENT[begin:end], "")))
    add_with_device(database, **TERMS, pay_plan="flat", covers=["liability"])
    renewed(database, date(2027, 1, 1), date(2028, 1, 1))
    asked = Asked(WHO, "e", AT, may_backdate=True)
    endorse(database, "P-1", date(2026, 12, 1), {"factors": {"vehicle_age": 5}}, asked)  # the first term's
    with pytest.raises(BadPolicy, match=r"factors\.vehicle_age"):
        endorse(
            database, "P-1", date(2027, 2, 1), {"factors": {"vehicle_age": 6}}, Asked(WHO, "f", AT, may_backdate=True)
        )
    close_period(database, "2027-01", datetime(2027, 2, 2, tzinfo=UTC))
    labels = [step["label"] for step in posted(database, "2027-01").worksheet]
    assert not any("vehicle age" in label for label in labels)


def test_each_term_says_its_plan(database: Database) -> None:
    second = version(2, "2027-01-01", DEARER)
    put_into_the_book(database, FIRST, second)
    add_with_device(database, **TERMS, pay_plan="flat", covers=["liability"])
    endorse(database, "P-1", date(2026, 6, 1), {"pay_plan": "per_km"}, Asked(WHO, "e", AT, may_backdate=True))
    renewed(database, date(2027, 1, 1), date(2028, 1, 1))
    with database.role("policy") as conn:
        changes, spans = history(conn, "P-1")
    assert [one.plan_hash for one in changes] == [FIRST.plan_hash, None, second.plan_hash]
    assert [span.plan_hash for span in spans] == [FIRST.plan_hash, FIRST.plan_hash, second.plan_hash]


def test_the_migration_finds_by_which_plan_each_term_was_agreed(database: Database) -> None:
    """By that of its first statement, else by that in effect on its first day."""
    second, third = version(2, "2026-11-01", DEARER), version(3, "2027-11-01", DEARER)
    put_into_the_book(database, FIRST, second, third)
    add_with_device(database, **TERMS, pay_plan="flat", covers=["liability"], ends_on=date(2026, 11, 1))
    for year in (2026, 2027):
        renewed(database, date(year, 11, 1), date(year + 1, 11, 1))
    close_period(database, "2026-10", OVER)
    held = "select sequence, plan_hash from policy.policy_change order by sequence"
    with database.role("owner") as conn:
        agreed = conn.execute(held).fetchall()
        assert [row[1] for row in agreed] == [FIRST.plan_hash, second.plan_hash, third.plan_hash]
        conn.execute("alter table policy.policy_change drop constraint a_term_names_its_plan")
        conn.execute("alter table policy.policy_change disable trigger policy_change_is_immutable")
        conn.execute("update policy.policy_change set plan_hash = null")
        conn.execute("alter table policy.policy_change enable trigger policy_change_is_immutable")
    put_into_the_book(database, version(4, "2019-06-01", DEARER))  # not what October was posted by
    with database.role("owner") as conn:
        conn.execute(MIGRATION.read_bytes().partition(b"references policy.rate_plan;")[2])
        assert conn.execute(held).fetchall() == agreed
