"""Whom an alert is addressed to, and by which channels they can be told. Pure: the directory is handed in.

The orderer of the newest decisive result; else their cover; else the fallback pool. Never nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from alerts.people import UNADDRESSED, Address, Orderer, record_system
from alerts.preferences import NONE, URGENT, Preferences
from rules.findings import Evidence, ResultEvidence, Severity

INBOX = "inbox"
EMAIL = "email"
SMS = "sms"
PAGER = "pager"
INTERRUPTING = (SMS, PAGER)
"""Channels that get nobody out of bed for what can wait."""
RECORD_SYSTEMS = ("fhir", "hl7")
"""Channels into what keeps the patient's record: they reach nobody, and nobody prefers them away."""


def personal(push: Iterable[str]) -> tuple[str, ...]:
    """Those of the channels that reach people."""
    return tuple(channel for channel in push if channel not in RECORD_SYSTEMS)


class Why(StrEnum):
    """Why somebody is addressed."""

    ORDERER = "orderer"
    JOINED = "joined"
    COVER = "cover"
    FALLBACK_NO_ORDERER = "fallback-no-orderer"
    FALLBACK_NOT_REACHABLE = "fallback-not-reachable"
    FALLBACK_NOT_KNOWN = "fallback-not-known"
    REASSIGNED = "reassigned"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class Person:
    """One entry of the directory. `push` names the channels, beside the inbox, that can reach them."""

    address: Address
    active: bool = True
    push: tuple[str, ...] = ()
    preferences: Preferences = NONE


@dataclass(frozen=True, slots=True)
class Covering:
    """`covering` answers for `absent` from `starts_at` (inclusive) to `ends_at` (exclusive)."""

    absent: Address
    covering: Address
    starts_at: datetime
    ends_at: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it is in force at `now`."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Directory:
    """What is known of the people and pools that may be addressed. `push` are the channels this site has."""

    people: Mapping[Address, Person] = field(default_factory=dict)
    covers: tuple[Covering, ...] = ()
    fallback: Address = UNADDRESSED
    push: tuple[str, ...] = ()

    def covers_of(self, absent: Address, now: datetime) -> tuple[Address, ...]:
        """Who answers for `absent` at that moment; all of them where covers overlap, none in a gap."""
        in_force = (c.covering for c in self.covers if c.absent == absent and c.holds(now))
        return tuple(c for c in dict.fromkeys(in_force) if c not in self.people or self.people[c].active)


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody to tell, and why."""

    address: Address
    why: Why


@dataclass(frozen=True, slots=True)
class Lane:
    """One recipient by one channel; what one patient's lane carries is kept in order.

    `held_until` is when it is sent, where the recipient prefers it so; None: now.
    """

    address: Address
    channel: str
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Router:
    """Routing for one judging: who ordered which result, the directory, and the moment."""

    orderers: Mapping[str, Orderer]
    directory: Directory
    now: datetime
    patient_deceased: bool = False

    def of_pattern(self, evidence: Iterable[Evidence]) -> tuple[Addressee, ...]:
        """Whom a pattern is addressed to: its owner first. Never empty."""
        decisive = newest(evidence)
        orderer = self.orderers.get(decisive.key) if decisive else None
        if orderer is None:
            return (Addressee(self.directory.fallback, Why.FALLBACK_NO_ORDERER),)
        return self._reach(orderer.address, Why.ORDERER)

    def of_joining(self, evidence: Iterable[Evidence]) -> tuple[Addressee, ...]:
        """Whom results that join an open alert bring with them, newest first; no orderer brings nobody."""
        orderers = (self.orderers.get(result.key) for result in newest_first(evidence))
        return _once(a for o in orderers if o for a in self._reach(o.address, Why.JOINED))

    def of_owner(self, owner: Address) -> tuple[Addressee, ...]:
        """Whom an alert of this owner reaches at this moment: themselves, their cover, or the pool."""
        return (Addressee(owner, Why.ORDERER),) if owner.is_pool else self._reach(owner, Why.ORDERER)

    def lanes(self, addresses: Iterable[Address], severity: Severity) -> tuple[Lane, ...]:
        """By which channels to tell them: the inbox always, the others only what is not low. What is told to
        anybody is written into the record systems too.

        Of somebody who has died nothing is pushed: nothing about them is urgent any more.
        """
        told = tuple(lane for a in addresses for lane in self._lanes(a, severity))
        return (*told, *self._written(severity)) if told else ()

    def _lanes(self, address: Address, severity: Severity) -> Iterator[Lane]:
        yield Lane(address, INBOX)
        person = self.directory.people.get(address)
        if person is None or severity is Severity.LOW or self.patient_deceased:
            return
        held = person.preferences.held_until(severity, self.now)
        for channel in person.preferences.among(person.push):
            if channel not in INTERRUPTING or severity in URGENT:
                yield Lane(address, channel, held)

    def _written(self, severity: Severity) -> Iterator[Lane]:
        if severity is not Severity.LOW and not self.patient_deceased:
            systems = (channel for channel in self.directory.push if channel in RECORD_SYSTEMS)
            yield from (Lane(record_system(channel), channel) for channel in systems)

    def _reach(self, address: Address, why: Why) -> tuple[Addressee, ...]:
        in_force = self.directory.covers_of(address, self.now)
        covers = tuple(Addressee(c, Why.COVER) for c in in_force)
        person = self.directory.people.get(address)
        fallback = self.directory.fallback
        if person is None:
            # Perhaps nobody signs in under this identifier: somebody else must see it too.
            return _once((Addressee(address, why), *covers, Addressee(fallback, Why.FALLBACK_NOT_KNOWN)))
        if person.active and (person.push or not personal(self.directory.push) or why is not Why.ORDERER):
            return _once((Addressee(address, why), *covers))
        if person.active:
            # The inbox shows it to them, but nothing can call them to it: the next in the ladder hears too.
            next_ones = covers or (Addressee(fallback, Why.FALLBACK_NOT_REACHABLE),)
            return _once((Addressee(address, why), *next_ones))
        return covers or (Addressee(fallback, Why.FALLBACK_NOT_REACHABLE),)


def _once(addressees: Iterable[Addressee]) -> tuple[Addressee, ...]:
    """Each address once, for the first of its reasons: a message may name a pool as its orderer."""
    found: dict[Address, Addressee] = {}
    for addressee in addressees:
        found.setdefault(addressee.address, addressee)
    return tuple(found.values())


def newest_first(evidence: Iterable[Evidence]) -> list[ResultEvidence]:
    """The results of the evidence, the newest by (`effective_at`, key) first."""
    results = [e for e in evidence if isinstance(e, ResultEvidence)]
    return sorted(results, key=lambda r: (r.effective_at, r.key), reverse=True)


def newest(evidence: Iterable[Evidence]) -> ResultEvidence | None:
    """The newest decisive result, if the evidence holds any result."""
    return next(iter(newest_first(evidence)), None)
