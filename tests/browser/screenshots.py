"""Screenshots of a running Wayrate: signs in and shoots pages on a phone and a desktop.

uv run python -m tests.browser.screenshots ADDRESS EMAIL OUTPUT_FOLDER PATH... (the password is read from
WAYRATE_PASSWORD). A PATH of `trip` opens the latest trip with an event; `home` is `/home` of that account.

uv run python -m tests.browser.screenshots ADDRESS pictures renews the pictures of people's and of staff's pages in
docs/images, of `wayrate demo` at that address.
"""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from cli.demo_world import PARTICIPANTS, PASSWORD, SUPPORT, UNDERWRITER
from tests.browser.browsing import DESKTOP, PHONE, chromium, open_page, sign_in, wait_for_map

IMAGES = Path(__file__).parents[2] / "docs" / "images"
OWN = f"policies/{PARTICIPANTS[0].policy_id}"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the documents; `full`: the whole page, else what a first look sees."""

    name: str
    path: str
    size: dict[str, int]
    dark: bool = False
    locale: str = "en-FI"
    full: bool = False
    email: str = PARTICIPANTS[0].email


PICTURES = (
    Picture("policyholder-phone", "home", PHONE),
    Picture("policyholder-trip", "trip", {"width": 1280, "height": 1110}),
    Picture("policyholder-trip-phone", "trip", PHONE, dark=True),
    Picture("policyholder-score", f"{OWN}/score", DESKTOP, full=True),
    Picture("policyholder-score-phone-german", f"{OWN}/score", PHONE, locale="de-DE"),
    Picture("policyholder-what-if", f"{OWN}/what-if?distance=120&night=25&over=5", DESKTOP, full=True),
    Picture("policyholder-what-if-phone", f"{OWN}/what-if?distance=120&night=25&over=5", PHONE),
    Picture("policyholder-choose", f"{OWN}/menu?pay_plan=per_km", DESKTOP),
    Picture("policyholder-overview-dark", "home", DESKTOP, dark=True),
    Picture("underwriter", "book", DESKTOP, email=UNDERWRITER),
    Picture("portfolio", "portfolio", DESKTOP, email=UNDERWRITER),
    Picture("where-the-book-drives", "portfolio/map", DESKTOP, email=UNDERWRITER),
    Picture("monitoring-german-dark", "monitoring", DESKTOP, dark=True, locale="de-DE", email=UNDERWRITER),
    Picture("customer-card", f"customers/{PARTICIPANTS[0].policy_id}", DESKTOP, full=True, email=SUPPORT),
)


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
                _open(page, address, path)
                name = f"{path.strip('/').replace('/', '-') or 'start'}-{size_name}{'-dark' if dark else ''}.png"
                page.screenshot(path=folder / name, full_page=full)
                files.append(folder / name)
    return files


def renew(address: str, folder: Path = IMAGES) -> list[Path]:
    """The pictures of the documents; whole pages in 256 colours, so that none is over 250 kB."""
    files = []
    with chromium() as browser:
        for picture in PICTURES:
            page = open_page(browser, picture.size, dark=picture.dark, locale=picture.locale).page
            sign_in(page, address, picture.email, PASSWORD)
            _open(page, address, picture.path)
            shot = Image.open(BytesIO(page.screenshot(full_page=picture.full))).convert("RGB")
            files.append(folder / f"{picture.name}.png")
            if picture.full:
                shot = shot.quantize(256, dither=Image.Dither.NONE)
            shot.save(files[-1], optimize=True)
            page.context.close()
    return files


def _open(page: Page, address: str, path: str) -> None:
    if path == "trip":
        page.goto(f"{address}/home")
        page.locator("a.row[href^='/trips/']", has_text=re.compile("event|Ereignis")).first.click()
    else:
        page.goto(f"{address}/{path.removeprefix('/')}")
    page.wait_for_load_state("networkidle")
    if page.locator("[data-trip-map]").count():
        wait_for_map(page)


if __name__ == "__main__":
    _, given_address, given_email, *others = sys.argv
    if given_email == "pictures":
        made = renew(given_address)
    else:
        given_folder, *given_paths = others
        made = shoot(given_address, given_email, os.environ["WAYRATE_PASSWORD"], Path(given_folder), given_paths)
    for file in made:
        print(file)
