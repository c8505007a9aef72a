"""Looking before it counts, in a real Chromium: sliders by keyboard, the same without a script, in German."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.api.world import ANNA, PASSWORD, POLICY_OF
from tests.browser.browsing import CHROMIUM, DESKTOP, PHONE, open_page, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]
WHAT_IF = f"/policies/{POLICY_OF[ANNA]}/what-if"


def test_browser_a_slider_moved_by_key_changes_the_receipt(browser: Browser, address: str) -> None:
    watched = open_page(browser, PHONE)
    page = watched.page
    sign_in(page, address, ANNA, PASSWORD)
    page.get_by_role("link", name="What if you drove otherwise?").click()
    amount = page.locator("#outcome .hero-number")
    before = amount.inner_text()
    kilometres = page.locator("#steps tr", has_text="Kilometres").locator("td.n")
    step_before = kilometres.inner_text()
    page.get_by_label("How far").focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    page.locator("#outcome .up").wait_for()
    assert amount.inner_text() != before
    assert kilometres.inner_text() != step_before
    assert page.evaluate("document.activeElement.id") == "distance"
    assert re.search(r"distance=\d+&night=\d+&over=\d+", page.url)
    asked = float(page.locator("#distance").input_value())
    told = page.locator("#steps tr", has_text="Kilometres").locator(".why").first.inner_text()
    assert told.startswith(f"{asked:.1f}\xa0km")
    page.get_by_role("link", name="Back to how it is").click()
    expect(amount).to_have_text(before)
    assert watched.complaints == []
    assert watched.elsewhere() == []


def test_browser_a_choice_is_priced_as_it_is_made_and_taken_by_form(browser: Browser, address: str) -> None:
    watched = open_page(browser, DESKTOP)
    page = watched.page
    sign_in(page, address, ANNA, PASSWORD)
    page.get_by_role("link", name="Choose", exact=True).click()
    before = page.locator("#now .hero-number").inner_text()
    without = page.locator("label.choice:has(#collision-none)")
    less = without.locator(".side").inner_text()
    without.click()
    page.get_by_role("heading", name="Choose it").wait_for()
    after = page.locator("#now .hero-number").inner_text()
    money = [float(text.replace("−", "-").replace("€", "")) for text in (before, less, after)]
    assert round(money[0] + money[1], 2) == money[2]
    assert without.locator(".side").inner_text() == "chosen"
    page.get_by_role("button", name="Choose from that day").click()
    page.wait_for_url(f"{address}/policies/{POLICY_OF[ANNA]}/menu")
    assert watched.complaints == []


def test_browser_everything_works_without_a_script_and_in_german(browser: Browser, address: str) -> None:
    page = open_page(browser, PHONE, locale="de-DE", script=False).page
    sign_in(page, address, ANNA, PASSWORD)
    expect(page.get_by_role("heading", name="Fahrscore")).to_be_visible()
    page.goto(address + WHAT_IF)
    page.locator("#night").press("PageUp")
    page.get_by_role("button", name="Preis berechnen").click()
    assert re.fullmatch(r"\d+,\d\d\xa0€", page.locator("#outcome .hero-number").inner_text())
    assert page.locator("#outcome .hero strong").inner_text().endswith(("mehr", "weniger"))
    page.goto(f"{address}/home")
    page.locator("a.row[href^='/trips/']").first.click()
    page.locator("svg.trip-map path.path").first.wait_for()
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="Speed against the limit").wait_for()
    page.get_by_role("button", name="Show miles").click()
    expect(page.locator("main .title p")).to_contain_text(" mi in ")
