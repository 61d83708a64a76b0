"""An event as facts: the patient, the results, the records, who ordered them, and what was noticed.

Pure: time of receipt and zone are handed in. Only the patient's identity can make it refuse, and that was
done when the event was read; one bad result or record is a fact with a problem, or is left out and noticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from rules.facts import Patient, PregnancyStatement, Record, Result, Sex
from worker.demographics import Demographics
from worker.intake.dialect import PLAIN, Dialect
from worker.intake.event import (
    Event,
    Identifier,
    MergeData,
    PatientItem,
    PersonItem,
    ReportData,
    ResultItem,
)
from worker.intake.marks import MARK_OF, Mark
from worker.intake.record_facts import record_fact, record_items
from worker.intake.result_facts import EVER, Sent, Setting, Understood, result_fact
from worker.intake.specimen import CONTROL_SAMPLE
from worker.intake.times import read_date, read_instant

NO_AUTHORITY = "urn:ferrule:no-authority"
MOST_WEEKS = 45
_NOT_SAID = {"place": None, "marks": ()}


@dataclass(frozen=True, slots=True)
class Orderer:
    """A clinician as named by a message."""

    system: str
    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """An oddity intake could live with; `key` names the result it is about, None for the whole message."""

    mark: Mark
    key: str | None = None

    @property
    def critical(self) -> bool:
        """Whether operations must hear of it at once."""
        return self.mark is Mark.HEMOGLOBIN_IMPLAUSIBLE


@dataclass(frozen=True, slots=True)
class Facts:
    """What one event says. `said_at` is the event's own time but not after its receipt, else its receipt's,
    else its newest fact's.
    """

    patient: Patient
    said_at: datetime
    results: tuple[Result, ...] = ()
    records: tuple[Record, ...] = ()
    pregnancy: tuple[PregnancyStatement, ...] = ()
    orderers: Mapping[str, Orderer] = field(default_factory=dict)
    demographics: tuple[Demographics, ...] = ()
    registers: bool = False
    restricted: bool = False
    also: tuple[tuple[str, str], ...] = ()
    copy_to: tuple[Orderer, ...] = ()
    operations: tuple[Noticed, ...] = ()
    sent: Mapping[str, Sent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merge:
    """Two (system, id) pairs that are one patient; what was said of `retired` belongs to `survivor`."""

    survivor: tuple[str, str]
    retired: tuple[str, str]
    undone: bool = False


def facts_of(
    event: Event,
    *,
    zone: ZoneInfo | None,
    received_at: datetime | None,
    arrival: int,
    dialect: Dialect = PLAIN,
) -> Facts:
    """The facts of a report or record event.

    `received_at` is the moment of receipt when live and None in `evaluate`, where each fact was known when it
    was issued, else when its event was made. `zone` reads times without offset; None: they are zone-unknown.
    """
    data = event.report
    sent_at = read_instant(event.time, zone).at
    understood, refused_results = _results(
        event, data, Setting(event.source, event.id, sent_at, received_at, arrival, zone, dialect)
    )
    results = tuple(one.result for one in understood)
    said_at = _not_after(sent_at, received_at) or _newest(results) or EVER
    records, refused = _records(event, data, said_at, received_at or said_at, arrival, zone)
    orderer = _person(data.orderer)
    demographics = _demographics(data, said_at, received_at or said_at, arrival, zone)
    return Facts(
        patient=Patient(*_key(data.patient, dialect.authority)),
        said_at=said_at,
        results=results,
        records=records,
        pregnancy=_pregnancy(data.patient, said_at, received_at or said_at, arrival),
        orderers={result.key: orderer for result in results} if orderer else {},
        demographics=(demographics,) if demographics.says_something else (),
        registers=data.registration is True,
        restricted=data.patient.restricted is True,
        also=tuple(_key(item, dialect.authority) for item in data.patient.identifiers if item),
        copy_to=tuple(person for person in map(_person, data.copy_to) if person),
        operations=(
            *_of_message(data, dialect),
            *_of_results(understood),
            *_refused(refused + refused_results),
        ),
        sent={one.result.key: one.sent for one in understood},
    )


def merge_of(event: Event, dialect: Dialect = PLAIN) -> Merge | None:
    """The merge an event asks for; None for a report or record event."""
    if not isinstance(event.data, MergeData):
        return None
    survivor, retired = (_key(one, dialect.authority) for one in (event.data.survivor, event.data.retired))
    return Merge(survivor, retired, event.data.undone is True)


def patient_key(event: Event) -> tuple[str, str]:
    """(system, id) of the patient of a report or record event."""
    return _key(event.report.patient)


def _key(item: Identifier | PatientItem, default_authority: str | None = None) -> tuple[str, str]:
    """(system, id); an identifier without authority has that of its source."""
    return (item.system or "").strip() or default_authority or NO_AUTHORITY, item.id


def _results(event: Event, data: ReportData, setting: Setting) -> tuple[list[Understood], int]:
    """The results, and how many entries could not be read."""
    items = told_apart(data.results)
    people = [(index, item) for index, item in enumerate(items) if item and not _is_control(item)]
    return [result_fact(item, index, setting) for index, item in people], items.count(None)


def _is_control(item: ResultItem) -> bool:
    """Whether the specimen is no patient's; its results are counted and not kept."""
    return CONTROL_SAMPLE in item.specimen_notes


