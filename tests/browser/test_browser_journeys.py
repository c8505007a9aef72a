"""Main journeys in a real Chromium: what a person sees, that nothing complains, that nothing leaves this machine."""

import os
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
from psycopg import conninfo, sql

from api.app import create_api
from storage.migrate import migrate
from storage.pool import Database
from tests.api.world import ANNA, DESK, NOW, PASSWORD, POLICY_OF, World, build_world
from tests.browser.browsing import CHROMIUM, DESKTOP, PHONE, chromium, open_page, served, sign_in, wait_for_map

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(server_dsn: str) -> Iterator[str]:
    """The real application with the small book behind it."""
    name = f"wayrate_browser_{os.getpid()}"
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    dsn = conninfo.make_conninfo(server_dsn, dbname=name)
    migrate(dsn)
    with Database(dsn) as database:
        world: World = build_world(database)
        with served(create_api(database, world.roads, lambda: NOW)) as at:
            yield at
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_browser_policyholder_follows_a_trip_to_its_cost(address: str) -> None:
    with chromium() as browser:
        watched = open_page(browser, DESKTOP)
        page = watched.page
        sign_in(page, address, ANNA, PASSWORD)
        assert page.get_by_role("heading", name="Driving score").is_visible()
        page.locator("a.row[href^='/trips/']").first.click()
        assert wait_for_map(page)
        assert page.locator("canvas.maplibregl-canvas").is_visible()
        assert page.locator(".map-credit").inner_text() == "© OpenStreetMap contributors"
        page.locator(".map-event").first.click()
        assert page.locator(".maplibregl-popup").is_visible()
        assert "€" in page.locator("section[aria-labelledby=cost]").inner_text()
        page.get_by_role("link", name="Overview").first.click()
        page.get_by_role("link", name="Full statement").click()
        assert page.get_by_role("heading", name="Worksheet").is_visible()
        added = page.locator(".trip-parts tr", has_text="added later")
        cents = Decimal(added.locator("td.n").last.inner_text().removeprefix("€")).quantize(Decimal("0.01"))
        added.get_by_role("link").click()
        assert f"€{cents}" in page.locator("section[aria-labelledby=cost]").inner_text()
        assert watched.complaints == []
        assert watched.elsewhere() == []
        assert any("/vendor/maplibre-gl.js" in url for url in watched.requests)


def test_browser_without_webgl_the_servers_drawing_is_the_map(address: str) -> None:
    with chromium(webgl=False) as browser:
        watched = open_page(browser, PHONE)
        sign_in(watched.page, address, ANNA, PASSWORD)
        watched.page.locator("a.row[href^='/trips/']").first.click()
        watched.page.wait_for_load_state("networkidle")
        assert watched.page.locator("[data-trip-map].live").count() == 0
        assert watched.page.locator("svg.trip-map path.path").first.is_visible()
        assert watched.complaints == []


def test_browser_underwriter_explains_a_premium_in_two_clicks(address: str) -> None:
    with chromium() as browser:
        watched = open_page(browser, DESKTOP)
        page = watched.page
        sign_in(page, address, DESK, PASSWORD)
        page.get_by_role("link", name=POLICY_OF[ANNA]).click()
        page.get_by_role("link", name="Worksheet and statement").click()
        assert page.locator("table.sheet tr").count() > 15
        assert page.locator("[data-trip-map]").count() == 0
        assert watched.complaints == []
        assert watched.elsewhere() == []


@pytest.mark.parametrize("width", [360, 1280])
def test_browser_no_page_scrolls_sideways(address: str, width: int) -> None:
    with chromium() as browser:
        page = open_page(browser, {"width": width, "height": 800}).page
        sign_in(page, address, ANNA, PASSWORD)
        paths = ["/home", f"/policies/{POLICY_OF[ANNA]}/trips", f"/policies/{POLICY_OF[ANNA]}/statements/2026-10"]
        paths.append(str(page.locator("a.row[href^='/trips/']").first.get_attribute("href")))
        for path in paths:
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
