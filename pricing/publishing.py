"""Two people publish a plan: one submits it, another approves exactly that content, and it is in the book for good."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pricing import publishing_store as store
from pricing.errors import BadPlan
from pricing.plan import RatePlan
from pricing.policies import publish
from pricing.profile import profile_named
from pricing.publishing_errors import (
    NoBiasTest,
    NotSubmitted,
    OwnApproval,
    SubmissionExpired,
    WrongBiasTest,
)
from pricing.publishing_store import Submission
from storage.audit import Act, note
from storage.pool import Conn

SUBMISSION_LASTS = timedelta(days=30)  # what was right to charge when it was written may not be any more


def submit(conn: Conn, plan: RatePlan, author: UUID, bias_test: Mapping[str, Any] | None, as_of: datetime) -> None:
    """Let a plan wait for a second person (policy role). `bias_test` is what `wayrate plan audit --json` printed of it.

    Raises NoBiasTest where the plan's jurisdiction asks for one, WrongBiasTest for that of another plan, and
    BadPlan where it cannot follow the versions in the book.
    """
    check_follows(conn, plan, as_of)
    if plan.jurisdiction is not None and profile_named(plan.jurisdiction).bias_test and bias_test is None:
        raise NoBiasTest(plan.name, plan.version, plan.jurisdiction)
    if bias_test is not None:
        check_bias_test(plan, bias_test)
    store.insert_submission(conn, plan.plan_hash, plan.name, plan.version, plan.content, bias_test, author, as_of)
    note(conn, Act("plan_submitted", author, object=plan.plan_hash, details=_named(plan)), as_of)


def check_bias_test(plan: RatePlan, bias_test: Mapping[str, Any]) -> None:
    """Raises WrongBiasTest where it is of another plan."""
    named = bias_test.get("plan")
    if (tested := named.get("hash") if isinstance(named, Mapping) else None) != plan.plan_hash:
        raise WrongBiasTest(plan.plan_hash, str(tested))


def check_follows(conn: Conn, plan: RatePlan, as_of: datetime) -> None:
    """Raises BadPlan where the plan cannot follow the versions of its name that are in the book.

    A first version may be in effect before it is published, for policies that were agreed elsewhere.
    """
    held = dict(store.fetch_published(conn, plan.name))
    if not held or plan.plan_hash in held:
        return
    source = f"{plan.name} version {plan.version}"
    if others := sorted(set(held.values()) - {plan.currency}):
        problem = f"is {plan.currency}, and the versions in the book charge {others[0]}: the plan needs another name"
        raise BadPlan(source, "currency", problem)
    earliest, because = as_of.date(), "the versions in the book price the days that have passed"
    days = None if plan.jurisdiction is None else profile_named(plan.jurisdiction).notice_days
    if days is not None:
        earliest += timedelta(days=days)
        because = f"{plan.jurisdiction} asks that who is to pay more is told {days} days before"
    if plan.effective_from < earliest:
        problem = f"is {plan.effective_from}, and {because}: {earliest} is the first day that it can have"
        raise BadPlan(source, "effective_from", problem)


def approve_and_publish(conn: Conn, plan: RatePlan, approver: UUID, as_of: datetime) -> Submission:
    """Approve what the author submitted and put it into the book, in the caller's transaction (policy role).

    `plan` is what the approver has read: a content that differs by a cent is another plan. Raises NotSubmitted,
    OwnApproval, SubmissionExpired, PlanVersionTaken, BadPlan.
    """
    held, latest = store.fetch_submission(conn, plan.plan_hash), store.fetch_latest(conn, plan.name, plan.version)
    if held is None or (latest is not None and latest.submitted_at > held.submitted_at):  # or edited since
        raise NotSubmitted(plan.name, plan.version, plan.plan_hash, latest.plan_hash if latest else None)
    if held.author == approver:
        raise OwnApproval(plan.name, plan.version, held.author_email)
    if held.approved_at is None and as_of > held.submitted_at + SUBMISSION_LASTS:
        raise SubmissionExpired(plan.name, plan.version, held.submitted_at.date().isoformat(), SUBMISSION_LASTS.days)
    check_follows(conn, plan, as_of)
    store.insert_approval(conn, plan.plan_hash, approver, as_of)
    # The text as submitted: comments may differ in the approver's file, prices cannot.
    publish(conn, plan, as_of, content=held.content, ships=False)
    approved = store.fetch_submission(conn, plan.plan_hash)
    assert approved is not None
    note(conn, Act("plan_published", approver, object=plan.plan_hash, details=_named(plan)), as_of)
    return approved


def keep_refusal(conn: Conn, plan: RatePlan, approver: UUID, problem: Exception, as_of: datetime) -> None:
    """Notes an approval that was refused, in a transaction of its own (policy role)."""
    details = _named(plan) | {"refused": type(problem).__name__}
    note(conn, Act("plan_refused", approver, object=plan.plan_hash, details=details), as_of)


def _named(plan: RatePlan) -> dict[str, str | int | bool | None]:
    return {"plan": plan.name, "version": plan.version}
