"""Our own faults: logged by their class alone, said in one line without anything of what was worked on."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.web.fhir_answers import is_fhir
from worker.web.fhir_answers import said as fhir_said
from worker.web.pages import said, wants_page

log = structlog.get_logger(__name__)


class SaidPlainly:
    """Turns an exception nobody expected into a 500, unless the answer is already on its way."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            log.error("a request failed", error=type(error).__name__)
            if scope["type"] == "http" and not started:
                await _sorry(Request(scope))(scope, receive, send)


def _sorry(request: Request) -> Response:
    if is_fhir(request):
        return fhir_said(500, "internal error")
    if wants_page(request):
        lines = ("Nothing was changed.", "Try again; if it stays, tell operations the time.")
        return said(request, 500, "That was our fault", *lines)
    return JSONResponse({"detail": "internal error"}, 500)
