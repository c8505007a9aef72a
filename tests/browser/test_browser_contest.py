"""From a contest to money in a real Chromium: raised on a phone, decided at a desk, credited in the statement."""

from decimal import Decimal

import pytest
from playwright.sync_api import Browser, expect

from pricing.close import post_adjustments
from tests.api.world import ANNA, DESK, NOW, PASSWORD, POLICY_OF, World
from tests.browser.browsing import CHROMIUM, DESKTOP, PHONE, open_page, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]
STATEMENT = f"/policies/{POLICY_OF[ANNA]}/statements/2026-10"


def euros(text: str) -> Decimal:
    return Decimal(text.strip().replace("−", "-").replace("€", "").replace("+", ""))


def test_browser_contest_decision_credit_and_new_statement(browser: Browser, address: str, own_world: World) -> None:
    watched = open_page(browser, PHONE)
    anna = watched.page
    sign_in(anna, address, ANNA, PASSWORD)
    anna.goto(address + STATEMENT)
    before = euros(anna.locator(".hero-number").first.inner_text())
    anna.locator(".trip-parts a").last.click()
    anna.wait_for_url("**/trips/*")
    trip = anna.url
    promised = euros(anna.locator("section[aria-labelledby=contest] p.small").inner_text().split(": ")[1].split(" ")[0])
    anna.locator("select[name=event]").select_option("0")
    anna.locator("select[name=reason]").select_option("not_my_car")
    anna.get_by_label("In your words").fill("The car was at the workshop.")
    anna.get_by_role("button", name="Contest it").click()
    expect(anna.locator("section[aria-labelledby=contest]")).to_contain_text("waiting for a decision")

    desk = open_page(browser, DESKTOP).page
    sign_in(desk, address, DESK, PASSWORD)
    desk.goto(f"{address}/contests")
    desk.get_by_role("link", name="The whole trip").first.click()
    expect(desk.locator("main")).to_contain_text("The person did not let the way be shown.")
    desk.locator("textarea[name=words]").fill("The workshop confirmed it.")
    desk.get_by_role("button", name="Uphold", exact=True).click()
    desk.locator("tbody .tag", has_text="upheld").first.wait_for()

    post_adjustments(own_world.database, NOW)
    anna.goto(trip)
    told = anna.locator("section[aria-labelledby=contest]").inner_text()
    assert "The workshop confirmed it." in told
    assert "looked at the evidence" in told
    credit = euros(told.split("Adjusted: ")[1].split(" in ")[0])
    assert credit == promised
    anna.goto(address + STATEMENT)
    assert euros(anna.locator(".hero-number").first.inner_text()) == before + credit
    expect(anna.locator("section[aria-labelledby=adjustments]")).to_contain_text("1 contest upheld")
    assert watched.complaints == []


def test_browser_a_relabelled_trip_comes_off_and_can_be_taken_back(browser: Browser, address: str) -> None:
    page = open_page(browser, PHONE).page
    sign_in(page, address, ANNA, PASSWORD)
    page.locator("a.row[href^='/trips/']").first.click()
    page.get_by_label("What it was").select_option("passenger")
    page.get_by_role("button", name="Say so").click()
    expect(page.locator("section[aria-labelledby=label]")).to_contain_text("You said: I was a passenger")
    expect(page.get_by_text("This trip does not count towards your premium")).to_be_visible()
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("This trip does not count towards your premium")).to_have_count(0)
