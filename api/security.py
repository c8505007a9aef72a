"""Headers of every answer: a strict content security policy (nothing inline or from elsewhere), nothing in caches."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # the map library's own control icons are data: addresses
        "connect-src 'self'",
        "worker-src blob:",  # the map library starts its worker from a blob
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}
IMMUTABLE_PATHS = ("/vendor/", "/static/")
NO_CACHE, PUBLIC_CACHE = (b"cache-control", b"no-store"), (b"cache-control", b"public, max-age=3600")


def headers_of(scheme: str) -> dict[str, str]:
    """The headers of an answer that came by http or https."""
    return SECURITY_HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if scheme == "https" else {})


# As they go over the wire: made once, for every answer carries them.
_RAW = {
    scheme: [(name.lower().encode(), value.encode()) for name, value in headers_of(scheme).items()]
    for scheme in ("http", "https")
}
_NAMES = frozenset(name for name, _ in _RAW["https"])


class SecurityHeaders:
    """ASGI middleware: adds the headers, and keeps every answer about a person out of caches."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; the answer's head gets the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        ours = _RAW["https" if scope["scheme"] == "https" else "http"]
        cache = PUBLIC_CACHE if scope["path"].startswith(IMMUTABLE_PATHS) else NO_CACHE

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                theirs = [one for one in message["headers"] if one[0] not in _NAMES]
                cached = () if any(name == b"cache-control" for name, _ in theirs) else (cache,)
                message["headers"] = [*theirs, *ours, *cached]
            await send(message)

        await self.app(scope, receive, send_with_headers)
