"""Signing in at an identity provider: OpenID Connect, authorization code with PKCE (RFC 6749, 7636; OIDC Core 1.0).

What a sign-in needs until its answer comes (state, nonce, verifier) waits in a cookie of that browser. The provider
says who it is; what somebody may do stands in our own account, never in a claim.
"""

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from time import monotonic
from typing import Any, NoReturn
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.errors import ProviderAway, ProviderRefused

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")  # signatures by a key pair: neither `none` nor a shared secret
LEEWAY_S = 60
WAIT_S = 600
TIMEOUT_S = 5.0
KEYS_FOR_S = 300.0
SCOPE = "openid email"
CALLBACK = "/sign-in/oidc/callback"


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The provider and what it knows us by; `public_url`: our address as browsers see it, without a path."""

    issuer: str
    client_id: str
    client_secret: str
    public_url: str

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends browsers back to."""
        return self.public_url.rstrip("/") + CALLBACK


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in on its way: kept by the browser until it comes back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def fresh(cls) -> "Begun":
        """Random, 256 bits each."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @classmethod
    def kept(cls, cookie: str) -> "Begun | None":
        """Out of the browser's cookie; None where that is none of ours."""
        parts = cookie.split(".")
        return cls(*parts) if len(parts) == 3 and all(parts) else None

    @property
    def cookie(self) -> str:
        """As the browser keeps it."""
        return f"{self.state}.{self.nonce}.{self.verifier}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in, by the provider's word; `email` None: it has none, or has not verified it."""

    issuer: str
    subject: str
    email: str | None


@dataclass(slots=True)
class Provider:
    """An identity provider. Its addresses and keys are asked for when needed, and kept for five minutes."""

    settings: OidcSettings
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=TIMEOUT_S))
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def way_to(self, begun: Begun) -> str:
        """The address at which the browser signs in. Raises ProviderAway."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code", "client_id": self.settings.client_id, "scope": SCOPE,
            "redirect_uri": self.settings.redirect_uri, "state": begun.state, "nonce": begun.nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{self._addresses()['authorization_endpoint']}?{urlencode(query)}"

    def identity(self, begun: Begun | None, answer: Mapping[str, str], now: datetime) -> Identity:
        """Who came back with this answer. Raises ProviderRefused with what is not right, ProviderAway."""
        if begun is None or not hmac.compare_digest(begun.state.encode(), answer.get("state", "").encode()):
            _refuse("the answer does not belong to a sign-in that began in this browser")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            _refuse("the answer comes from another provider")
        if "error" in answer or not answer.get("code"):
            _refuse("the provider did not sign you in")
        token = self._exchanged(answer["code"], begun.verifier)
        claims = self._claims(token)
        self._check(claims, begun.nonce, now)
        verified = claims.get("email") if claims.get("email_verified") is True else None
        return Identity(self.settings.issuer, claims["sub"], verified if isinstance(verified, str) else None)

    def _exchanged(self, code: str, verifier: str) -> str:
        """The identity token for a code."""
        form = {
            "grant_type": "authorization_code", "code": code, "code_verifier": verifier,
            "redirect_uri": self.settings.redirect_uri,
        }  # fmt: skip
        secret = httpx.BasicAuth(quote_plus(self.settings.client_id), quote_plus(self.settings.client_secret))
        try:
            answer = self.client.post(self._addresses()["token_endpoint"], data=form, auth=secret)
            found = answer.json() if answer.status_code == 200 else {}
        except (httpx.HTTPError, ValueError):
            raise ProviderAway from None
        token = found.get("id_token") if isinstance(found, dict) else None
        if not isinstance(token, str):
            _refuse("the provider does not take the code")
        return token

    def _claims(self, token: str) -> dict[str, Any]:
        """What a token claims, its signature checked by the provider's keys; those are asked for again once."""
        for is_last in (False, True):
            try:
                return dict(jwt.decode(token, self._keys(), algorithms=ALGORITHMS).claims)
            except (JoseError, ValueError, TypeError):
                if is_last:
                    _refuse("the identity token is not signed by the provider")
                self._kept.pop("keys", None)
        raise AssertionError("unreachable")

    def _check(self, claims: Mapping[str, Any], nonce: str, now: datetime) -> None:
        """Issuer, audience, times, nonce, subject: OIDC Core 3.1.3.7."""
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        expires, issued = claims.get("exp"), claims.get("iat")
        at = now.timestamp()
        subject = claims.get("sub")
        wrong = {
            "the identity token is another provider's": claims.get("iss") != self.settings.issuer,
            "the identity token is for somebody else": self.settings.client_id not in audiences
            or claims.get("azp", self.settings.client_id) != self.settings.client_id
            or (len(audiences) > 1 and "azp" not in claims),
            "the identity token has expired": _number(expires, 0) + LEEWAY_S <= at,
            "the identity token is from the future": _number(issued, inf) - LEEWAY_S > at,
            "the identity token belongs to another sign-in": not hmac.compare_digest(
                nonce.encode(), str(claims.get("nonce", "")).encode()
            ),
            "the identity token names nobody": not isinstance(subject, str) or not 0 < len(subject) <= 255,
        }
        for problem, holds in wrong.items():
            if holds:
                _refuse(problem)

    def _addresses(self) -> dict[str, str]:
        found = self._known("addresses", self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.settings.issuer:
            raise ProviderAway
        return found  # type: ignore[no-any-return]

    def _keys(self) -> KeySet:
        try:
            return KeySet.import_key_set(self._known("keys", self._addresses()["jwks_uri"]))
        except (JoseError, ValueError, TypeError, KeyError):
            raise ProviderAway from None

    def _known(self, name: str, url: str) -> Any:
        """A document of the provider's, fetched at most every five minutes."""
        with self._lock:
            fetched_at, found = self._kept.get(name, (-KEYS_FOR_S, None))
            if found is None or monotonic() - fetched_at >= KEYS_FOR_S:
                try:
                    answer = self.client.get(url)
                    found = answer.raise_for_status().json()
                except (httpx.HTTPError, ValueError):
                    raise ProviderAway from None
                self._kept[name] = monotonic(), found
            return found


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _refuse(detail: str) -> NoReturn:
    raise ProviderRefused(detail)
