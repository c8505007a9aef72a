"""Every page of every role in a real Chromium: axe finds nothing serious in either theme, nothing leaves the host,
nothing scrolls sideways, our own script is small."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from api.rendering import STATIC
from tests.api.world import ANNA, BEN, DESK, PASSWORD, POLICY_OF
from tests.browser.browsing import CHROMIUM, PHONE, open_page, sign_in
from tests.browser.conftest import ACTUARY, ADMIN, OFFICER, SUPPORT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]
SERIOUS = {"serious", "critical"}
OWN, BOOK = f"/policies/{POLICY_OF[ANNA]}", f"/book/{POLICY_OF[ANNA]}"
PAGES = {
    ANNA: (
        "/home", f"{OWN}/score", f"{OWN}/trips", f"{OWN}/what-if?distance=300&night=20", f"{OWN}/menu?pay_plan=flat",
        f"{OWN}/statements/2026-10", "a trip", "/privacy", "/drives", "/trips/none",
    ),
    DESK: (
        "/desk", "/book", BOOK, f"{BOOK}/statements/2026-10", "/contests", "/quote", "/portfolio", "/portfolio/map",
        "/monitoring", "/score-model", "/rate-plans", "/quarantine", "/experiments", "/segments", "/strategies",
    ),
    SUPPORT: ("/customers", f"/customers/{POLICY_OF[BEN]}", "/guard"),
    ACTUARY: ("/desk", "/experiments", "/rate-plans", "/segments", "/strategies", "/guard"),
    OFFICER: ("/desk", "/erasures", f"/locations?policy={POLICY_OF[ANNA]}", "/audit"),
    ADMIN: ("/desk", "/quarantine", "/devices", "/security-events", "/system", "/audit"),
}  # fmt: skip
SELDOM = {ACTUARY, OFFICER, ADMIN}  # their pages are made of the same parts as the desk's
WIDTHS = (360, 1280)
MOST_SCRIPT_BYTES = 150 * 1024


@dataclass
class Findings:
    """What is wrong, by page."""

    found: list[str] = field(default_factory=list)

    def look(self, page: Page, name: str, axe: Axe, rules: dict[str, object]) -> None:
        answer = axe.run(page, options={"resultTypes": ["violations"], **rules}).response
        self.found += [
            f"{name}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]}"
            for one in answer["violations"]
            if one["impact"] in SERIOUS
        ]


def opened(page: Page, address: str, paths: tuple[str, ...]) -> Iterator[str]:
    """Each page in turn, as it stands when it has come to rest."""
    for path in paths:
        if path == "a trip":
            page.goto(f"{address}/home")
            page.locator("a.row[href^='/trips/']").first.click()
        else:
            page.goto(address + path)
        page.wait_for_load_state("networkidle")
        yield path


@pytest.mark.parametrize(
    "email", [pytest.param(email, marks=[pytest.mark.long] if email in SELDOM else []) for email in PAGES]
)
def test_browser_axe_finds_nothing_serious_on_any_page_in_either_theme(
    browser: Browser, address: str, email: str
) -> None:
    findings, axe = Findings(), Axe()
    watched = open_page(browser, PHONE)
    page = watched.page
    page.emulate_media(reduced_motion="reduce")  # colours are as they stay, not on their way
    page.goto(address)
    findings.look(page, "sign in", axe, {})
    sign_in(page, address, email, PASSWORD)
    for path in opened(page, address, PAGES[email]):
        findings.look(page, path, axe, {})
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        page.emulate_media(color_scheme="dark")
        findings.look(page, f"{path} in the dark", axe, {"runOnly": ["color-contrast"]})
        page.emulate_media(color_scheme="light")
    assert findings.found == []
    assert watched.elsewhere() == []
    assert [said for said in watched.complaints if "404" not in said] == []


def test_browser_a_finding_is_found(browser: Browser, address: str) -> None:
    """The look itself: a page made bad on purpose is not passed."""
    findings = Findings()
    page = open_page(browser, PHONE).page
    page.goto(address)
    page.evaluate(
        "document.querySelector('input[name=email]').closest('label').replaceWith(document.createElement('input'))"
    )
    findings.look(page, "sign in", Axe(), {})
    assert [one.split(" (")[0] for one in findings.found] == ["sign in: label"]


def test_browser_our_own_script_is_small() -> None:
    scripts = [path for path in STATIC.iterdir() if path.suffix == ".js"]
    assert len(scripts) >= 2
    assert sum(len(gzip.compress(Path(path).read_bytes())) for path in scripts) < MOST_SCRIPT_BYTES


def test_browser_the_main_pages_are_walked_by_keyboard_alone(browser: Browser, address: str) -> None:
    page = open_page(browser, PHONE).page
    page.goto(address)
    page.locator("input[name=email]:focus").wait_for()
    page.keyboard.type(ANNA)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Driving score").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    seen = []
    while not seen or not seen[-1].startswith("/trips/"):
        page.keyboard.press("Tab")
        seen.append(str(page.evaluate("document.activeElement.getAttribute('href')")))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen[-1]
        assert len(seen) < 30
    assert f"{OWN}/score" in seen
    page.keyboard.press("Enter")
    page.wait_for_url("**/trips/*")


def test_browser_a_statement_prints_without_what_only_a_screen_needs(browser: Browser, address: str) -> None:
    page = open_page(browser, PHONE).page
    sign_in(page, address, ANNA, PASSWORD)
    page.goto(f"{address}{OWN}/statements/2026-10")
    page.emulate_media(media="print")
    for hidden in (".top nav", "form.who", "form.reading", ".crumbs"):
        assert not page.locator(hidden).first.is_visible(), hidden
    expect(page.locator(".trip-parts tr").first).to_be_visible()
    assert page.pdf()[:5] == b"%PDF-"


LINES = """(node, words) => {
  const range = document.createRange()
  const tops = new Set()
  for (const text of [...node.childNodes].filter(one => one.nodeType === Node.TEXT_NODE)) {
    const found = text.data.match(new RegExp(words))
    if (!found) continue
    range.setStart(text, found.index)
    range.setEnd(text, found.index + found[0].length)
    for (const box of range.getClientRects()) tops.add(Math.round(box.top))
  }
  return tops.size
}"""


@pytest.mark.parametrize("locale", ["en-FI", "de-DE", "en-GB"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_browser_no_line_breaks_within_a_word_or_between_a_number_and_its_unit(
    browser: Browser, address: str, width: int, locale: str
) -> None:
    page = open_page(browser, {"width": width, "height": 844}, locale=locale).page
    sign_in(page, address, ANNA, PASSWORD)
    row = page.locator(".with-file .under").first
    assert row.evaluate(LINES, r"[\d.,]+\s(km|mi)") == 1
    box, words = row.bounding_box(), row.inner_text()
    assert box is not None
    assert box["height"] < 50, words  # two lines at most
    page.context.close()
    page = open_page(browser, {"width": width, "height": 844}, locale=locale).page
    sign_in(page, address, DESK, PASSWORD)
    page.goto(address + BOOK)
    zone = page.locator(".facts dd", has_text="Europe").first
    assert zone.evaluate(LINES, "Helsinki") == zone.evaluate(LINES, "Europe/") == 1
    page.context.close()