def told_apart(items: Sequence[ResultItem | None]) -> list[ResultItem | None]:
    """Two results of one id and status that say different things: both are kept, the second under an id of
    its own, and both are marked. Versions of one result differ in status; an exact repeat is no conflict.
    """
    apart = list(items)
    by_id: dict[tuple[str, str | None], list[int]] = {}
    for at, item in enumerate(items):
        if item is not None and (identity := (item.id or "").strip()):
            by_id.setdefault((identity, item.status), []).append(at)
    for (identity, _), places in by_id.items():
        if len(places) > 1:
            for at, number in _numbers(items, places).items():
                apart[at] = _apart(items[at], identity, number)
    return apart


def _numbers(items: Sequence[ResultItem | None], places: Sequence[int]) -> dict[int, int]:
    """Of results of one id, which different saying each is, from 1; nothing where all say the same."""
    said = {at: repr(item.model_copy(update=_NOT_SAID)) for at in places if (item := items[at])}
    number_of = {text: number for number, text in enumerate(dict.fromkeys(said.values()), 1)}
    return {at: number_of[text] for at, text in said.items()} if len(number_of) > 1 else {}


def _apart(item: ResultItem | None, identity: str, number: int) -> ResultItem | None:
    if item is None:
        return None
    marks = (*item.marks, Mark.VALUE_CONFLICT.value)
    return item.model_copy(update={"id": identity if number == 1 else f"{identity}~{number}", "marks": marks})


def _of_results(understood: Sequence[Understood]) -> list[Noticed]:
    return [Noticed(mark, one.result.key) for one in understood for mark in one.sent.marks]


def _refused(count: int) -> list[Noticed]:
    return [Noticed(Mark.ITEM_REFUSED)] * count


def _records(
    event: Event, data: ReportData, said_at: datetime, known_at: datetime, arrival: int, zone: ZoneInfo | None
) -> tuple[tuple[Record, ...], int]:
    """The records, and how many entries could not be read."""
    read = [
        record_fact(
            kind,
            item,
            source=event.source,
            said_at=said_at,
            known_at=known_at,
            arrival=arrival,
            zone=zone,
        )
        for kind, item in record_items(data)
    ]
    return tuple(record for record in read if record), read.count(None)


def _not_after(sent_at: datetime | None, received_at: datetime | None) -> datetime | None:
    """A sender whose clock runs ahead does not have the last word for ever."""
    return min((moment for moment in (sent_at, received_at) if moment), default=None)


def _newest(results: tuple[Result, ...]) -> datetime | None:
    times = (time for result in results for time in (result.effective_at, result.issued_at))
    return max((time for time in times if time), default=None)


def _demographics(
    data: ReportData, said_at: datetime, known_at: datetime, arrival: int, zone: ZoneInfo | None
) -> Demographics:
    item, encounter = data.patient, data.encounter
    died_at = read_instant(item.deceased_at, zone or ZoneInfo("UTC")).at
    attending = _person(encounter.attending) if encounter else None
    return Demographics(
        said_at=said_at,
        known_at=known_at,
        arrival=arrival,
        name=_words(item.name),
        family=_words(item.family),
        birth_date=read_date(item.birth_date),
        sex=_sex(item.sex),
        deceased=True if died_at else item.deceased,
        deceased_at=died_at,
        location=_words(encounter.location) if encounter else None,
        attending_system=attending.system if attending else None,
        attending_id=attending.id if attending else None,
    )


def _words(text: str | None) -> str | None:
    return (text or "").strip() or None


def _sex(text: str | None) -> Sex | None:
    """None says nothing, and so does a word that is none of the four."""
    plain = (text or "").strip().lower()
    plain = {"f": "female", "m": "male", "o": "other"}.get(plain, plain)
    return Sex(plain) if plain in {sex.value for sex in Sex} - {Sex.UNKNOWN} else None


def _pregnancy(
    item: PatientItem, effective_at: datetime, known_at: datetime, arrival: int
) -> tuple[PregnancyStatement, ...]:
    if item.pregnant is None:
        return ()
    weeks = _weeks(item.gestational_weeks) if item.pregnant else None
    return (PregnancyStatement(item.pregnant, weeks, effective_at, known_at, arrival),)


def _weeks(text: str | None) -> int | None:
    """Completed weeks; a fraction of a week is not completed."""
    whole = (text or "").strip().split(".")[0]
    weeks = int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 3 else None
    return weeks if weeks is not None and weeks <= MOST_WEEKS else None


def _person(item: PersonItem | None) -> Orderer | None:
    identity = (item.id or "").strip() if item else ""
    if item is None or not identity:
        return None
    return Orderer((item.system or "").strip() or NO_AUTHORITY, identity, (item.name or "").strip() or None)


def _of_message(data: ReportData, dialect: Dialect) -> tuple[Noticed, ...]:
    marks = [MARK_OF[text] for text in data.marks if text in MARK_OF]
    if not (data.patient.system or "").strip() and not dialect.authority:
        marks.append(Mark.NO_AUTHORITY)
    if any(item and _is_control(item) for item in data.results):
        marks.append(Mark.CONTROL_SAMPLE)
    return tuple(Noticed(mark) for mark in dict.fromkeys(marks))
