"""The page to log in, log-in with accounts kept by Ferrule (FERRULE_LOCAL_ACCOUNTS=on alone), and log-out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, select

from alerts.people import Actor
from worker import clock
from worker.database import reading, writing
from worker.tables import ACCOUNT
from worker.web import sessions, throttle, trail
from worker.web.deps import Have, is_https
from worker.web.pages import page
from worker.web.passwords import password_fits
from worker.web.readers import Anyone, BadToken
from worker.web.security_events import Kind, note

asking = APIRouter(include_in_schema=False)
router = APIRouter(include_in_schema=False)
leaving = APIRouter(include_in_schema=False)

OUR_PAGES = re.compile(
    r"/inbox(/\d{1,18})?(\?tab=[a-z]{1,20})?|/break-glass(\?alert=\d{1,18})?"
    r"|/(calls|cover|governance|overdue|preferences|privacy|quarantine|storms|unaddressed)"
)
"""The only places a log-in leads to: never where a link from elsewhere says."""

WRONG = "User name or password is not right."
OFTEN = "That was wrong too often. Wait a quarter of an hour, or ask whoever keeps the accounts."


@dataclass(frozen=True, slots=True)
class Account:
    """What log-in needs of an account row."""

    id: int
    system: str
    ident: str


@asking.get("/login")
def ask(request: Request, next: str = "/inbox") -> Response:
    """The form."""
    return login_page(request, next)


@router.post("/login")
def log_in(
    request: Request,
    have: Have,
    username: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form()] = "/inbox",
) -> Response:
    """A new session and the way to the page that was asked for; else the form again, with 401 or 429."""
    where, now = trail.origin(request), clock.now()
    with reading(have.engine) as connection:
        if throttle.must_wait(connection, throttle.limits(username, where), now):
            answer = login_page(request, next, wrong=OFTEN, status=429)
            answer.headers["Retry-After"] = str(int(throttle.WINDOW.total_seconds()))
            return answer
        account = _account(connection, username, password)
    secret = _begun(have, account, username, request, now)
    if secret is None:
        return login_page(request, next, wrong=WRONG, status=401)
    answer = RedirectResponse(our_page(next), status_code=303)
    set_session(answer, secret, is_https(have.settings))
    return answer


def _begun(have: Have, account: Account | None, username: str, request: Request, now: datetime) -> str | None:
    """The secret of a new session; None, and one more refusal counted, when there is no account."""
    where, often = trail.origin(request), False
    with writing(have.engine) as connection:
        trail.note_login(
            connection, now, Actor(account.system, account.ident, where) if account else None, where
        )
        if account is None:
            often = throttle.note_refused(connection, throttle.limits(username, where), now)
            secret = None
        else:
            throttle.forget(connection, username, where)
            cookie = request.cookies.get(sessions.cookie_name(is_https(have.settings)), "")
            sessions.end_of(connection, cookie, now)
            secret = sessions.start(connection, account.id, now)
    if often:
        note(Kind.LOGINS_REFUSED)
    return secret


@leaving.post("/logout")
def log_out(request: Request, reader: Anyone, have: Have, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session; its cookie is worth nothing afterwards. Then on to the provider's log-out, if any."""
    if reader.session is None or csrf != reader.csrf:
        raise BadToken
    with writing(have.engine) as connection:
        sessions.end(connection, reader.session.id, clock.now())
        trail.note_logout(connection, clock.now(), trail.actor(request, reader))
    provider = request.app.state.provider if reader.session.issuer else None
    on = provider.way_out() if provider else None
    # Not a redirect: a form may lead to our own pages alone (Content-Security-Policy, form-action).
    answer: Response = (
        page(request, "logged-out.html", on=on) if on else RedirectResponse("/login", status_code=303)
    )
    answer.delete_cookie(
        sessions.cookie_name(is_https(have.settings)), path="/", secure=is_https(have.settings)
    )
    return answer


def login_page(request: Request, next: str, *, wrong: str = "", status: int = 200) -> Response:
    """The form, which leads on to `next` when that is a page of ours."""
    local = request.app.state.deps.settings.local_accounts
    elsewhere = request.app.state.provider is not None
    return page(
        request, "login.html", status, next=our_page(next), wrong=wrong, local=local, elsewhere=elsewhere
    )


def our_page(next: str) -> str:
    """`next` when it is one of our pages, else the inbox."""
    return next if OUR_PAGES.fullmatch(next) else "/inbox"


def _account(connection: Connection, username: str, password: str) -> Account | None:
    row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.username == username)).first()
    if not password_fits(row.password_hash if row else None, password) or row is None or not row.active:
        return None
    return Account(row.id, row.system or trail.ACCOUNT_SYSTEM, row.ident or row.username)


def set_session(answer: Response, secret: str, https: bool) -> None:
    """Give the browser its session."""
    answer.set_cookie(
        sessions.cookie_name(https), secret, path="/", httponly=True, samesite="lax", secure=https
    )
