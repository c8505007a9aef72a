"""Every message that pages say, found in the code: run it to see what a language lacks or no longer needs.

uv run python -m tests.api.messages [de] prints the entries that are missing, as a .po file takes them.
"""

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import get_args

from babel.messages.extract import extract

import api
import pricing
from api import (
    contest_view,
    cost_view,
    customer_view,
    device_errors,
    erasure_routes,
    errors,
    home_view,
    labelling,
    languages,
    menu_view,
    planning_words,
    privacy_view,
    problems,
    receipt,
    trip_view,
    wording,
)
from api.accounts import ROLES
from api.workbench import (
    book_view,
    contest_pages,
    experiment_pages,
    plan_view,
    portfolio_routes,
    security_pages,
    system_pages,
)
from ingest.quarantine import Outcome
from ingest.rejection import Rejection
from ingest.security import SecurityEvent
from portfolio.board import STEPS
from portfolio.consent_store import purposes
from portfolio.experiments import ACTIONS as CONTACTS
from portfolio.experiments import MEASURED_BY, Verdict
from portfolio.guard import REVEALS
from portfolio.household_store import RELATIONS
from portfolio.location_store import LOOK_REASONS
from portfolio.offers import templates
from portfolio.strategies import Costs
from portfolio.strategy_report import MEASURES, TITLES
from portfolio.touchpoint_store import CHANNELS, KINDS
from pricing.contests import REASONS
from pricing.counted_twice import WARNING
from pricing.products import SHARING_TITLES
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS

PAGES = Path(api.__file__).parent
# What is said by a name of a table, so that no search of the code finds it at the place where it is said.
TABLES: tuple[dict[str, str], ...] = (
    wording.EVENT_NAMES, wording.SOURCE_NAMES, trip_view.EXCLUSIONS, trip_view.GRADE_TEXTS, trip_view.GRADE_SENTENCES,
    trip_view.REASONS, home_view.GRADE_NAMES, cost_view.HOURS, cost_view.NOT_CHARGED, labelling.NAMES,
    languages.UNITS, SHARING_TITLES, REASONS, dict(enumerate(contest_view.STATES.values())),
    problems.HTTP_TITLES, problems.HTTP_ADVICE, privacy_view.ACTS, privacy_view.READS, LOOK_REASONS,
    {str(key): text for key, text in erasure_routes.WAITS.items()},
    {name: one.title for name, one in purposes().items()}, {name: one.words for name, one in purposes().items()},
    dict(enumerate(erasure_routes.STATES.values())),
    book_view.COLUMNS, book_view.SCORES, book_view.QUALITIES, book_view.CHANGES, portfolio_routes.SEGMENT_NAMES,
    system_pages.STATE_NAMES, system_pages.COLUMNS, customer_view.CARE_WORDS, experiment_pages.DONE,
    experiment_pages.COLUMNS, contest_pages.COLUMNS, contest_pages.STATE_NAMES,
    security_pages.COLUMNS, plan_view.COLUMNS, TITLES,
    {name: title for name, (title, _) in MEASURES.items()}, MEASURED_BY,
    {name: one.title for name, one in templates().items()}, {name: tells for name, (tells, _) in REVEALS.items()},
    dict(enumerate(get_args(Verdict.__value__))), dict(enumerate(planning_words.SENTENCES)),
)  # fmt: skip
ALONE = (
    "administration", "of covers, minimum and fee",
    trip_view.IN_FULL, trip_view.SPEED_TITLE, trip_view.NOT_COUNTED, trip_view.SOMEBODY_ELSE, trip_view.NOBODY_YET,
    cost_view.ANY_HOUR,
    menu_view.NOT_OFFERED, menu_view.HOW_YOU_PAY,
    menu_view.WITHOUT_TITLE, receipt.DAYS, receipt.KILOMETRES, receipt.FACTORS, receipt.DRIVING,
    receipt.MINUTES, receipt.RENEWAL, erasure_routes.DONE, problems.CORRECT,
    contest_view.IN_A_MONTH, contest_view.IN_A_MONTH_WITH_OTHERS, WARNING,
)  # fmt: skip
# What pricing writes into a worksheet and a rate plan names: said through `wording.words`.
CODES = (
    *EXPOSURE_CLASSES, *HOUR_BANDS, "fee", "minimum premium", "insurance premium tax", "administration",
    "of covers, minimum and fee", "liability", "collision", "vehicle class", "territory", "driver age", "declared km",
    "small", "compact", "suv", "van", "urban", "suburban", "rural", "the month's statement",
    "the agreed terms changed", *ROLES, "program", privacy_view.CLOSED,
)  # fmt: skip
# Of the staff's pages: what tables of logs name by code.
ACTIONS = (
    "audit_exported", "audit_read", "book_exported", "card_opened", "care_said", "consents_read", "contest_decided",
    "contest_list_opened", "contests_exported", "contact_list_opened", "evidence_opened", "menu_read",
    "trip_relabelled", "device_code_made", "device_ended", "device_linked", "device_unlinked", "erasure_asked",
    "erasure_completed", "erasure_granted",
    "erasure_refused", "identity_erased", "location_read", "plan_published", "plan_refused", "plan_submitted",
    "policy_bind", "policy_cancel", "policy_endorse", "policy_read", "policy_renew", "quarantine_exported",
    "quarantine_read", "quarantine_replayed",
)  # fmt: skip
LOGGED = (
    *ACTIONS, *Rejection, *SecurityEvent, *Outcome, "basic", "full",
    "bind", "cancel", "endorse", "renew", "late", "pay_plan", *templates(), *REVEALS, *STEPS, *CONTACTS, *CHANNELS,
    *KINDS, *RELATIONS, *(field.name for field in fields(Costs)),
)  # fmt: skip
STATES = (*plan_view.STATES, "replayed")
NOUNS = ("policy", "trip", "statement", "menu", "choice", "event", "contest", "device", "file")


