"""The PDF of a statement holds the figures of its page to the cent, and is the same bytes each time."""

import re
from html import unescape
from io import BytesIO

from fastapi.testclient import TestClient
from pypdf import PdfReader

from tests.api.conftest import sign_in
from tests.api.world import ANNA, BEN, DESK, POLICY_OF

OWN = f"/policies/{POLICY_OF[ANNA]}/statements/2026-10"
AMOUNT = re.compile(r"[+−]?€[\d,]+\.\d{2}(?!\d)")


def words_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


def test_every_amount_of_the_document_is_one_of_the_page_and_the_other_way_round(client: TestClient) -> None:
    sign_in(client, ANNA)
    # what events cost is no part of the posting, and the document is of that alone
    shown, events = re.subn(
        r'<section class="card" aria-labelledby="events">.*?</section>', "", client.get(OWN).text, flags=re.S
    )
    assert events == 1
    page = unescape(re.sub(r"<[^>]+>", " ", shown))
    answer = client.get(f"{OWN}/pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="statement-T-1001-2026-10.pdf"'
    text = words_of(answer.content)
    assert set(AMOUNT.findall(text)) == set(AMOUNT.findall(page))
    assert len(set(AMOUNT.findall(text))) > 5
    for said in ("Statement, October 2026", "Anna Example", "Adjustments", "Worksheet: Liability", "Late data"):
        assert said in text
    assert client.get(f"{OWN}/pdf").content == answer.content


def test_the_document_is_found_by_its_own_person_and_an_underwriter_only(client: TestClient) -> None:
    assert client.get(f"{OWN}/pdf", follow_redirects=False).status_code == 303
    sign_in(client, BEN)
    assert client.get(f"{OWN}/pdf").status_code == 404
    sign_in(client, DESK)
    assert client.get(f"{OWN}/pdf").status_code == 403
    book = f"/book/{POLICY_OF[ANNA]}/statements/2026-10"
    assert f'href="{book}/pdf"' in client.get(book).text
    assert client.get(f"{book}/pdf").content.startswith(b"%PDF")
    assert client.get(f"/book/{POLICY_OF[ANNA]}/statements/2020-01/pdf").status_code == 404
