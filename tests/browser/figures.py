"""How a running Wayrate's pages load in Chromium: first and largest paint, layout shift, blocking, bytes.

uv run python -m tests.browser.figures ADDRESS EMAIL PATH... (the password is read from WAYRATE_PASSWORD). A PATH of
`trip` is the latest trip. Each page is loaded with an empty cache, on a phone, five times; the median is printed: as
this machine is, and as a slow phone has it (1.6 Mbit/s, 150 ms to the server, a quarter of this processor).
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from playwright.sync_api import Browser, Page

from tests.browser.browsing import PHONE, chromium, open_page, sign_in

TIMES = 5
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
WATCH = """
window.figures = {shift: 0, largest_ms: 0, blocking_ms: 0};
const watch = (type, act) =>
  new PerformanceObserver((list) => list.getEntries().forEach(act)).observe({type, buffered: true});
watch("layout-shift", (entry) => { if (!entry.hadRecentInput) figures.shift += entry.value; });
watch("largest-contentful-paint", (entry) => { figures.largest_ms = entry.startTime; });
watch("longtask", (entry) => { figures.blocking_ms += Math.max(entry.duration - 50, 0); });
"""
READ = """() => ({...figures,
  first_ms: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  answer_ms: performance.getEntriesByType("navigation")[0].responseStart,
  requests: 1 + performance.getEntriesByType("resource").length,
  bytes: performance.getEntriesByType("navigation")[0].transferSize
    + performance.getEntriesByType("resource").reduce((sum, one) => sum + one.transferSize, 0)})"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one page: times in ms since it was asked for, the layout shift (0: nothing moved), what was transferred."""

    answer_ms: float
    first_ms: float
    largest_ms: float
    blocking_ms: float
    shift: float
    requests: int
    bytes: int


def measure(browser: Browser, address: str, email: str, password: str, path: str, *, slow: bool) -> Figures:
    """The medians of TIMES loads with an empty cache."""
    page = open_page(browser, PHONE).page
    sign_in(page, address, email, password)
    if path == "trip":
        page.goto(f"{address}/home")
        path = str(page.locator("a.row[href^='/trips/']").first.get_attribute("href"))
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    if slow:
        devtools.send("Network.emulateNetworkConditions", SLOW)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(WATCH)
    loads = [_load(page, f"{address}/{path.removeprefix('/')}") for _ in range(TIMES)]
    page.context.close()
    return Figures(**{name: median(load[name] for load in loads) for name in Figures.__dataclass_fields__})


def _load(page: Page, url: str) -> dict[str, float]:
    page.goto(url, wait_until="networkidle")
    page.wait_for_timeout(500)
    found: dict[str, float] = page.evaluate(READ)
    return found


def main(address: str, email: str, password: str, paths: Sequence[str]) -> None:
    """Prints a row for each page and speed."""
    print("page | speed | answer | first paint | largest paint | blocked | layout shift | requests | KiB")
    with chromium() as browser:
        for path in paths:
            for slow in (False, True):
                found = measure(browser, address, email, password, path, slow=slow)
                print(
                    f"{path} | {'slow phone' if slow else 'as it is'} | {found.answer_ms:.0f} ms | "
                    f"{found.first_ms:.0f} ms | {found.largest_ms:.0f} ms | {found.blocking_ms:.0f} ms | "
                    f"{found.shift:.3f} | {found.requests:.0f} | {found.bytes / 1024:.0f}"
                )


if __name__ == "__main__":
    _, given_address, given_email, *given_paths = sys.argv
    main(given_address, given_email, os.environ["WAYRATE_PASSWORD"], given_paths)
