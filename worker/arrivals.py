"""What of the news of a judging can satisfy an expectation: usable results, computed ones, and records by
concept.

Which alert expects it, `alerts.follow_up` knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alerts.follow_up import Arrival
from rules.concepts import matches
from rules.derived import derived
from rules.facts import Record, Result, Status
from rules.ruleset import Ruleset
from worker.statements import Said

JUDGED_STATUSES = frozenset({Status.FINAL, Status.AMENDED, Status.CORRECTED, Status.APPENDED})


def arrivals(ruleset: Ruleset, fresh: Iterable[Said]) -> tuple[Arrival, ...]:
    """The new results and records that may be what a follow-up waits for."""
    said = list(fresh)
    usable = [result for one in said for result in one.results if _is_usable(result)]
    results = [*usable, *derived(usable)]
    records = [record for one in said for record in one.records]
    return (*_of_results(results), *_of_records(ruleset, records))


def _is_usable(result: Result) -> bool:
    return bool(
        result.analyte and result.effective_at and result.problem is None and result.status in JUDGED_STATUSES
    )


def _of_results(results: Iterable[Result]) -> Iterator[Arrival]:
    for result in results:
        if result.analyte and result.effective_at:
            yield Arrival(result.analyte, result.key, result.effective_at)


def _of_records(ruleset: Ruleset, records: Sequence[Record]) -> Iterator[Arrival]:
    """A record of a day counts to the end of that day: a referral of the day of the alert answers it."""
    if not records:
        return
    concepts = ruleset.vocabulary.concepts
    awaited = {f.expect for rule in ruleset.rules.values() for f in rule.follow_up} & concepts.keys()
    for record in records:
        since = record.start_last or record.start or record.known_at
        for name in sorted(awaited):
            if matches(concepts[name], record):
                yield Arrival(name, record.key, since)
