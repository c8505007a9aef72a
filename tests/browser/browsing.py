"""A real Chromium against the real application: signing in, and watching what it asks for and complains about."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as TookTooLong
from starlette.types import ASGIApp

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SOFTWARE_WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
NO_WEBGL = ("--disable-gpu", "--disable-webgl", "--disable-webgl2")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass
class Watched:
    """What a page asked for and said."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def elsewhere(self) -> list[str]:
        """Requests to any host but this machine's loopback (a blob: or data: address is no request)."""
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme.startswith("http") and urlsplit(url).hostname != "127.0.0.1"
        ]


@contextmanager
def chromium(*, webgl: bool = True) -> Iterator[Browser]:
    """Debian's Chromium, drawing WebGL in software or refusing it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=[*ARGUMENTS, *(SOFTWARE_WEBGL if webgl else NO_WEBGL)]
        )
        yield browser
        browser.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The application on an ephemeral port of the loopback; its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def open_page(
    browser: Browser, size: dict[str, int], *, dark: bool = False, locale: str = "en-FI", script: bool = True
) -> Watched:
    """A fresh profile's page that is watched from its first request on; English and km unless told otherwise."""
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        locale=locale,
        java_script_enabled=script,
    )
    watched = Watched(context.new_page())
    watched.page.on("request", lambda request: watched.requests.append(request.url))
    watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    watched.page.on(
        "console",
        lambda message: watched.complaints.append(message.text) if message.type in {"error", "warning"} else None,
    )
    return watched


def sign_in(page: Page, address: str, email: str, password: str) -> None:
    """Through the form, by keyboard, in any language."""
    page.goto(address)
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(password)
    page.keyboard.press("Enter")
    page.locator("form.who button").wait_for()


def wait_for_map(page: Page) -> bool:
    """True once the interactive map stands; False when the server's drawing is what there is."""
    frame = page.locator("[data-trip-map]")
    frame.wait_for()
    try:
        page.locator("[data-trip-map].live").wait_for(timeout=15_000)
    except TookTooLong:
        return False
    page.wait_for_timeout(400)
    return True
