"""The reader's language, formats and units: by choice (cookies), else by Accept-Language, for the time of one request.

English is written in the code and the templates; every other language is a gettext catalogue in `api/messages`, read
at the first use. Under /api everything stays English, in kilometres.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from babel import Locale
from babel.messages.pofile import read_po
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LANGUAGES = {"en": "English", "de": "Deutsch"}
UNITS = {"km": "Kilometres", "mi": "Miles"}
LANGUAGE_COOKIE, UNITS_COOKIE = "wayrate_language", "wayrate_units"
MESSAGES = Path(__file__).parent / "messages"
MILES_IN = frozenset({"US", "GB"})
FORMATS = {("en", "US"): "en_US", ("de", "AT"): "de_AT", ("de", "CH"): "de_CH"}  # else: the first of the language
USUAL_FORMATS = {"en": "en_GB", "de": "de"}

type Catalogue = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Reading:
    """How somebody reads: the language of the words, the locale of numbers and dates, the unit of distances."""

    language: str
    locale: Locale
    units: str


def reading(language: str, territory: str = "", units: str = "km") -> Reading:
    """The reading of a language of LANGUAGES in a territory (ISO 3166, or none)."""
    return Reading(language, _locale(FORMATS.get((language, territory), USUAL_FORMATS[language])), units)


@cache
def _locale(name: str) -> Locale:
    return Locale.parse(name)


ENGLISH = reading("en")
_current: ContextVar[Reading] = ContextVar("reading", default=ENGLISH)


def current() -> Reading:
    """How the person of this request reads; English and km outside of one."""
    return _current.get()


@contextmanager
def reads(as_read: Reading) -> Iterator[None]:
    """Everything said inside is said so."""
    token = _current.set(as_read)
    try:
        yield
    finally:
        _current.reset(token)


def say(message: str, **values: object) -> str:
    """The message in the reader's language, `{name}` filled with what is given; English where none is written."""
    language = current().language
    text = message if language == "en" else catalogue(language).get(message, (message,))[0]  # written in the code
    return text.format(**values) if values else text


def say_count(one: str, many: str, count: int, **values: object) -> str:
    """`one` or `many` by `count`, which fills `{count}`. The languages here have these two forms."""
    return say_plain_count(one, many, count).format(count=count, **values)


def say_plain_count(one: str, many: str, count: int) -> str:
    """As `say_count`, not filled: templates fill it themselves."""
    forms = catalogue(current().language).get(one, (one, many))
    return forms[0 if count == 1 else -1]


@cache
def catalogue(language: str) -> Catalogue:
    """Every message of a language by its English; empty for English."""
    path = MESSAGES / f"{language}.po"
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        found = read_po(file, locale=language)
    return {
        (message.id if isinstance(message.id, str) else message.id[0]): (
            (message.string,) if isinstance(message.string, str) else tuple(message.string)
        )
        for message in found
        if message.id and message.string
    }


def reading_of(headers: Headers) -> Reading:
    """What the cookies say; where they say nothing, the first of Accept-Language that we speak."""
    cookies = _cookies(headers)
    language, territory = _accepted(headers.get("accept-language", "")[:500])
    chosen = cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES and chosen != language:
        language, territory = chosen, ""
    units = cookies.get(UNITS_COOKIE)
    if units not in UNITS:
        units = "mi" if territory in MILES_IN else "km"
    return reading(language, territory, units)


def _cookies(headers: Headers) -> dict[str, str]:
    said = headers.get("cookie", "")
    if LANGUAGE_COOKIE not in said and UNITS_COOKIE not in said:
        return {}
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(said).items()}
    except CookieError:
        return {}


@lru_cache(256)
def _accepted(header: str) -> tuple[str, str]:
    """(language, territory) of the most wanted tag that we speak; English without a territory where there is none."""
    wanted = []
    for place, part in enumerate(header.split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, tag))
        except ValueError:
            continue
    for _, _, tag in sorted(wanted):
        language, *others = tag.split("-")
        if language.lower() in LANGUAGES:
            return language.lower(), next((other.upper() for other in others if len(other) == 2), "")
    return "en", ""


class ReadersLanguage:
    """ASGI middleware: each page is said as its reader reads; what programs read stays English."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on within the reader's language; the answer's head names it."""
        if scope["type"] != "http" or scope["path"].startswith(("/api/", "/static/", "/vendor/")):
            await self.app(scope, receive, send)
            return
        as_read = reading_of(Headers(scope=scope))

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Language"] = as_read.language
                headers.add_vary_header("Accept-Language, Cookie")
            await send(message)

        with reads(as_read):
            await self.app(scope, receive, send_named)
