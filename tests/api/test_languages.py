"""Two languages, whole: every message in both, with the same places to fill; formats, units and the choice of them."""

import re
from datetime import datetime
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from api import wording
from api.languages import ENGLISH, LANGUAGES, MESSAGES, catalogue, reading, reading_of, reads, say, say_count
from api.rendering import HERE
from api.worksheet_words import label_words, reason_words
from tests.api.conftest import begin_session, sign_in
from tests.api.messages import every_message, missing, unused
from tests.api.unmarked import english_in, unmarked
from tests.api.world import ANNA, BEN, DESK, POLICY_OF, World

TEMPLATES = HERE / "templates"
BOOK = f"/book/{POLICY_OF[ANNA]}"
STAFF = {
    "underwriter": (
        "/desk", "/book", BOOK, f"{BOOK}/statements/2026-10", "/contests", "/quote", "/portfolio", "/portfolio/map",
        "/monitoring", "/score-model", "/rate-plans", "/quarantine", "/experiments", "/segments", "/strategies",
    ),
    "actuary": ("/desk", "/experiments", "/rate-plans", "/guard"),
    "support": ("/customers", f"/customers/{POLICY_OF[ANNA]}", "/contacts", "/guard"),
    "privacy_officer": ("/desk", "/erasures", f"/locations?policy={POLICY_OF[ANNA]}", "/audit"),
    "admin": ("/desk", "/quarantine", "/devices", "/security-events", "/system", "/audit"),
}  # fmt: skip
OTHERS = sorted(LANGUAGES.keys() - {"en"})
GERMAN, AMERICAN = reading("de"), reading("en", "US", "mi")


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_in_every_language(language: str) -> None:
    assert len(every_message()) > 400
    assert missing(language) == []
    assert unused(language) == []


def test_no_visible_word_of_a_template_is_left_unmarked() -> None:
    found = {path.name: unmarked(path.read_text()) for path in TEMPLATES.rglob("*.html")}
    assert {name: words for name, words in found.items() if words} == {}


def test_an_unmarked_word_is_found() -> None:
    marked = '<p title="{{ _(\'Where\') }}">{{ _("Kept") }} {{ row.name or "–" }} UTC</p><code>wayrate</code>'
    assert unmarked(marked) == []
    bad = '<p title="Where">Kept {{ "yes" if row else _("no") }} {{ rows(row, "Nothing yet.") }} {{ one("name") }}</p>'
    assert unmarked(bad) == ["Kept", "Nothing", "Where", "yes", "yet"]
    assert english_in('<p lang="en">the plan</p><p title="What it is">Das Tarifwerk <b>of Wayrate</b></p>') == [
        "What it is", "of Wayrate",
    ]  # fmt: skip


@pytest.mark.parametrize("role", STAFF)
def test_staff_read_no_english_in_german_pages(client: TestClient, world: World, role: str) -> None:
    client.headers["accept-language"] = "de"
    begin_session(client, world.database, f"german-{role}@example.org", role)
    answers = {path: client.get(path) for path in STAFF[role]}
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    found = {path: english_in(answer.text) for path, answer in answers.items()}
    assert {path: texts for path, texts in found.items() if texts} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_every_translation_has_the_same_places_to_fill(language: str) -> None:
    def places(text: str) -> set[str]:
        return set(re.findall(r"%\((\w+)\)s|\{(\w+)(?:!r)?\}|(<a href=[^>]*>|</?\w+>)", text))  # type: ignore[arg-type]

    differing = {
        english: forms
        for english, forms in catalogue(language).items()
        if any(places(form) - places(english) - {("count", "", ""), ("", "count", "")} for form in forms)
        or places(english) - places(forms[-1])
    }
    assert differing == {}


def test_each_catalogue_is_of_a_language_that_can_be_chosen() -> None:
    assert sorted(path.stem for path in MESSAGES.glob("*.po")) == OTHERS


@pytest.mark.parametrize(
    ("accepted", "cookies", "language", "units"),
    [
        ("", "", "en", "km"),
        ("de-DE,de;q=0.9,en;q=0.8", "", "de", "km"),
        ("en-GB", "", "en", "mi"),
        ("fi-FI,fi;q=0.9,en-US;q=0.5,de;q=0.4", "", "en", "mi"),
        ("sv, fr;q=0.9", "", "en", "km"),
        ("de;q=0.2,en;q=0.7", "", "en", "km"),
        ("de", "wayrate_language=en", "en", "km"),
        ("en-US", "wayrate_language=de", "de", "km"),
        ("en-US", "wayrate_units=km", "en", "km"),
        ("de", "wayrate_units=mi; wayrate_language=xx", "de", "mi"),
        (";;q=,de;q=nonsense," + "x" * 9000, "a=b;;=", "en", "km"),
    ],
)
def test_the_choice_comes_before_the_browsers_wish(accepted: str, cookies: str, language: str, units: str) -> None:
    found = reading_of(Headers({"accept-language": accepted, "cookie": cookies}))
    assert (found.language, found.units) == (language, units)


