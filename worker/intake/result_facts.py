"""One result of an event as a fact: its analyte, reading and times. Never refused: it says its problem.

Whether the reading is believed is `rules.reading`'s answer; which version counts is `rules.history`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rules.analytes import CATALOGUE, Analyte, analyte_by_loinc, loinc_check_digit_ok, why_unmapped
from rules.facts import Result, Status, Unusable
from rules.names import contradiction
from rules.reading import Reading, Refusal, read
from worker.intake.code_systems import LOINC, system_uri
from worker.intake.dialect import PLAIN, DecimalMark, Dialect, LocalCode, plain_label
from worker.intake.event import ResultItem
from worker.intake.flags import flag_marks
from worker.intake.marks import MARK_OF, Mark
from worker.intake.numbers import ambiguous, has_decimal_comma, with_points
from worker.intake.ranges import limits_of
from worker.intake.specimen import specimen_notes
from worker.intake.times import Instant, read_instant

# These are never judged, so that what they carry is not read and their status alone says why.
NEVER_JUDGED = frozenset({Status.REGISTERED, Status.CANCELLED, Status.ENTERED_IN_ERROR, Status.UNKNOWN})
STATUS_ONLY_DETAIL = "status change without a value"
_COMPARATORS = {"": None, "=": None, "<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">="}
LONGEST_SHOWN = 1000
LONGEST_FLAG = 20

CLOCK_SKEW = timedelta(minutes=5)
OLD = timedelta(days=2 * 365)
"""A specimen taken so long before its receipt is history loaded late: judged, and counted."""

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
class Sent:
    """How a result was named and timed by its sender, to be kept beside what it means.

    `other_effective_at` is the second moment its time may mean. `marks` are what was noticed of it.
    `unmapped`: a mapping could say what its code means, and none does.
    """

    system: str
    code: str
    name: str
    effective_at: str | None = None
    other_effective_at: datetime | None = None
    marks: tuple[Mark, ...] = ()
    place: str = ""
    unmapped: bool = False
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """A result as a fact, and how it was sent."""

    result: Result
    sent: Sent


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The analyte of a code, or why there is none; `declared_unit` stands in for one that was not sent."""

    analyte: Analyte | None
    property: str | None
    detail: str = ""
    declared_unit: str | None = None
    contradicted: bool = False
    unmapped: bool = False


def result_fact(sent_item: ResultItem, index: int, setting: Setting) -> Understood:
    """The fact, and how it was sent. `index` is its place in the event, from 0."""
    meaning, status = _meaning(sent_item, setting.dialect), _status(sent_item.status)
    item = _in_our_writing(sent_item, meaning, setting.dialect)
    limits = limits_of(item.reference_range, item.unit)
    reading = _reading(item, meaning, limits.low, limits.high, setting.dialect)
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
        reported_value=_shown(sent_item.comparator, sent_item.value),
        reported_unit=_shown(None, sent_item.unit),
    )
    own = _own_marks(item, meaning, reading, limits.readable)
    marks = (*_marks_sent(item), *effective.marks, *own, *_marks_of_time(effective, setting))
    marks = tuple(dict.fromkeys((*marks, *flag_marks(result, item.interpretation))))
    sent = _sent(sent_item, index, effective, marks)
    return Understood(result, replace(sent, unmapped=meaning.unmapped))


def _sent(item: ResultItem, index: int, effective: Instant, marks: tuple[Mark, ...]) -> Sent:
    return Sent(
        system=_shown(None, system_uri(item.system)),
        code=_shown(None, item.code),
        name=_shown(None, item.name),
        effective_at=_shown(None, item.effective_at) or None,
        other_effective_at=effective.other,
        marks=marks,
        place=item.place or f"data.results[{index}]",
        flag=_shown(None, item.interpretation)[:LONGEST_FLAG],
    )


