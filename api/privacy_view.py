"""The privacy centre in words: who looked, what the premium reads and what less would cost, zones, drivers, erasure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from api.erasure_routes import WAITS, state_of
from api.languages import say
from api.policy_file import PolicyFile
from api.privacy_store import fetch_roles
from api.store import Account
from api.wording import clock, day, local, long_day, money, words
from api.zones import zones_of
from portfolio.consent_store import purpose_named, standings
from portfolio.driver_store import MAP, fetch_drivers, fetch_named_by
from portfolio.erasure import waits_for
from portfolio.erasure_store import fetch_locked, fetch_requests
from portfolio.location_store import LOOK_REASONS, fetch_looks
from pricing.driving import driving_of
from pricing.plan import RatePlan
from pricing.products import catalogue_of
from pricing.rating import Inputs, rate_period
from storage.audit import fetch_of_person
from storage.pool import Database

ACTS = {
    "policy_read": "Your policy's file",
    "menu_read": "What your policy could be and cost",
    "card_opened": "Your customer card",
    "consents_read": "What you agreed to",
    "contest_decided": "Decided a contest of yours",
    "policy_bind": "Wrote your policy",
    "policy_endorse": "Changed your policy",
    "policy_cancel": "Ended your policy",
    "policy_renew": "Renewed your policy",
    "erasure_asked": "Asked for you to be erased",
    "erasure_granted": "Granted your erasure",
    "erasure_refused": "Refused your erasure",
    "erasure_completed": "Erased you",
}
CLOSED = "account that was closed"
READS = {
    "declared_km": "the kilometres you declare",
    "distance": "the kilometres you drive",
    "road_class": "on which kinds of road",
    "hour_band": "at which hours of the day",
    "behaviour": "how you drive",
}


@dataclass(frozen=True, slots=True)
class Reads:
    """What the premium of a policy reads of the driving, and what the plan that reads the least would cost."""

    policy_id: str
    pay_plan: str
    reads: str
    least: str  # empty: this one reads the least
    least_reads: str
    difference: str
    has_menu: bool


def act_rows(database: Database, reader: Account, zone: str) -> list[dict[str, str]]:
    """Who else looked at what is theirs or decided about it; looks at evidence and places have rows of their own."""
    if reader.person_key is None:
        return []
    with database.role("policy") as conn:
        found = fetch_of_person(conn, reader.person_key, 50)
    others = [one for one in found if one.actor != reader.account_key and one.action in ACTS]
    return [
        {"what": say(ACTS[one.action]), "who": words(one.role), "when": day_and_time(one.noted_at, zone)}
        for one in others
    ]


def location_rows(database: Database, policy_keys: Sequence[UUID], zone: str) -> list[dict[str, str]]:
    """Who looked at where somebody was, and why."""
    with database.role("link") as conn:
        looks = fetch_looks(conn, policy_keys)
    with database.role("policy") as conn:
        roles = fetch_roles(conn, [look.seen_by for look in looks])
    return [
        {
            "who": words(roles.get(look.seen_by, CLOSED)),
            "when": day_and_time(look.seen_at, zone),
            "why": say(LOOK_REASONS[look.reason]),
            "words": look.words,
            "trip_id": str(look.trip_id),
        }
        for look in looks
    ]


def consent_rows(database: Database, reader: Account, zone: str) -> list[dict[str, object]]:
    """Every purpose with its words and where the person stands; beside what drivers agree to, who named them."""
    if reader.person_key is None:
        return []
    with database.role("policy") as conn:
        found = standings(conn, reader.person_key)
        named_by = ", ".join(fetch_named_by(conn, reader.person_key))
    return [
        {
            "purpose": one.purpose.name,
            "title": say(one.purpose.title),
            "words": one.purpose.words,
            "read_as": say(one.purpose.words),
            "text_hash": one.purpose.text_hash,
            "granted": one.granted,
            "named_by": named_by if one.purpose.name == MAP else "",
            "said": say("since {day}", day=day(local(one.said.said_at, zone))) if one.said else "",
        }
        for one in found
    ]


def reads_of(database: Database, file: PolicyFile) -> Reads:
    """What this policy's pay plan reads, and the price of the one that reads the least, in the shown month."""
    plan, policy = file.plan, file.policy
    own = plan.pay_plans[policy.pay_plan]
    name = min(plan.pay_plans, key=lambda one: len(plan.pay_plans[one].uses))
    least = plan.pay_plans[name]
    if len(least.uses) == len(own.uses):
        return Reads(policy.policy_id, _short(own.title), _uses(own.uses), "", "", "", has_menu=False)
    with database.role("policy") as conn:
        inputs = driving_of(conn, policy, plan, file.period)
    amounts = [_amount(plan, inputs, pay_plan) for pay_plan in (name, policy.pay_plan)]
    difference = money(amounts[0] - amounts[1], plan.currency, signed=True)
    return Reads(
        policy.policy_id, _short(own.title), _uses(own.uses), _short(least.title), _uses(least.uses), difference,
        has_menu=catalogue_of(plan) is not None,
    )  # fmt: skip


