"""The role is a type in each route's signature: `reader: Policyholder` is the whole permission check of a route."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from api import accounts
from api.errors import NotSignedIn, WrongRole
from api.pace import Pace
from api.store import Account
from api.threads import in_thread
from storage.pool import Database

SESSION_COOKIE = "wayrate_session"


async def database_of(request: Request) -> Database:
    """The database the app was made with."""
    database: Database = request.app.state.database
    return database


async def now_of(request: Request) -> datetime:
    """The time by the clock the app was made with, UTC."""
    clock: Callable[[], datetime] = request.app.state.clock
    return clock()


def places_of(request: Request) -> frozenset[str]:
    """The names on the map that the app was made with, in small letters: what no offer may say."""
    places: frozenset[str] = request.app.state.places
    return places


def account_of(request: Request) -> Account | None:
    """The account whose session cookie came with the request."""
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    database: Database = request.app.state.database
    now: datetime = request.app.state.clock()
    account = database.read("policy", lambda conn: accounts.signed_in(conn, token, now))
    if account is not None:
        pace: Pace = request.app.state.pace
        pace.know(token)
    return account


class SignedInAs:
    """Dependency: the account, when its role is one of `roles`; else 401 or 403."""

    def __init__(self, *roles: str) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Account:
        """Raises NotSignedIn or WrongRole."""
        account = await in_thread(account_of, request) if request.cookies.get(SESSION_COOKIE) else None
        if account is None:
            raise NotSignedIn
        if account.role not in self.roles:
            raise WrongRole(account.role, self.roles)
        return account


class SignedInAsOrNobody:
    """Dependency for what strangers may ask as well: the account, or None without a session; other roles 403."""

    def __init__(self, *roles: str) -> None:
        self.roles = roles
        self._signed_in = SignedInAs(*roles)

    async def __call__(self, request: Request) -> Account | None:
        """Raises NotSignedIn of a session that is over, or WrongRole."""
        return await self._signed_in(request) if request.cookies.get(SESSION_COOKIE) else None


# The rows of the security matrix that these routes serve; a test holds each route against it.
Policyholder = Annotated[Account, Depends(SignedInAs("policyholder", "driver"))]  # own objects only
PolicyOwner = Annotated[Account, Depends(SignedInAs("policyholder"))]  # own policies only
Binder = Annotated[Account, Depends(SignedInAs("policyholder", "underwriter"))]  # a policyholder own policies only
PolicyReader = Annotated[Account, Depends(SignedInAs("policyholder", "driver", "underwriter"))]  # likewise
Underwriter = Annotated[Account, Depends(SignedInAs("underwriter"))]
QuarantineReader = Annotated[Account, Depends(SignedInAs("underwriter", "admin"))]  # counts and reasons
Support = Annotated[Account, Depends(SignedInAs("support"))]  # the card of the customer on the phone
ConsentReader = Annotated[Account, Depends(SignedInAs("support", "privacy_officer"))]
PrivacyOfficer = Annotated[Account, Depends(SignedInAs("privacy_officer"))]
AuditReader = Annotated[Account, Depends(SignedInAs("privacy_officer", "admin"))]
PortfolioReader = Annotated[Account, Depends(SignedInAs("actuary", "underwriter"))]  # groups, never one person
Actuary = Annotated[Account, Depends(SignedInAs("actuary"))]  # groups, never one person
BookSumReader = Annotated[Account, Depends(SignedInAs("actuary", "underwriter", "support"))]  # groups, never one
Desk = Annotated[Account, Depends(SignedInAs("underwriter", "actuary", "privacy_officer", "admin"))]  # what waits
Quoter = Annotated[Account, Depends(SignedInAs("underwriter", "actuary", "support"))]  # of a risk that is entered
AnyQuoter = Annotated[  # strangers too, a few; nobody's driving is in it
    Account | None, Depends(SignedInAsOrNobody("policyholder", "underwriter", "actuary", "support"))
]
PlanReader = Annotated[Account, Depends(SignedInAs("actuary", "underwriter"))]  # rate plans, published and waiting
OfferLogReader = Annotated[Account, Depends(SignedInAs("support", "actuary"))]  # actuaries: groups, never one person
Serving = Annotated[Account, Depends(SignedInAs("policyholder", "driver", "support"))]  # a person own ones only
Admin = Annotated[Account, Depends(SignedInAs("admin"))]
DeviceEnder = Annotated[Account, Depends(SignedInAs("admin", "support"))]
Anyone = Annotated[Account, Depends(SignedInAs(*accounts.ROLES))]  # any signed-in account

Store = Annotated[Database, Depends(database_of)]
Places = Annotated[frozenset[str], Depends(places_of)]
Now = Annotated[datetime, Depends(now_of)]
