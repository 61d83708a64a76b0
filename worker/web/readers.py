"""Who is asking: the signed-in person of a session cookie, or the holder of a bearer token.

Raises NotSignedIn (401), WrongRole (403) or BadToken (403: a form without its session's token). What a
clinician may see of alerts is `worker.web.scope`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form, Request
from sqlalchemy import Connection, select

from worker import clock
from worker.database import reading, writing
from worker.tables import TOKEN
from worker.web import sessions
from worker.web.deps import Have, is_https
from worker.web.sessions import Session

BY_ITSELF = frozenset({"/inbox/arrivals", "/inbox/rows", "/api/stream"})
"""What an open page asks for without anybody touching it: this does not keep a session from growing idle."""


class NotSignedIn(Exception):
    """Nobody we know is asking."""


class WrongRole(Exception):
    """Somebody we know is asking for what their role does not do."""


class BadToken(Exception):
    """A form came without the token of its session."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is asking. `role` is one role, or several with spaces between them; `system` and `ident` name the
    clinician; `session` is None for a bearer token.
    """

    role: str
    name: str
    system: str | None
    ident: str | None
    session: Session | None = None

    def may(self, role: str) -> bool:
        """Whether this is one of the reader's roles."""
        return role in self.role.split()

    @property
    def csrf(self) -> str:
        """The token that this reader's forms carry."""
        return self.session.csrf if self.session else ""


def reader_of(request: Request, have: Have) -> Reader:
    """Who is asking; raises NotSignedIn."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _token_holder(have, secret.strip())
    cookie = request.cookies.get(sessions.cookie_name(is_https(have.settings)))
    if cookie is None:
        raise NotSignedIn
    return _signed_in(have, cookie, by_itself=_by_itself(request))


def _by_itself(request: Request) -> bool:
    """A list that keeps itself up to date says so; who says so wrongly is logged out the sooner."""
    return request.url.path in BY_ITSELF or "ferrule-by-itself" in request.headers


Anyone = Annotated[Reader, Depends(reader_of)]


def clinician_of(reader: Anyone) -> Reader:
    """The clinician who is asking; raises WrongRole for the others."""
    if not reader.may("clinician") or not reader.system or not reader.ident:
        raise WrongRole
    return reader


def intake_of(reader: Anyone) -> Reader:
    """A program that may send events; raises WrongRole for the others."""
    if not reader.may("intake"):
        raise WrongRole
    return reader


def operator_of(reader: Anyone) -> Reader:
    """Somebody who runs Ferrule; raises WrongRole for the others."""
    if not reader.may("operator"):
        raise WrongRole
    return reader


def rule_owner_of(reader: Anyone) -> Reader:
    """Somebody who answers for the rules; raises WrongRole for the others."""
    if not reader.may("rule-owner"):
        raise WrongRole
    return reader


def privacy_officer_of(reader: Anyone) -> Reader:
    """Somebody who looks after who read what; raises WrongRole for the others."""
    if not reader.may("privacy-officer"):
        raise WrongRole
    return reader


RuleOwner = Annotated[Reader, Depends(rule_owner_of)]
PrivacyOfficer = Annotated[Reader, Depends(privacy_officer_of)]
Operator = Annotated[Reader, Depends(operator_of)]
Clinician = Annotated[Reader, Depends(clinician_of)]
Intake = Annotated[Reader, Depends(intake_of)]


def form_sender_of(reader: Clinician, csrf: Annotated[str, Form()] = "") -> Reader:
    """The clinician who sent a form with the token of their session; raises BadToken."""
    if reader.session is None or not secrets.compare_digest(csrf.encode(), reader.csrf.encode()):
        raise BadToken
    return reader


FormSender = Annotated[Reader, Depends(form_sender_of)]


def _token_holder(have: Have, secret: str) -> Reader:
    with reading(have.engine) as connection:
        query = select(TOKEN).where(
            TOKEN.c.secret_sha256 == sessions.digest(secret), TOKEN.c.ended_at.is_(None)
        )
        row = connection.execute(query).first()
    if row is None:
        raise NotSignedIn
    return Reader(row.role, row.label, row.system, row.ident)


def _signed_in(have: Have, secret: str, *, by_itself: bool) -> Reader:
    now = clock.now()
    with reading(have.engine) as connection:
        session = sessions.find(connection, secret, now)
    if session is None:
        raise NotSignedIn
    if not by_itself and now - session.seen_at > sessions.SEEN_EVERY:
        with writing(have.engine) as connection:
            sessions.touch(connection, session, now)
    return Reader(session.role, session.name, session.system, session.ident, session)


def is_still_signed_in(connection: Connection, reader: Reader) -> bool:
    """Whether the session behind a long answer (a stream) still lives, without touching it."""
    return reader.session is None or sessions.is_open(connection, reader.session.id, clock.now())
