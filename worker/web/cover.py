"""/cover: who answers for the reader and for whom the reader answers, both with dates; the reader's pools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, Row, select

from alerts import audit, covers, directory
from alerts.directory import one_of
from alerts.people import Address
from alerts.routing import Covering
from alerts.tables import POOL, POOL_MEMBER, RECIPIENT
from worker.database import db_now, writing
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.readers import Clinician, FormSender, Reader
from worker.web.timeline import names_of
from worker.web.visible import Number

router = APIRouter(include_in_schema=False)

MOST_PEOPLE = 500


class Unfit(Exception):
    """A cover that cannot be written down; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of the form, as they came."""

    by: str
    since: str
    until: str


def asked_of(
    by: Annotated[str, Form(max_length=800)] = "",
    since: Annotated[str, Form(max_length=40)] = "",
    until: Annotated[str, Form(max_length=40)] = "",
) -> Asked:
    """The fields; `by` is SYSTEM|ID, the times are of the site's zone."""
    return Asked(by, since, until)


@router.get("/cover")
def show(request: Request, reader: Clinician, have: Have) -> Response:
    """Covers and pools."""
    return _page(request, reader, have)


@router.post("/cover")
def add(
    request: Request, reader: FormSender, have: Have, asked: Annotated[Asked, Depends(asked_of)]
) -> Response:
    """Write down who answers for the reader, from when to when."""
    try:
        with writing(have.engine) as connection:
            now = db_now(connection)
            covering = _covering(connection, own_of(reader), asked, now, zone_of(have.settings))
            directory.cover(connection, covering)
            by = {"system": covering.covering.system, "id": covering.covering.id}
            _note(connection, request, reader, "cover.add", now, {"by": by, "until": asked.until})
    except Unfit as unfit:
        return _page(request, reader, have, 422, str(unfit))
    return RedirectResponse("/cover", 303)


@router.post("/cover/{cover}/end")
def end(request: Request, reader: FormSender, have: Have, cover: Number) -> Response:
    """End a cover of the reader's own now."""
    with writing(have.engine) as connection:
        now = db_now(connection)
        if not covers.end(connection, cover, own_of(reader), now):
            raise HTTPException(404)
        _note(connection, request, reader, "cover.end", now, {"cover": cover})
    return RedirectResponse("/cover", 303)


def own_of(reader: Reader) -> Address:
    """The clinician's own address."""
    return Address(reader.system or "", reader.ident or "")


def _covering(connection: Connection, own: Address, asked: Asked, now: datetime, zone: ZoneInfo) -> Covering:
    system, _, ident = asked.by.rpartition("|")
    by = directory.person(connection, Address(system, ident)) if system and ident else None
    if by is None or not by.active or by.address.is_pool or by.address == own:
        raise Unfit("Please choose a colleague of the directory.")
    try:
        since, until = (
            datetime.fromisoformat(text).replace(tzinfo=zone) for text in (asked.since, asked.until)
        )
    except ValueError:
        raise Unfit("Please fill in from when and until when.") from None
    if until <= since or until <= now:
        raise Unfit("The end must lie after the beginning, and be still to come.")
    return Covering(own, by.address, since, until)


def _note(
    connection: Connection, request: Request, reader: Reader, action: str, now: datetime, data: dict[str, Any]
) -> None:
    entry = audit.Entry(action, trail.actor(request, reader), "cover", "", now, data=data)
    audit.record(connection, [entry])


def _page(request: Request, reader: Reader, have: Have, status: int = 200, wrong: str = "") -> Response:
    own, zone = own_of(reader), zone_of(have.settings)
    with writing(have.engine) as connection:
        now = db_now(connection)
        mine, theirs = (covers.of(connection, own, role, now) for role in ("absent", "covering"))
        pools = _pools(connection, own)
        others = {Address(row.covering_system, row.covering_ident) for row in mine}
        others |= {Address(row.absent_system, row.absent_ident) for row in theirs}
        names = names_of(connection, others | {one for pool in pools.values() for one in pool})
        colleagues = _colleagues(connection, own)
    shown = {
        "mine": _lines(mine, "covering", names, now, zone),
        "theirs": _lines(theirs, "absent", names, now, zone),
        "pools": [(name, [names.get(one, one.id) for one in pool]) for name, pool in pools.items()],
        "colleagues": colleagues,
        "today": now.astimezone(zone).strftime("%Y-%m-%dT%H:%M"),
        "zone": str(zone),
        "wrong": wrong,
    }
    return page(request, "cover.html", status, reader=frame_of(reader), shown=shown)


def _lines(
    rows: Iterable[Row[Any]], other: str, names: Mapping[Address, str], now: datetime, zone: ZoneInfo
) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        who = Address(getattr(row, f"{other}_system"), getattr(row, f"{other}_ident"))
        span = [words.clock_time(moment, now, zone) for moment in (row.starts_at, row.ends_at)]
        begun = row.starts_at <= now
        found.append({"id": row.id, "name": names.get(who, who.id), "span": span, "begun": begun})
    return found


def _pools(connection: Connection, own: Address) -> dict[str, list[Address]]:
    mine = select(POOL_MEMBER.c.pool).where(one_of(POOL_MEMBER, [own]))
    query = (
        select(POOL_MEMBER, POOL.c.name)
        .outerjoin(POOL, POOL.c.ident == POOL_MEMBER.c.pool)
        .where(POOL_MEMBER.c.pool.in_(mine))
        .order_by(POOL_MEMBER.c.pool, POOL_MEMBER.c.id)
    )
    found: dict[str, list[Address]] = {}
    for row in connection.execute(query):
        found.setdefault(row.name or row.pool, []).append(Address(row.system, row.ident))
    return found


def _colleagues(connection: Connection, own: Address) -> list[tuple[str, str]]:
    query = select(RECIPIENT).where(RECIPIENT.c.active, ~one_of(RECIPIENT, [own])).order_by(RECIPIENT.c.name)
    rows = connection.execute(query.limit(MOST_PEOPLE))
    return [(f"{row.system}|{row.ident}", row.name or row.ident) for row in rows]
