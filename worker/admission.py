"""What of a message is about a patient its sender may speak of, and about a person at all. Pure.

A sender bound to authorities neither writes nor merges patients of another one (S18). Test patients of a site
are kept out of the rules and counted; control samples are left out where they are read (`worker.intake`).
"""

from __future__ import annotations

from dataclasses import replace

from worker.intake.marks import Mark
from worker.quarantine import Aside
from worker.quarantine_reasons import QuarantineReason
from worker.reading import Read
from worker.sources import Sender
from worker.statements import Said

NOT_THEIRS = Aside.of(QuarantineReason.AUTHORITY_NOT_ALLOWED, "PID-3.4")


def admitted(read: Read, sender: Sender | None, test_patients: tuple[str, ...] = ()) -> Read:
    """The message without what its sender may not say, and without test patients."""
    if read.whole is not None:
        return read
    allowed = _without_strangers(read, sender) if sender is not None and sender.authorities else read
    if not test_patients or allowed.whole is not None:
        return allowed
    people = tuple(said for said in allowed.said if not _is_test(said, test_patients))
    marks = (Mark.TEST_PATIENT.value,) * (len(allowed.said) - len(people))
    return replace(allowed, said=people, noticed=(*allowed.noticed, *marks))


def _without_strangers(read: Read, sender: Sender) -> Read:
    said = tuple(one for one in read.said if sender.may_speak_of(one.patient.system))
    merges = tuple(
        one
        for one in read.merges
        if sender.may_speak_of(one.survivor[0]) and sender.may_speak_of(one.retired[0])
    )
    if (said, merges) == (read.said, read.merges):
        return read
    if not said and not merges:
        return replace(read, said=(), merges=(), whole=NOT_THEIRS)
    return replace(read, said=said, merges=merges, parts=(*read.parts, NOT_THEIRS))


def _is_test(said: Said, prefixes: tuple[str, ...]) -> bool:
    """Whether the number, or a name, begins like those the site gives to nobody."""
    names = " ".join(f"{one.name or ''} {one.family or ''}" for one in said.demographics).split()
    words = [word.casefold() for word in (said.patient.id, *names)]
    return any(word.startswith(prefix.casefold()) for word in words for prefix in prefixes)
