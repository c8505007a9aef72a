"""Rights of a person in a real Chromium: whose trip it was, a place that nobody sees, and being erased."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from portfolio.driver_store import name_driver
from tests.api.world import BEN, NOW, PASSWORD, POLICY_OF, World
from tests.browser.browsing import CHROMIUM, DESKTOP, PHONE, open_page, sign_in
from tests.browser.conftest import OFFICER

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]


def drawn(page: Page) -> int:
    """How many letters the server's drawing of the way has; 0: none is drawn."""
    paths = page.locator("[data-trip-map] svg path.path")
    return sum(len(str(paths.nth(place).get_attribute("d"))) for place in range(paths.count()))


def test_browser_a_trip_of_nobody_is_claimed_and_its_begin_hidden(
    browser: Browser, address: str, own_world: World
) -> None:
    with own_world.database.role("policy") as conn:
        held = conn.execute("select policy_key from policy.policy where policy_id = %s", (POLICY_OF[BEN],)).fetchone()
        assert held is not None
        since = NOW - timedelta(days=200)
        name_driver(conn, UUID(str(held[0])), uuid4(), "Kim", "kim@example.org", named_by=UUID(int=0), as_of=since)
    watched = open_page(browser, PHONE, script=False)
    page = watched.page
    sign_in(page, address, BEN, PASSWORD)
    page.goto(f"{address}/policies/{POLICY_OF[BEN]}/trips")
    page.locator("a.row[href^='/trips/']").first.click()
    expect(page.get_by_text("Nobody has said yet who drove")).to_be_visible()
    assert drawn(page) == 0
    page.get_by_role("button", name="I drove").click()
    page.get_by_role("button", name="It was not me").wait_for()
    whole = drawn(page)
    assert whole > 0
    trip = page.url
    page.get_by_role("button", name="Make it a privacy zone").click()
    expect(page.locator("section[aria-labelledby=zones]").get_by_role("button", name="Take it away")).to_have_count(1)
    page.goto(trip)
    expect(page.get_by_text("What lies in a privacy zone is left out.")).to_be_visible()
    assert 0 < drawn(page) < whole
    page.goto(f"{address}/privacy")
    page.locator("section[aria-labelledby=zones]").get_by_role("button", name="Take it away").click()
    page.locator("summary", has_text="Drives no longer").click()
    page.get_by_role("button", name="Take Kim off the policy").click()
    expect(page.get_by_text("You alone: every trip is yours.")).to_be_visible()
    page.goto(trip)
    assert drawn(page) == whole
    page.get_by_role("button", name="It was not me: take it back").click()
    expect(page.get_by_text("Nobody has said yet who drove")).to_be_visible()
    assert drawn(page) == 0  # of the time when two drove, and nobody's again
    assert watched.elsewhere() == []


def test_browser_a_person_asks_to_be_erased_and_reads_the_answer(browser: Browser, address: str) -> None:
    ben = open_page(browser, PHONE).page
    sign_in(ben, address, BEN, PASSWORD)
    ben.goto(f"{address}/privacy")
    ben.get_by_role("button", name="Ask to be erased").click()
    asked = ben.locator("section[aria-labelledby=erase]")
    expect(asked).to_contain_text("waits for a decision")
    officer = open_page(browser, DESKTOP, locale="de-DE").page
    sign_in(officer, address, OFFICER, PASSWORD)
    officer.get_by_role("link", name="Personen, die Löschung beantragten").click()
    expect(officer.locator("main")).to_contain_text("ein Vertrag läuft noch")
    officer.get_by_role("button", name="Bewilligen").click()
    expect(officer.locator("main")).to_contain_text("Bewilligt; sie wartet:")
    ben.reload()
    expect(asked).to_contain_text("granted")
    expect(asked).to_contain_text("a policy is still in force")
    assert ben.get_by_role("button", name="Ask to be erased").count() == 0
