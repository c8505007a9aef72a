"""Binding, endorsing, cancelling and renewing a policy: each a row that is never edited, each done once for its key.

One transaction holds the policy, adds the row, sums the policy up, and adjusts the posted months that it reaches: what
is due follows the days on which each of the terms held.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pricing import change_store, store
from pricing.claims_record import declared_record
from pricing.close import adjust
from pricing.device_links import assign_device, require_devices
from pricing.errors import (
    Backdated,
    BadPolicy,
    ClaimDiffers,
    ClaimInTheWay,
    ClaimOutsideCover,
    EndedDevice,
    GapBetweenTerms,
    KeyReused,
    NothingChanges,
    OutsideTerm,
    OverlappingPeriods,
    PolicyCancelled,
    UnknownClaim,
    UnknownPolicy,
)
from pricing.experience import declared_before, own_claims_percent
from pricing.plan import OWN_CLAIMS, RatePlan
from pricing.policies import (
    PolicyDocument,
    check_against_plan,
    checked,
    devices_of,
    insert_bound,
    plan_of_hash,
    plan_on,
    publish_packaged_plan,
    refuse_own_claims,
    with_declared_claims,
)
from pricing.statement import Posting
from pricing.store import Policy
from pricing.terms import TERM_FIELDS, Kind, PolicyChange, Span, cancelled_on, changed, rated_terms, spans_of, term_of
from storage.pool import Conn, Database

# What one kind of change asks of a locked policy; where the term ends from then on, None: as it was.
type Check = Callable[[Conn, Policy, list[PolicyChange]], date | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a change, when, under which key, and whether for days that have passed."""

    made_by: UUID
    key: str
    as_of: datetime
    may_backdate: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What became of it; `repeated`: it was done before under this key, and nothing is done twice."""

    policy_id: str
    change: PolicyChange
    adjustments: tuple[Posting, ...]
    repeated: bool


def bind(database: Database, document: PolicyDocument, asked: Asked) -> Agreed:
    """A policy enters the book.

    Raises BadPolicy, NoPlan, UnknownDevice, EndedDevice, DeviceTaken, Backdated, KeyReused.
    """
    policy, devices = checked(document), devices_of(document)
    refuse_own_claims(policy.policy_id, policy.factors)
    digest = _digest("bind", document.fields)
    ended = require_devices(database, policy, devices)
    with database.role("policy") as conn:
        publish_packaged_plan(conn, asked.as_of)
        found = _done_before(conn, asked, digest)
        if found is None:
            if ended:
                raise EndedDevice(ended[0])
            plan = plan_on(conn, policy.plan_name, policy.starts_on)
            policy, record = with_declared_claims(policy, document, plan)
            check_against_plan(policy, plan)
            _check_not_past(policy, policy.starts_on, asked)
            if store.fetch_policy(conn, policy.policy_id) is not None:
                raise BadPolicy(document.source, "policy", f"{policy.policy_id!r} is in the book already")
            held = insert_bound(conn, policy, plan, record, asked.made_by, asked.key, digest, asked.as_of)
            if held is None or held.policy_key != policy.policy_key:
                raise KeyReused(asked.key)  # somebody else's request took the key or the id meanwhile
            change = change_store.fetch_changes(conn, policy.policy_key)[0]
            found = Agreed(policy.policy_id, change, (), repeated=False)
    for device in devices:
        assign_device(database, found.policy_id, device)
    return found


def policy_id_of(asked: Asked) -> str:
    """The id of a policy that none was given for: the same for the same request sent again."""
    return "W-" + hashlib.blake2b(f"{asked.made_by} {asked.key}".encode(), digest_size=6).hexdigest().upper()


def endorse(database: Database, policy_id: str, effective_on: date, terms: Mapping[str, Any], asked: Asked) -> Agreed:
    """From that day the named terms hold. Raises OutsideTerm, NothingChanges, PolicyCancelled, BadPolicy, Backdated."""

    def change(conn: Conn, policy: Policy, changes: list[PolicyChange]) -> date | None:
        _check_in_term(policy, effective_on, changes)
        spans = spans_of(changes)
        if all(changed(_terms_of(span), terms) == _terms_of(span) for span in spans if span.to_day > effective_on):
            raise NothingChanges(policy_id, effective_on.isoformat())
        return None

    return _agree(database, policy_id, "endorse", effective_on, dict(terms), asked, change)


def cancel(database: Database, policy_id: str, ends_on: date, asked: Asked) -> Agreed:
    """Cover ends before that day. Raises OutsideTerm, PolicyCancelled, ClaimInTheWay, Backdated."""

    def change(conn: Conn, policy: Policy, changes: list[PolicyChange]) -> date | None:
        _check_in_term(policy, ends_on, changes)
        if claim := change_store.fetch_claim_from(conn, policy.policy_key, ends_on):
            raise ClaimInTheWay(policy_id, ends_on.isoformat(), claim)
        return ends_on

    return _agree(database, policy_id, "cancel", ends_on, {}, asked, change)


def renew(
    database: Database, policy_id: str, starts_on: date, ends_on: date, terms: Mapping[str, Any], asked: Asked
) -> Agreed:
    """Another term follows the one that ends, on these terms where they change; among them may be a `claims_record`,
    which then holds in place of the one declared before. Raises OverlappingPeriods, GapBetweenTerms, PolicyCancelled,
    BadPolicy, Backdated.
    """

    def change(conn: Conn, policy: Policy, changes: list[PolicyChange]) -> date | None:
        if (day := cancelled_on(changes)) is not None:
            raise PolicyCancelled(policy_id, day.isoformat())
        _, held_until = term_of(changes)
        if starts_on < held_until:
            raise OverlappingPeriods(policy_id, starts_on.isoformat(), held_until.isoformat())
        if starts_on > held_until:
            raise GapBetweenTerms(policy_id, starts_on.isoformat(), held_until.isoformat())
        if ends_on <= starts_on:
            raise BadPolicy(policy_id, "ends_on", f"{ends_on} is not after starts_on, {starts_on}")
        return ends_on

    return _agree(database, policy_id, "renew", starts_on, dict(terms), asked, change)


def history(conn: Conn, policy_id: str) -> tuple[list[PolicyChange], tuple[Span, ...]]:
    """Every change of a policy in the order of entry, and the terms they lead to by day. Raises UnknownPolicy."""
    policy = _known(conn, policy_id)
    changes = change_store.fetch_changes(conn, policy.policy_key)
    return changes, spans_of(changes)


def keep_claim(
    database: Database, policy_id: str, claim_id: str, cover: str, occurred_on: date, as_of: datetime
) -> None:
    """Keep a claim of a day and a cover that the policy held; the same again changes nothing.

    Raises UnknownPolicy, ClaimOutsideCover, ClaimDiffers, BadPolicy.
    """
    with database.role("policy") as conn:
        policy = _known(conn, policy_id)
        store.lock_policy(conn, policy.policy_key)
        spans = spans_of(change_store.fetch_changes(conn, policy.policy_key))
        if not (claim_id.isascii() and claim_id.replace("-", "").isalnum() and len(claim_id) <= 64):
            raise BadPolicy(policy_id, "claim", f"{claim_id!r}: use letters, digits and -, up to 64")
        if occurred_on > as_of.astimezone(ZoneInfo(policy.time_zone)).date():
            raise ClaimOutsideCover(claim_id, policy_id, occurred_on.isoformat(), "that day has not come yet")
        _check_covered(policy, claim_id, cover, occurred_on, spans)
        change_store.insert_claim(conn, claim_id, policy.policy_key, cover, occurred_on, as_of)
        if change_store.fetch_claim(conn, claim_id) != (policy.policy_key, cover, occurred_on):
            raise ClaimDiffers(claim_id)


def assess_claim(
    database: Database,
    claim_id: str,
    incurred: Decimal,
    settled: bool,
    as_of: datetime,
    at_fault_percent: int | None = None,
) -> bool:
    """Keep what a claim costs and the insured driver's share of the fault as far as is known; False where it stands so
    already. Without a share (None) the one that is kept stays. Raises UnknownClaim, BadPolicy.
    """
    with database.role("policy") as conn:
        kept = change_store.fetch_claim(conn, claim_id)
        if kept is None:
            raise UnknownClaim(claim_id)
        if not incurred.is_finite() or incurred < 0:
            raise BadPolicy(claim_id, "incurred", f"{incurred} is no amount")
        if at_fault_percent is not None and not 0 <= at_fault_percent <= 100:
            raise BadPolicy(claim_id, "at_fault_percent", f"{at_fault_percent} is not from 0 to 100")
        return change_store.insert_assessment(conn, claim_id, incurred, settled, at_fault_percent, as_of)


def _check_covered(policy: Policy, claim_id: str, cover: str, day: date, spans: tuple[Span, ...]) -> None:
    def outside(problem: str) -> ClaimOutsideCover:
        return ClaimOutsideCover(claim_id, policy.policy_id, day.isoformat(), problem)

    if not spans or day < spans[0].from_day:
        raise outside("that is before its inception")
    held = next((span for span in spans if span.from_day <= day < span.to_day), None)
    if held is None:
        raise outside("that is after its end")
    if cover not in held.terms.covers:
        raise outside(f"{cover!r} was no cover of it")


def _agree(
    database: Database,
    policy_id: str,
    kind: Kind,
    effective_on: date,
    terms: dict[str, Any],
    asked: Asked,
    check: Check,
) -> Agreed:
    request = {"policy": policy_id, "effective_on": effective_on, "terms": terms, "reason": asked.reason}
    digest = _digest(kind, request)
    with database.role("policy") as conn:
        policy = _known(conn, policy_id)
        store.lock_policy(conn, policy.policy_key)
        if found := _done_before(conn, asked, digest):
            return found
        policy = _known(conn, policy_id)  # as it is now that nobody else changes it
        changes = change_store.fetch_changes(conn, policy.policy_key)
        for name in terms:
            if name not in TERM_FIELDS and (kind, name) != ("renew", "claims_record"):
                raise BadPolicy(policy_id, name, f"is not a term that can change (they are {', '.join(TERM_FIELDS)})")
        ends_on = check(conn, policy, changes)
        _check_not_past(policy, effective_on, asked)
        refuse_own_claims(policy_id, terms.get("factors"))
        plan = None
        if kind == "renew":
            plan = plan_on(conn, policy.plan_name, effective_on)
            terms = _with_own_claims(conn, policy, changes, terms, plan, effective_on)
        made = PolicyChange(
            change_id=uuid4(),
            policy_key=policy.policy_key,
            sequence=len(changes),
            kind=kind,
            effective_on=effective_on,
            ends_on=ends_on,
            terms=terms,
            reason=asked.reason or kind,
            made_by=asked.made_by,
            made_at=asked.as_of,
            idempotency_key=asked.key,
            request_digest=digest,
            plan_hash=None if plan is None else plan.plan_hash,
        )
        spans = spans_of([*changes, made])
        _check_spans(conn, policy, spans, made)
        if not change_store.insert_change(conn, made):
            raise KeyReused(asked.key)
        _sum_up(conn, policy, [*changes, made], spans)
        adjustments = adjust(conn, policy.policy_key, f"{effective_on:%Y-%m}", asked.as_of)
    return Agreed(policy_id, made, tuple(adjustments), repeated=False)


def _with_own_claims(
    conn: Conn, policy: Policy, changes: list[PolicyChange], terms: dict[str, Any], plan: RatePlan, day: date
) -> dict[str, Any]:
    """A term's terms with the policy's own claims as they are on record when it is agreed; they hold for the term."""
    agreed = changed(_terms_of(spans_of(changes)[-1]), terms)
    record = declared_record(policy.policy_id, terms.get("claims_record"), plan, day)
    if record is not None:
        terms = terms | {"claims_record": record.as_json()}
    record = record or declared_before(changes)
    if record is None and plan.own_claims and plan.own_claims.declared:
        problem = f"is missing: {plan.name} charges a renewal by it, and none was declared before"
        raise BadPolicy(policy.policy_id, "claims_record", problem)
    percent = own_claims_percent(conn, changes, rated_terms(agreed), plan, day, record)
    return terms if percent is None else terms | {"factors": {**terms.get("factors", {}), OWN_CLAIMS: percent}}


def _known(conn: Conn, policy_id: str) -> Policy:
    policy = None if "\0" in policy_id else store.fetch_policy(conn, policy_id)
    if policy is None:
        raise UnknownPolicy(policy_id)
    return policy


def _done_before(conn: Conn, asked: Asked, digest: str) -> Agreed | None:
    """What the key did before. Raises KeyReused where it came with another request."""
    held = change_store.fetch_change_of_key(conn, asked.made_by, asked.key)
    if held is None:
        return None
    if held.request_digest != digest:
        raise KeyReused(asked.key)
    return Agreed(change_store.fetch_policy_id(conn, held.policy_key), held, (), repeated=True)


def _check_in_term(policy: Policy, day: date, changes: list[PolicyChange]) -> None:
    starts_on, ends_on = term_of(changes)
    if starts_on <= day < ends_on:
        return
    if (cancelled := cancelled_on(changes)) is not None:
        raise PolicyCancelled(policy.policy_id, cancelled.isoformat())
    raise OutsideTerm(policy.policy_id, day.isoformat(), starts_on.isoformat(), ends_on.isoformat())


def _check_not_past(policy: Policy, day: date, asked: Asked) -> None:
    today = asked.as_of.astimezone(ZoneInfo(policy.time_zone)).date()
    if day < today and not asked.may_backdate:
        raise Backdated(policy.policy_id, day.isoformat(), today.isoformat())


def _check_spans(conn: Conn, policy: Policy, spans: tuple[Span, ...], made: PolicyChange) -> None:
    """Every day's terms are whole, and known to the plan of that day. Raises BadPolicy.

    A factor from before that the plan of a later term no longer has is read past; one that this change names must be a
    factor of some plan of its days.
    """
    plans = [plan_of_hash(conn, span.plan_hash) for span in spans]
    reached = [plan for span, plan in zip(spans, plans, strict=True) if span.to_day > made.effective_on]
    for name in made.terms.get("factors", {}):
        if reached and name != OWN_CLAIMS and not any(name in plan.factors for plan in reached):
            raise BadPolicy(policy.policy_id, f"factors.{name}", f"is not a factor of {policy.plan_name}")
    for span, plan in zip(spans, plans, strict=True):
        terms = _terms_of(span)
        terms["factors"] = {name: level for name, level in terms["factors"].items() if name in plan.factors}
        fields = {
            "policy": policy.policy_id, "name": policy.name, "starts_on": span.from_day, "ends_on": span.to_day,
            "plan": policy.plan_name, "time_zone": policy.time_zone, **terms,
        }  # fmt: skip
        agreed = checked(PolicyDocument(policy.policy_id, fields))
        check_against_plan(agreed, plan)


def _terms_of(span: Span) -> dict[str, Any]:
    return {
        "pay_plan": span.terms.pay_plan,
        "covers": list(span.terms.covers),
        "factors": dict(span.terms.factors),
        "declared_km_per_year": span.terms.declared_km_per_year,
        "sharing": span.sharing,
    }


def _sum_up(conn: Conn, policy: Policy, changes: list[PolicyChange], spans: tuple[Span, ...]) -> None:
    """Lists show the term, and the terms at its end; of one cancelled from its first day on those it was bound with."""
    _, ends_on = term_of(changes)
    terms = _terms_of(spans[-1]) if spans else dict(changes[0].terms)
    change_store.sum_up(conn, policy.policy_key, ends_on=ends_on, **terms)


def _digest(kind: str, request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([kind, dict(request)], sort_keys=True, default=str).encode()).hexdigest()
