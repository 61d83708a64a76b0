"""The headers of every answer: nothing inline, nothing from elsewhere, nothing framed, nothing kept.

A plain ASGI layer, so that errors and streams carry them too. It decides nothing about who may read.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

# With `no-referrer` browsers send `Origin: null` with our own forms, and `same_site` could not tell them.
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

STATIC = "/static/"
KEEP_STATIC = "public, max-age=3600"
KEEP_NOTHING = "no-store"
ONLY_HTTPS = "max-age=31536000; includeSubDomains"


class SafeHeaders:
    """Sets `ALWAYS`, no-store on all but the assets, and HSTS where the site is reached by https."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        static = scope["path"].startswith(STATIC)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                headers["Cache-Control"] = KEEP_STATIC if static else KEEP_NOTHING
                if self.https:
                    headers["Strict-Transport-Security"] = ONLY_HTTPS
            await send(message)

        await self.app(scope, receive, with_headers)