def test_numbers_money_dates_and_distances_follow_the_locale() -> None:
    said = []
    for as_read in (ENGLISH, GERMAN, AMERICAN):
        with reads(as_read):
            at = datetime(2026, 10, 3, 17, 5, 9)  # noqa: DTZ001  a local time as a page shows it
            said.append(
                [
                    wording.money(Decimal("-1234.5"), "EUR"),
                    wording.km(12_345),
                    wording.day(at),
                    wording.long_day(at),
                    wording.clock(at),
                    wording.speed(50),
                    wording.percent(0.1234, 1),
                ]
            )
    assert said == [
        ["−€1,234.50", "12.3\xa0km", "Sat 3 Oct", "3 October 2026", "17:05", "50\xa0km/h", "12.3\xa0%"],
        ["−1.234,50\xa0€", "12,3\xa0km", "Sa., 3. Okt.", "3. Oktober 2026", "17:05", "50\xa0km/h", "12,3\xa0%"],
        ["−€1,234.50", "7.7\xa0mi", "Sat, Oct 3", "October 3, 2026", "5:05\xa0PM", "31\xa0mph", "12.3\xa0%"],
    ]


def test_a_name_at_the_start_of_a_line_keeps_its_nouns(client: TestClient) -> None:
    sign_in(client, DESK)
    client.cookies.set("wayrate_language", "de")
    assert '<h2 id="contests">Wartet auf Entscheidung</h2>' in client.get("/contests").text


def test_a_rate_a_mile_is_the_same_money() -> None:
    with reads(AMERICAN):
        assert wording.per_distance(Decimal("0.05"), "EUR") == "€0.0805"


def test_a_count_takes_its_form() -> None:
    with reads(GERMAN):
        assert [say_count("{count} day", "{count} days", count) for count in (0, 1, 2)] == ["0 Tage", "1 Tag", "2 Tage"]
        assert say("nobody wrote this in German") == "nobody wrote this in German"


def test_what_pricing_keeps_is_said_in_german_and_kept_in_english() -> None:
    label = "2026-10-01 to 2026-10-15: km on primary roads, morning"
    reason = "late data: 1 trip(s) added, 2 trip(s) measured anew; 1 contest(s) upheld"
    assert label_words("km on primary roads, morning") == "km on primary roads, morning"
    with reads(GERMAN):
        assert label_words(label) == "1. Oktober 2026 bis 15. Oktober 2026: km: Hauptverkehrsstraße, Morgen"
        assert label_words("driver age: 25 to under 35") == "Alter: 25 bis unter 35"
        assert reason_words(reason) == (
            "Spätere Daten: 1 Fahrt ergänzt, 2 Fahrten neu gemessen; 1 Einspruch erfolgreich"
        )


def test_a_german_browser_gets_german_pages_and_english_json(client: TestClient) -> None:
    client.headers["accept-language"] = "de-DE,de;q=0.9"
    assert 'html lang="de"' in client.get("/").text
    assert sign_in(client, ANNA) == 303
    page = client.get("/home")
    assert page.headers["content-language"] == "de"
    assert "Ihr Beitrag, Oktober 2026" in page.text
    assert re.search(r"\d,\d\d\xa0€", page.text)
    assert "Fahrscore" in client.get(f"/policies/{POLICY_OF[ANNA]}/score").text
    missing_trip = "/trips/00000000-0000-0000-0000-000000000000"
    assert "In Ihrem Konto nicht vorhanden: Fahrt" in client.get(missing_trip).text
    assert client.get(f"/api/v1{missing_trip}").json()["title"] == "Not found"


def test_the_choice_is_kept_and_leads_back_to_a_page_of_this_host_alone(client: TestClient) -> None:
    sign_in(client, BEN)
    answer = client.post("/language", data={"language": "de", "back": "/home?x=1"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/home?x=1")
    assert "Übersicht" in client.get("/home").text
    for back in ("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "", "/a\r\nX: y"):
        answer = client.post("/language", data={"units": "mi", "back": back}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.post("/language", data={"language": "tlh"}).status_code == 422
