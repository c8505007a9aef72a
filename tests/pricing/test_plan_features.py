"""What a plan can say beyond the one that ships: exact alone and in a book, each mistake named by its place."""

import json
from decimal import Decimal as D  # noqa: N817
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from typer.testing import CliRunner

from api.worksheet_words import label_words
from cli.main import app
from pricing.book_rating import compile_plan
from pricing.errors import BadPlan, UnknownLevel
from pricing.plan import TIERS, parse_plan
from pricing.rating import BehaviourInput, Inputs, Terms, rate_period, recompute, unrounded
from pricing.rating_book import read_rating_book
from pricing.rating_errors import BadRatingBook
from tests.pricing.cases import in_currency, trip
from tests.pricing.rating_books import write_book
from tests.pricing.reference import in_fractions
from tests.pricing.test_book_rating import differing, rated
from tests.pricing.test_rating import CELLS

PATH = Path("docs/examples/rate-plan.toml")
FULL = parse_plan(PATH.read_text(), PATH.name)
FACTORS = {"vehicle_class": "suv", "vehicle_age": 4, "driver_age": 38}
KM_TABLE = """
[tables.km_and_age]
rows = { factor = "vehicle_age", bands = [{ from = 0, to = 5 }, { from = 5, to = 100 }] }
columns = { factor = "declared_km", bands = [{ from = 0, to = 9000 }, { from = 9000, to = 1000000 }] }
relativities = [["1.013", "0.97"], ["1.2", "0.9999"]]
"""
# The same plan by its other rules, and with a table that only some pay plans read.
OTHER_RULES = parse_plan(
    PATH.read_text()
    .replace('gap_km = "standard_rate"', 'gap_km = "not_charged"')
    .replace('unmeasured_days = "declared_km"', 'unmeasured_days = "daily_rate_only"')
    .replace('lowest = "0.80"', 'lowest = "0"')
    + KM_TABLE,
    "other.toml",
)


def driven(frequency: str = "0.8", tier: str = "") -> BehaviourInput:
    return BehaviourInput(D(frequency), D("0.8"), "prior", "2026-08", "2026-10", D(100), tier)


def asked(pay_plan: str = "per_km", *, age: int = 38, km: int = 12_000, **changes: object) -> Inputs:
    terms = Terms(pay_plan, ("liability",), FACTORS | {"driver_age": age}, km)
    return replace(Inputs("P-1", "2026-10", 31, terms, (), None), **changes)


def step(found: Inputs, start: str) -> tuple[D, D]:
    """Rate and running of the first step whose label begins so."""
    return next((one.rate, one.running) for one in rate_period(FULL, found).worksheet if one.label.startswith(start))


ANY = st.builds(
    lambda pay_plan, rows, covers, factors, km, behaviour, unmeasured, expiring: Inputs(
        "P-1",
        "2026-10",
        31,
        Terms(pay_plan, covers, factors, km),
        tuple(
            replace(trip(number, cells, gap_m=gap, not_charged=why), minutes=minutes)
            for number, (cells, gap, minutes, why) in enumerate(rows, start=1)
        ),
        behaviour,
        unmeasured,
        expiring,
    ),
    st.sampled_from(sorted(FULL.pay_plans)),
    st.lists(
        st.tuples(CELLS, st.integers(0, 9_000), st.integers(0, 300), st.sampled_from([None, None, "uncertified"])),
        max_size=4,
    ),
    st.sampled_from([("liability",), ("collision", "liability")]),
    st.fixed_dictionaries(
        {
            "vehicle_class": st.sampled_from(["small", "van"]),
            "vehicle_age": st.integers(0, 99),
            "driver_age": st.integers(17, 119),
        }
    ),
    st.integers(0, 999_999),
    st.none() | st.builds(driven, st.decimals("0.05", "9", places=4).map(str), st.sampled_from(["", *TIERS])),
    st.integers(0, 31),
    st.dictionaries(st.sampled_from(["liability", "collision"]), st.decimals("0", "90", places=6)),
)


