"""/oidc, there with OIDC_ISSUER: to the OpenID provider and back with a code, of which a session becomes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from alerts import audit
from alerts.people import Actor
from worker import clock
from worker.database import writing
from worker.tables import ACCOUNT
from worker.web import accounts, attempts, sessions, trail
from worker.web.attempts import Attempt
from worker.web.deps import Have, is_https
from worker.web.id_tokens import NotTheirs
from worker.web.login import our_page, set_session
from worker.web.pages import said
from worker.web.persons import person_of
from worker.web.provider import Provider, Unreachable
from worker.web.security_events import Kind, note

router = APIRouter(prefix="/oidc", include_in_schema=False)

WHY = {
    "no role": "Your account has no role in Ferrule. Whoever runs sign-in can give you one.",
    "no identifier": "Sign-in does not say which clinician you are. Whoever runs sign-in can mend that.",
    "disabled": "This account is closed.",
}
"""What a person can do something about; all else is said alike."""

LOGOUT_LEEWAY = timedelta(seconds=2)
"""A token says seconds; a session that began in the same one is meant."""

Sent = Annotated[str, Query(max_length=4096)]


@router.get("/login")
def leave(request: Request, have: Have, next: str = "/inbox", strong: bool = False) -> Response:
    """To the provider; `strong`: to be known as surely as OIDC_STEP_UP_ACR asks."""
    acr = have.settings.oidc_step_up_acr if strong else None
    with writing(have.engine) as connection:
        attempt = attempts.begin(connection, our_page(next), clock.now(), acr=acr)
    try:
        to = provider_of(request).way_in(attempt.state, attempt.nonce, attempt.verifier, acr)
    except Unreachable as error:
        return _unreachable(request, error)
    answer = RedirectResponse(to, status_code=303)
    https = is_https(have.settings)
    answer.set_cookie(
        attempts.cookie_name(https),
        attempt.secret,
        max_age=int(attempts.LIFE.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=https,
    )
    return answer


@router.get("/callback")
def come_back(request: Request, have: Have, code: Sent = "", state: Sent = "", iss: Sent = "") -> Response:
    """From the provider: a new session and the page that was asked for, or a word why not."""
    now, https = clock.now(), is_https(have.settings)
    secret = request.cookies.get(attempts.cookie_name(https), "")
    try:
        with writing(have.engine) as connection:
            attempt = attempts.take(connection, secret, state, now)
        if attempt is None:
            raise NotTheirs("state")
        claims = _claims(request, attempt, code, iss, now)
        return _signed_in(request, have, claims, attempt, now)
    except Unreachable as error:
        return _unreachable(request, error)
    except NotTheirs as refusal:
        return _refused(request, have, refusal, now)


def provider_of(request: Request) -> Provider:
    """The provider of the app that serves this request."""
    provider = request.app.state.provider
    assert isinstance(provider, Provider)
    return provider


def _claims(request: Request, attempt: Attempt, code: str, iss: str, now: datetime) -> Mapping[str, Any]:
    provider = provider_of(request)
    if iss and iss != provider.issuer:
        raise NotTheirs("iss")
    if not code:
        raise NotTheirs("no code")
    return provider.claims(code, attempt.verifier, attempt.nonce, now, attempt.acr)


def _signed_in(
    request: Request, have: Have, claims: Mapping[str, Any], attempt: Attempt, now: datetime
) -> Response:
    person = person_of(claims, have.settings)
    who, https = person.address, is_https(have.settings)
    where = trail.origin(request)
    by = Actor(who.system, who.id, where) if who else Actor(person.issuer, person.subject, where)
    with writing(have.engine) as connection:
        account = accounts.account_of(connection, person, now)
        sessions.end_of(connection, request.cookies.get(sessions.cookie_name(https), ""), now)
        secret = sessions.start(connection, account, now, acr=_text(claims, "acr"), sid=_text(claims, "sid"))
        trail.note_login(connection, now, by, where)
    answer = RedirectResponse(attempt.next, status_code=303)
    set_session(answer, secret, https)
    answer.delete_cookie(attempts.cookie_name(https), path="/", secure=https)
    return answer


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    found = claims.get(name)
    return found if isinstance(found, str) else None


@router.post("/backchannel-logout")
def log_out_behind(
    request: Request, have: Have, logout_token: Annotated[str, Form(max_length=16_384)]
) -> Response:
    """The provider says that somebody has logged out: their sessions here end. It asks for 200 or 400."""
    now = clock.now()
    provider = provider_of(request)
    try:
        out = provider.logged_out(logout_token, now)
    except Unreachable as error:
        note(Kind.PROVIDER_UNREACHABLE, str(error))
        return JSONResponse({"error": "temporarily_unavailable"}, 503)
    except NotTheirs as refusal:
        note(Kind.SIGN_IN_REFUSED, refusal.reason)
        return JSONResponse({"error": "invalid_request"}, 400)
    theirs = ACCOUNT.c.issuer == provider.issuer
    if out.subject is not None:
        theirs &= ACCOUNT.c.subject == out.subject
    by = Actor(provider.issuer, out.subject or "", trail.origin(request))
    with writing(have.engine) as connection:
        ended = sessions.end_all(connection, theirs, out.at + LOGOUT_LEEWAY, sid=out.sid)
        entry = audit.Entry("logout", by, "account", "", now, data={"by": "provider", "sessions": ended})
        audit.record(connection, [entry])
    return Response(status_code=200)


def _refused(request: Request, have: Have, refusal: NotTheirs, now: datetime) -> Response:
    note(Kind.SIGN_IN_REFUSED, refusal.reason)
    with writing(have.engine) as connection:
        trail.note_login(connection, now, None, trail.origin(request))
    line = WHY.get(refusal.reason, "Sign-in did not come to an end here, or took too long. Start again.")
    return said(request, 403, "Not signed in", line, to="/login", words="Try again")


def _unreachable(request: Request, error: Unreachable) -> Response:
    note(Kind.PROVIDER_UNREACHABLE, str(error))
    lines = ("Where you sign in does not answer.", "Whoever is signed in stays so. Try again in a minute.")
    return said(request, 503, "Sign-in cannot be reached", *lines, to="/login", words="Try again")
