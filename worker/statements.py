"""What the statements of a message add to what was said before, in whatever order messages come. Pure.

A fact is kept in runs: one thing said, from its first saying to its last with nothing else said in between.
So a list that comes with every report does not grow the history, and a statement that comes late still finds
its place: what was said again after it has the last word. Writing is
`worker.keeping`; which statement counts at a moment is `rules.history`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from alerts.people import Orderer
from rules.courses import said_order
from rules.facts import History, Patient, PregnancyStatement, Record, Result
from rules.history import version_order
from worker.demographics import Demographics, demographics_order, person_of
from worker.intake.result_facts import Sent
from worker.records import Stored

Fact = Result | Record | PregnancyStatement | Demographics
Thing = tuple[type, str]

_NOT_SAID = ("known_at", "arrival")


@dataclass(frozen=True, slots=True)
class Said:
    """What one message says of one patient. `at` is when its sender said so, `filed_under` the row of the
    identifier it was sent for, `also` the patient's other identifiers. A registration `registers`;
    `restricted`: its sender protects the patient.
    """

    message: int
    at: datetime
    patient: Patient
    results: tuple[Result, ...]
    records: tuple[Record, ...]
    pregnancy: tuple[PregnancyStatement, ...]
    orderers: Mapping[str, Orderer]
    demographics: tuple[Demographics, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    filed_under: int = 0
    registers: bool = False
    restricted: bool = False
    also: tuple[tuple[str, str], ...] = ()
    sent: Mapping[str, Sent] = field(default_factory=dict)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything said."""
        return (*self.results, *self.records, *self.pregnancy, *self.demographics)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A fact that was kept before and has been said once more, unchanged: `before` and since."""

    before: Fact
    since: Fact


def version_of(fact: Fact) -> str:
    """The hash of what a fact says: not of when it was said, became known, or which message brought it."""
    unsaid = _NOT_SAID if isinstance(fact, Result | PregnancyStatement) else (*_NOT_SAID, "said_at")
    if not getattr(fact, "reading", 0):
        unsaid = (*unsaid, "reading")
    said = [str(getattr(fact, name)) for name in type(fact).__slots__ if name not in unsaid]
    return hashlib.sha256("\x1f".join((type(fact).__name__, *said)).encode()).hexdigest()


def with_news(stored: Stored, news: Iterable[Said]) -> tuple[Stored, list[Said]]:
    """The history as it will be once `news` is kept, and of the news only what was not kept before."""
    in_order = sorted(news, key=lambda said: said.message)
    runs = _Runs(stored, {_thing(fact) for said in in_order for fact in said.facts})
    fresh = [_fresh(runs, said) for said in in_order]
    return _with(stored, runs, fresh), fresh


def known_from(said: Said, moment: datetime) -> Said:
    """The same, known no earlier than `moment`.

    A message judged late, after a younger one, was not known when that one was judged.
    """

    def later(facts: tuple[F, ...]) -> tuple[F, ...]:
        return tuple(replace(fact, known_at=max(fact.known_at, moment)) for fact in facts)

    return replace(
        said,
        results=later(said.results),
        records=later(said.records),
        pregnancy=later(said.pregnancy),
        demographics=later(said.demographics),
    )


F = TypeVar("F", Result, Record, PregnancyStatement, Demographics)


class _Runs:
    """The kept statements about the things that are spoken of now, and what becomes of them."""

    def __init__(self, stored: Stored, spoken_of: set[Thing]) -> None:
        self._seen = set(stored.versions)
        self._kept: dict[Thing, list[Fact]] = defaultdict(list)
        self.extended: dict[int, Fact] = {}
        history = stored.history
        facts: tuple[Fact, ...] = (
            *history.results,
            *history.records,
            *history.pregnancy,
            *stored.demographics,
        )
        for fact in facts:
            if _thing(fact) in spoken_of:
                self._kept[_thing(fact)].append(fact)

    def take(self, fact: Fact) -> Fact | Repeat | None:
        """The fact when it is new, a repeat when it was said before with nothing since, None when kept."""
        version = version_of(fact), fact.arrival
        if version in self._seen:
            return None
        kept = self._kept[_thing(fact)]
        if isinstance(fact, Result) and fact.reading and (earlier := self._earlier_reading(fact, kept)):
            fact = replace(fact, arrival=earlier.arrival)
        before = [one for one in kept if _order(one) <= _order(fact)]
        last = max(before, key=_order, default=None)
        if last is None or not _same(last, fact):
            self._seen.add(version)
            kept.append(fact)
            return fact
        since = _said_once_more(last, fact)
        kept[next(at for at, one in enumerate(kept) if one is last)] = since
        self.extended[id(last)] = since
        return Repeat(last, since)

    def _earlier_reading(self, fact: Result, kept: Iterable[Fact]) -> Result | None:
        """What an earlier reading of the same message made of the same result."""
        versions = [one for one in kept if isinstance(one, Result) and one.status is fact.status]
        first_said = [one for one in versions if (version_of(one), fact.arrival) in self._seen]
        return max(first_said, key=lambda result: result.reading, default=None)

    def now(self, facts: tuple[F, ...]) -> tuple[F, ...]:
        """The statements as they are now."""
        return tuple(self._latest(fact) for fact in facts) if self.extended else facts

    def _latest(self, fact: F) -> F:
        while (since := self.extended.get(id(fact))) is not None and type(since) is type(fact):
            fact = since
        return fact


def _fresh(runs: _Runs, said: Said) -> Said:
    taken = [runs.take(fact) for fact in said.facts]
    return replace(
        said,
        results=tuple(one for one in taken if isinstance(one, Result)),
        records=tuple(one for one in taken if isinstance(one, Record)),
        pregnancy=tuple(one for one in taken if isinstance(one, PregnancyStatement)),
        demographics=tuple(one for one in taken if isinstance(one, Demographics)),
        repeats=tuple(one for one in taken if isinstance(one, Repeat)),
    )


def _with(stored: Stored, runs: _Runs, fresh: Sequence[Said]) -> Stored:
    history = stored.history
    key = history.patient.system, history.patient.id
    demographics = runs.now((*stored.demographics, *(d for said in fresh for d in said.demographics)))
    person = person_of(key, demographics)
    return replace(
        stored,
        history=History(
            patient=person.patient,
            results=runs.now((*history.results, *(r for said in fresh for r in said.results))),
            records=runs.now((*history.records, *(r for said in fresh for r in said.records))),
            pregnancy=runs.now((*history.pregnancy, *(p for said in fresh for p in said.pregnancy))),
        ),
        name=person.name,
        demographics=demographics,
        orderers={**stored.orderers, **_new_orderers(stored, fresh)},
        versions=stored.versions
        | {(version_of(fact), fact.arrival) for said in fresh for fact in said.facts},
    )


def _new_orderers(stored: Stored, fresh: Iterable[Said]) -> Mapping[str, Orderer]:
    """Who ordered the new versions. A repeat changes nothing, and what came later has the last word."""
    new: dict[str, Orderer] = {}
    results = [(result, said) for said in fresh for result in said.results]
    if not results:
        return new
    arrived: dict[str, int] = {}
    for kept in stored.history.results:
        arrived[kept.key] = max(kept.arrival, arrived.get(kept.key, kept.arrival))
    for result, said in results:
        if result.arrival >= arrived.get(result.key, result.arrival) and result.key in said.orderers:
            new[result.key] = said.orderers[result.key]
    return new


def _thing(fact: Fact) -> Thing:
    return type(fact), fact.key if isinstance(fact, Result | Record) else ""


def _order(fact: Fact) -> Any:
    if isinstance(fact, Result):
        return version_order(fact)
    if isinstance(fact, Record):
        return said_order(fact)
    if isinstance(fact, Demographics):
        return demographics_order(fact)
    return fact.effective_at, fact.arrival


def _same(one: Fact, other: Fact) -> bool:
    """Whether both say the same, whenever they said it."""
    if isinstance(one, Record) and isinstance(other, Record):
        return replace(other, known_at=one.known_at, arrival=one.arrival, said_at=one.said_at) == one
    if isinstance(one, Demographics) and isinstance(other, Demographics):
        return replace(other, known_at=one.known_at, arrival=one.arrival, said_at=one.said_at) == one
    if isinstance(one, Result) and isinstance(other, Result):
        return replace(other, known_at=one.known_at, arrival=one.arrival, reading=one.reading) == one
    return type(one) is type(other) and replace(other, known_at=one.known_at, arrival=one.arrival) == one


def _said_once_more(fact: Fact, again: Fact) -> Fact:
    arrival = max(fact.arrival, again.arrival)
    if isinstance(fact, Record) and isinstance(again, Record):
        return replace(fact, arrival=arrival, said_at=again.said_at)
    if isinstance(fact, Demographics) and isinstance(again, Demographics):
        return replace(fact, arrival=arrival, said_at=again.said_at)
    return replace(fact, arrival=arrival)