@given(ANY, st.sampled_from([FULL, OTHER_RULES]))
def test_every_feature_costs_what_fractions_say_and_its_worksheet_comes_to_it(found: Inputs, plan: object) -> None:
    assert plan in (FULL, OTHER_RULES)
    premium = rate_period(plan, found)  # type: ignore[arg-type]
    assert Fraction(premium.amount) == in_fractions(plan, found)  # type: ignore[arg-type]
    assert recompute([one.as_json() for one in premium.worksheet], "EUR") == premium.amount
    assert Inputs.from_json(found.as_json()) == found
    assert Inputs.from_json(found.as_json()).digest == found.digest


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), currency=st.sampled_from(["EUR", "JPY", "KWD"]), other=st.booleans())
def test_a_book_by_every_feature_is_rated_to_the_cent_of_each_policy_alone(
    tmp_path_factory: pytest.TempPathFactory, seed: int, currency: str, other: bool
) -> None:
    plan = in_currency((OTHER_RULES if other else FULL).content, currency)
    path = tmp_path_factory.mktemp("book") / "book.parquet"
    write_book(path, plan, 200, seed)
    compiled = compile_plan(plan)
    book, premiums = rated(path, compiled)
    assert differing(compiled, book, premiums, np.arange(200)) == []
    assert book.expiring
    assert book.minutes.any()
    assert set(book.interpolated) == {"driver_age", "declared_km"}


def test_between_two_knots_lies_a_straight_line_rounded_at_its_end() -> None:
    """Age 19: 1.75 + (1.45 - 1.75) x 2 / 4 = 1.60. 66: 1 + 0.31 x 1 / 17 = 1.018235... -> 1.0182. 8,000 km: 0.9000."""
    assert step(asked(age=19), "driver age")[0] == D("1.6000")
    assert step(asked(age=66), "driver age")[0] == D("1.0182")
    assert step(asked(age=17), "driver age: 17")[0] == D("1.75")
    assert step(asked(age=119), "driver age: 119")[0] == D("1.31")
    assert step(asked("flat", km=8_000), "declared km: 8000, between 0.70 at 0 and 1.00 at 12000")[0] == D("0.9")
    for age in (16, 120, -1, 18.5, True, "38"):
        with pytest.raises(UnknownLevel, match="17 to 119"):
            rate_period(FULL, asked(age=age))  # type: ignore[arg-type]


def test_a_table_of_two_is_a_step_that_names_both_levels() -> None:
    label, cell, running = next(
        (one.label, one.rate, one.running) for one in rate_period(FULL, asked(age=17)).worksheet if " x " in one.label
    )
    assert label == "driver age x vehicle class: 17 to under 25, suv"
    assert (cell, running) == (D("1.15"), 31 * D("0.42") * D("1.12") * D("1.75") * D("1.15"))
    assert label_words(label) == "Driver age × vehicle class: 17 to under 25, suv"
    found = {(name, one.label) for name in ("flat", "per_km") for one in
             rate_period(OTHER_RULES, asked(name, km=8_999)).worksheet if "declared km:" in one.label}  # fmt: skip
    assert ("flat", "vehicle age x declared km: 0 to under 5, 0 to under 9000") in found
    assert {name for name, _ in found} == {"flat"}


TABLE = FULL.content[FULL.content.index("[tables.age_and_class]") : FULL.content.index("[[menu")]
BANDS_2 = "{ from = 25, to = 75 }, { from = 75, to = 120 }"


