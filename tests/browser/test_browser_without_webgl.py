"""A Chromium that draws no WebGL: a browser of its own, so a file of its own."""

import pytest
from playwright.sync_api import expect

from tests.api.world import ANNA, PASSWORD
from tests.browser.browsing import CHROMIUM, PHONE, chromium, open_page, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]


def test_browser_without_webgl_the_servers_drawing_is_the_map(address: str) -> None:
    with chromium(webgl=False) as browser:
        watched = open_page(browser, PHONE)
        sign_in(watched.page, address, ANNA, PASSWORD)
        watched.page.locator("a.row[href^='/trips/']").first.click()
        watched.page.wait_for_load_state("networkidle")
        assert watched.page.locator("[data-trip-map].live").count() == 0
        expect(watched.page.locator("svg.trip-map path.path").first).to_be_visible()
        assert watched.complaints == []
