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
from worker.quarantine_reasons import QuarantineReason

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


def worth_a_look(facts: Facts) -> list[Aside]:
    """What a person must see although the rest was judged."""
    seen: dict[tuple[str, str], Aside] = {}
    for result in facts.results:
        sent = facts.sent.get(result.key)
        for aside in _of(result, sent) if sent else ():
            seen.setdefault((aside.reason, sent.code if sent else ""), aside)
    return list(seen.values())


def _of(result: Result, sent: Sent) -> Iterator[Aside]:
    if result.problem is Unusable.CODE_UNKNOWN and Mark.NAME_CONTRADICTS not in sent.marks:
        return  # none of ours: how else it is written is nobody's work
    if result.analyte and Mark.FLAG_DISAGREES in sent.marks and is_critical_flag(sent.flag):
        yield Aside.of(QuarantineReason.CRITICAL_FLAG_DISAGREES, _place(sent, "interpretation"))
    marked = [mark for mark in sent.marks if mark in _OF_MARK]
    if result.problem is None:
        return
    for mark in marked:
        yield Aside.of(QuarantineReason(mark.value), _place(sent, _OF_MARK[mark]))
    if not marked and (field := _OF_PROBLEM.get(result.problem)):
        yield Aside.of(QuarantineReason(result.problem.value), _place(sent, field))


_OBX = {"interpretation": "8", "value": "5", "unit": "6", "name": "3", "effective_at": "14"}
_TIME_OF = {Mark.TIME_FROM_ORDER: "OBR-7", Mark.TIME_FROM_MESSAGE: "MSH-7"}


def _place(sent: Sent, field: str) -> str:
    """OBX[3]-6, or data.results[2].unit: where it stood; `OBX[3], OBR-7` for a time of the order."""
    if not sent.place.startswith("OBX"):
        return f"{sent.place}.{field}"
    elsewhere = next((place for mark, place in _TIME_OF.items() if mark in sent.marks), None)
    if field == "effective_at" and elsewhere:
        return f"{sent.place}, {elsewhere}"
    return f"{sent.place}-{_OBX[field]}"