@pytest.mark.parametrize(
    ("found", "instead", "place", "problem"),
    [
        ("{ from = 25, to = 75 }", "{ from = 26, to = 75 }", "rows.bands[1].from", "gap"),
        ("{ from = 25, to = 75 }", "{ from = 24, to = 75 }", "rows.bands[1].from", "overlap"),
        ("{ from = 25, to = 75 }", "{ from = 25, to = 25 }", "rows.bands[1].to", "not over"),
        ("{ from = 17,", "{ from = 18,", "rows.bands[0].from", "18 is not 17, where driver_age begins"),
        ("to = 120 }", "to = 121 }", "rows.bands[2].to", "121 is not 120, where driver_age ends"),
        (BANDS_2, "{ from = 25, to = 120.5 }", "rows.bands[1].to", "whole number"),
        ('bands = [{ from = 17, to = 25 }', 'levels = [{ from = 17, to = 25 }', "rows.levels", "bands in the plan"),
        ('"driver_age"', '"colour"', "rows.factor", "'colour' is not a factor of the plan"),
        ('"driver_age", bands', '"vehicle_class", bands', "rows.bands", "vehicle_class has levels in the plan"),
        ('"vehicle_class", levels = ["small", "compact", "suv", "van"]',
         '"driver_age", bands = [{ from = 17, to = 120 }]', "columns.factor", "that of the rows"),
        ('"suv", "van"]', '"suv", "tank"]', "columns.levels[3]", "'tank' is no level of vehicle_class"),
        ('"suv", "van"]', '"suv", "suv"]', "columns.levels[3]", "there before"),
        ('"suv", "van"]', '"suv"]', "columns.levels", "lacks 'van'"),
        ('levels = ["small", "compact", "suv", "van"]', 'levels = "small"', "columns.levels", "must be a list"),
        (', "1.10"],', "],", "relativities[0][3]", "is missing"),
        ('    ["1.00", "1.00", "1.08", "1.04"],\n', "", "relativities[2][0]", "is missing"),
        ('"1.10"],', '"1.10", "1"],', "relativities[0]", "over the table's size of 3 rows and 4 columns"),
        ("\n]", '\n    ["1", "1", "1", "1"],\n]', "relativities[3]", "over the table's size"),
        ('"1.15"', '"NaN"', "relativities[0][2]", "not finite"),
        ('"1.15"', '"0"', "relativities[0][2]", "over 0"),
        ('"1.15"', '"-1.15"', "relativities[0][2]", "over 0"),
        ('["0.95", "1.00", "1.15", "1.10"]', '"0.95"', "relativities", "list of lists"),
        ("relativities = [", "by = 1\nrelativities = [", "by", "not known here"),
    ],
)  # fmt: skip
def test_a_broken_table_names_its_place(found: str, instead: str, place: str, problem: str) -> None:
    assert found in TABLE
    with pytest.raises(BadPlan) as refused:
        parse_plan(FULL.content.replace(TABLE, TABLE.replace(found, instead, 1)), "a.toml")
    assert refused.value.place == f"tables.age_and_class.{place}", refused.value
    assert problem in refused.value.problem


def test_a_table_has_a_name_of_its_own_and_counts_as_a_factor() -> None:
    for name, place in (("driver_age", "tables.driver_age.rows"), ("again", "factors")):
        more = "".join(TABLE.replace("age_and_class", f"{name}{n or ''}") for n in range(1 if name != "again" else 30))
        with pytest.raises(BadPlan) as refused:
            parse_plan(FULL.content + more, "a.toml")
        assert refused.value.place == place


def test_a_rate_a_year_is_one_a_day_and_a_minute_is_one_of_driving() -> None:
    assert FULL.covers["liability"].per_day == D("0.42")
    found = asked("per_minute", trips=(replace(trip(1, []), minutes=95), replace(trip(2, []), minutes=5)))
    assert step(found, "minutes of driving") == (D("0.016"), D("13.02") + D("1.6"))
    premium = rate_period(FULL, found)
    assert premium.trip_costs["trip-1"] == D("95") * D("0.016") * D("1.12")
    assert sum(premium.trip_costs.values()) + D("13.02") * D("1.12") == unrounded(premium)["liability"]


@pytest.mark.parametrize(
    ("tier", "lowest"),
    [("claim", "1.00"), ("bound_network", "0.90"), ("tls", "0.80"), ("signed", "0.75"), ("", "1.00")],
)
def test_who_proves_less_earns_less_and_never_pays_more(tier: str, lowest: str) -> None:
    assert step(asked("autograph", behaviour=driven("0.1", tier)), "behaviour")[0] == D(lowest)
    assert step(asked("autograph", behaviour=driven("1.0", tier)), "behaviour")[0] == D("1.25")


def test_a_renewal_stays_between_its_bounds_at_a_step_of_its_own() -> None:
    """31 x 0.42 x 1.12 = 14.5824. Was 12: at most 13.80. Was 20: at least 16. Was 14: as it is."""
    for was, running in (("12", "13.80"), ("20", "16.00"), ("14", "14.5824")):
        premium = rate_period(FULL, asked(expiring={"liability": D(was)}))
        most, least, close = [one for one in premium.worksheet if one.section == "liability"][-3:]
        assert (most.kind, least.kind, close.kind) == ("at_most", "at_least", "round")
        assert (most.quantity, most.rate, least.running) == (D(was), D("1.15"), D(running))
    other = rate_period(OTHER_RULES, asked(expiring={"liability": D(20)}))
    assert [one.kind for one in other.worksheet if one.section == "liability"][-2:] == ["at_most", "round"]
    assert other.lines[0].amount == D("14.58")


