"""Policies enter the book from a file: every field checked, and named where it is wrong."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pricing import change_store, store
from pricing.claims_record import ClaimsRecord, declared_record, percent_of_record
from pricing.device_links import assign_device, require_devices
from pricing.errors import (
    AlteredPlan,
    BadPolicy,
    EndedDevice,
    NoPlan,
    NoSuchPlan,
    PlanVersionTaken,
    PolicyDiffers,
    UnknownLevel,
)
from pricing.factor import Factor
from pricing.json_text import read_json
from pricing.periods import month_bounds
from pricing.plan import OWN_CLAIMS, RatePlan, parse_plan
from pricing.products import check_choices
from pricing.rating import Terms
from pricing.store import Policy
from pricing.terms import AT_THE_HOST, SHARING, TERM_FIELDS, PolicyChange
from storage.pool import Conn, Database

FIELDS = (
    "policy", "name", "email", "starts_on", "ends_on", "plan", "pay_plan", "covers", "factors", "declared_km_per_year",
    "time_zone", "devices", "sharing", "claims_record",
)  # fmt: skip
OPTIONAL = ("email", "devices", "sharing", "claims_record")
YEARS = range(1900, 3000)  # of a term: arithmetic with its days stays within what a date can be
DEFAULT_PLAN = "wayrate-2026"
MENU_PLAN = "wayrate-menu-2026"  # limits, deductibles and add-ons, each a cover of its own


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy as its file describes it, read but not yet checked against a plan."""

    source: str
    fields: Mapping[str, Any]


def read_policy_file(path: Path) -> PolicyDocument:
    """The policy in a TOML or JSON file. Raises BadPolicy where it cannot be read."""
    try:
        text = path.read_text("utf-8")
        fields = read_json(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadPolicy(str(path), "file", str(error)) from None
    if not isinstance(fields, dict):
        raise BadPolicy(str(path), "file", "must hold one policy")
    return PolicyDocument(str(path), fields)


def packaged_plan(name: str = DEFAULT_PLAN) -> RatePlan:
    """A rate plan that ships with Wayrate. Raises NoSuchPlan."""
    folder = files("pricing") / "plans"
    resource = folder / f"{name}.toml"
    if not resource.is_file():
        raise NoSuchPlan(name, tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir())))
    return parse_plan(resource.read_text("utf-8"), f"{name}.toml")


def publish_packaged_plan(conn: Conn, as_of: datetime) -> RatePlan:
    """Make the plans that ship available to the book; the first of them (policy role). Raises PlanVersionTaken."""
    first, *_ = [publish(conn, packaged_plan(name), as_of) for name in (DEFAULT_PLAN, MENU_PLAN)]
    return first


def publish(conn: Conn, plan: RatePlan, as_of: datetime, *, content: str | None = None, ships: bool = True) -> RatePlan:
    """Put a plan into the book, for good; `content` where the text was submitted with other comments.

    The database takes a plan that does not ship only with its approval. Raises PlanVersionTaken.
    """
    published = store.publish_plan(
        conn,
        plan_hash=plan.plan_hash,
        name=plan.name,
        version=plan.version,
        effective_from=plan.effective_from,
        currency=plan.currency,
        content=content or plan.content,
        ships=ships,
        as_of=as_of,
    )
    if published != plan.plan_hash:
        raise PlanVersionTaken(plan.name, plan.version)
    return plan


def plan_on(conn: Conn, name: str, day: date) -> RatePlan:
    """By which a term that begins on a day is agreed now: the published plan of that name in effect then.

    Raises NoPlan, AlteredPlan.
    """
    found = store.fetch_plan_content(conn, name, day)
    if found is None:
        raise NoPlan(name, day.isoformat())
    return _as_published(*found)


def plan_of_month(conn: Conn, policy: Policy, period: str) -> RatePlan:
    """What scores a policy's month and prices it but for days of a term before: the plan of the term in which its cover
    of that month ends; of the first or the last term outside of cover. Raises AlteredPlan.
    """
    return _as_published(*store.fetch_plan_agreed(conn, policy.policy_key, month_bounds(period)[1]))


def plan_of_terms(conn: Conn, policy_key: UUID) -> RatePlan:
    """What prices the terms that a policy has at its end, which are those that lists show. Raises AlteredPlan."""
    return _as_published(*store.fetch_plan_agreed(conn, policy_key, date.max))


def plans_agreed(conn: Conn, policy_key: UUID) -> list[RatePlan]:
    """The plan of each term of a policy, the first term's first. Raises AlteredPlan."""
    changes = change_store.fetch_changes(conn, policy_key)
    return [plan_of_hash(conn, change.plan_hash) for change in changes if change.plan_hash is not None]


def published_plans(conn: Conn) -> list[RatePlan]:
    """Every plan of the book, the latest in effect first. Raises AlteredPlan."""
    return [_as_published(*found) for found in store.fetch_plan_contents(conn)]


def plan_of_hash(conn: Conn, plan_hash: str) -> RatePlan:
    """The published plan of that hash. Raises AlteredPlan."""
    return _as_published(plan_hash, store.fetch_plan_by_hash(conn, plan_hash))


