"""Taking FHIR resources in: preconditions, storing and writing down under their addresses, in one commit.

Raw bytes are stored as received and judged later like every message. HTTP is `worker.web.fhir`; what is sound
FHIR is `worker.intake.fhir_package`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from sqlalchemy import Connection, Engine

from worker import faultpoints
from worker.accepting import Inbound, Receipt, accept_within, count_accepted
from worker.database import db_now, retried, writing
from worker.fhir_memory import Kept, matching, register, standing, version_of
from worker.intake.fhir import UNNAMED, address_in, fallback_of, subject_of
from worker.intake.fhir_files import REFERRED_TO
from worker.intake.fhir_issues import Issue
from worker.intake.fhir_package import read_package
from worker.intake.fhir_scope import Part

STALE = "If-Match: the resource has another version; nothing was changed"

_WEAK_TAG = re.compile(r'(?:W/)?"([0-9]{1,9})"')


class PreconditionFailed(Exception):
    """A condition of the sender's does not hold: nothing was changed. 412."""

    def __init__(self, place: str, remedy: str) -> None:
        super().__init__(remedy)
        self.issue = Issue("conflict", place, remedy)


class BadCondition(Exception):
    """A condition is written in a way that is not read. 400."""

    def __init__(self, place: str, remedy: str) -> None:
        super().__init__(remedy)
        self.issue = Issue("value", place, remedy)


@dataclass(frozen=True, slots=True)
class Search:
    """`identifier=system|value`; `system` None: any, "": none."""

    system: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Wish:
    """One resource to be taken: under which id, and the conditions its sender made.

    `if_match` is the version it must have, `unless` what must not be there yet, `instead_of` what it updates.
    """

    part: Part
    id: str
    if_match: int | None = None
    unless: Search | None = None
    instead_of: Search | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of each wish, in order, and of the message; no receipt: it said nothing new."""

    kept: tuple[Kept, ...]
    receipt: Receipt | None


def source_of(label: str) -> str:
    """The sender behind a token: its label, which may itself be the URI that other doors know it by."""
    plain = "".join(label.split())
    if not plain:
        return UNNAMED
    return plain if ":" in plain else f"{UNNAMED}:{plain}"


def take(engine: Engine, source: str, raw: bytes, wishes: Sequence[Wish]) -> Taken:
    """Store `raw` and write its resources down, all or nothing; raises `PreconditionFailed`.

    What is known already in every part is not stored again.
    """

    def store() -> tuple[Taken, list[Inbound]]:
        with writing(engine) as connection:
            done = _take(connection, source, raw, wishes)
            faultpoints.reach("inside-commit")
        return done

    taken, inbound = retried(store)
    if taken.receipt is not None:
        count_accepted(inbound, [taken.receipt])
    return taken


def accept_files(engine: Engine, inbound: Sequence[Inbound]) -> list[Receipt]:
    """Store messages of files, and write down those FHIR resources that later ones may refer to."""

    def store() -> list[Receipt]:
        with writing(engine) as connection:
            receipts = accept_within(connection, inbound)
            for message, receipt in zip(inbound, receipts, strict=True):
                if message.format == "fhir" and message.unreadable is None:
                    named = _referred_to(message.raw)
                    register(connection, message.source, receipt.message, named, db_now(connection))
            faultpoints.reach("inside-commit")
        return receipts

    receipts = retried(store)
    count_accepted(inbound, receipts)
    return receipts


def _referred_to(raw: bytes) -> list[tuple[str, Part]]:
    if not any(f'"{name}"'.encode() in raw for name in REFERRED_TO):
        return []
    parts = read_package(raw).parts
    return [(address_in(part, fallback_of(raw)), part) for part in parts if part.type in REFERRED_TO]


def _take(
    connection: Connection, source: str, raw: bytes, wishes: Sequence[Wish]
) -> tuple[Taken, list[Inbound]]:
    met = [_met(connection, source, wish) for wish in wishes]
    named = [
        (found.id if found else wish.id, wish.part)
        for wish, found in zip(wishes, met, strict=True)
        if not (found and wish.unless)
    ]
    now = [standing(connection, source, identity, part) for identity, part in named]
    if wishes and all(same for _, same in now):
        unchanged = iter(_unchanged(named, now))
        return Taken(_in_order(wishes, met, unchanged), None), []
    inbound = [Inbound(source, _message_id(raw, now), "fhir", raw)]
    (receipt,) = accept_within(connection, inbound)
    kept = iter(register(connection, source, receipt.message, named, db_now(connection)))
    return Taken(_in_order(wishes, met, kept), receipt), inbound


def _in_order(wishes: Sequence[Wish], met: Sequence[Kept | None], kept: Iterator[Kept]) -> tuple[Kept, ...]:
    """What was found instead of a wish, else what was kept for it."""
    return tuple(
        found if found and wish.unless else next(kept) for wish, found in zip(wishes, met, strict=True)
    )


def _unchanged(named: Sequence[tuple[str, Part]], now: Sequence[tuple[int, bool]]) -> list[Kept]:
    return [
        Kept(part.type, identity, version, created=False, changed=False)
        for (identity, part), (version, _) in zip(named, now, strict=True)
    ]


def _message_id(raw: bytes, now: Sequence[tuple[int, bool]]) -> str:
    """The hash; with the versions it replaces, for the same bytes may have been sent before those were."""
    replaced = sum(version for version, same in now if not same)
    sha256 = hashlib.sha256(raw).hexdigest()
    return f"{sha256}~{replaced}" if replaced else sha256


def _met(connection: Connection, source: str, wish: Wish) -> Kept | None:
    """The resource that a wish's conditions lead to, if any; raises `PreconditionFailed`."""
    part = wish.part
    if wish.if_match is not None:
        have = version_of(connection, source, part.type, wish.id)
        if have != wish.if_match:
            raise PreconditionFailed(part.root, STALE)
    asked = wish.unless or wish.instead_of
    if asked is None:
        return None
    found = matching(connection, source, part.type, asked.system, asked.value)
    if len(found) > 1:
        raise PreconditionFailed(part.root, "more than one resource has this identifier; nothing was changed")
    if found and wish.unless and part.place and _says_something(part):
        _, same = standing(connection, source, found[0].id, part)
        if not same:
            remedy = "If-None-Exist: the resource is there and says something else; send it by PUT"
            raise PreconditionFailed(part.root, remedy)
    return found[0] if found else None


def _says_something(part: Part) -> bool:
    return part.resource is not None and subject_of(part.resource) is not None


def search_of(text: str, place: str) -> Search:
    """The search of an If-None-Exist or a conditional PUT; raises `BadCondition`."""
    name, equals, value = unquote(text.strip().removeprefix("?")).partition("=")
    system, bar, plain = value.rpartition("|")
    if name != "identifier" or not equals or "&" in text or not plain.strip():
        raise BadCondition(place, "expected identifier=system|value, got another search")
    return Search(system if bar else None, plain.strip())


def version_in(tag: str, place: str) -> int:
    """The version of an If-Match; raises `BadCondition`."""
    match = _WEAK_TAG.fullmatch(tag.strip())
    if match is None:
        raise BadCondition(place, 'expected a version such as W/"3", got another text')
    return int(match[1])