def test_days_without_readings_and_gaps_follow_the_stated_rule() -> None:
    """12,000 km x 3 / 365 = 98.630... km, at 0.021; and nothing of it for a plan that reads no distance."""
    found = asked(unmeasured_days=3, trips=(trip(1, [], gap_m=2_000),))
    assert step(found, "declared km of 3 days") == (D("0.021"), D("13.02") + (D("98.630") + 2) * D("0.021"))
    labels = [one.label for one in rate_period(OTHER_RULES, found).worksheet if one.kind == "add"]
    assert labels[0] == "31 days"
    assert not any("km" in label for label in labels)
    assert "declared km" not in str(rate_period(FULL, replace(found, terms=asked("per_minute").terms)).worksheet)


@pytest.mark.parametrize(
    ("found", "instead", "place", "problem"),
    [
        ("{ at = 21, relativity", "{ at = 17, relativity", "factors.driver_age.knots[1].at", "overlap"),
        ("{ at = 21, relativity", "{ at = 16, relativity", "factors.driver_age.knots[1].at", "overlap"),
        (
            'at = 21, relativity = "1.45"',
            'at = 21, relativity = "NaN"',
            "factors.driver_age.knots[1].relativity",
            "finite",
        ),
        (
            'at = 21, relativity = "1.45"',
            'at = 21, relativity = "-1"',
            "factors.driver_age.knots[1].relativity",
            "over 0",
        ),
        ('"1.45"', '"1.45001"', "factors.driver_age.knots[1].relativity", "more decimals"),
        ("{ at = 21,", "{ age = 21,", "factors.driver_age.knots[1].age", "not known"),
        ("{ at = 21,", "{ at = 21.5,", "factors.driver_age.knots[1].at", "whole number"),
        ("at = 999999", "at = 99999999999999", "factors.declared_km.knots[3].at", "over 999,999,999"),
        ("decimals = 4\nknots", "knots", "factors.driver_age.decimals", "missing"),
        ("decimals = 4\nknots", "decimals = 4\nbands = []\nknots", "factors.driver_age.levels", "one of"),
        ("[factors.vehicle_age] ", "[factors.vehicle_age]\ndecimals = 2 ", "factors.vehicle_age.decimals", "no"),
        ('tls = "0.80"', "", "behaviour.lowest_by_tier.tls", "missing"),
        ('tls = "0.80"', 'radio = "0.80"\ntls = "0.80"', "behaviour.lowest_by_tier.radio", "not known"),
        ('tls = "0.80"', 'tls = "0.95"', "behaviour.lowest_by_tier.bound_network", "proves more"),
        ('claim = "1.00"', 'claim = "1.01"', "behaviour.lowest_by_tier.claim", "class mean"),
        ('signed = "0.75"', 'signed = "0.70"', "behaviour.lowest_by_tier.signed", "lowest of all"),
        ('highest = "1.15"', 'highest = "0.99"', "smoothing.lowest", "enclose 1"),
        ('highest = "1.15"', 'highest = "inf"', "smoothing.highest", "finite"),
        ('per_minute = "0.011"\n', "", "covers.collision.per_minute", "missing"),
        ('per_minute = "0.011"\n', 'per_minute = "-1"\n', "covers.collision.per_minute", "0 or more"),
        ('per_day = "0.31"', 'per_day = "0.31"\nper_year = "113"', "covers.collision.per_day", "a day or a year"),
        ('gap_km = "standard_rate"', 'gap_km = "free"', "rules.gap_km", "not one of"),
        ('uses = ["minutes"]', 'uses = ["seconds"]', "pay_plans.per_minute.uses", "list of"),
    ],
)
def test_a_broken_feature_names_its_place(found: str, instead: str, place: str, problem: str) -> None:
    assert found in FULL.content
    with pytest.raises(BadPlan) as refused:
        parse_plan(FULL.content.replace(found, instead, 1), "a.toml")
    assert (refused.value.place, problem in refused.value.problem) == (place, True), refused.value


def test_the_united_kingdom_lets_smoothing_lower_a_renewal_and_never_hold_it_up() -> None:
    duties = '\n[duties]\nrenewal_price = "the chief actuary"\n'
    with pytest.raises(BadPlan) as refused:
        parse_plan(f'jurisdiction = "uk"\n{FULL.content}{duties}', "uk.toml")
    assert refused.value.place == "smoothing.lowest"
    declared = OTHER_RULES.content.replace('new_business = "class_mean"', 'new_business = "declared"')
    kept = parse_plan(f'jurisdiction = "uk"\n{declared}{duties}', "uk.toml")
    assert kept.smoothing is not None
    assert parse_plan(
        f'jurisdiction = "maryland"\n{FULL.content}\n[duties]\nincrease_notice = "mail"\n', "md"
    ).smoothing
    new_business = rate_period(kept, asked()).amount
    for was in ("1", "14", "90"):
        assert rate_period(kept, asked(expiring={"liability": D(was)})).amount <= new_business


