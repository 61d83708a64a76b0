"""Which facts count at a moment: the newest version of each, in time, of usable status, from a sound
specimen.

A view is made once for one judging of one patient; selections are answered from it. It decides nothing about
limits: that is `rules.evaluate`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from rules.concepts import CONCEPTS, Concept
from rules.courses import current_records
from rules.derived import derived
from rules.facts import History, PregnancyStatement, Record, RecordKind, Result, Status, Unusable
from rules.findings import NotUsed
from rules.pregnancy import Gravidity, gravidity
from rules.specimens import invalidated

RANK = {
    Status.REGISTERED: 0,
    Status.PRELIMINARY: 1,
    Status.UNKNOWN: 1,
    Status.FINAL: 2,
    Status.AMENDED: 3,
    Status.CORRECTED: 3,
    Status.APPENDED: 3,
    Status.CANCELLED: 4,
    Status.ENTERED_IN_ERROR: 5,
}
JUDGED = frozenset({Status.FINAL, Status.AMENDED, Status.CORRECTED, Status.APPENDED})
PENDING = frozenset({Status.REGISTERED, Status.PRELIMINARY})
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


def version_order(result: Result) -> tuple[int, datetime, int, int]:
    """Versions of one result: the higher rank wins, then when it was issued, then when it arrived, then the
    later reading of what arrived.
    """
    return RANK[result.status], result.issued_at or _EPOCH, result.arrival, result.reading


@dataclass(frozen=True)
class View:
    """One patient's usable facts at `as_of`.

    `known_by` is the moment up to which facts count as known (`as_of` unless given). `slack` stretches every
    look-back from `as_of`: the time that passed since an alert was raised, when the question is whether
    anything but time ended its pattern (`rules.endings`). `concepts` say what a record means.
    """

    history: History
    as_of: datetime
    slack: timedelta = timedelta(0)
    known_by: datetime | None = None
    concepts: Mapping[str, Concept] = field(default_factory=lambda: CONCEPTS)

    @property
    def _known_by(self) -> datetime:
        return self.known_by or self.as_of

    @cached_property
    def _sorted_out(self) -> tuple[tuple[Result, ...], tuple[Result, ...], tuple[NotUsed, ...]]:
        """What may be judged, what only its status keeps from being judged, and all that is left out."""
        current, left_out = _current_versions(self.history.results, self._known_by)
        spoiled = invalidated(current)
        judged: list[Result] = []
        unjudged: list[Result] = []
        for result in current:
            reason = _reason(result, self.as_of)
            if result.key in spoiled and (reason is None or _is_waiting(result, reason)):
                reason = Unusable.SPECIMEN, spoiled[result.key]
            if reason is None:
                judged.append(result)
                continue
            if reason[0] is Unusable.STATUS:
                unjudged.append(result)
            left_out.append(NotUsed(result.key, result.id, *reason, analyte=result.analyte))
        return (*judged, *derived(judged)), tuple(unjudged), tuple(left_out)

    @property
    def not_used(self) -> tuple[NotUsed, ...]:
        """Every result left out, with its reason, by key."""
        return tuple(sorted(self._sorted_out[2], key=lambda n: (n.key, n.reason)))

    @cached_property
    def _judged(self) -> dict[str, list[Result]]:
        return _by_analyte(self._sorted_out[0])

    @cached_property
    def _unjudged(self) -> dict[str, list[Result]]:
        return _by_analyte(self._sorted_out[1])

    def results(self, analyte: str, *, preliminary: bool = False) -> Sequence[Result]:
        """The analyte's usable results, newest first; preliminary ones only when asked for."""
        judged = self._judged.get(analyte, ())
        if not preliminary or analyte not in self._unjudged:
            return judged
        early = (r for r in self._unjudged[analyte] if r.status is Status.PRELIMINARY)
        return newest_first((*judged, *early))

    def pending(self, analyte: str) -> list[Result]:
        """Results of the analyte that are registered or preliminary."""
        return [r for r in self._unjudged.get(analyte, ()) if r.status in PENDING]

    @cached_property
    def records(self) -> dict[RecordKind, list[Record]]:
        """The newest version of each record that is a fact, by kind."""
        by_kind: dict[RecordKind, list[Record]] = {kind: [] for kind in RecordKind}
        for record in current_records(self.history.records, self._known_by):
            by_kind[record.kind].append(record)
        return by_kind

    @cached_property
    def _said(self) -> list[PregnancyStatement]:
        return [
            s for s in self.history.pregnancy if s.known_at <= self._known_by and s.effective_at <= self.as_of
        ]

    def gravidity(self, at: datetime | None = None) -> Gravidity:
        """Pregnant or not at a moment (`as_of` unless given)."""
        moment = at or self.as_of
        if moment not in self._gravidities:
            conditions = self.records[RecordKind.CONDITION]
            state = gravidity(self._said, conditions, moment, self.concepts, self.slack)
            self._gravidities[moment] = state
        return self._gravidities[moment]

    @cached_property
    def _gravidities(self) -> dict[datetime, Gravidity]:
        """What was answered already: every table of limits asks."""
        return {}

    @cached_property
    def age(self) -> int | None:
        """Completed years at `as_of` (at the alert, when there is slack), None without a believable birth
        date."""
        months = self.age_in_months
        return None if months is None else months // 12

    @cached_property
    def age_in_months(self) -> int | None:
        """Completed months at `as_of`; None when the birth date is missing, later, or over 130 years back."""
        born, day = self.history.patient.birth_date, (self.as_of - self.slack).date()
        if born is None or born > day or day.year - born.year > 130:
            return None
        return (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)


def newest_first(results: Iterable[Result]) -> list[Result]:
    """By time of specimen; those of one time by key."""
    return sorted(results, key=lambda r: (r.effective_at or _EPOCH, r.key), reverse=True)


def _by_analyte(results: Iterable[Result]) -> dict[str, list[Result]]:
    by_analyte: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.analyte is not None:
            by_analyte[result.analyte].append(result)
    return {analyte: newest_first(found) for analyte, found in by_analyte.items()}


def _current_versions(results: Iterable[Result], known_by: datetime) -> tuple[list[Result], list[NotUsed]]:
    """The newest version of each result known by then; most results have but one."""
    current: dict[str, Result] = {}
    several: dict[str, list[Result]] = {}
    for result in results:
        if result.known_at <= known_by:
            first = current.setdefault(result.key, result)
            if first is not result:
                several.setdefault(result.key, [first]).append(result)
    superseded: list[NotUsed] = []
    for key, versions in several.items():
        current[key], *older = sorted(versions, key=version_order, reverse=True)
        superseded += [
            NotUsed(o.key, o.id, Unusable.SUPERSEDED, f"{o.status} version replaced", o.analyte)
            for o in older
        ]
    return list(current.values()), superseded


def _is_waiting(result: Result, reason: tuple[Unusable, str]) -> bool:
    return reason[0] is Unusable.STATUS and result.status in PENDING


def _reason(result: Result, as_of: datetime) -> tuple[Unusable, str] | None:
    if result.problem is not None:
        return result.problem, result.detail
    if result.effective_at is None:
        return Unusable.NO_TIME, "no time of specimen"
    if result.effective_at > as_of:
        return Unusable.FUTURE, "specimen time is later than the moment of judging"
    if result.status not in JUDGED:
        more = ": none was sent, or no word we know" if result.status is Status.UNKNOWN else ""
        return Unusable.STATUS, f"status {result.status}{more}"
    return None
