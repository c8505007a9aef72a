"""What each route is in the security matrix of docs/security.md, and what a well-formed request to it holds."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import api
from pricing.policies import packaged_plan

STAFF = ("underwriter", "actuary", "support", "privacy_officer", "admin")
OF_A_PERSON = ("policyholder", "driver")

_TRIPS, _SCORES, _STATEMENTS = (
    "Own trips on a map, events, score",
    "Scores and km by policy",
    "Statements and adjustments",
)
_CONTEST, _DECIDE, _EVIDENCE = "Contest, relabel", "Decide a contest", "Evidence of an open contest"
_QUOTE = "Quote (without a session: a few)"
_BIND, _PEOPLE = "Bind, endorse, cancel", "Own account"
_PLANS = "Rate plan, model report, dislocation"
_ZONES, _ERASE, _LOCATION = "Privacy zones", "Export, erase", "Precise location of others"
_PORTFOLIO, _TOUCHPOINTS = "Portfolio", "Touchpoints, offers"

PUBLIC = {
    "GET /", "GET /sign-in", "POST /sign-in", "GET /sign-in/oidc", "GET /sign-in/oidc/callback", "POST /language",
    "GET /health",
}  # fmt: skip

ROW_OF = {
    "POST /sign-out": _PEOPLE,
    "GET /api/v1/me": _PEOPLE,
    "GET /home": _SCORES,
    "GET /policies/{policy_id}/trips": _TRIPS,
    "GET /policies/{policy_id}/statements/{period}": _STATEMENTS,
    "GET /policies/{policy_id}/statements/{period}/pdf": _STATEMENTS,
    "GET /privacy": "Access and audit log",
    "GET /policies/{policy_id}/score": _SCORES,
    "GET /policies/{policy_id}/what-if": _SCORES,
    "GET /drives": _TRIPS,
    "GET /api/v1/drives": _TRIPS,
    "GET /api/v1/policies/{policy_id}/drivers": _TRIPS,
    "POST /api/v1/policies/{policy_id}/drivers": _TRIPS,
    "POST /policies/{policy_id}/drivers": _TRIPS,
    "DELETE /api/v1/policies/{policy_id}/drivers/{driver_id}": _TRIPS,
    "POST /policies/{policy_id}/drivers/{driver_id}/end": _TRIPS,
    "PUT /api/v1/trips/{trip_id}/driver": _CONTEST,
    "POST /trips/{trip_id}/driver": _CONTEST,
    "POST /trips/{trip_id}/zone": _ZONES,
    "POST /privacy/zones/{zone_id}": _ZONES,
    "GET /api/v1/privacy-zones": _ZONES,
    "POST /api/v1/privacy-zones": _ZONES,
    "DELETE /api/v1/privacy-zones/{zone_id}": _ZONES,
    "GET /api/v1/erasures": _ERASE,
    "POST /api/v1/erasures": _ERASE,
    "POST /privacy/erasure": _ERASE,
    "POST /api/v1/customers/{policy_id}/erasures": _ERASE,
    "GET /erasures": _ERASE,
    "POST /erasures/{request_id}": _ERASE,
    "GET /api/v1/erasure-queue": _ERASE,
    "POST /api/v1/erasure-queue/{request_id}/decision": _ERASE,
    "GET /locations": _LOCATION,
    "POST /locations/{policy_id}": _LOCATION,
    "POST /api/v1/policies/{policy_id}/trips/{trip_id}/location": _LOCATION,
    "GET /api/v1/export": _ERASE,
    "GET /policies/{policy_id}/menu": _QUOTE,
    "POST /policies/{policy_id}/menu": _BIND,
    "GET /api/v1/policies/{policy_id}/menu": _QUOTE,
    "GET /trips/{trip_id}": _TRIPS,
    "POST /trips/{trip_id}": _CONTEST,
    "POST /trips/{trip_id}/contests": _CONTEST,
    "GET /contests": _DECIDE,
    "GET /contests.csv": _DECIDE,
    "GET /contests/{contest_id}": _EVIDENCE,
    "POST /contests/{contest_id}": _DECIDE,
    "GET /book": _SCORES,
    "GET /book.csv": _SCORES,
    "GET /book/{policy_id}": _SCORES,
    "GET /book/{policy_id}/statements/{period}": _STATEMENTS,
    "GET /book/{policy_id}/statements/{period}/pdf": _STATEMENTS,
    "GET /api/v1/policies": _SCORES,
    "GET /api/v1/policies/{policy_id}": _SCORES,
    "GET /api/v1/policies/{policy_id}/score": _SCORES,
    "GET /api/v1/policies/{policy_id}/what-if": _SCORES,
    "GET /api/v1/policies/{policy_id}/statements": _STATEMENTS,
    "GET /api/v1/policies/{policy_id}/statements/{period}": _STATEMENTS,
    "GET /api/v1/policies/{policy_id}/trips": _TRIPS,
    "POST /api/v1/bindings": _BIND,
    "POST /api/v1/policies/{policy_id}/endorsements": _BIND,
    "POST /api/v1/policies/{policy_id}/cancellation": _BIND,
    "POST /api/v1/policies/{policy_id}/renewals": _BIND,
    "GET /api/v1/policies/{policy_id}/changes": "What was agreed",
    "POST /api/v1/trips/{trip_id}/contests": _CONTEST,
    "GET /api/v1/contests": _CONTEST,
    "GET /api/v1/contests/{contest_id}": _CONTEST,
    "GET /api/v1/contest-queue": _DECIDE,
    "GET /api/v1/contest-queue/{contest_id}": _EVIDENCE,
    "POST /api/v1/contest-queue/{contest_id}/decision": _DECIDE,
    "GET /api/v1/trips/{trip_id}": _TRIPS,
    "GET /api/v1/trips/{trip_id}/events": _TRIPS,
    "GET /api/v1/trips/{trip_id}/label": _TRIPS,
    "PUT /api/v1/trips/{trip_id}/label": _CONTEST,
    "GET /api/v1/trips/{trip_id}/track": _TRIPS,
    "GET /api/v1/trips/{trip_id}/roads": _TRIPS,
    "GET /api/v1/book": _SCORES,
    "GET /api/v1/book/{policy_id}/statements": _STATEMENTS,
    "POST /api/v1/policies/{policy_id}/devices": "Devices: link",
    "GET /api/v1/policies/{policy_id}/devices": "Devices: link",
    "DELETE /api/v1/policies/{policy_id}/devices/{device_id}": "Devices: link",
    "GET /policies/{policy_id}/devices": "Devices: link",
    "POST /policies/{policy_id}/devices": "Devices: link",
    "POST /policies/{policy_id}/devices/{device_id}/end": "Devices: link",
    "POST /api/v1/devices/{device_id}/code": "Devices: enrol, rotate",
    "POST /api/v1/devices/{device_id}/rotate": "Devices: enrol, rotate",
    "POST /api/v1/devices/{device_id}/revoke": "Devices: revoke",
    "GET /api/v1/security-events": "Security events",
    "GET /api/v1/quarantine/counts": "Quarantine: counts",
    "GET /api/v1/quarantine": "Quarantine: look, replay",
    "GET /api/v1/quarantine/{quarantine_id}": "Quarantine: look, replay",
    "POST /api/v1/quarantine/replay": "Quarantine: look, replay",
    "GET /api/v1/score-distribution": _SCORES,
    "GET /api/v1/statement-totals": _STATEMENTS,
    "GET /api/v1/customers/{policy_id}/statements": _STATEMENTS,
    "GET /portfolio": _PORTFOLIO,
    "GET /portfolio.csv": _PORTFOLIO,
    "GET /portfolio/map": _PORTFOLIO,
    "GET /monitoring": _PORTFOLIO,
    "GET /score-model": _PLANS,
    "GET /quote": _QUOTE,
    "POST /api/v1/quotes": _QUOTE,
    "POST /quote/binding": _BIND,
    "GET /desk": "Desk: what waits",
    "GET /quarantine": "Quarantine: counts",
    "GET /quarantine.csv": "Quarantine: look, replay",
    "GET /quarantine/{quarantine_id}": "Quarantine: look, replay",
    "POST /quarantine/replay": "Quarantine: look, replay",
    "GET /devices": "Devices: enrol, rotate",
    "GET /devices.csv": "Devices: enrol, rotate",
    "POST /devices/codes": "Devices: enrol, rotate",
    "POST /devices/{device_id}/end": "Devices: revoke",
    "POST /customers/{policy_id}/devices/{device_id}/end": "Devices: revoke",
    "POST /devices/{device_id}/assignment": "Devices: enrol, rotate",
    "GET /security-events": "Security events",
    "GET /security-events.csv": "Security events",
    "GET /system": "Metrics",
    "GET /audit": "Access and audit log",
    "GET /audit.csv": "Access and audit log",
    "GET /rate-plans": _PLANS,
    "GET /rate-plans.csv": _PLANS,
    "POST /rate-plans/check": _PLANS,
    "POST /rate-plans/drafts": _PLANS,
    "GET /rate-plans/{plan_hash}": _PLANS,
    "GET /rate-plans/{plan_hash}/content": _PLANS,
    "GET /rate-plans/{plan_hash}/dislocation": _PLANS,
    "POST /rate-plans/{plan_hash}/approval": _PLANS,
    "GET /api/v1/rate-plans": _PLANS,
    "GET /api/v1/rate-plans/{plan_hash}": _PLANS,
    "POST /api/v1/rate-plans/drafts": _PLANS,
    "POST /api/v1/rate-plans/{plan_hash}/approval": _PLANS,
    "GET /customers": _PORTFOLIO,
    "GET /customers/{policy_id}": _PORTFOLIO,
    "POST /customers/{policy_id}": _TOUCHPOINTS,
    "GET /api/v1/customers/{policy_id}": _PORTFOLIO,
    "POST /api/v1/customers/{policy_id}/household": _TOUCHPOINTS,
    "POST /api/v1/customers/{policy_id}/care": _TOUCHPOINTS,
    "POST /customers/{policy_id}/care": _TOUCHPOINTS,
    "GET /api/v1/policies/{policy_id}/touchpoints": _TOUCHPOINTS,
    "POST /api/v1/policies/{policy_id}/touchpoints": _TOUCHPOINTS,
    "GET /api/v1/touchpoint-costs": _TOUCHPOINTS,
    "GET /segments": _PORTFOLIO,
    "GET /api/v1/segments": _PORTFOLIO,
    "GET /strategies": _PORTFOLIO,
    "GET /api/v1/strategies": _PORTFOLIO,
    "GET /guard": _TOUCHPOINTS,
    "GET /contacts": _TOUCHPOINTS,
    "GET /contacts.csv": _TOUCHPOINTS,
    "GET /api/v1/contacts": _TOUCHPOINTS,
    "GET /api/v1/contact-sums": _TOUCHPOINTS,
    "GET /experiments": _PORTFOLIO,
    "GET /experiments.csv": _PORTFOLIO,
    "POST /experiments": _PORTFOLIO,
    "POST /experiments/{name}": _PORTFOLIO,
    "GET /api/v1/experiments": _PORTFOLIO,
    "POST /api/v1/experiments/{name}": _PORTFOLIO,
    "POST /api/v1/experiments/{name}/steps": _PORTFOLIO,
    "POST /api/v1/experiments/{name}/outcomes": _PORTFOLIO,
    "GET /api/v1/access-log": "Access and audit log",
    "GET /api/v1/audit": "Access and audit log",
    "GET /api/v1/consents": "Consents",
    "PUT /api/v1/consents/{purpose}": "Consents",
    "POST /privacy/consents/{purpose}": "Consents",
    "GET /api/v1/customers/{policy_id}/consents": "Consents",
    "GET /api/v1/offers": _TOUCHPOINTS,
    "POST /api/v1/offers/{offer_id}/answer": _TOUCHPOINTS,
    "POST /offers/{offer_id}": _TOUCHPOINTS,
    "GET /api/v1/customers/{policy_id}/offers": _TOUCHPOINTS,
    "POST /api/v1/customers/{policy_id}/offers": _TOUCHPOINTS,
}

# Routes for staff beside a person's own one to the same thing: not the whole row.
_OF_STAFF = (
    "/book", "/contests", "/customers", "/api/v1/book", "/api/v1/contest-queue", "/api/v1/customers",
    "/api/v1/touchpoint-costs", "/guard", "/contacts", "/api/v1/contacts", "/api/v1/contact-sums",
    "/api/v1/audit", "/audit",
    "/erasures", "/api/v1/erasure-queue", "/locations", "/api/v1/score-distribution", "/api/v1/statement-totals",
)  # fmt: skip
ONLY_STAFF = {operation for operation in ROW_OF if operation.split(" ")[1].startswith(_OF_STAFF)}

_TERMS = {
    "starts_on": "2026-12-01", "ends_on": "2027-12-01", "pay_plan": "flat", "covers": ["liability"],
    "declared_km_per_year": 8000, "time_zone": "Europe/Helsinki", "name": "Some Body", "email": "some@example.org",
    "factors": {"vehicle_class": "suv", "territory": "rural", "driver_age": 44},
}  # fmt: skip
_KIM = {"name": "Kim", "email": "kim@example.net"}
_WHY = {"reason": "crash", "words": "No answer after a suspected crash."}
_CONTESTED = {"reason": "bad_data", "words": "There was a tunnel."}


@dataclass(frozen=True)
class Asked:
    """What a well-formed request holds beside its path."""

    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str | list[str]] | None = None
    json: dict[str, object] | list[object] | None = None
    file: dict[str, str] | None = None  # a form with files


REQUEST = {
    "POST /sign-out": Asked(form={}),
    "POST /api/v1/policies/{policy_id}/drivers": Asked(json=dict(_KIM)),
    "POST /policies/{policy_id}/drivers": Asked(form=dict(_KIM)),
    "DELETE /api/v1/policies/{policy_id}/drivers/{driver_id}": Asked(),
    "POST /policies/{policy_id}/drivers/{driver_id}/end": Asked(form={}),
    "PUT /api/v1/trips/{trip_id}/driver": Asked(json={"mine": True}),
    "POST /trips/{trip_id}/driver": Asked(form={"mine": "true"}),
    "POST /trips/{trip_id}/zone": Asked(form={"end": "start", "radius_m": "200"}),
    "POST /privacy/zones/{zone_id}": Asked(form={}),
    "POST /api/v1/privacy-zones": Asked(json={"latitude_deg": 60.17, "longitude_deg": 24.94, "radius_m": 300}),
    "DELETE /api/v1/privacy-zones/{zone_id}": Asked(),
    "POST /api/v1/erasures": Asked(),
    "POST /privacy/erasure": Asked(form={}),
    "POST /api/v1/customers/{policy_id}/erasures": Asked(),
    "POST /erasures/{request_id}": Asked(form={"decision": "refuse", "words": "A claim is open."}),
    "POST /api/v1/erasure-queue/{request_id}/decision": Asked(json={"granted": False, "words": "A claim is open."}),
    "POST /locations/{policy_id}": Asked(form={**_WHY, "trip": "{trip_id}"}),
    "POST /api/v1/policies/{policy_id}/trips/{trip_id}/location": Asked(json=dict(_WHY)),
    "POST /policies/{policy_id}/menu": Asked(
        form={"effective_on": "2026-11-20", "pay_plan": "flat", "cover": "liability", "key": "a-fresh-key"}
    ),
    "POST /trips/{trip_id}": Asked(form={"label": "passenger"}),
    "POST /trips/{trip_id}/contests": Asked(form={**_CONTESTED, "event": "0", "key": "a-fresh-key"}),
    "POST /contests/{contest_id}": Asked(form={"decision": "refuse", "words": "As measured."}),
    "POST /api/v1/bindings": Asked(json=_TERMS),
    "POST /api/v1/policies/{policy_id}/endorsements": Asked(json={"effective_on": "2026-11-16", "pay_plan": "flat"}),
    "POST /api/v1/policies/{policy_id}/cancellation": Asked(json={"ends_on": "2026-12-15"}),
    "POST /api/v1/policies/{policy_id}/renewals": Asked(json={"starts_on": "2027-01-01", "ends_on": "2028-01-01"}),
    "POST /api/v1/trips/{trip_id}/contests": Asked(json=dict(_CONTESTED)),
    "POST /api/v1/contest-queue/{contest_id}/decision": Asked(json={"upheld": False, "words": "As measured."}),
    "PUT /api/v1/trips/{trip_id}/label": Asked(json={"label": "driver"}),
    "GET /api/v1/book": Asked(query={"period": "2026-10"}),
    "POST /api/v1/policies/{policy_id}/devices": Asked(json={"code": "{link_code}"}),  # of the family's objects
    "DELETE /api/v1/policies/{policy_id}/devices/{device_id}": Asked(),
    "POST /policies/{policy_id}/devices": Asked(form={"code": "{link_code}"}),
    "POST /policies/{policy_id}/devices/{device_id}/end": Asked(form={}),
    "POST /api/v1/devices/{device_id}/code": Asked(),
    "POST /api/v1/devices/{device_id}/rotate": Asked(),
    "POST /api/v1/devices/{device_id}/revoke": Asked(),
    "POST /api/v1/quarantine/replay": Asked(json={"channel": "http"}),
    "POST /customers/{policy_id}": Asked(form={"channel": "call", "kind": "question", "key": "a-fresh-key"}),
    "POST /api/v1/customers/{policy_id}/household": Asked(
        json={"vehicles": 2, "km_per_year": 20000, "covers": ["liability"]}
    ),
    "POST /api/v1/customers/{policy_id}/care": Asked(json={"needs_care": False}),
    "POST /customers/{policy_id}/care": Asked(form={"reason": "asked"}),
    "POST /api/v1/policies/{policy_id}/touchpoints": Asked(json={"channel": "app", "kind": "question"}),
    "POST /api/v1/quotes": Asked(
        json={
            "factors": {"vehicle_class": "suv", "territory": "rural", "driver_age": 44},
            "declared_km_per_year": 8000,
        }
    ),
    "POST /quote/binding": Asked(
        form={
            "plan": "wayrate-2026",
            "pay_plan": "flat",
            "cover": "liability",
            "factor": ["vehicle_class=suv", "territory=rural", "driver_age=44"],
            "declared_km": "8000",
            "name": "Some Body",
            "email": "some@example.org",
            "starts_on": "2026-12-01",
            "ends_on": "2027-12-01",
            "time_zone": "Europe/Helsinki",
            "key": "a-fresh-key",
        }
    ),
    "POST /quarantine/replay": Asked(form={"channel": "http"}),
    "POST /devices/codes": Asked(form={"device": "car-fresh", "key": "a-fresh-key"}),
    "POST /devices/{device_id}/end": Asked(form={}),
    "POST /customers/{policy_id}/devices/{device_id}/end": Asked(form={}),
    "POST /devices/{device_id}/assignment": Asked(form={"policy": "{policy_id}"}),
    "POST /rate-plans/check": Asked(form={}, file={"plan": packaged_plan().content}),
    "POST /rate-plans/drafts": Asked(
        form={"content": packaged_plan().content.replace('version = "1"', 'version = "3"')}
    ),
    "POST /rate-plans/{plan_hash}/approval": Asked(form={}),
    "POST /api/v1/rate-plans/drafts": Asked(
        json={"content": packaged_plan().content.replace('version = "1"', 'version = "4"')}
    ),
    "POST /api/v1/rate-plans/{plan_hash}/approval": Asked(),
    "POST /experiments": Asked(
        form={"name": "calls", "hypothesis": "They help.", "measured_by": "stays", "horizon": "1000"}
    ),
    "POST /experiments/{name}": Asked(form={"step": "build"}),
    "POST /api/v1/experiments/{name}": Asked(
        json={
            "hypothesis": "It helps.",
            "measure": "stays",
            "treated_share": 0.5,
            "horizon": 1000,
            "least_effect": 0.01,
        }
    ),
    "POST /api/v1/experiments/{name}/steps": Asked(json={"step": "build", "words": "Made."}),
    "POST /api/v1/experiments/{name}/outcomes": Asked(json=[]),
    "PUT /api/v1/consents/{purpose}": Asked(json={"granted": False}),
    "POST /privacy/consents/{purpose}": Asked(form={"granted": "false"}),
    "POST /api/v1/offers/{offer_id}/answer": Asked(json={"taken": False}),
    "POST /offers/{offer_id}": Asked(form={"taken": "false"}),
    "GET /api/v1/customers/{policy_id}/offers": Asked(query={"template": "coaching"}),
    "POST /api/v1/customers/{policy_id}/offers": Asked(json={"template": "coaching"}),
}

ALSO_FOR_NOBODY = {"POST /api/v1/quotes"}  # a few by address

# An administrator's code enrols a device that was not there.
MAKES_WHAT_IS_NOT_THERE = {"POST /api/v1/devices/{device_id}/code"}


@cache
def rows() -> dict[str, set[str]]:
    """The table of docs/security.md: the roles that each row allows anything."""
    lines = (Path(api.__file__).parents[1] / "docs" / "security.md").read_text("utf-8").splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    head, *body = table
    return {name: {role for role, cell in zip(head[1:], cells, strict=True) if cell != "-"} for name, *cells in body}


def request_of(operation: str) -> Asked:
    """What a well-formed request to it holds; a route that changes something has to say."""
    if not operation.startswith("GET ") and operation not in REQUEST:
        raise AssertionError(f"{operation} has no request in tests/api/matrix.py")
    return REQUEST.get(operation, Asked())
