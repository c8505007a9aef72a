"""The filing pack says what the plan says, its examples are what the plan charges, and it escapes what it is given."""

import json
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from cli.main import app
from pricing.document import Rows, as_html, as_pdf
from pricing.filing import pack, title_of
from pricing.plan import RatePlan, parse_plan
from pricing.policies import packaged_plan
from pricing.quote import quote_of
from pricing.risk import fitting, glm
from pricing.risk.errors import NotThePlansModel
from tests.browser.browsing import CHROMIUM, PHONE, chromium
from tests.pricing import risk_books
from tests.pricing.rating_books import write_book
from tests.pricing.test_profiles import SHIPPED, text_for


class Text(HTMLParser):
    """The words of a page, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(plan: RatePlan, *parts: object) -> str:
    return as_html(title_of(plan), pack(plan, *parts))  # type: ignore[arg-type]


def read(markup: str) -> tuple[str, list[str]]:
    text = Text()
    text.feed(markup)
    return " ".join(" ".join(text.words).split()), text.tags


def test_everything_that_the_plan_charges_stands_in_the_pack() -> None:
    plan = packaged_plan()
    words, _ = read(page(plan))
    assert plan.plan_hash in words
    for factor in plan.factors.values():
        assert factor.name in words
        for relativity in (*factor.levels.values(), *(band.relativity for band in factor.bands)):
            assert str(relativity) in words
    for cover in plan.covers.values():
        assert all(str(rate) in words for rate in (cover.per_day, cover.standard_per_km, *cover.per_km.values()))
    for rule in (plan.minimum_premium, plan.fee, plan.tax_rate, plan.behaviour.highest):
        assert str(rule) in words


def test_whose_claims_count_stands_in_the_pack() -> None:
    content = Path("docs/examples/rate-plan.toml").read_text("utf-8")
    for share, fault in ((51, "at fault from 51 percent, the fault determined"), (0, "whoever was at fault")):
        words, _ = read(page(parse_plan(content.replace("percent = 51", f"percent = {share}"), "example")))
        counted = f"of liability, {fault}, of a cost over 300, of the last 5 years"
        assert f"claims {counted}; 100 for new business" in words


def test_the_worked_examples_are_the_plans_own_amounts() -> None:
    from pricing.filing import _asked  # noqa: PLC0415  what the pack shows

    for plan in (packaged_plan(), packaged_plan("wayrate-menu-2026")):
        words, _ = read(page(plan))
        for pay_plan in plan.pay_plans.values():
            for highest in (False, True):
                amount = quote_of(plan, _asked(plan, pay_plan, highest=highest))["amount"]
                assert f"{amount} {plan.currency}" in words


def test_the_pack_of_a_jurisdiction_names_its_sources_and_duties() -> None:
    words, _ = read(page(parse_plan(text_for("maryland"), "a")))
    assert "27-614" in words
    assert "first-class mail, form 1" in words
    assert "Not legal advice" in words


def test_the_pdf_says_what_the_page_says() -> None:
    plan = parse_plan(
        text_for("maryland").replace('title = "Motor liability"', 'title = "<b>Liability</b> & more"'), "a"
    )
    blocks = pack(plan)
    found = as_pdf(title_of(plan), blocks)
    assert found == as_pdf(title_of(plan), pack(plan))
    said = "".join("".join(sheet.extract_text() for sheet in PdfReader(BytesIO(found)).pages).split())
    # a page's foot stands between what is broken over two pages: single cells are looked for, not sentences
    for block in blocks:
        if isinstance(block, Rows):
            assert all("".join(cell.split()) in said for row in block.rows for cell in row)
    assert plan.plan_hash in said
    assert "<b>Liability</b>&more" in said


def test_what_a_plan_says_is_text_and_no_markup() -> None:
    content = SHIPPED.replace('title = "Motor liability"', 'title = "<script>alert(1)</script>"')
    words, tags = read(page(parse_plan(content, "a")))
    assert "<script>alert(1)</script>" in words
    assert "script" not in tags


def test_the_command_with_change_and_audit(tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(SHIPPED.replace('urban = "1.10"', 'urban = "1.32"'))
    write_book(tmp_path / "book.parquet", packaged_plan(), 300, 8)
    run = CliRunner()
    new, book, out = (str(tmp_path / name) for name in ("new.toml", "book.parquet", "pack.html"))
    audit = run.invoke(app, ["plan", "audit", new, book, "--group", "territory", "--json"])
    (tmp_path / "audit.json").write_text(audit.stdout)
    words = ["plan", "filing", new, "-o", out, "--old", "wayrate-2026", "--book", book]
    answer = run.invoke(app, [*words, "--bias-test", str(tmp_path / "audit.json")])
    assert answer.exit_code == 0, answer.exception
    said, _ = read(Path(out).read_text())
    assert "stands in for the group" in said
    change = json.loads(run.invoke(app, ["plan", "impact", "wayrate-2026", new, book, "--json"]).stdout)
    assert change["old_amount"] in said
    assert f"Off-balance {change['off_balance']:.4f}" in said
    assert "go together" in str(run.invoke(app, ["plan", "filing", new, "-o", out, "--book", book]).exception)
    wrong = run.invoke(app, ["plan", "filing", "wayrate-2026", "-o", out, "--bias-test", str(tmp_path / "audit.json")])
    assert "run it again" in str(wrong.exception)
    shown = run.invoke(app, ["plan", "impact", "wayrate-2026", new, book, "--out", out, "--json"])
    assert shown.exit_code == 0
    assert read(Path(out).read_text())[0].startswith("From wayrate-2026 1 to wayrate-2026 1")


def named_by(digest: str) -> RatePlan:
    """The plan that ships, said to be made from a model."""
    return parse_plan(SHIPPED.replace('basis = "', f'basis = "Relativities of model {digest[:16]}. '), "named")


def test_the_model_stands_with_its_intervals(tmp_path: Path) -> None:
    book, contract = risk_books.book(tmp_path, rows=4000)
    model = fitting.fit(contract, book, 1, frozenset({"glm"}), lambda _: None)
    words, _ = read(page(named_by("ab" * 32), (model, "ab" * 32)))
    assert "ab" * 32 in words
    assert model.glm is not None
    for row in glm.relativities(model.glm, book.take(np.zeros(1, dtype=np.intp))):
        assert f"{row.relativity:.3f} {row.low:.3f} to {row.high:.3f}" in words
    for limit in model.card.limits:
        assert limit in words


def test_the_lift_of_the_very_model_stands_in_the_pack(tmp_path: Path) -> None:
    run = CliRunner()
    risk_books.book(tmp_path, rows=4000)
    model, other = str(tmp_path / "model"), str(tmp_path / "other")
    fit = ["fit", str(tmp_path), "--contract", str(tmp_path / "contract.toml"), "--glm-only", "--out"]
    assert run.invoke(app, [*fit, model]).exit_code == 0
    assert run.invoke(app, [*fit, other, "--seed", "2"]).exit_code == 0
    judged = run.invoke(app, ["evaluate", model, str(tmp_path)])
    (tmp_path / "judged.json").write_text(judged.stdout)
    plan = tmp_path / "plan.toml"
    plan.write_text(named_by(json.loads(judged.stdout)["sha256"]).content)
    words = ["plan", "filing", str(plan), "--evaluation", str(tmp_path / "judged.json"), "-o"]
    said = run.invoke(app, [*words, str(tmp_path / "pack.html"), "--model", model])
    assert said.exit_code == 0, said.exception
    page_words, _ = read((tmp_path / "pack.html").read_text())
    found = json.loads(judged.stdout)["models"]["glm"]
    assert f"Gini {found['gini']:.4f}" in page_words
    for group in found["deciles"]:
        assert f"{group['ratio']:.3f} {group['low']:.3f} to {group['high']:.3f}" in page_words
    wrong = run.invoke(app, [*words, str(tmp_path / "pack.pdf"), "--model", other])
    assert "of another model" in str(wrong.exception)
    only = run.invoke(app, ["plan", "filing", str(plan), "-o", str(tmp_path / "pack.pdf"), "--model", other])
    assert isinstance(only.exception, NotThePlansModel)
    assert not (tmp_path / "pack.pdf").exists()
    assert "must end with" in str(run.invoke(app, ["plan", "filing", "wayrate-2026", "-o", "pack.doc"]).exception)


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
def test_the_pack_fits_a_phone(tmp_path: Path) -> None:
    (tmp_path / "pack.html").write_text(page(packaged_plan()))
    with chromium() as browser:
        tab = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        tab.goto(f"file://{tmp_path / 'pack.html'}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