def _as_published(plan_hash: str, content: str) -> RatePlan:
    plan = parse_plan(content, plan_hash)
    if plan.plan_hash != plan_hash:
        raise AlteredPlan(plan_hash, plan.plan_hash)
    return plan


def add_policy(database: Database, document: PolicyDocument, as_of: datetime) -> Policy:
    """Add the policy to the book and assign its devices. The same file again changes nothing.

    Raises BadPolicy (field named), UnknownLevel, NoPlan, PolicyDiffers, UnknownDevice, EndedDevice, DeviceTaken.
    """
    policy = checked(document)
    refuse_own_claims(policy.policy_id, policy.factors)
    devices = devices_of(document)
    ended = require_devices(database, policy, devices)
    with database.role("policy") as conn:
        publish_packaged_plan(conn, as_of)
        plan = plan_on(conn, policy.plan_name, policy.starts_on)
        policy, record = with_declared_claims(policy, document, plan)
        check_against_plan(policy, plan)
        held = store.fetch_policy(conn, policy.policy_id)
        if held is None and ended:
            raise EndedDevice(ended[0])
        if held is None:
            held = insert_bound(conn, policy, plan, record, AT_THE_HOST, f"file {policy.policy_id}", "", as_of)
        assert held is not None
        binding = change_store.fetch_changes(conn, held.policy_key)[0]
        bound = _as_bound(held, binding)
        differs = tuple(
            name for name in Policy.__slots__ if name != "policy_key" and getattr(bound, name) != getattr(policy, name)
        )
        if binding.terms.get("claims_record") != (record and record.as_json()):
            differs = (*differs, "claims_record")
        if differs:
            raise PolicyDiffers(policy.policy_id, differs)
    for device in devices:
        assign_device(database, policy.policy_id, device)
    return held


def with_declared_claims(
    policy: Policy, document: PolicyDocument, plan: RatePlan
) -> tuple[Policy, ClaimsRecord | None]:
    """The policy with the own claims that its document declares, where the plan asks new business for them.

    Raises BadPolicy where the record is missing, is not whole, or the plan does not read it.
    """
    asked = plan.own_claims
    record = declared_record(document.source, document.fields.get("claims_record"), plan, policy.starts_on)
    if asked is None or not asked.declared:
        return policy, None
    if record is None:
        raise BadPolicy(document.source, "claims_record", f"is missing: {plan.name} asks new business for it")
    terms = Terms(policy.pay_plan, tuple(policy.covers), policy.factors, policy.declared_km_per_year)
    percent = percent_of_record(asked, record, terms, plan, policy.starts_on)
    return replace(policy, factors={**policy.factors, OWN_CLAIMS: percent}), record


def insert_bound(
    conn: Conn,
    policy: Policy,
    plan: RatePlan,
    record: ClaimsRecord | None,
    made_by: UUID,
    key: str,
    request_digest: str,
    as_of: datetime,
) -> Policy | None:
    """Insert a policy with the change that binds it; None where that key is taken: roll back then. `record`: of the
    claims that it declared.

    The one in the book where its id is taken. Raises BadPolicy where the address is in the book under another name.
    """
    person_key, name = store.upsert_person(conn, uuid4(), policy.name, policy.email)
    if name != policy.name:
        raise BadPolicy(policy.policy_id, "name", "the e-mail address is in the book under another name")
    if store.insert_policy(conn, policy, person_key):
        bound = PolicyChange(
            change_id=uuid4(),
            policy_key=policy.policy_key,
            sequence=0,
            kind="bind",
            effective_on=policy.starts_on,
            ends_on=policy.ends_on,
            terms={name: getattr(policy, name) for name in TERM_FIELDS}
            | ({} if record is None else {"claims_record": record.as_json()}),
            reason="bound",
            made_by=made_by,
            made_at=as_of,
            idempotency_key=key,
            request_digest=request_digest,
            plan_hash=plan.plan_hash,
        )
        if not change_store.insert_change(conn, bound):
            return None
    return store.fetch_policy(conn, policy.policy_id)


def _as_bound(held: Policy, bound: PolicyChange) -> Policy:
    """The policy as it was before any endorsement, cancellation or renewal."""
    assert bound.ends_on is not None
    return replace(held, ends_on=bound.ends_on, **{name: bound.terms[name] for name in TERM_FIELDS})


