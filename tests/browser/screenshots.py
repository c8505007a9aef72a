"""Screenshots of a running Wayrate: signs in and shoots pages on a phone and a desktop.

uv run python -m tests.browser.screenshots ADDRESS EMAIL OUTPUT_FOLDER PATH... (the password is read from
WAYRATE_PASSWORD). A PATH of `trip` opens the latest trip; `home` is `/home` of that account.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.browser.browsing import DESKTOP, PHONE, chromium, open_page, sign_in


def shoot(
    address: str,
    email: str,
    password: str,
    folder: Path,
    paths: Sequence[str],
    *,
    dark: bool = False,
    full: bool = True,
) -> list[Path]:
    """One PNG a path and size, named after both; their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with chromium() as browser:
        for size_name, size in (("phone", PHONE), ("desktop", DESKTOP)):
            page = open_page(browser, size, dark=dark).page
            sign_in(page, address, email, password)
            for path in paths:
                if path == "trip":
                    page.goto(f"{address}/home")
                    page.locator("a.row[href^='/trips/']").first.click()
                else:
                    page.goto(f"{address}/{path.removeprefix('/')}")
                page.wait_for_load_state("networkidle")
                if page.locator("[data-trip-map]").count():
                    page.wait_for_timeout(2500)
                name = f"{path.strip('/').replace('/', '-') or 'start'}-{size_name}{'-dark' if dark else ''}.png"
                page.screenshot(path=folder / name, full_page=full)
                files.append(folder / name)
    return files


if __name__ == "__main__":
    _, given_address, given_email, given_folder, *given_paths = sys.argv
    for file in shoot(given_address, given_email, os.environ["WAYRATE_PASSWORD"], Path(given_folder), given_paths):
        print(file)
