"""Events judged without queue or database: grouped by patient, each history judged once, answers as JSON.

Asks no clock: the moment of judging is handed in or is the newest time in the input.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rules.explain import evidence_json, time_text
from rules.facts import History
from rules.findings import Judgment, RuleJudgment
from rules.ruleset import Ruleset
from worker.demographics import person_of
from worker.intake.dialect import PLAIN, Dialect
from worker.intake.event import Event
from worker.intake.normalize import Facts, facts_of, merge_of
from worker.intake.times import read_instant
from worker.status_changes import with_values

PatientKey = tuple[str, str]


class NoTimeInInput(ValueError):
    """There are facts, none of them has a readable time, and no `as_of` was given."""


@dataclass(frozen=True, slots=True)
class Input:
    """The histories in some events, by (system, id), and the newest time anywhere in them."""

    histories: Mapping[PatientKey, History]
    newest: datetime | None

    def moment(self, as_of: datetime | None) -> datetime:
        """The moment of judging; raises `NoTimeInInput`."""
        moment = as_of or self.newest
        if moment is None:
            raise NoTimeInInput("no readable time in the input; say --as-of")
        return moment


def _plain(_source: str) -> Dialect:
    return PLAIN


def gathered(
    events: Iterable[Event], zone: ZoneInfo | None, dialect_of: Callable[[str], Dialect] = _plain
) -> Input:
    """The histories of the patients in `events`; times without offset are read in `zone`.

    `dialect_of` says how a source writes: its codes, units and decimals, and its own zone.
    Merges count wherever in the input they stand. Facts are known as the events say, not as they are read.
    """
    said: dict[PatientKey, list[Facts]] = defaultdict(list)
    survivor_of: dict[PatientKey, PatientKey] = {}
    newest: datetime | None = None
    for arrival, event in enumerate(events):
        dialect = dialect_of(event.source)
        own_zone = dialect.zone or zone
        merge = merge_of(event, dialect)
        if merge is not None:
            survivor_of[merge.retired] = merge.survivor
            continue
        facts = facts_of(event, zone=own_zone, received_at=None, arrival=arrival, dialect=dialect)
        said[facts.patient.system, facts.patient.id].append(facts)
        newest = max((t for t in (newest, *_times(event, facts, own_zone)) if t), default=None)
    together: dict[PatientKey, list[Facts]] = defaultdict(list)
    for key, facts_list in said.items():
        together[_survivor(key, survivor_of)] += facts_list
    return Input({key: history(key, facts) for key, facts in together.items()}, newest)


def evaluate(input: Input, ruleset: Ruleset, as_of: datetime | None = None) -> Iterator[Judgment]:
    """One judgment for each patient, by (system, id); raises `NoTimeInInput` where no moment is known."""
    if input.histories:
        moment = input.moment(as_of)
        for _, one in sorted(input.histories.items()):
            yield ruleset.judge(one, moment)


def history(key: PatientKey, said: Sequence[Facts]) -> History:
    """Everything said of one patient, as one history."""
    return History(
        patient=person_of(key, (one for facts in said for one in facts.demographics)).patient,
        results=with_values(result for facts in said for result in facts.results),
        records=tuple(record for facts in said for record in facts.records),
        pregnancy=tuple(statement for facts in said for statement in facts.pregnancy),
    )


def _times(event: Event, facts: Facts, zone: ZoneInfo | None) -> Iterator[datetime | None]:
    """The times that may make the moment of judging; record dates never do."""
    yield read_instant(event.time, zone).at
    for result in facts.results:
        yield result.effective_at
        yield result.issued_at


def _survivor(key: PatientKey, survivor_of: Mapping[PatientKey, PatientKey]) -> PatientKey:
    """Whom the facts of `key` belong to in the end. A merge that leads round in a circle is no merge."""
    seen, now = {key}, key
    while now in survivor_of:
        now = survivor_of[now]
        if now in seen:
            return key
        seen.add(now)
    return now


def judgment_json(judgment: Judgment) -> dict[str, Any]:
    """The judgment as `ferrule evaluate --json` prints it."""
    return {
        "patient": {"system": judgment.patient.system, "id": judgment.patient.id},
        "as_of": time_text(judgment.as_of),
        "ruleset": judgment.ruleset,
        "findings": [_finding(rule) for rule in judgment.findings],
        "silent": [_finding(rule) for rule in judgment.silent],
        "undetermined": [{"rule": r.rule, "missing": list(r.missing)} for r in judgment.undetermined],
        "not_used": [
            {"result_id": left.result_id, "reason": left.reason.value, "detail": left.detail}
            for left in judgment.not_used
        ],
    }


def _finding(rule: RuleJudgment) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "version": rule.version,
        "severity": rule.severity.value,
        "headline": rule.headline,
        "text": rule.text,
        "evidence": [evidence_json(evidence) for evidence in rule.evidence],
        "actions": list(rule.actions),
        "follow_up": [{"expect": item.expect, "due": item.due.isoformat()} for item in rule.follow_up],
        "sources": list(rule.sources),
        "annotates": list(rule.annotates),
    }
