"""Refuses a changing request that another site made a browser send.

The second of three walls: the cookie is SameSite=Lax, this layer reads what the browser says of the request's
origin, and forms carry a token (`worker.web.readers`). Programs send neither header and pass.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OURS = frozenset({"same-origin", "none"})


class SameSiteOnly:
    """Answers 403 to unsafe methods whose `Sec-Fetch-Site` or `Origin` names another site."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        changes = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        refusal = JSONResponse({"detail": "sent from another site"}, status_code=403)
        answer = refusal if changes and is_foreign(Headers(scope=scope)) else self.app
        await answer(scope, receive, send)


def is_foreign(headers: Headers) -> bool:
    """Whether a browser says that this request does not come from our own pages."""
    if headers.get("sec-fetch-site", "none") not in OURS:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
