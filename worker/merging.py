"""Merging patients: which identifiers are one patient, settled before the messages that say so are judged.

The links are what was said; whose facts those of an identifier are follows from all of them and from who is
known, so that chains come out the same in any order. A link to somebody never spoken of waits until they are.
Facts and alerts keep the identifier they came for, which is how a merge is undone. Judging is elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, or_, select

from alerts import audit, merged
from alerts.people import ferrule
from worker.database import db_now, reading, retried, writing
from worker.intake.normalize import Merge
from worker.patients import PatientKey, ensure_patients, rows_of
from worker.quarantine import Aside
from worker.quarantine_reasons import QuarantineReason
from worker.reading import Read
from worker.tables import DEMOGRAPHICS, PATIENT, PATIENT_LINK, PREGNANCY_STATEMENT, RECORD, RESULT

MERGER = ferrule("merge")
PLACE = "PID-3, MRG-1"
SAME = Aside.of(QuarantineReason.MERGE_SAME, PLACE)
CYCLE = Aside.of(QuarantineReason.MERGE_CYCLE, PLACE)
CONFLICT = Aside.of(QuarantineReason.MERGE_CONFLICT, PLACE)
NOT_MERGED = Aside.of(QuarantineReason.MERGE_NOT_FOUND, PLACE)
WAITS = Aside.of(QuarantineReason.MERGE_SURVIVOR_UNKNOWN, PLACE)


@dataclass(frozen=True, slots=True)
class Link:
    """`retired` was said to be `survivor`; both are rows of `patient`."""

    retired: int
    survivor: int


@dataclass(frozen=True, slots=True)
class Kin:
    """Every identifier that links join to some patients, and which of them were ever spoken of."""

    rows: frozenset[int]
    links: frozenset[Link]
    known: frozenset[int]

    def root(self, row: int) -> int:
        """Whose the facts of an identifier are: the last of the chain that was ever spoken of."""
        above = {link.retired: link.survivor for link in self.links}
        root = at = row
        while at in above:
            at = above[at]
            root = at if at in self.known else root
        return root

    def refusal(self, link: Link) -> Aside | None:
        """Why a link cannot be added."""
        above = {one.retired: one.survivor for one in self.links}
        if link.retired == link.survivor:
            return SAME
        if above.get(link.retired, link.survivor) != link.survivor:
            return CONFLICT
        at = link.survivor
        while at in above:
            at = above[at]
            if at == link.retired:
                return CYCLE
        return None


def settled(engine: Engine, reads: Sequence[Read]) -> list[Read]:
    """The messages once their merges are in force, each with the patients that must be judged for it.

    In one transaction, before judging: it holds whoever judges these patients now by their versions, and
    again does nothing when the message is judged again.
    """
    wanted = [read for read in reads if read.patients]
    if not wanted:
        return list(reads)
    keys = frozenset(key for read in wanted for key in read.patients)
    if not any(read.merges for read in wanted):
        with reading(engine) as connection:
            rows = rows_of(connection, keys)
            kin = _kin(connection, rows.values())
        if not _changed(kin, replace(kin, known=kin.known | set(rows.values()))):
            return list(reads)

    def settle() -> list[Read]:
        with writing(engine) as connection:
            return _settle(connection, reads, keys)

    return retried(settle)


def _settle(connection: Connection, reads: Sequence[Read], keys: Collection[PatientKey]) -> list[Read]:
    now = db_now(connection)
    ensure_patients(connection, keys, now)
    rows = rows_of(connection, keys)
    before = _held_kin(connection, rows.values())
    after, done = before, []
    for read in reads:
        after = replace(after, known=after.known | {rows[key] for key in read.speaks_of})
        for merge in read.merges:
            link = Link(rows[merge.retired], rows[merge.survivor])
            after, refused = _with(connection, after, link, merge, read, now)
            read = _noted(read, refused)
        done.append(read)
    changed = _changed(before, after)
    _put_in_force(connection, changed, before, after, now)
    return [_waiting(read, after, rows) for read in done]


def _changed(before: Kin, after: Kin) -> set[int]:
    """The identifiers whose facts are somebody else's than they were."""
    return {row for row in after.rows if before.root(row) != after.root(row)}


def _with(
    connection: Connection, kin: Kin, link: Link, merge: Merge, read: Read, now: datetime
) -> tuple[Kin, Aside | None]:
    """The links after one merge, or its undoing."""
    if merge.undone:
        return _without(connection, kin, link, now)
    if (refused := kin.refusal(link)) or link in kin.links:
        return kin, refused
    values = {"retired_id": link.retired, "survivor_id": link.survivor, "message_id": read.message.id}
    connection.execute(PATIENT_LINK.insert().values(**values, linked_at=now))
    _note(connection, "patient.merge", link, now)
    return replace(kin, links=kin.links | {link}), None


