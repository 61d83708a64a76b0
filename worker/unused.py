"""Results of an otherwise good message that are not used, or that contradict themselves: which of them a
person must look at, and what to do.

A result of a code that nobody mapped is no such thing: it is a gap (`worker.code_gaps`). One item for each
reason and code of a message: a panel sent twice a second must not bury the list.
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.facts import Result, Unusable
from worker.intake.flags import is_critical_flag
from worker.intake.marks import Mark
from worker.intake.normalize import Facts
from worker.intake.result_facts import Sent
from worker.quarantine import Aside

_OF_MARK = {
    Mark.HEMOGLOBIN_IMPLAUSIBLE: "value",
    Mark.NAME_CONTRADICTS: "name",
    Mark.DECIMAL_COMMA: "value",
    Mark.TIME_INVALID: "effective_at",
}
"""A mark says more than the reason that the result carries, and stands for it on the list."""

_OF_PROBLEM = {
    Unusable.UNIT_MISSING: "unit",
    Unusable.UNIT_UNKNOWN: "unit",
    Unusable.UNIT_PROPERTY_MISMATCH: "unit",
    Unusable.IMPLAUSIBLE: "value",
    Unusable.ZONE_UNKNOWN: "effective_at",
}

FLAG = "critical-flag-disagrees"
"""Flagged critical, and normal by its own limits: rules judge the value, and a person asks which is right."""

REMEDIES = {
    FLAG: (
        "its laboratory flags it as critical and its value is not so by its own limits: ask the laboratory "
        "at once which is right; one that is wrong is corrected by it; then discard this"
    ),
    Mark.HEMOGLOBIN_IMPLAUSIBLE.value: (
        "ask the laboratory at once: the value is impossible in its unit, and a true one may be critical"
    ),
    Mark.NAME_CONTRADICTS.value: (
        "code and name are of different tests: ask the laboratory which is right; a name that is right goes "
        "under `labels` of its code in the mapping; then release it"
    ),
    Mark.DECIMAL_COMMA.value: (
        "if the laboratory writes decimal commas, set `decimal: comma` for its source, then release it"
    ),
    Mark.TIME_INVALID.value: (
        "the time names no moment: ask the sender to send it again with a time that exists"
    ),
    Unusable.UNIT_MISSING.value: (
        "if the laboratory declares one unit for this code, add it as `unit` in the mapping, then release it"
    ),
    Unusable.UNIT_UNKNOWN.value: (
        "ask the laboratory what its unit means, add the spelling under `units` in the mapping, "
        "then release it"
    ),
    Unusable.UNIT_PROPERTY_MISMATCH.value: (
        "code and unit are of different kinds: ask the laboratory which is right, correct the mapping, "
        "then release it"
    ),
    Unusable.IMPLAUSIBLE.value: (
        "the value is impossible in its unit: ask the laboratory; its sender corrects a slip of the unit"
    ),
    Unusable.ZONE_UNKNOWN.value: "set FERRULE_DEFAULT_ZONE or the source's zone, then release it",
}
"""What to do, by reason."""


def worth_a_look(facts: Facts) -> list[Aside]:
    """What a person must see although the rest was judged."""
    seen: dict[tuple[str, str], Aside] = {}
    for result in facts.results:
        sent = facts.sent.get(result.key)
        for aside in _of(result, sent) if sent else ():
            seen.setdefault((aside.reason, sent.code if sent else ""), aside)
    return list(seen.values())


def _of(result: Result, sent: Sent) -> Iterator[Aside]:
    if result.analyte and Mark.FLAG_DISAGREES in sent.marks and is_critical_flag(sent.flag):
        yield Aside(FLAG, _place(sent, "interpretation"), REMEDIES[FLAG])
    marked = [mark for mark in sent.marks if mark in _OF_MARK]
    if result.problem is None:
        return
    for mark in marked:
        yield Aside(mark.value, _place(sent, _OF_MARK[mark]), REMEDIES[mark.value])
    if not marked and (field := _OF_PROBLEM.get(result.problem)):
        yield Aside(result.problem.value, _place(sent, field), REMEDIES[result.problem.value])


_OBX = {"interpretation": "8", "value": "5", "unit": "6", "name": "3", "effective_at": "14"}


def _place(sent: Sent, field: str) -> str:
    """OBX[3]-6, or data.results[2].unit: where it stood in the message."""
    return f"{sent.place}-{_OBX[field]}" if sent.place.startswith("OBX") else f"{sent.place}.{field}"
