"""The what-if for programs: the real rating, the same as the page's."""

from decimal import Decimal as D  # noqa: N817

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import sign_in
from tests.api.world import ANNA, POLICY_OF

POLICY = POLICY_OF[ANNA]
WHAT_IF = f"/api/v1/policies/{POLICY}/what-if"


def test_nothing_asked_is_the_month_as_driven_and_a_wish_is_the_pages_answer(client: TestClient) -> None:
    sign_in(client, ANNA)
    same = client.get(WHAT_IF).json()
    assert same["asked"] == same["driven"]
    further = client.get(WHAT_IF, params={"distance_m": 2_000_000, "over_share": 0.9}).json()
    assert further["driven"] == same["driven"]
    assert (further["asked"]["distance_m"], further["asked"]["over_share"]) == (2_000_000, 0.9)
    assert D(further["asked"]["amount"]) > D(same["driven"]["amount"])
    assert further["asked"]["score"] < same["driven"]["score"]
    night = client.get(WHAT_IF, params={"night_share": 1}).json()["asked"]
    page = client.get(f"/policies/{POLICY}/what-if", params={"night": 100}).text
    assert f"€{D(night['amount']):,}" in page


@pytest.mark.parametrize("asked", ["night_share=1.01", "over_share=-0.1", "distance_m=-1", "distance_m=1.5",
                                   "night_share=nan", "over_share=inf"])  # fmt: skip
def test_what_cannot_be_is_named(client: TestClient, asked: str) -> None:
    sign_in(client, ANNA)
    refused = client.get(f"{WHAT_IF}?{asked}")
    assert (refused.status_code, refused.json()["field"]) == (422, asked.partition("=")[0])
