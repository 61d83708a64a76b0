"""One result of an event as a fact: its analyte, reading and times. Never refused: it says its problem.

Whether the reading is believed is `rules.reading`'s answer; which version counts is `rules.history`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rules.analytes import Analyte, analyte_by_loinc, loinc_check_digit_ok, why_unmapped
from rules.facts import Result, Status, Unusable
from rules.reading import Reading, Refusal, read
from worker.intake.code_systems import LOINC, system_uri
from worker.intake.dialect import PLAIN, Dialect
from worker.intake.event import ResultItem
from worker.intake.marks import MARK_OF, Mark
from worker.intake.ranges import limits_of
from worker.intake.specimen import specimen_notes
from worker.intake.times import Instant, read_instant

# These are never judged, so that what they carry is not read and their status alone says why.
NEVER_JUDGED = frozenset({Status.REGISTERED, Status.CANCELLED, Status.ENTERED_IN_ERROR, Status.UNKNOWN})
STATUS_ONLY_DETAIL = "status change without a value"
_COMPARATORS = {"": None, "=": None, "<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">="}
LONGEST_SHOWN = 1000

# Known since ever: the stand-in where neither message nor fact carries any time.
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a result's event knows of it: where it came from and the times that stand in for its own."""

    source: str
    event_id: str
    said_at: datetime | None
    received_at: datetime | None
    arrival: int
    zone: ZoneInfo | None
    dialect: Dialect = PLAIN


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The analyte of a code, or why there is none."""

    analyte: Analyte | None
    property: str | None
    detail: str = ""


def result_fact(item: ResultItem, index: int, setting: Setting) -> tuple[Result, tuple[Mark, ...]]:
    """The fact, and what was noticed on the way. `index` is its place in the event, from 0."""
    meaning, status = _meaning(item), _status(item.status)
    limits = limits_of(item.reference_range, item.unit)
    reading = _reading(item, meaning, limits.low, limits.high)
    effective = _effective(item, setting)
    issued = read_instant(item.issued_at, setting.zone).at
    problem, detail = _problem(item, meaning, status, reading, effective)
    believed = reading if isinstance(reading, Reading) and problem is None else None
    identity = (item.id or "").strip() or f"{setting.event_id}#{index}"
    result = Result(
        key=f"{setting.source}|{identity}",
        id=identity,
        source=setting.source,
        analyte=meaning.analyte.name if meaning.analyte else None,
        status=status,
        effective_at=effective.at,
        issued_at=issued,
        known_at=setting.received_at or issued or setting.said_at or effective.at or EVER,
        arrival=setting.arrival,
        quantity=believed.quantity if believed else None,
        coded=believed.coded if believed else None,
        range_low=believed.range_low if believed else None,
        range_high=believed.range_high if believed else None,
        notes=specimen_notes(item.specimen_notes),
        problem=problem,
        detail=detail,
        reported_value=_shown(item.comparator, item.value),
        reported_unit=_shown(None, item.unit),
    )
    marks = (*_marks_sent(item), *effective.marks, *_own_marks(item, meaning, reading, limits.readable))
    return result, tuple(dict.fromkeys(marks))


def _meaning(item: ResultItem) -> _Meaning:
    code, system = (item.code or "").strip(), system_uri(item.system)
    if not code:
        return _Meaning(None, None, "no code")
    if system != LOINC:
        return _Meaning(None, None, "no mapping for a local code" if system else "no code system")
    if not loinc_check_digit_ok(code):
        return _Meaning(None, None, "the LOINC check digit is wrong")
    known = analyte_by_loinc(code)
    return (
        _Meaning(*known)
        if known
        else _Meaning(None, None, why_unmapped(code) or f"no analyte for LOINC {code}")
    )


def _status(text: str | None) -> Status:
    try:
        return Status((text or "unknown").strip().lower())
    except ValueError:
        return Status.UNKNOWN


def _reading(
    item: ResultItem, meaning: _Meaning, low: str | None, high: str | None
) -> Reading | Refusal | None:
    if meaning.analyte is None:
        return None
    comparator = (item.comparator or "").strip()
    if comparator not in _COMPARATORS:
        return Refusal(Unusable.NOT_NUMERIC, "unknown comparator")
    return read(
        meaning.analyte,
        value=item.value or "",
        comparator=_COMPARATORS[comparator],
        unit=item.unit,
        interpretation=item.interpretation,
        code_property=meaning.property,
        range_low=low,
        range_high=high,
    )


def _effective(item: ResultItem, setting: Setting) -> Instant:
    if item.effective_at is None and Mark.TIME_FROM_RECEIPT in item.marks:
        return Instant(setting.received_at, None if setting.received_at else Unusable.NO_TIME)
    return read_instant(item.effective_at, setting.zone)


def _problem(
    item: ResultItem,
    meaning: _Meaning,
    status: Status,
    reading: Reading | Refusal | None,
    effective: Instant,
) -> tuple[Unusable | None, str]:
    if meaning.analyte is None:
        return Unusable.CODE_UNKNOWN, meaning.detail
    if status in NEVER_JUDGED:
        return None, ""
    if Mark.STATUS_ONLY in item.marks and not item.value:
        return Unusable.NOT_NUMERIC, STATUS_ONLY_DETAIL
    if isinstance(reading, Refusal):
        return reading.reason, reading.detail
    if effective.problem is Unusable.ZONE_UNKNOWN:
        return effective.problem, "the time has no offset and its source no zone"
    if effective.problem is not None:
        return effective.problem, "no readable time of specimen"
    return None, ""


def _marks_sent(item: ResultItem) -> tuple[Mark, ...]:
    return tuple(MARK_OF[text] for text in item.marks if text in MARK_OF)


def _own_marks(
    item: ResultItem, meaning: _Meaning, reading: Reading | Refusal | None, range_readable: bool
) -> tuple[Mark, ...]:
    marks = []
    if not (item.id or "").strip():
        marks.append(Mark.ID_MADE_UP)
    if not range_readable:
        marks.append(Mark.RANGE_UNREADABLE)
    implausible = isinstance(reading, Refusal) and reading.reason is Unusable.IMPLAUSIBLE
    if implausible and meaning.analyte is not None and meaning.analyte.name == "hemoglobin":
        marks.append(Mark.HEMOGLOBIN_IMPLAUSIBLE)
    return tuple(marks)


def _shown(comparator: str | None, text: str | None) -> str:
    return f"{(comparator or '').strip()}{(text or '').strip()}"[:LONGEST_SHOWN]
