"""From a claimed message to what it says of whom: decoded and made into facts, or set aside with a reason.

A part that cannot be read is noted and does not stop the rest. Patients are looked up elsewhere; nothing is
written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from alerts.people import Orderer
from worker import faultpoints
from worker.claiming import Claimed
from worker.intake.decode import decode_parts
from worker.intake.dialect import PLAIN, Dialect
from worker.intake.event import Event
from worker.intake.fhir_scope import Known, nothing_known
from worker.intake.marks import Mark
from worker.intake.normalize import Facts, Merge, facts_of, merge_of
from worker.intake.unreadable import Unreadable
from worker.quarantine import Aside
from worker.quarantine_reasons import QuarantineReason
from worker.settings import Settings
from worker.statements import Said
from worker.unused import worth_a_look

POISON = b"FERRULE-POISON"
"""A message with this in it kills its reader, where a fault test has armed the point `poison`."""

PatientKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What one message gave. `whole` sets all of it aside; `parts` are noted beside what is judged.

    `noticed` are the oddities that intake could live with, to be counted.
    """

    message: Claimed
    said: tuple[Said, ...] = ()
    whole: Aside | None = None
    parts: tuple[Aside, ...] = ()
    noticed: tuple[str, ...] = ()
    merges: tuple[Merge, ...] = ()

    @property
    def speaks_of(self) -> frozenset[PatientKey]:
        """Of whom it says anything beside that they are one."""
        return frozenset((said.patient.system, said.patient.id) for said in self.said)

    @property
    def patients(self) -> frozenset[PatientKey]:
        """Whom it is about, as (system, id)."""
        return self.speaks_of | {key for merge in self.merges for key in (merge.survivor, merge.retired)}


def read(
    message: Claimed, settings: Settings, dialect: Dialect = PLAIN, known: Known = nothing_known
) -> Read:
    """Decode one message of a sender who writes so; `known` is what its references lead to (FHIR).

    Never raises for what a sender may send; what it raises is a fault of ours.
    """
    if POISON in message.raw:
        faultpoints.reach("poison")
    try:
        decoded = decode_parts(message.format, message.raw, source=message.source, known=known)
    except Unreadable as why:
        return Read(message, whole=_aside(why))
    if not decoded.events and decoded.refused:
        return Read(message, whole=_aside(decoded.refused[0]), parts=tuple(map(_aside, decoded.refused[1:])))
    parts = [_aside(why) for why in decoded.refused]
    merges = tuple(merge for event in decoded.events if (merge := merge_of(event, dialect)) is not None)
    dialect = replace(dialect, zone=dialect.zone or settings.default_zone)
    facts = [_facts(event, message, dialect) for event in decoded.events if merge_of(event) is None]
    parts += [why for one in facts for why in worth_a_look(one)]
    if not facts and not merges and parts:
        return Read(message, whole=parts[0], parts=tuple(parts[1:]))
    noticed = tuple(noticed.mark.value for one in facts for noticed in one.operations)
    said = tuple(_said(message, one) for one in facts if not _is_nobodys(one))
    return Read(message, said, parts=tuple(parts), noticed=noticed, merges=merges)


def _facts(event: Event, message: Claimed, dialect: Dialect) -> Facts:
    return facts_of(
        event, zone=dialect.zone, received_at=message.received_at, arrival=message.id, dialect=dialect
    )


def _is_nobodys(facts: Facts) -> bool:
    """Whether all it says is of control samples: whom it names is no patient."""
    marks = {noticed.mark for noticed in facts.operations}
    return Mark.CONTROL_SAMPLE in marks and not facts.results and not facts.records


def _said(message: Claimed, facts: Facts) -> Said:
    return Said(
        message=message.id,
        at=facts.said_at,
        patient=facts.patient,
        results=tuple(replace(result, reading=message.reading) for result in facts.results),
        records=facts.records,
        pregnancy=facts.pregnancy,
        orderers=_orderers(facts),
        demographics=facts.demographics,
        sent=facts.sent,
        registers=facts.registers,
        restricted=facts.restricted,
        also=facts.also,
    )


def _orderers(facts: Facts) -> Mapping[str, Orderer]:
    return {key: Orderer(who.system, who.id, who.name or "") for key, who in facts.orderers.items()}


def _aside(why: Unreadable) -> Aside:
    return Aside(QuarantineReason(why.reason), why.place, why.remedy)