@cache
def every_message() -> frozenset[str]:
    """The English of every message, of a plural the singular."""
    found = {message for path in sorted(PAGES.rglob("*")) for message in _messages_of(path)}
    found |= {text for table in TABLES for text in table.values() if text}
    found |= {*ALONE, *NOUNS, *STATES, *_titles(), *_of_errors()}
    found |= {wording.words(code) for code in (*CODES, *LOGGED)}
    return frozenset(found)


def _messages_of(path: Path) -> Iterator[str]:
    if path.suffix == ".py":
        keywords = {"say": None, "in_words": None, "say_count": (1, 2)}
        found = extract("python", path.open("rb"), keywords=keywords)
    elif path.suffix == ".html":
        options = {"trimmed": "true", "newstyle_gettext": "true"}
        keywords = {"_": None, "gettext": None, "ngettext": (1, 2)}
        found = extract("jinja2.ext:babel_extract", path.open("rb"), keywords=keywords, options=options)
    else:
        return
    for _, message, _, _ in found:
        yield message if isinstance(message, str) else message[0]


def _titles() -> Iterator[str]:
    """Of the plans and menus that ship."""
    folder = Path(pricing.__file__).parent
    for path in folder.glob("catalogues/*.toml"):
        menu = tomllib.loads(path.read_text())
        yield from (rule["because"] for rule in menu.get("rules", ()))
        for peril in menu["perils"]:
            yield peril["title"]
            yield from (option["title"] for option in peril["options"])
    for path in folder.glob("plans/*.toml"):
        yield from (pay_plan["title"] for pay_plan in tomllib.loads(path.read_text())["pay_plans"].values())


def _of_errors() -> Iterator[str]:
    kinds = {**vars(errors), **vars(device_errors)}.values()
    for error in (one for one in kinds if isinstance(one, type) and issubclass(one, errors.ApiError)):
        yield from (said for said in (error.title, error.advice) if isinstance(said, str))


def missing(language: str) -> list[str]:
    """What a language does not say."""
    return sorted(every_message() - languages.catalogue(language).keys())


def unused(language: str) -> list[str]:
    """What it says that no page does."""
    return sorted(languages.catalogue(language).keys() - every_message())


if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else "de"
    for message in missing(asked):
        quoted = message.replace("\\", "\\\\").replace('"', '\\"')
        print(f'msgid "{quoted}"\nmsgstr ""\n')
    print("\n".join(f"# unused: {message}" for message in unused(asked)))
