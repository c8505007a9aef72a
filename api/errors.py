"""What can go wrong for a person at the pages or a program at the API: each error is a noun with its facts.

The HTTP status and the advice stand with the error, the rendering (problem+json or a page) in `problems.py`.
"""

from dataclasses import dataclass
from typing import ClassVar

from api.languages import say


class ApiError(Exception):
    """Base of this package's errors."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    advice: ClassVar[str] = "Try again; if it stays, tell support."


@dataclass(eq=False)
class NotFound(ApiError):
    """No such object, or not one this account may know of: the two are never told apart."""

    noun: str
    name: str

    status: ClassVar[int] = 404
    title: ClassVar[str] = "Not found"
    advice: ClassVar[str] = "Check the address, or go back to your overview."

    def __str__(self) -> str:
        return say("There is no {noun} {name!r} in your account.", noun=say(self.noun), name=self.name)


@dataclass(eq=False)
class BodyTooLarge(ApiError):
    """More than a request here may hold, announced or sent."""

    most_bytes: int

    status: ClassVar[int] = 413
    title: ClassVar[str] = "The body is too large"
    advice: ClassVar[str] = "Send less at once."

    def __str__(self) -> str:
        return f"The body is over {self.most_bytes // 1024} KiB."


@dataclass(eq=False)
class BodyTooSlow(ApiError):
    """A body that trickles in."""

    least_bytes_per_s: int

    status: ClassVar[int] = 408
    title: ClassVar[str] = "The body came too slowly"
    advice: ClassVar[str] = "Send it again on a better connection."

    def __str__(self) -> str:
        return f"The body came slower than {self.least_bytes_per_s} bytes a second."


@dataclass(eq=False)
class UnknownBody(ApiError):
    """A body of a kind, or in an encoding, that is not read here."""

    header: str
    sent: str
    wanted: str

    status: ClassVar[int] = 415
    title: ClassVar[str] = "This kind of body is not read here"

    @property
    def advice(self) -> str:  # type: ignore[override]
        """What to send."""
        return f"Send it with {self.header}: {self.wanted}."

    def __str__(self) -> str:
        return f"The body came with {self.header}: {self.sent[:80] or 'none'}."


@dataclass(eq=False)
class BrokenBody(ApiError):
    """A body that is no JSON, not in UTF-8, or nested beyond reason."""

    detail: str

    status: ClassVar[int] = 400
    title: ClassVar[str] = "The body cannot be read"
    advice: ClassVar[str] = "Send JSON (RFC 8259) in UTF-8."

    def __str__(self) -> str:
        return f"The body cannot be read: {self.detail}."


@dataclass(eq=False)
class AmbiguousBody(ApiError):
    """What two readers could take for two things, or what no text of the database holds."""

    part: str
    detail: str
    field: str | None

    status: ClassVar[int] = 422
    title: ClassVar[str] = "The request does not fit"
    advice: ClassVar[str] = "Correct that part and send it again."

    def __str__(self) -> str:
        return f"{self.field or self.part}: {self.detail}."


@dataclass(eq=False)
class BadCursor(ApiError):
    """A cursor that was not given out for this list, or whose row is not there any more."""

    field: ClassVar[str] = "cursor"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "The cursor does not fit"
    advice: ClassVar[str] = "Take it from the Link header of the page before, or begin without one."

    def __str__(self) -> str:
        return "This list has no such place to go on from."


@dataclass(eq=False)
class ForeignOrigin(ApiError):
    """A change that a page of another site asks for."""

    origin: str

    status: ClassVar[int] = 403
    title: ClassVar[str] = "Not from another site"
    advice: ClassVar[str] = "Open the page here and do it there."

    def __str__(self) -> str:
        return f"The request comes from {self.origin[:80]}, which is another site."


@dataclass(eq=False)
class NotSignedIn(ApiError):
    """A route that needs an account was asked without a valid session."""

    status: ClassVar[int] = 401
    title: ClassVar[str] = "Sign in first"
    advice: ClassVar[str] = "Sign in at / and ask again."

    def __str__(self) -> str:
        return say("This needs an account, and no valid session came with the request.")


@dataclass(eq=False)
class WrongRole(ApiError):
    """The session is valid, but the route belongs to other roles."""

    role: str
    needed: tuple[str, ...]

    status: ClassVar[int] = 403
    title: ClassVar[str] = "Not for this account"
    advice: ClassVar[str] = "Sign in with an account of the right role."

    def __str__(self) -> str:
        needed = f" {say('or')} ".join(self.needed)
        return say("This page is for {needed}; this account is {role}.", needed=needed, role=self.role)


@dataclass(eq=False)
class FormExpired(ApiError):
    """A form came back without its token, or with another one (cross-site request, or a page left open too long)."""

    status: ClassVar[int] = 403
    title: ClassVar[str] = "The form expired"
    advice: ClassVar[str] = "Load the page again and send the form once more."

    def __str__(self) -> str:
        return say("The form's token is missing or is not the one this browser was given.")


@dataclass(eq=False)
class WrongCredentials(ApiError):
    """E-mail and password do not belong together; which of the two is wrong is not said."""

    status: ClassVar[int] = 401
    title: ClassVar[str] = "That did not match"
    advice: ClassVar[str] = "Check the e-mail address and the password."

    def __str__(self) -> str:
        return say("The e-mail address and the password do not belong to an account.")


@dataclass(eq=False)
class ProviderRefused(ApiError):
    """An answer of the identity provider that does not prove who came."""

    detail: str

    status: ClassVar[int] = 401
    title: ClassVar[str] = "You are not signed in"
    advice: ClassVar[str] = "Begin again from the sign-in page."

    def __str__(self) -> str:
        return f"{self.detail[:1].upper()}{self.detail[1:]}."


class ProviderAway(ApiError):
    """The identity provider does not answer, or not as one does."""

    status: ClassVar[int] = 503
    title: ClassVar[str] = "The identity provider does not answer"
    advice: ClassVar[str] = "Wait a moment, then try again."

    def __str__(self) -> str:
        return "Nobody can be signed in by it now."


class NoAccountHere(ApiError):
    """Somebody whom the provider knows and we do not."""

    status: ClassVar[int] = 403
    title: ClassVar[str] = "No account here"
    advice: ClassVar[str] = "Ask for an account under the e-mail address that the provider has verified."

    def __str__(self) -> str:
        return "The provider knows you, and there is no account here that is yours."


@dataclass(eq=False)
class TooManyAttempts(ApiError):
    """Sign-in for one address failed too often within the window."""

    wait_s: int

    status: ClassVar[int] = 429
    title: ClassVar[str] = "Too many attempts"
    advice: ClassVar[str] = "Wait, then try again."

    def __str__(self) -> str:
        return say(
            "Signing in failed too often for this address; it opens again in {seconds} seconds.", seconds=self.wait_s
        )


@dataclass(eq=False)
class TooManyQuotes(ApiError):
    """More quotes without a session than one address gets within the window."""

    wait_s: int

    status: ClassVar[int] = 429
    title: ClassVar[str] = "Too many quotes"
    advice: ClassVar[str] = "Wait, or sign in."

    def __str__(self) -> str:
        return f"This address has asked for too many quotes; it may again in {self.wait_s} seconds."


@dataclass(eq=False)
class TooManyRequests(ApiError):
    """More requests than a credential, or an address without one, gets a minute."""

    wait_s: int

    status: ClassVar[int] = 429
    title: ClassVar[str] = "Too many requests"
    advice: ClassVar[str] = "Wait, then ask more slowly."

    def __str__(self) -> str:
        return say("This session or address asked too often; it may again in {seconds} seconds.", seconds=self.wait_s)


class PasswordsOff(ApiError):
    """A password, where the identity provider alone signs people in."""

    status: ClassVar[int] = 403
    title: ClassVar[str] = "No passwords here"
    advice: ClassVar[str] = "Sign in with your organisation."

    def __str__(self) -> str:
        return say("Nobody is signed in by a password here.")


@dataclass(eq=False)
class UnfitRisk(ApiError):
    """A risk that cannot be quoted as it was entered."""

    field: str
    problem: str

    status: ClassVar[int] = 422
    title: ClassVar[str] = "The risk does not fit"
    advice: ClassVar[str] = "Correct that part and send it again."

    def __str__(self) -> str:
        return f"{self.field} {self.problem}."


@dataclass(eq=False)
class AccountExists(ApiError):
    """An account of that e-mail address is already there."""

    email: str

    status: ClassVar[int] = 409
    title: ClassVar[str] = "The account exists"
    advice: ClassVar[str] = "Use another e-mail address, or sign in with this one."

    def __str__(self) -> str:
        return f"there is already an account for {self.email}"


@dataclass(eq=False)
class WeakPassword(ApiError):
    """The password is shorter than the least length, or longer than is hashed."""

    least: int
    most: int

    status: ClassVar[int] = 422
    title: ClassVar[str] = "The password does not fit"
    advice: ClassVar[str] = "Choose a longer password; a sentence is fine."

    def __str__(self) -> str:
        return f"a password has {self.least} to {self.most} characters"


@dataclass(eq=False)
class UnknownRole(ApiError):
    """A role outside the closed set."""

    role: str
    known: tuple[str, ...]

    status: ClassVar[int] = 422
    title: ClassVar[str] = "Unknown role"
    advice: ClassVar[str] = "Use one of the known roles."

    def __str__(self) -> str:
        return f"there is no role {self.role!r}: use one of {', '.join(self.known)}"


@dataclass(eq=False)
class MissingBrowserLibrary(ApiError):
    """The installed `maplibre` wheel does not hold the browser files that the map needs."""

    file: str

    status: ClassVar[int] = 500
    title: ClassVar[str] = "The map library is missing"
    advice: ClassVar[str] = "Install the packages again: uv sync."

    def __str__(self) -> str:
        return f"the installed package `maplibre` has no {self.file}: run `uv sync`"


@dataclass(eq=False)
class BadZone(ApiError):
    """A privacy zone that cannot be."""

    field: str
    problem: str

    status: ClassVar[int] = 422
    title: ClassVar[str] = "No such zone"
    advice: ClassVar[str] = "Correct that part and send it again."

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}."


@dataclass(eq=False)
class MapNotShown(ApiError):
    """A trip that somebody else drove, and whose way they do not show."""

    trip: str

    status: ClassVar[int] = 403
    title: ClassVar[str] = "Not shown"
    advice: ClassVar[str] = "The driver can agree to it under Privacy."

    def __str__(self) -> str:
        return f"Somebody else drove trip {self.trip} and does not show its way."


@dataclass(eq=False)
class NotClaimed(ApiError):
    """A trip of which nobody has said yet who drove."""

    trip: str

    status: ClassVar[int] = 403
    title: ClassVar[str] = "Not claimed yet"
    advice: ClassVar[str] = "Say on the trip's page that you drove; then you see it."

    def __str__(self) -> str:
        return f"Nobody has said yet who drove trip {self.trip}: until then its way is shown to nobody."
