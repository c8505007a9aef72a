"""Rate plans for programs: read by underwriters; drafted by an actuary, approved and published by another one."""

from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.paging import Page, by
from api.problems import PROBLEMS
from api.roles import Actuary, Now, PlanReader, Store
from api.workbench.known_plans import MOST_PLAN_BYTES, approve_as, known_plan, live_plan
from api.workbench.plan_view import changes, plan_lines
from pricing.plan import RatePlan, parse_plan
from pricing.policies import published_plans
from pricing.publishing import submit
from pricing.publishing_store import Submission, fetch_submission, fetch_submissions
from storage.pool import Conn

router = APIRouter(prefix="/api/v1/rate-plans", responses=PROBLEMS)


class PlanOut(BaseModel):
    """A plan that is published or waits. Who submitted it is null where it ships with Wayrate."""

    plan_hash: str = Field(description="SHA-256 of every price and rule in it: another cent is another plan")
    name: str
    version: str
    state: str = Field(description="live, coming, replaced; waits, expired: not published")
    submitted_by: str | None
    submitted_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None

    @classmethod
    def facts(cls, plan_hash: str, name: str, version: str, state: str, held: Submission | None) -> dict[str, Any]:
        """The fields of a plan, and of its submission where there is one."""
        return {
            "plan_hash": plan_hash,
            "name": name,
            "version": version,
            "state": state,
            "submitted_by": held and held.author_email,
            "submitted_at": held and held.submitted_at,
            "approved_by": held and held.approver_email,
            "approved_at": held and held.approved_at,
        }


class ChangeOfPlan(BaseModel):
    """One place in which it differs from the live plan of its name; null: not there."""

    place: str
    before: str | None
    after: str | None


class PlanFileOut(PlanOut):
    """A plan with its text and what it changes."""

    effective_from: date
    currency: str
    jurisdiction: str | None
    content: str = Field(description="The file, TOML")
    live: str | None = Field(description="Hash of the plan of this name that is in effect today")
    changes: list[ChangeOfPlan]


class DraftIn(BaseModel):
    """A draft as its file reads."""

    model_config = ConfigDict(extra="forbid")

    content: str = Field(max_length=MOST_PLAN_BYTES, description="TOML")
    bias_test: dict[str, Any] | None = Field(
        default=None, description="What `wayrate plan audit --json` printed of it, where its jurisdiction asks for one"
    )


@router.get("")
def read_rate_plans(
    reader: PlanReader, database: Store, now: Now, paging: Page, name: str | None = None
) -> list[PlanOut]:
    """What waits, then what is published, the latest in effect first; of one `name` or all."""
    with database.role("policy") as conn:
        published, submitted = published_plans(conn), fetch_submissions(conn)
    held = {one.plan_hash: one for one in submitted}
    lines = [one for one in plan_lines(published, submitted, now) if name in (None, one.name)]
    return [
        PlanOut(**PlanOut.facts(one.plan_hash, one.name, one.version, one.state, held.get(one.plan_hash)))
        for one in paging.cut(lines, by("plan_hash"))
    ]


@router.get("/{plan_hash}")
def read_rate_plan(plan_hash: str, reader: PlanReader, database: Store, now: Now) -> PlanFileOut:
    """A plan by its hash: state, text, and what it changes against the live one of its name."""
    with database.role("policy") as conn:
        plan, held, _ = known_plan(conn, plan_hash)
        return _file(conn, plan, held, now)


@router.post("/drafts", status_code=201)
def submit_rate_plan(wanted: DraftIn, reader: Actuary, database: Store, now: Now, response: Response) -> PlanFileOut:
    """Checks a draft and lets it wait for another actuary. A refusal names the place in it.

    The same draft again changes nothing, and its first author stays: its hash is its key.
    """
    draft = parse_plan(wanted.content.replace("\r\n", "\n"), "the draft")
    with database.role("policy") as conn:
        if fetch_submission(conn, draft.plan_hash) is None:
            submit(conn, draft, reader.account_key, wanted.bias_test, now)
        else:
            response.status_code = 200
        return _file(conn, draft, fetch_submission(conn, draft.plan_hash), now)


@router.post("/{plan_hash}/approval")
def approve_rate_plan(plan_hash: str, reader: Actuary, database: Store, now: Now) -> PlanFileOut:
    """Approves the very plan of that hash and publishes it for good.

    One's own draft, one that was edited since, or one that waited too long is refused; the refusal is noted.
    """
    with database.role("policy") as conn:
        plan, _, _ = known_plan(conn, plan_hash)
    held = approve_as(database, plan, reader, now)
    with database.role("policy") as conn:
        return _file(conn, plan, held, now)


def _file(conn: Conn, plan: RatePlan, held: Submission | None, now: datetime) -> PlanFileOut:
    published = published_plans(conn)
    lines = plan_lines(published, [held] if held else [], now)
    line = next(one for one in lines if one.plan_hash == plan.plan_hash)
    live = live_plan(conn, plan.name, now)
    return PlanFileOut(
        **PlanOut.facts(plan.plan_hash, plan.name, plan.version, line.state, held),
        effective_from=plan.effective_from,
        currency=plan.currency,
        jurisdiction=plan.jurisdiction,
        content=held.content if held else plan.content,
        live=None if live is None else live.plan_hash,
        changes=[ChangeOfPlan(place=one.place, before=one.old, after=one.new) for one in changes(live, plan)],
    )
