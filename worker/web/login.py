"""Log-in and log-out with accounts kept by Ferrule, there only with FERRULE_LOCAL_ACCOUNTS=on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, select

from alerts.people import Actor
from worker import clock
from worker.database import reading, writing
from worker.tables import ACCOUNT
from worker.web import sessions, trail
from worker.web.deps import Have, is_https
from worker.web.pages import page
from worker.web.passwords import password_fits
from worker.web.readers import Anyone, BadToken

router = APIRouter(include_in_schema=False)
leaving = APIRouter(include_in_schema=False)

OUR_PAGES = re.compile(r"/inbox(/\d{1,18})?(\?tab=[a-z]{1,20})?")
"""The only places a log-in leads to: never where a link from elsewhere says."""

WRONG = "User name or password is not right."


@dataclass(frozen=True, slots=True)
class Account:
    """What log-in needs of an account row."""

    id: int
    system: str
    ident: str


@router.get("/login")
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
    """A new session and the way to the page that was asked for; else the form again, with 401."""
    with reading(have.engine) as connection:
        account = _account(connection, username, password)
    with writing(have.engine) as connection:
        now = clock.now()
        where = trail.origin(request)
        trail.note_login(
            connection, now, Actor(account.system, account.ident, where) if account else None, where
        )
        secret = sessions.start(connection, account.id, now) if account else None
    if secret is None:
        return login_page(request, next, wrong=WRONG, status=401)
    answer = RedirectResponse(safe_next(next), status_code=303)
    _set_cookie(answer, secret, is_https(have.settings))
    return answer


@leaving.post("/logout")
def log_out(reader: Anyone, have: Have, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session; its cookie is worth nothing afterwards."""
    if reader.session is None or csrf != reader.csrf:
        raise BadToken
    with writing(have.engine) as connection:
        sessions.end(connection, reader.session.id, clock.now())
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(
        sessions.cookie_name(is_https(have.settings)), path="/", secure=is_https(have.settings)
    )
    return answer


def login_page(request: Request, next: str, *, wrong: str = "", status: int = 200) -> Response:
    """The form, which leads on to `next` when that is a page of ours."""
    return page(request, "login.html", status, next=safe_next(next), wrong=wrong)


def safe_next(next: str) -> str:
    """`next` when it is one of our pages, else the inbox."""
    return next if OUR_PAGES.fullmatch(next) else "/inbox"


def _account(connection: Connection, username: str, password: str) -> Account | None:
    row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.username == username)).first()
    if not password_fits(row.password_hash if row else None, password) or row is None or not row.active:
        return None
    return Account(row.id, row.system or "urn:ferrule:account", row.ident or row.username)


def _set_cookie(answer: Response, secret: str, https: bool) -> None:
    answer.set_cookie(
        sessions.cookie_name(https), secret, path="/", httponly=True, samesite="lax", secure=https
    )
