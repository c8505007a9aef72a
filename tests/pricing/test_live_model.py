"""A plan brings its fitted model into the book, which is followed on what the plan posted, or says what it lacks."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest
from fastapi.testclient import TestClient
from psycopg.errors import InsufficientPrivilege
from typer.testing import CliRunner

from api.app import create_api
from api.workbench.model_view import told_periods
from cli.main import app
from pricing.agreements import Asked, endorse, keep_claim
from pricing.close import close_period, post_adjustments
from pricing.live_model import Followed, follow_models, keep_model, named_model
from pricing.plan import RatePlan, parse_plan
from pricing.policies import add_policy, packaged_plan
from pricing.risk import artefact, fitting, glm
from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book
from pricing.risk.contract import ClaimFile, Contract, Factor, PolicyFile
from pricing.risk.errors import NotThePlansModel, WrongArtefact
from pricing.risk.metrics import Group
from pricing.risk.monitoring import Period
from pricing.risk.plan_tables import fitted_plan
from pricing.terms import AT_THE_HOST
from storage.pool import Database
from tests.api.conftest import begin_session
from tests.api.unmarked import english_in
from tests.pricing.book import add_with_device, document, put_trip
from tests.pricing.test_plan_in_force import put_into_the_book

NOW = datetime(2027, 1, 20, 9, tzinfo=UTC)
CITIES = ("urban", "suburban", "rural")
MONTHS = ("2026-08", "2026-09", "2026-10", "2026-11")
BRAKES = Factor("hard_brakes_per_100km", missing="leave_out", driving=True)


def learn(*others: Factor) -> RiskModel:
    """A GLM of territory, age, and other factors that claims rise with."""
    rng = np.random.default_rng(7)
    rows = 4_000
    contract = Contract(
        "test book",
        PolicyFile("p.parquet", "policy", "years", "claims", "starts_on", "ends_on", distance_km="km"),
        (Factor("territory", "categorical", levels=CITIES), Factor("driver_age", bands=(30.0,)), *others),
        ClaimFile("c.parquet", "policy", "amount", occurred_on="day", only={"cover": "collision"}),
    )
    values = {"territory": rng.integers(0, 3, rows).astype(np.float64), "driver_age": rng.integers(18, 80, rows) * 1.0}
    values |= {one.name: rng.gamma(2.0, 1.0, rows) for one in others}
    rate = 0.4 * np.array([1.6, 1.0, 0.7])[values["territory"].astype(int)]
    rate *= np.exp(sum(0.4 * (values[one.name] - 2.0) for one in others))
    days = np.full(rows, np.datetime64("2024-01-01"))
    book = Book(
        np.arange(rows), np.ones(rows), rng.poisson(rate).astype(np.float64), days, values, {"territory": CITIES}, None,
        "", days + np.timedelta64(365, "D"),
    )  # fmt: skip
    return fitting.fit(contract, book, 1, frozenset({"glm"}), lambda _: None)


@pytest.fixture(scope="module")
def learned() -> RiskModel:
    return learn()


def plan_of(model: RiskModel, folder: Path, version: str = "2", month: int = 8) -> tuple[RatePlan, bytes]:
    path = folder / f"model-{version}.json"
    digest = artefact.save(model, path)
    return fitted_plan(model, digest, packaged_plan(), version, date(2026, month, 1)).plan, path.read_bytes()


def post_book(database: Database, plan: RatePlan) -> None:
    """Thirty policies of four months, one of them without collision; claims on the first and last days of quarters."""
    put_into_the_book(database, plan)
    for number in range(30):
        factors = {"vehicle_class": "compact", "territory": CITIES[number % 3], "driver_age": 25 + number}
        covers = ["liability"] if number == 29 else ["liability", "collision"]
        name = {"policy": f"P-{number}", "email": f"p{number}@example.com"}
        starts = {"starts_on": date(2026, 8, 11), "ends_on": date(2027, 8, 11)}
        terms = {**name, **starts, "factors": factors, "covers": covers, "pay_plan": "flat"}
        if number == 0:
            add_with_device(database, **terms)
        else:
            add_policy(database, document(**terms), NOW)
    numbers = count()
    for day in (date(2026, 8, 12), date(2026, 9, 30), date(2026, 10, 1), date(2026, 11, 30)):
        for policy in ("P-1", "P-2"):
            keep_claim(database, policy, f"C-{next(numbers)}", "collision", day, NOW)
        keep_claim(database, "P-29", f"C-{next(numbers)}", "liability", day, NOW)
    for month in MONTHS:
        close_period(database, month, NOW)


def follow_all(database: Database) -> dict[str, Followed]:
    found = dict(follow_models(database, "quarter", NOW))
    followed = {digest: one for digest, one in found.items() if isinstance(one, Followed)}
    assert len(followed) == len(found)
    return followed


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with TestClient(create_api(database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        begin_session(opened, database, "ada@example.org", "actuary")
        yield opened


def shown(client: TestClient) -> str:
    assert english_in(client.get("/monitoring", headers={"accept-language": "de"}).text) == []
    return client.get("/monitoring").text


def test_a_plans_model_is_followed_on_what_the_plan_posted(
    database: Database, client: TestClient, learned: RiskModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, file = plan_of(learned, tmp_path)
    post_book(database, plan)
    # what was posted as urban was another town from October on, as is said afterwards: adjusted, and expected as that
    moved = {"factors": {"territory": "rural"}}
    endorse(database, "P-3", date(2026, 10, 1), moved, Asked(AT_THE_HOST, "moved", NOW, may_backdate=True))
    page = shown(client)
    assert page.count("names no fitted model") == 1  # of the other plan that ships
    assert f"The plan was made from model {str(named_model(plan))[:12]}, whose file is not here" in page
    assert follow_all(database) == {}
    with database.role("policy") as conn:
        with pytest.raises(NotThePlansModel, match="does not name it"):
            keep_model(conn, packaged_plan(), file, NOW)
        with pytest.raises(WrongArtefact, match="its content has the hash"):
            keep_model(conn, plan, file.replace(b"test book", b"best book"), NOW)
        digest = keep_model(conn, plan, file, NOW)
    assert "was not followed yet" in shown(client)
    monkeypatch.setenv("WAYRATE_DSN", database.dsn)
    answer = CliRunner().invoke(app, ["plan", "monitor", "--as-of", NOW.isoformat()])
    found = msgspec.convert(msgspec.json.decode(answer.stdout)[digest], Followed)
    assert (found.plans, found.part, found.lacks, found.left_out) == (("wayrate-2026 2",), "glm", (), {})
    assert found.monitored is not None
    third, fourth = found.monitored.periods
    assert (third.name, fourth.name) == ("2026 Q3", "2026 Q4")
    # by hand: 29 policies with collision, from 11 August on; claims of that cover alone
    ages = np.array([25.0 + number for number in range(29)])
    codes = np.array([float(number % 3) for number in range(29)])
    one = np.ones(29)
    values = {"territory": codes, "driver_age": ages}
    before = Book(np.arange(29), one, one, None, values, learned.levels, None, "")
    codes_after = np.where(np.arange(29) == 3, 2.0, codes)
    assert learned.glm is not None
    both = [glm.rate(learned.glm, each) for each in (before, before.with_column("territory", codes_after))]
    assert both[1].sum() < both[0].sum()
    for period, days, rates in zip((third, fourth), (51, 61), both, strict=True):
        assert period.whole.actual == 4
        assert period.whole.exposure_years == pytest.approx(29 * days / 365.25)
        assert period.whole.expected == pytest.approx(rates.sum() * days / 365.25)
        assert {each.name for each in period.drift} == {"territory", "driver_age", "predicted rate"}
    assert [period.policies for period in found.monitored.periods] == [29, 29]
    text = shown(client)
    assert f"Model {digest[:12]} (test book) was followed on 20 January 2027" in text
    assert text.index("2026 Q4") < text.index("2026 Q3")
    assert f"8 claims, {(both[0].sum() * 51 + both[1].sum() * 61) / 365.25:.1f} expected" in text


def test_what_the_book_cannot_tell_is_said(database: Database, client: TestClient, tmp_path: Path) -> None:
    plan, file = plan_of(learn(BRAKES), tmp_path)
    other, other_file = plan_of(learn(Factor("bonus")), tmp_path, "3", 12)
    post_book(database, plan)
    put_trip(database, datetime(2026, 9, 5, 9, tzinfo=UTC), metres=40_000, hard_brakes=2)
    post_adjustments(database, NOW)
    with database.role("policy") as conn:
        keep_model(conn, plan, file, NOW)
    (followed,) = follow_all(database).values()
    # who did not drive is left out: no brakes are made up
    assert (followed.part, followed.lacks, followed.left_out) == ("glm", (), {"hard_brakes_per_100km": 28})
    assert followed.monitored is not None
    assert followed.monitored.over_time.whole.exposure_years == pytest.approx(112 / 365.25)
    text = shown(client)
    assert "Hard brakes (28)" in text
    assert "Of fewer than 5 policies nothing is shown." in text
    with database.role("policy") as conn, pytest.raises(InsufficientPrivilege):
        conn.execute("update policy.model_followed set found = '{}'")
    put_into_the_book(database, other)
    # whoever is new in December is posted by a plan whose model reads what no policy declares
    factors = {"vehicle_class": "compact", "territory": CITIES[0], "driver_age": 40}
    days = {"starts_on": date(2026, 12, 1), "ends_on": date(2027, 12, 1)}
    add_policy(database, document(policy="P-30", email="p30@example.com", factors=factors, **days), NOW)
    close_period(database, "2026-12", NOW)
    with database.role("policy") as conn:
        keep_model(conn, other, other_file, NOW)
    (lacking,) = (one for one in follow_all(database).values() if one.plans == ("wayrate-2026 3",))
    assert (lacking.part, lacking.lacks, lacking.monitored) == ("", ("bonus",), None)
    assert "predicts nothing here: Bonus." in shown(client)
    # a file that is none stops nobody else
    begin = str(named_model(other))
    text = other.content.replace(begin, "f" * 16).replace('version = "3"', 'version = "4"')
    put_into_the_book(database, parse_plan(text, "4"))
    with database.role("owner") as conn:
        conn.execute("insert into policy.fitted_model values (%s, '{}', %s)", ("f" * 64, NOW))
    told = dict(follow_models(database, "quarter", NOW))
    assert isinstance(told["f" * 16], WrongArtefact)
    assert [type(one) for one in told.values()].count(Followed) == 2


def test_a_period_of_few_policies_is_not_shown_and_cannot_be_worked_out() -> None:
    months = ("2026-08", "2026-09", "2026-10", "2026-11")
    none = Group("", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, holds=True)
    made = [Period(name, none, None, None, (), policies) for name, policies in zip(months, (9, 4, 7, 8), strict=True)]
    assert [period.name for period in told_periods(made)] == ["2026-08", "2026-11"]
    assert [period.name for period in told_periods([*made[:1], *made[2:]])] == ["2026-08", "2026-10", "2026-11"]
    assert told_periods(made[:2]) == told_periods(made[1:2]) == []