def checked(document: PolicyDocument) -> Policy:
    """The fields with their types; what only a plan can tell comes later. Raises BadPolicy."""
    fields, source = document.fields, document.source
    for name in fields:
        if name not in FIELDS:
            raise BadPolicy(source, name, f"is not a field of a policy (they are {', '.join(FIELDS)})")
    for name in FIELDS:
        if name not in fields and name not in OPTIONAL:
            raise BadPolicy(source, name, "is missing")
    starts_on, ends_on = (_day(document, name) for name in ("starts_on", "ends_on"))
    for name, day in (("starts_on", starts_on), ("ends_on", ends_on)):
        if day.year not in YEARS:
            raise BadPolicy(source, name, f"{day} is not in the years {YEARS[0]} to {YEARS[-1]}")
    if ends_on <= starts_on:
        raise BadPolicy(source, "ends_on", f"{ends_on} is not after starts_on, {starts_on}")
    km = fields["declared_km_per_year"]
    if not isinstance(km, int) or isinstance(km, bool) or not 0 <= km < 1_000_000:
        raise BadPolicy(source, "declared_km_per_year", f"{km!r} is not a whole number from 0 to 999,999")
    covers = fields["covers"]
    if not _different_texts(covers) or not covers:
        raise BadPolicy(source, "covers", "must be a list of different covers, at least one")
    if not isinstance(fields["factors"], dict):
        raise BadPolicy(source, "factors", "must be a table of rating factor = level")
    return Policy(
        policy_key=uuid4(),
        policy_id=_text(document, "policy"),
        name=_text(document, "name"),
        email=_address(document) if "email" in fields else None,
        starts_on=starts_on,
        ends_on=ends_on,
        plan_name=_text(document, "plan"),
        pay_plan=_text(document, "pay_plan"),
        covers=covers,
        factors=dict(fields["factors"]),
        declared_km_per_year=km,
        time_zone=_zone(document),
        sharing=_sharing(document),
    )


def _different_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value) and len(set(value)) == len(value)


def devices_of(document: PolicyDocument) -> list[str]:
    """The ids of the devices that measure the policy. Raises BadPolicy."""
    devices: list[str] = document.fields.get("devices", [])
    if not _different_texts(devices):
        raise BadPolicy(document.source, "devices", "must be a list of different device ids")
    return devices


def _text(document: PolicyDocument, name: str) -> str:
    value = document.fields[name]
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise BadPolicy(document.source, name, f"{value!r} is not a text")
    if name == "policy" and not (len(value) <= 64 and value.isascii() and value.replace("-", "").isalnum()):
        raise BadPolicy(document.source, name, f"{value!r}: use letters, digits and -, up to 64")
    return value


def _address(document: PolicyDocument) -> str:
    address = _text(document, "email").strip().lower()
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", address):
        raise BadPolicy(document.source, "email", f"{address!r} is no e-mail address")
    return address


def _day(document: PolicyDocument, name: str) -> date:
    value = document.fields[name]
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise BadPolicy(document.source, name, f"{document.fields[name]!r} is not a date, such as 2026-10-01")
    return value


def _sharing(document: PolicyDocument) -> str:
    value = document.fields.get("sharing", SHARING[-1])
    if value not in SHARING:
        raise BadPolicy(document.source, "sharing", f"{value!r} is not one of {', '.join(SHARING)}")
    return str(value)


def _zone(document: PolicyDocument) -> str:
    name = _text(document, "time_zone")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name is that of a folder of zones
        raise BadPolicy(document.source, "time_zone", f"{name!r} is not a time zone, such as Europe/Helsinki") from None
    return name


def check_against_plan(policy: Policy, plan: RatePlan) -> None:
    """Raises BadPolicy with the field that the plan does not know, NotEligible for a choice that is not offered."""
    if policy.pay_plan not in plan.pay_plans:
        raise BadPolicy(policy.policy_id, "pay_plan", f"{policy.pay_plan!r} is not one of {', '.join(plan.pay_plans)}")
    for cover in policy.covers:
        if cover not in plan.covers:
            raise BadPolicy(policy.policy_id, "covers", f"{cover!r} is not one of {', '.join(plan.covers)}")
    terms = Terms(policy.pay_plan, tuple(policy.covers), policy.factors, policy.declared_km_per_year)
    check_choices(plan, terms, policy.sharing)
    declarable = {name: factor for name, factor in plan.factors.items() if name != "declared_km"}
    declared = plan.factors.get("declared_km")
    if declared and "declared_km" in plan.pay_plans[policy.pay_plan].uses:
        _check_level(policy, declared, policy.declared_km_per_year, "declared_km_per_year", plan)
    for name in policy.factors:
        if name not in declarable and name != OWN_CLAIMS:  # a plan that does not ask reads past it
            raise BadPolicy(policy.policy_id, f"factors.{name}", f"is not a factor of {plan.name}")
    for name, factor in declarable.items():
        if name == OWN_CLAIMS:
            continue  # nobody declares it: it is worked out, or that of the class mean
        if name not in policy.factors:
            raise BadPolicy(policy.policy_id, f"factors.{name}", f"is missing (levels: {', '.join(factor.known)})")
        _check_level(policy, factor, policy.factors[name], f"factors.{name}", plan)


def refuse_own_claims(policy_id: str, factors: object) -> None:
    """Own claims are worked out from what is on record, and never declared. Raises BadPolicy."""
    if isinstance(factors, Mapping) and OWN_CLAIMS in factors:
        field = f"factors.{OWN_CLAIMS}"
        raise BadPolicy(policy_id, field, "is worked out from the policy's own claims on record: leave it out")


def _check_level(policy: Policy, factor: Factor, declared: object, field: str, plan: RatePlan) -> None:
    try:
        factor.step_of(declared, plan.name)
    except UnknownLevel as unknown:
        raise BadPolicy(policy.policy_id, field, str(unknown)) from None
