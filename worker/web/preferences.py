"""/preferences: how the reader wants to be told. Whatever is chosen, the inbox shows everything at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from alerts import audit, directory
from alerts.preferences import NONE, Preferences
from alerts.routing import personal
from worker.channels import push_channels
from worker.database import db_now, reading, writing
from worker.web import trail
from worker.web.cover import own_of
from worker.web.deps import Have, zone_of
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.readers import Clinician, FormSender, Reader

router = APIRouter(include_in_schema=False)

UNFIT = "Nothing was changed. Please check the times (such as 07:30) and the zone (such as Europe/Oslo)."
NOBODY = "Nothing was changed. You are not in the directory; operations can add you."


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of the form, as they came."""

    channels: tuple[str, ...]
    digest: str
    quiet_from: str
    quiet_until: str
    zone: str


def asked_of(
    channel: Annotated[list[str] | None, Form()] = None,
    digest: Annotated[str, Form(max_length=10)] = "",
    quiet_from: Annotated[str, Form(max_length=10)] = "",
    quiet_until: Annotated[str, Form(max_length=10)] = "",
    zone: Annotated[str, Form(max_length=60)] = "UTC",
) -> Asked:
    """The fields of the form."""
    return Asked(tuple(channel or ()), digest, quiet_from, quiet_until, zone.strip())


@router.get("/preferences")
def show(request: Request, reader: Clinician, have: Have, kept: bool = False) -> Response:
    """What is preferred now."""
    return _page(request, reader, have, kept=kept)


@router.post("/preferences")
def keep(
    request: Request, reader: FormSender, have: Have, asked: Annotated[Asked, Depends(asked_of)]
) -> Response:
    """Keep what is preferred from now on."""
    try:
        wanted = _wanted(asked, personal(push_channels(have.settings)))
    except ValueError:
        return _page(request, reader, have, 422, UNFIT)
    with writing(have.engine) as connection:
        known = directory.prefer(connection, own_of(reader), wanted)
        if known:
            _note(connection, request, reader, wanted)
    return (
        RedirectResponse("/preferences?kept=1", 303) if known else _page(request, reader, have, 422, NOBODY)
    )


def _wanted(asked: Asked, every: tuple[str, ...]) -> Preferences:
    """All channels ticked is no choice: one that is switched on later is then wanted too."""
    if set(asked.channels) - set(every):
        raise ValueError("channel")
    wanted: dict[str, Any] = {"digest": asked.digest or None, "zone": asked.zone}
    wanted["channels"] = None if set(asked.channels) == set(every) else asked.channels
    if asked.quiet_from or asked.quiet_until:
        wanted["quiet"] = {"from": asked.quiet_from, "until": asked.quiet_until}
    return Preferences.model_validate(wanted)


def _note(connection: Connection, request: Request, reader: Reader, wanted: Preferences) -> None:
    data = wanted.model_dump(mode="json", by_alias=True)
    by, now = trail.actor(request, reader), db_now(connection)
    audit.record(connection, [audit.Entry("preferences", by, "recipient", "", now, data=data)])


def _page(
    request: Request, reader: Reader, have: Have, status: int = 200, wrong: str = "", *, kept: bool = False
) -> Response:
    with reading(have.engine) as connection:
        person = directory.person(connection, own_of(reader))
    wants = person.preferences if person else NONE
    shown = {
        "channels": [(name, name in wants.among((name,))) for name in personal(push_channels(have.settings))],
        "digest": f"{wants.digest:%H:%M}" if wants.digest else "",
        "quiet": [f"{moment:%H:%M}" for moment in (wants.quiet.since, wants.quiet.until)]
        if wants.quiet
        else ["", ""],
        "zone": wants.zone if wants != NONE else str(zone_of(have.settings)),
        "wrong": wrong,
        "kept": kept,
    }
    return page(request, "preferences.html", status, reader=frame_of(reader), shown=shown)