@pytest.mark.parametrize(
    ("field", "values", "problem"),
    [
        ("tier", ["radio"] * 5, "has no level 'radio'"),
        ("minutes", [-1] * 5, "is negative"),
        ("unmeasured_days", [40] * 5, "more than the days"),
        ("expiring_liability", pa.array([D("-1.00")] * 5), "is negative"),
        ("expiring_liability", [1.5] * 5, "must hold decimals"),
        ("expiring_moon", pa.array([D("1.00")] * 5), "no cover of the plan"),
        ("driver_age", [120] * 5, "is not within 17 to 119"),
        ("driver_age", [16] * 5, "is not within 17 to 119"),
    ],
)
def test_a_row_of_a_book_that_breaks_a_feature_is_named(
    tmp_path: Path, field: str, values: object, problem: str
) -> None:
    path = tmp_path / "book.parquet"
    write_book(path, FULL, 5, 1)
    columns = pq.read_table(path).to_pydict()
    pq.write_table(pa.table(columns | {field: values}), path)
    with pytest.raises(BadRatingBook, match=problem) as refused:
        read_rating_book(path, compile_plan(FULL))
    assert refused.value.field == field


def test_the_example_is_checked_and_compared_as_any_plan(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(app, ["plan", "check", str(PATH)]).stdout == FULL.plan_hash + "\n"
    other = tmp_path / "other.toml"
    other.write_text(FULL.content.replace('at = 21, relativity = "1.45"', 'at = 21, relativity = "1.55"'))
    write_book(tmp_path / "book.parquet", FULL, 300, 3)
    compared = run.invoke(app, ["plan", "impact", str(PATH), str(other), str(tmp_path / "book.parquet"), "--json"])
    assert compared.exit_code == 0, compared.output
    ages = {row["level"]: row for row in json.loads(compared.stdout)["segments"]["driver_age"]}
    assert ages["from 17"]["change"] > 0
    assert ages["from 35"]["change"] == 0
    cells = {row["level"]: row for row in json.loads(compared.stdout)["segments"]["age_and_class"]}
    assert cells["17 to under 25, suv"]["change"] > 0
    assert cells["25 to under 75, suv"]["change"] < ages["from 17"]["change"]
    assert sum(row["policies"] for row in cells.values()) == 300
    out = tmp_path / "notices.parquet"
    told = run.invoke(app, ["plan", "notices", str(PATH), str(other), str(tmp_path / "book.parquet"), "-o", str(out)])
    assert told.exit_code == 0, told.output
    reasons = pq.read_table(out).column("reasons").to_pylist()
    assert reasons
    assert all("driver_age" in one[0] for one in reasons)
    pack = run.invoke(app, ["plan", "filing", str(PATH), "-o", str(tmp_path / "pack.html")])
    assert pack.exit_code == 0, pack.output
    said = (tmp_path / "pack.html").read_text()
    assert "driver_age down, vehicle_class across" in said
    for level in ("small", "van"):  # of the worked examples: first levels, highest levels
        assert f"driver age x vehicle class: 17 to under 25, {level}" in said
    dear = tmp_path / "dear.toml"  # the table alone rises
    dear.write_text(FULL.content.replace('"0.95", "1.00", "1.15", "1.10"', '"0.95", "1.00", "1.25", "1.10"'))
    differs = run.invoke(app, ["plan", "diff", str(PATH), str(dear)]).stdout
    assert differs == "tables.age_and_class.relativities[0][2]: 1.15 -> 1.25\n"
    told = run.invoke(app, ["plan", "notices", str(PATH), str(dear), str(tmp_path / "book.parquet"), "-o", str(out)])
    assert told.exit_code == 0, told.output
    reasons = pq.read_table(out).column("reasons").to_pylist()
    assert reasons
    assert {tuple(one) for one in reasons} == {
        ("age_and_class: 17 to under 25, suv x 1.15 -> 17 to under 25, suv x 1.25",)
    }
    audited = run.invoke(app, ["plan", "audit", str(PATH), str(tmp_path / "book.parquet"), "--group", "vehicle_class",
                               "--json"])  # fmt: skip
    assert {row["factor"]: row["association"] for row in json.loads(audited.stdout)["factors"]}["age_and_class"] > 0.9
