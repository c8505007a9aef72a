"""Main journeys in a real Chromium: what a person sees, that nothing complains, that nothing leaves this machine."""

from decimal import Decimal

import pytest
from playwright.sync_api import Browser, expect

from tests.api.world import ANNA, DESK, PASSWORD, POLICY_OF
from tests.browser.browsing import CHROMIUM, DESKTOP, open_page, sign_in, wait_for_map

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]


def test_browser_policyholder_follows_a_trip_to_its_cost(browser: Browser, address: str) -> None:
    watched = open_page(browser, DESKTOP)
    page = watched.page
    sign_in(page, address, ANNA, PASSWORD)
    expect(page.get_by_role("heading", name="Driving score")).to_be_visible()
    page.locator("a.row[href^='/trips/']").first.click()
    assert wait_for_map(page)
    expect(page.locator("canvas.maplibregl-canvas")).to_be_visible()
    assert page.locator(".map-credit").inner_text() == "© OpenStreetMap contributors"
    page.locator(".map-event").first.click()
    expect(page.locator(".maplibregl-popup")).to_be_visible()
    expect(page.locator("section[aria-labelledby=cost]")).to_contain_text("€")
    page.get_by_role("link", name="Overview").first.click()
    page.get_by_role("link", name="Full statement").click()
    expect(page.get_by_role("heading", name="Worksheet")).to_be_visible()
    added = page.locator(".trip-parts tr", has_text="added later")
    cents = Decimal(added.locator("td.n").last.inner_text().removeprefix("€")).quantize(Decimal("0.01"))
    added.get_by_role("link").click()
    expect(page.locator("section[aria-labelledby=cost]")).to_contain_text(f"€{cents}")
    assert watched.complaints == []
    assert watched.elsewhere() == []
    assert any("/vendor/maplibre-gl.js" in url for url in watched.requests)


def test_browser_underwriter_explains_a_premium_in_two_clicks(browser: Browser, address: str) -> None:
    watched = open_page(browser, DESKTOP)
    page = watched.page
    sign_in(page, address, DESK, PASSWORD)
    page.get_by_role("link", name="Book", exact=True).click()
    page.get_by_role("link", name=POLICY_OF[ANNA]).click()  # from the book to every step in two clicks
    page.get_by_role("link", name="Why this premium: every step").click()
    expect(page.locator("table.sheet tr").nth(15)).to_be_visible()
    assert page.locator("[data-trip-map]").count() == 0
    assert watched.complaints == []
    assert watched.elsewhere() == []
