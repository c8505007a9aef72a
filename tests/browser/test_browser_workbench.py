"""What staff do in a real Chromium: a risk is quoted and bound, two people publish a plan, quarantine is replayed."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ingest.accept import accept
from ingest.decoders import wayrate
from ingest.devices import find_device
from pricing.policies import packaged_plan
from tests.api.world import DESK, NOW, PASSWORD, World
from tests.browser.browsing import CHROMIUM, DESKTOP, Watched, open_page, sign_in
from tests.browser.conftest import ACTUARY, ADMIN, SECOND_ACTUARY

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]


def at_desk(browser: Browser, address: str, email: str) -> Watched:
    """Signed in, where this role begins."""
    watched = open_page(browser, DESKTOP)
    sign_in(watched.page, address, email, PASSWORD)
    expect(watched.page.get_by_role("heading", name="Your desk")).to_be_visible()
    return watched


def follow(page: Page, name: str) -> None:
    """By the main navigation."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()


def check_quiet(*pages: Watched) -> None:
    """Nothing complained, nothing left this machine."""
    for watched in pages:
        assert watched.complaints == []
        assert watched.elsewhere() == []


def test_browser_a_risk_is_quoted_and_bound(browser: Browser, address: str) -> None:
    watched = at_desk(browser, address, DESK)
    page = watched.page
    follow(page, "Quote")
    amount = page.locator("#price .hero-number")
    before = amount.inner_text()
    page.locator("input[name=cover-collision]").nth(1).check()
    page.wait_for_function("was => document.querySelector('#price .hero-number').innerText !== was", arg=before)
    bound_at = amount.inner_text()
    page.get_by_label("Policyholder").fill("Some Body")
    page.get_by_label("E-mail address").fill("some.body@example.org")
    page.get_by_role("button", name="Bind").click()
    page.get_by_role("heading", name="What was agreed").wait_for()
    assert bound_at != before
    expect(page.locator(".title")).to_contain_text("Some Body")
    expect(page.locator("section[aria-label='The policy']")).to_contain_text("Collision")
    check_quiet(watched)


def test_browser_two_people_publish_a_plan(browser: Browser, address: str, tmp_path: Path) -> None:
    draft = packaged_plan().content.replace('version = "1"', 'version = "2"').replace('fee = "1.50"', 'fee = "1.75"')
    draft = draft.replace("effective_from = 2019-01-01", "effective_from = 2026-12-01")
    path = tmp_path / "next.toml"
    author = at_desk(browser, address, ACTUARY)
    page = author.page
    follow(page, "Rate plans")
    past = draft.replace("effective_from = 2026-12-01", "effective_from = 2026-11-01")
    for wrong, place in ((draft.replace('fee = "1.75"', 'fee = "-1.75"'), "fee"), (past, "effective_from")):
        path.write_text(wrong)
        page.get_by_label("Rate plan (TOML)").set_input_files(path)
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_role("alert")).to_contain_text(f"at {place}")
        author.complaints.clear()  # Chromium names the 422 that the wrong draft gets
        page.get_by_role("link", name="Check another file").click()
    path.write_text(draft)
    page.get_by_label("Rate plan (TOML)").set_input_files(path)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("row", name="fee 1.50 1.75")).to_be_visible()
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.get_by_text("another person approves it")).to_be_visible()
    assert page.get_by_role("button", name="Approve and publish").count() == 0
    page.get_by_role("link", name="what it would do to the book").click()
    expect(page.get_by_text("Pay more").first).to_be_visible()

    second = at_desk(browser, address, SECOND_ACTUARY)
    page = second.page
    page.get_by_role("link", name="Rate plans to approve").click()
    page.get_by_role("row", name="waits").get_by_role("link").click()
    page.get_by_role("button", name="Approve and publish").click()
    expect(page.get_by_text(f"submitted by {ACTUARY}, approved by {SECOND_ACTUARY}")).to_be_visible()
    check_quiet(author, second)


def test_browser_quarantine_is_looked_at_and_replayed(browser: Browser, address: str, own_world: World) -> None:
    database = own_world.database
    with database.role("telemetry") as conn:
        device = find_device(conn, "car-anna")
    batch = {"readings": [{"fix_time": f"{NOW + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}", "latitude_deg": 60.17,
                           "longitude_deg": 24.94}]}  # fmt: skip
    accept(database, device, json.dumps(batch).encode(), wayrate.decode, received_at=NOW, channel="http",
           decoder_version=wayrate.VERSION)  # fmt: skip
    watched = at_desk(browser, address, ADMIN)
    page = watched.page
    page.get_by_role("link", name="Records in quarantine").click()
    page.locator("section[aria-labelledby=kept] tbody a").last.click()
    assert "60.17" not in page.locator("pre.bytes").inner_text()
    expect(page.locator("pre.bytes")).to_contain_text("##.##")
    page.get_by_role("button", name="Replay it").click()
    expect(page.get_by_text("Still quarantined").first).to_be_visible()
    follow(page, "Audit log")
    expect(page.get_by_role("cell", name="Quarantine replayed").first).to_be_visible()
    check_quiet(watched)
