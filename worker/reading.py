"""From a claimed message to what it says of whom: decoded and made into facts, or set aside with a reason.

A part that cannot be read is noted and does not stop the rest. Patients are looked up elsewhere; nothing is
written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from alerts.people import Orderer
from rules.facts import Unusable
from worker import faultpoints
from worker.claiming import Claimed
from worker.intake.decode import decode_parts
from worker.intake.event import Event
from worker.intake.normalize import Facts, facts_of, merge_of
from worker.intake.unreadable import Unreadable
from worker.keeping import Said
from worker.quarantine import Aside
from worker.settings import Settings

POISON = b"FERRULE-POISON"
"""A message with this in it kills its reader, where a fault test has armed the point `poison`."""

MERGES_LATER = Aside(
    "merge-later", "type", "this version stores merges and does not act on them; release it after an upgrade"
)
NO_ZONE = Aside(
    "zone-unknown", "effective_at", "set FERRULE_DEFAULT_ZONE or the source's zone, then release it"
)

PatientKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What one message gave. `whole` sets all of it aside; `parts` are noted beside what is judged."""

    message: Claimed
    said: tuple[Said, ...] = ()
    whole: Aside | None = None
    parts: tuple[Aside, ...] = ()

    @property
    def patients(self) -> frozenset[PatientKey]:
        """Whom it speaks of, as (system, id)."""
        return frozenset((said.patient.system, said.patient.id) for said in self.said)


def read(message: Claimed, settings: Settings) -> Read:
    """Decode one message. Never raises for what a sender may send; what it raises is a fault of ours."""
    if POISON in message.raw:
        faultpoints.reach("poison")
    try:
        decoded = decode_parts(message.format, message.raw)
    except Unreadable as why:
        return Read(message, whole=_aside(why))
    if not decoded.events and decoded.refused:
        return Read(message, whole=_aside(decoded.refused[0]), parts=tuple(map(_aside, decoded.refused[1:])))
    zone = zone_of(message.source, settings)
    parts = [_aside(why) for why in decoded.refused]
    said = []
    for event in decoded.events:
        if merge_of(event) is not None:
            parts.append(MERGES_LATER)
            continue
        facts = _facts(event, message, zone)
        parts += [NO_ZONE] if any(r.problem is Unusable.ZONE_UNKNOWN for r in facts.results) else []
        said.append(_said(message, facts))
    if not said and parts:
        return Read(message, whole=parts[0], parts=tuple(parts[1:]))
    return Read(message, tuple(said), parts=tuple(parts))


def zone_of(source: str, settings: Settings) -> ZoneInfo | None:
    """The zone of times without offset: the source's own, else the site's, else none."""
    configured = settings.sources.get(source)
    return (configured.zone if configured else None) or settings.default_zone


def _facts(event: Event, message: Claimed, zone: ZoneInfo | None) -> Facts:
    return facts_of(event, zone=zone, received_at=message.received_at, arrival=message.id)


def _said(message: Claimed, facts: Facts) -> Said:
    return Said(
        message=message.id,
        at=facts.said_at,
        patient=facts.patient,
        name=facts.name,
        results=facts.results,
        records=facts.records,
        pregnancy=facts.pregnancy,
        orderers=_orderers(facts),
    )


def _orderers(facts: Facts) -> Mapping[str, Orderer]:
    return {key: Orderer(who.system, who.id, who.name or "") for key, who in facts.orderers.items()}


def _aside(why: Unreadable) -> Aside:
    return Aside(str(why.reason), why.place, why.remedy)