def driver_rows(database: Database, files: Sequence[PolicyFile]) -> list[dict[str, object]]:
    """The named drivers of each policy."""
    map_words = purpose_named(MAP).text_hash
    with database.role("policy") as conn:
        named = [(file.policy.policy_id, fetch_drivers(conn, file.policy.policy_key, map_words)) for file in files]
    return [
        {"policy_id": policy_id, "drivers": [
            {"name": one.name, "driver_id": str(one.person_key), "since": long_day(one.since),
             "shows_map": one.shows_map} for one in found]}
        for policy_id, found in named
    ]  # fmt: skip


def zone_rows(database: Database, reader: Account) -> list[dict[str, str]]:
    """The zones with their size, and about where they are."""
    if reader.person_key is None:
        return []
    return [
        {
            "zone_id": str(zone.zone_id),
            "size": f"{zone.radius_m:.0f} m",
            "place": f"{zone.latitude_deg:.3f}, {zone.longitude_deg:.3f}",
            "since": long_day(zone.set_at),
        }
        for zone in zones_of(database, [reader.person_key])
    ]


def erasure_view(database: Database, reader: Account, now: datetime) -> dict[str, object]:
    """The latest request and where it stands; what a law keeps of who it was."""
    if reader.person_key is None:
        return {"state": "", "may_ask": False}
    with database.role("policy") as conn:
        requests = fetch_requests(conn, reader.person_key)
        locked = fetch_locked(conn, reader.person_key)
    latest = requests[0] if requests else None
    waits = waits_for(database, reader.person_key, now.date()) if latest and latest.is_open else ()
    return {
        "state": say(state_of(latest)) if latest else "",
        "asked": long_day(latest.asked_at) if latest else "",
        "words": latest.words if latest and latest.granted is False else "",
        "waits": [say(WAITS[one]) for one in waits],
        "may_ask": locked is None and (latest is None or not latest.is_open),
        "locked": locked and {"name": locked.name, "email": locked.email, "until": long_day(locked.until),
                              "because": locked.because},
    }  # fmt: skip


def _amount(plan: RatePlan, inputs: Inputs, pay_plan: str) -> Decimal:
    return rate_period(plan, replace(inputs, terms=replace(inputs.terms, pay_plan=pay_plan))).amount


def _short(title: str) -> str:
    return say(title).split(":", maxsplit=1)[0]


def _uses(uses: frozenset[str]) -> str:
    return ", ".join(say(text) for use, text in READS.items() if use in uses)


def day_and_time(time: datetime, zone: str) -> str:
    """When somebody looked, by the clock of the place."""
    return f"{day(local(time, zone))}, {clock(local(time, zone))}"
