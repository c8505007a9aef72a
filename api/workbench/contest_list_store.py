"""The SQL of the contests' list. Role: link."""

from api.workbench.list_store import Listed, Which, begins
from pricing.contest_store import CONTEST_COLUMNS, CONTEST_TABLES, Contest

# Where a contest stands, by the code that stands in the address.
STATES = {
    "waiting": "d.upheld is null",
    "decided": "d.upheld is not null",
    "upheld": "d.upheld",
    "refused": "not d.upheld",
    "any": "true",
}
_SORTS = {
    "raised": "c.raised_at",
    "what": "coalesce(c.event_kind, '')",
    "policy": "p.policy_id",
    "reason": "c.reason",
    "state": "case when d.upheld is null then 0 when d.upheld then 1 else 2 end",
    "decided": "d.decided_at",
}
CONTESTS = Listed(Contest, CONTEST_COLUMNS, CONTEST_TABLES, _SORTS, "c.contest_id")


def contests_where(state: str, reason: str, policy: str, sort: str) -> Which:
    """Contests in a state (one that is not known: none), for a reason, of policies whose number begins so."""
    asked = [STATES.get(state, "false")]
    asked += ["c.reason = %(reason)s"] if reason else []
    asked += ["p.policy_id like %(like)s"] if policy else []
    return Which(asked, {"reason": reason, "like": begins(policy)}, sort)
