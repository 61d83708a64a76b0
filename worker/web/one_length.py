"""Refuses a request that says its length in two ways, and closes the connection.

Two servers that read such a request differently can be made to see two requests in one.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.web.fhir_answers import is_fhir, said

CLOSE = {"Connection": "close"}
REMEDY = "send Content-Length or Transfer-Encoding, not both, and one of it"


class OneLength:
    """Answers 400 to Content-Length beside Transfer-Encoding, or either of them twice."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _lengths(scope) < 2:
            await self.app(scope, receive, send)
            return
        refusal = (
            said(400, REMEDY, CLOSE)
            if is_fhir(Request(scope))
            else JSONResponse({"detail": REMEDY}, 400, headers=CLOSE)
        )
        await refusal(scope, receive, send)


def _lengths(scope: Scope) -> int:
    return sum(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
