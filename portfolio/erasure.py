"""Erasure: a person asks, a privacy officer decides, `wayrate erasure run` does it, whole and in one transaction.

What is left of a person are random keys: in statements and their inputs, in what was agreed, in the audit log. Where a
jurisdiction obliges us to know who somebody was, the identity is locked, shown to the person alone, and erased then.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid4

from portfolio import erasure_store as store
from portfolio import erasure_waits_store
from portfolio.erasure_store import DeviceOf, LockedIdentity, Request
from portfolio.errors import ErasureDecided, NoErasure, NoReason
from pricing.policies import plans_agreed
from pricing.profile import profile_named
from pricing.store import fetch_policies
from storage.audit import PROGRAM, Act, note
from storage.pool import Conn, Database

LONGEST_WORDS = 1000
_IMEI_PREFIX = "imei-"


class Waits(StrEnum):
    """What a granted erasure waits for, a closed set."""

    POLICY_IN_FORCE = "policy_in_force"  # a contract holds: end it first
    STATEMENT_MISSING = "statement_missing"  # a month of cover is not posted
    ADJUSTMENT_MISSING = "adjustment_missing"  # trips changed, and no adjustment has followed yet
    CONTEST_OPEN = "contest_open"  # the person's own, and waits for a decision
    SCORING_MISSING = "scoring_missing"  # a device that others have, too, sent what no worker has scored yet


@dataclass(frozen=True, slots=True)
class Done:
    """What a run came to for one person. `waits` not empty: nothing was touched."""

    person_key: UUID
    request_id: UUID | None
    waits: tuple[Waits, ...] = ()
    devices: int = 0
    identity_until: date | None = None  # locked until that day; None: erased


def ask(conn: Conn, person_key: UUID, *, asked_by: UUID, as_of: datetime) -> tuple[Request, bool]:
    """Keeps a request, or gives the one that is open, and whether it was (role policy)."""
    store.lock_person(conn, person_key)
    held = next((one for one in store.fetch_requests(conn, person_key) if one.is_open), None)
    if held is not None:
        return held, True
    request_id = uuid4()
    store.insert_request(conn, request_id, person_key, asked_by, as_of)
    note(conn, Act("erasure_asked", asked_by, person_key=person_key, object=str(request_id)), as_of)
    return _found(conn, request_id), False


def decide(conn: Conn, request_id: UUID, *, granted: bool, words: str, decided_by: UUID, as_of: datetime) -> Request:
    """Grants or refuses a request (role policy); the same decision again changes nothing.

    Raises NoErasure, ErasureDecided; NoReason for a refusal without words: the person reads them.
    """
    found = _found(conn, request_id)
    if not granted and not words.strip():
        raise NoReason("words")
    said = "" if granted else words.strip()[:LONGEST_WORDS]
    if store.insert_decision(conn, request_id, granted=granted, words=said, decided_by=decided_by, as_of=as_of):
        action = "erasure_granted" if granted else "erasure_refused"
        note(conn, Act(action, decided_by, person_key=found.person_key, object=str(request_id)), as_of)
    found = _found(conn, request_id)
    if found.granted != granted:
        raise ErasureDecided(str(request_id))
    return found


def waits_for(database: Database, person_key: UUID, day: date) -> tuple[Waits, ...]:
    """What stands in the way of erasing a person on that day."""
    with database.role("policy") as conn:
        in_force = erasure_waits_store.has_policy_in_force(conn, person_key, day)
        to_post = erasure_waits_store.has_month_to_post(conn, person_key)
    with database.role("link") as conn:
        to_follow = erasure_waits_store.has_change_to_follow(conn, person_key)
        contest = erasure_waits_store.has_open_contest(conn, person_key)
        to_score = erasure_waits_store.has_driving_to_score(conn, person_key)
    held = zip(Waits, (in_force, to_post, to_follow, contest, to_score), strict=True)
    return tuple(reason for reason, holds in held if holds)


def run(database: Database, as_of: datetime) -> list[Done]:
    """Everything that is granted and waits for nothing, each in one transaction; then what was locked until today.

    Running it again does nothing twice; late uploads for erased times of a shared device go each time,
    and so do old tries to sign in.
    """
    with database.role("policy") as conn:
        granted = [one for one in store.fetch_open(conn) if one.granted]
        over = store.fetch_locked_until(conn, as_of.date())
    done = []
    for request in granted:
        waits = waits_for(database, request.person_key, as_of.date())
        done.append(Done(request.person_key, request.request_id, waits) if waits else _erase(database, request, as_of))
    for locked in over:
        with database.role("owner") as conn:
            _erase_identity(conn, locked, as_of)
        done.append(Done(locked.person_key, None))
    with database.role("owner") as conn:
        store.erase_late(conn, as_of)
        store.forget_old_tries(conn, as_of)
    return done


def lift(database: Database, device_id: str) -> bool:
    """Let a device that was erased with somebody be enrolled for somebody else; False where none was."""
    with database.role("owner") as conn:
        return store.lift_tombstone(conn, device_id)


def _erase(database: Database, request: Request, as_of: datetime) -> Done:
    person_key = request.person_key
    with database.role("owner") as conn:
        store.lock_person(conn, person_key)
        policies = store.fetch_policy_keys(conn, person_key)
        devices = store.fetch_devices(conn, person_key, policies)
        store.lock_devices(conn, person_key, devices)
        if erasure_waits_store.has_driving_to_score(conn, person_key):  # stored since it was asked for
            return Done(person_key, request.request_id, (Waits.SCORING_MISSING,))
        kept = _identity_kept(conn, policies, as_of)
        names = store.fetch_names(conn, person_key)
        store.erase_driving(conn, person_key, policies, devices, as_of)
        store.blank_quarantine(conn, [*names, *_names_of(devices)], as_of)
        if kept is None:
            store.erase_identity(conn, person_key)
        else:
            store.lock_identity(conn, person_key, *kept, as_of)
        store.complete(conn, request.request_id, as_of)
        until = None if kept is None else kept[0]
        details = {"identity_until": until.isoformat() if until else None}
        act = Act("erasure_completed", PROGRAM, "program", person_key, None, str(request.request_id), details)
        note(conn, act, as_of)
    gone = sum(one.alone for one in devices)
    return Done(person_key, request.request_id, devices=gone, identity_until=until)


def _erase_identity(conn: Conn, locked: LockedIdentity, as_of: datetime) -> None:
    store.blank_quarantine(conn, [locked.name, locked.email or ""], as_of)
    store.erase_identity(conn, locked.person_key)
    note(conn, Act("identity_erased", PROGRAM, "program", locked.person_key), as_of)


def _identity_kept(conn: Conn, policy_keys: list[UUID], as_of: datetime) -> tuple[date, str] | None:
    """Until when the profiles of the person's plans oblige us to know who it was, and why; None: no longer."""
    latest: tuple[date, str] | None = None
    for policy in fetch_policies(conn, policy_keys):
        for plan in plans_agreed(conn, policy.policy_key):
            rule = None if plan.jurisdiction is None else profile_named(plan.jurisdiction).identity
            if rule is not None and rule.years:
                until = _years_after(policy.ends_on, rule.years)
                latest = max(latest or (until, rule.because), (until, rule.because))
    return latest if latest and latest[0] > as_of.date() else None


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 3, 1)


def _names_of(devices: list[DeviceOf]) -> list[str]:
    """What a frame may call the devices that go."""
    alone = [one for one in devices if one.alone]
    ids = [one.device_id for one in alone]
    return [*ids, *(one.removeprefix(_IMEI_PREFIX) for one in ids), *(one.vin for one in alone if one.vin)]


def _found(conn: Conn, request_id: UUID) -> Request:
    found = store.fetch_request(conn, request_id)
    if found is None:
        raise NoErasure(str(request_id))
    return found
