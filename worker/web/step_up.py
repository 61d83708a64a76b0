"""What any session is not enough for: the provider must know the person as OIDC_STEP_UP_ACR says.

For people alone: a bearer token was made for its use at a terminal. What needs it, the routes say.
"""

from __future__ import annotations

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse

from worker.web.deps import Have
from worker.web.pages import said, wants_page
from worker.web.readers import Anyone


class NotSureEnough(Exception):
    """The session does not show who it is as surely as this asks for (403, RFC 9470)."""


def known_surely(reader: Anyone, have: Have) -> None:
    """Raises NotSureEnough. An account of our own cannot show it either, where it is asked for."""
    wanted = (have.settings.oidc_step_up_acr or "").split()
    if wanted and reader.session is not None and reader.session.acr not in wanted:
        raise NotSureEnough


KnownSurely = Depends(known_surely)


def refused(request: Request, _: Exception) -> Response:
    """The way to the provider, and back to the page that the form stands on."""
    if wants_page(request):
        page = "/" + request.url.path.strip("/").split("/")[0]
        lines = ("This needs your second factor.", "Nothing was changed: after it, send the form once more.")
        return said(
            request,
            403,
            "Sign in once more",
            *lines,
            to=f"/oidc/login?strong=true&next={page}",
            words="Sign in",
        )
    acr = request.app.state.deps.settings.oidc_step_up_acr
    challenge = f'Bearer error="insufficient_user_authentication", acr_values="{acr}"'
    return JSONResponse({"detail": "sign in once more"}, 403, headers={"WWW-Authenticate": challenge})
