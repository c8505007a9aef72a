"""One browser and one copy of the small book a file, behind the real application."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from api.accounts import add_account
from api.app import create_api
from tests.api.conftest import copied, world
from tests.api.world import NOW, PASSWORD, World
from tests.browser.browsing import chromium, served

SUPPORT, ACTUARY, ADMIN = "support@example.org", "actuary@example.org", "admin@example.org"
SECOND_ACTUARY, OFFICER = "second.actuary@example.org", "officer@example.org"

__all__ = ["world"]


@pytest.fixture(scope="module")
def own_world(world: World, server_dsn: str) -> Iterator[World]:
    """A copy of the book for one file, with an account of every role that has pages."""
    with copied(world, server_dsn) as copy:
        with copy.database.role("policy") as conn:
            for email, role in (
                (SUPPORT, "support"),
                (ACTUARY, "actuary"),
                (SECOND_ACTUARY, "actuary"),
                (ADMIN, "admin"),
                (OFFICER, "privacy_officer"),
            ):
                add_account(conn, email, PASSWORD, role, created_at=NOW)
        yield copy


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one file: while it is there no other test of this worker could run an event loop."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(own_world: World) -> Iterator[str]:
    """The real application on that copy."""
    with served(create_api(own_world.database, own_world.roads, lambda: NOW)) as at:
        yield at