def _without(connection: Connection, kin: Kin, link: Link, now: datetime) -> tuple[Kin, Aside | None]:
    """Two patients again, whichever was said to be merged into which."""
    link = link if link in kin.links else Link(link.survivor, link.retired)
    if link not in kin.links:
        return kin, NOT_MERGED
    same = (PATIENT_LINK.c.retired_id == link.retired) & (PATIENT_LINK.c.survivor_id == link.survivor)
    ended = PATIENT_LINK.update().where(same, PATIENT_LINK.c.ended_at.is_(None)).values(ended_at=now)
    connection.execute(ended)
    _note(connection, "patient.unmerge", link, now)
    return replace(kin, links=kin.links - {link}), None


def _note(connection: Connection, action: str, link: Link, now: datetime) -> None:
    data = {"retired": link.retired, "survivor": link.survivor}
    entry = audit.Entry(
        action, MERGER, "patient", str(link.retired), now, patient_id=link.survivor, data=data
    )
    audit.record(connection, [entry])


def _noted(read: Read, refused: Aside | None) -> Read:
    if refused is None:
        return read
    if not read.said and len(read.merges) == 1:
        return replace(read, whole=refused)
    return replace(read, parts=(*read.parts, refused))


def _waiting(read: Read, kin: Kin, rows: Mapping[PatientKey, int]) -> Read:
    """The message with a note for each of its merges that waits for its survivor to be spoken of."""
    waits = [m for m in read.merges if not m.undone and _waits(kin, Link(rows[m.retired], rows[m.survivor]))]
    return replace(read, parts=(*read.parts, *(WAITS for _ in waits))) if read.whole is None else read


def _waits(kin: Kin, link: Link) -> bool:
    return link in kin.links and kin.root(link.retired) == link.retired


def _put_in_force(
    connection: Connection, changed: Collection[int], before: Kin, after: Kin, now: datetime
) -> None:
    """Whose the facts and alerts are, from now on. Whoever judges one of them now looks again."""
    if not changed:
        return
    moved = {row: after.root(row) for row in changed}
    concerned = {*changed, *moved.values(), *(before.root(row) for row in changed)}
    for row, root in sorted(moved.items()):
        survivor = None if root == row else root
        connection.execute(PATIENT.update().where(PATIENT.c.id == row).values(survivor_id=survivor))
    connection.execute(
        PATIENT.update().where(PATIENT.c.id.in_(concerned)).values(version=PATIENT.c.version + 1)
    )
    merged.rehome(connection, moved, now)


def _links(connection: Connection, rows: Collection[int]) -> set[Link]:
    link = PATIENT_LINK.c
    asked = select(link.retired_id, link.survivor_id).where(
        or_(link.retired_id.in_(rows), link.survivor_id.in_(rows)), link.ended_at.is_(None)
    )
    return {Link(row.retired_id, row.survivor_id) for row in connection.execute(asked)}


def _kin(connection: Connection, rows: Iterable[int]) -> Kin:
    """All that the links join to `rows`, however long the chains."""
    found, links = set(rows), set[Link]()
    while True:
        links = _links(connection, found)
        more = {row for link in links for row in (link.retired, link.survivor)} - found
        if not more:
            break
        found |= more
    return Kin(frozenset(found), frozenset(links), _known(connection, found))


def _held_kin(connection: Connection, rows: Iterable[int]) -> Kin:
    """The same, with all of them locked, in the order of their ids: of two merges at once one sees the other.

    What a merge just committed has joined is locked as well; a deadlock by that is tried again.
    """
    locked: frozenset[int] = frozenset()
    kin = _kin(connection, rows)
    while not kin.rows <= locked:
        which = select(PATIENT.c.id).where(PATIENT.c.id.in_(kin.rows)).order_by(PATIENT.c.id)
        locked = frozenset(connection.execute(which.with_for_update()).scalars())
        kin = _kin(connection, rows)
    return kin


def _known(connection: Connection, rows: Collection[int]) -> frozenset[int]:
    """Those of whom anything was ever said."""
    known: set[int] = set()
    for table in (RESULT, RECORD, PREGNANCY_STATEMENT, DEMOGRAPHICS):
        asked = select(table.c.patient_id).where(table.c.patient_id.in_(rows)).distinct()
        known |= set(connection.execute(asked).scalars())
    return frozenset(known)
