"""Pages of an underwriter: a policy's file, its statements. No place where anybody drove is read here."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from api import wording
from api.access import looked
from api.explain import score_view
from api.home_view import policy_view, quality_shares
from api.languages import say
from api.policy_file import any_policy, open_file, open_statement
from api.receipt import receipt_of
from api.rendering import page
from api.roles import Now, Store, Underwriter
from api.statement_pdf import pdf_answer
from api.statement_view import posting_row, statement_view
from api.trip_view import Fact
from portfolio.customer_store import fetch_claims
from pricing.agreements import history
from pricing.event_costs import event_costs
from pricing.store import Policy
from pricing.terms import PolicyChange

router = APIRouter(include_in_schema=False)


@router.get("/book/{policy_id}", response_class=HTMLResponse)
def show_policy_file(request: Request, policy_id: str, reader: Underwriter, database: Store, now: Now) -> Response:
    """A policy: terms and how they were agreed, premium, postings, claims, score, data quality."""
    with database.role("policy") as conn:
        policy = any_policy(conn, policy_id)
        changes, _ = history(conn, policy_id)
        claims = fetch_claims(conn, [policy.policy_key])
    looked(database, reader, "policy_read", now, policy_key=policy.policy_key)
    file = open_file(database, policy, now)
    return page(
        request,
        "policy_file.html",
        reader,
        policy=policy_view(policy, file.plan),
        facts=_facts(policy),
        receipt=receipt_of(file.statements[0]) if file.statements else None,
        postings=[posting_row(posting) for statement in file.statements for posting in statement.postings],
        score=score_view(file.score, file.score_trips) if file.score else None,
        quality=quality_shares(file.trips),
        plan=file.plan,
        changes=[_change_row(change) for change in reversed(changes)],
        claims=claims,
    )


@router.get("/book/{policy_id}/statements/{period}", response_class=HTMLResponse)
def show_policy_statement(
    request: Request, policy_id: str, period: str, reader: Underwriter, database: Store, now: Now
) -> Response:
    """A policy's statement of a month with every step of its worksheet."""
    with database.role("policy") as conn:
        policy = any_policy(conn, policy_id)
    looked(database, reader, "policy_read", now, policy_key=policy.policy_key)
    file = open_statement(database, policy, period, now)
    return page(
        request,
        "statement.html",
        reader,
        policy=policy_view(policy, file.plan),
        statement=statement_view(
            file.statement,
            policy.time_zone,
            events=database.read("policy", lambda conn: event_costs(conn, policy, file.statement)),
        ),
        pdf=f"/book/{policy.policy_id}/statements/{period}/pdf",
        crumbs=[
            {"href": "/book", "name": say("Book")},
            {"href": f"/book/{policy.policy_id}", "name": policy.policy_id},
        ],
    )


@router.get("/book/{policy_id}/statements/{period}/pdf")
def download_policy_statement(policy_id: str, period: str, reader: Underwriter, database: Store, now: Now) -> Response:
    """The same statement as PDF."""
    with database.role("policy") as conn:
        policy = any_policy(conn, policy_id)
    looked(database, reader, "policy_read", now, policy_key=policy.policy_key)
    return pdf_answer(open_statement(database, policy, period, now))


def _facts(policy: Policy) -> list[Fact]:
    factors = [Fact(wording.words(name), wording.words(str(level))) for name, level in policy.factors.items()]
    return [
        Fact(say("Covers"), ", ".join(wording.words(cover) for cover in policy.covers)),
        *factors,
        Fact(say("Declared a year"), wording.km(1000 * policy.declared_km_per_year)),
        Fact(say("Plan"), policy.plan_name),
        Fact(say("Time zone"), policy.time_zone),
    ]


def _change_row(change: PolicyChange) -> dict[str, str]:
    """What was agreed, in words: of a binding the terms stand above."""
    terms = {} if change.kind == "bind" else change.terms
    return {
        "kind": wording.words(change.kind),
        "from_day": wording.long_day(change.effective_on),
        "terms": ", ".join(f"{wording.inside(wording.words(name))} {_said(value)}" for name, value in terms.items()),
        "reason": change.reason,
        "made": wording.long_day(change.made_at.date()),
    }


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(wording.inside(wording.words(str(one))) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{wording.inside(wording.words(str(name)))} {one}" for name, one in value.items())
    return str(value)
