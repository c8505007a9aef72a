"""What is asked most: a policy's month, for whoever may see it. Session, role and month come in one reading."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request

from api.accounts import PERSON_ROLES, token_hash
from api.errors import NotFound, NotSignedIn, WrongRole
from api.month_store import fetch_seen
from api.pace import Pace
from api.roles import SESSION_COOKIE
from api.threads import in_thread
from pricing.kept_driving import PricedMonth, ScoredMonth, inputs_of_month, window_of_month
from pricing.kept_driving_store import KeptMonth
from pricing.periods import MONTH_PATTERN
from storage.audit import Act, note
from storage.pool import Database

MENU_READ = "menu_read"  # what the audit log calls a look of staff at a menu
Period = Annotated[str | None, Query(pattern=MONTH_PATTERN, description="The month; left out: the latest")]


@dataclass(frozen=True, slots=True)
class Seen[Found]:
    """The month of a policy that the reader may see, and what was made of it."""

    kept: KeptMonth
    found: Found


class SeenBy[Found]:
    """Dependency: the month of the policy in the path, for the roles that are named, and what `read` makes of it.

    A look of staff is noted in the audit log as `action`.
    Everything that waits for the database is done here, in a thread, so that the route need not hop to another.
    """

    def __init__(self, action: str, read: Callable[[Database, KeptMonth], Found], *roles: str) -> None:
        self.action, self.read, self.roles = action, read, roles

    async def __call__(self, request: Request, policy_id: str, period: Period = None) -> Seen[Found]:
        """Raises NotSignedIn, WrongRole; NotFound, the same for a foreign policy and for none."""
        return await in_thread(self._seen, request, policy_id, period)

    def _seen(self, request: Request, policy_id: str, period: str | None) -> Seen[Found]:
        token = request.cookies.get(SESSION_COOKIE)
        if not token:
            raise NotSignedIn
        database: Database = request.app.state.database
        now: datetime = request.app.state.clock()
        hashed, persons = token_hash(token), list(PERSON_ROLES)
        seen = database.read("policy", lambda conn: fetch_seen(conn, hashed, policy_id, period, now, persons))
        if seen is None:
            raise NotSignedIn
        account_key, role, kept = seen
        pace: Pace = request.app.state.pace
        pace.know(token)
        if role not in self.roles:
            raise WrongRole(role, self.roles)
        if kept is None:
            raise NotFound("policy", policy_id)
        found = self.read(database, kept)
        if role not in PERSON_ROLES:  # who looks at their own writes nothing
            act = Act(self.action, account_key, role, policy_key=kept.policy.policy_key)
            with database.role("policy") as conn:
                note(conn, act, now)
        return Seen(kept, found)


# A person sees their own policies.
MenuMonth = Annotated[
    Seen[PricedMonth], Depends(SeenBy(MENU_READ, inputs_of_month, "policyholder", "underwriter", "support"))
]
ScoreMonth = Annotated[Seen[ScoredMonth], Depends(SeenBy("score_read", window_of_month, "policyholder", "driver"))]