def _in_our_writing(item: ResultItem, meaning: _Meaning, dialect: Dialect) -> ResultItem:
    """The item with its source's decimal mark and spellings of units put into ours."""
    unit = (item.unit or "").strip()
    changed: dict[str, object] = {"unit": dialect.units.get(unit, unit) or meaning.declared_unit or item.unit}
    if not unit and meaning.declared_unit:
        changed["marks"] = (*item.marks, Mark.UNIT_DECLARED.value)
    if dialect.decimal is DecimalMark.COMMA:
        changed["value"] = with_points(item.value, dialect.decimal)
        if item.reference_range is not None:
            limits = {name: with_points(text, dialect.decimal) for name, text in item.reference_range}
            changed["reference_range"] = item.reference_range.model_copy(update=limits)
    return item.model_copy(update=changed)


def _meaning(item: ResultItem, dialect: Dialect) -> _Meaning:
    """What its code means, unless its name says that it is something else, or no laboratory reported it."""
    if Mark.NOT_REPORTED in item.marks:
        return _Meaning(None, None, "sent in a message that is no laboratory report")
    local = dialect.meaning(system_uri(item.system), (item.code or "").strip(), item.name or "")
    meaning = _of_local(local) if local else _of_loinc(item)
    if meaning.analyte is None or item.name is None or (local and plain_label(item.name) in local.labels):
        return meaning
    other = contradiction(item.name, meaning.analyte.name)
    if other is None:
        return meaning
    detail = f"the code means {meaning.analyte.display}, its name says {other}"
    return _Meaning(None, None, detail, contradicted=True)


def _of_local(local: LocalCode) -> _Meaning:
    if local.ignored:
        return _Meaning(None, None, "its source's mapping says it is none of ours")
    if local.loinc:
        known = analyte_by_loinc(local.loinc)
        return _Meaning(*known, declared_unit=local.unit) if known else _Meaning(None, None, "no mapping")
    return _Meaning(CATALOGUE[local.analyte or ""], None, declared_unit=local.unit)


def _of_loinc(item: ResultItem) -> _Meaning:
    code, system = (item.code or "").strip(), system_uri(item.system)
    if not code:
        return _Meaning(None, None, "no code", unmapped=True)
    if system != LOINC:
        detail = "no mapping for a local code" if system else "no code system"
        return _Meaning(None, None, detail, unmapped=True)
    if not loinc_check_digit_ok(code):
        return _Meaning(None, None, "the LOINC check digit is wrong", unmapped=True)
    known = analyte_by_loinc(code)
    if known is None:
        return _Meaning(None, None, why_unmapped(code) or f"no analyte for LOINC {code}")
    return _Meaning(*known)


def _status(text: str | None) -> Status:
    try:
        return Status((text or "unknown").strip().lower())
    except ValueError:
        return Status.UNKNOWN


def _reading(
    item: ResultItem, meaning: _Meaning, low: str | None, high: str | None, dialect: Dialect
) -> Reading | Refusal | None:
    if meaning.analyte is None:
        return None
    if ambiguous(item.value, dialect.decimal):
        return Refusal(Unusable.NOT_NUMERIC, "thousands or decimals: its source writes decimal commas")
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


def _marks_of_time(effective: Instant, setting: Setting) -> tuple[Mark, ...]:
    """Whether the specimen was taken after it was received, or years before."""
    if effective.at is None or setting.received_at is None:
        return ()
    if effective.at > setting.received_at + CLOCK_SKEW:
        return (Mark.SPECIMEN_FUTURE,)
    return (Mark.SPECIMEN_OLD,) if setting.received_at - effective.at > OLD else ()


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
    if meaning.contradicted:
        marks.append(Mark.NAME_CONTRADICTS)
    if isinstance(reading, Refusal) and has_decimal_comma(item.value):
        marks.append(Mark.DECIMAL_COMMA)
    implausible = isinstance(reading, Refusal) and reading.reason is Unusable.IMPLAUSIBLE
    if implausible and meaning.analyte is not None and meaning.analyte.name == "hemoglobin":
        marks.append(Mark.HEMOGLOBIN_IMPLAUSIBLE)
    return tuple(marks)


def _shown(comparator: str | None, text: str | None) -> str:
    return f"{(comparator or '').strip()}{(text or '').strip()}"[:LONGEST_SHOWN]
