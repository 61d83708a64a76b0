"""The facts of a case, one a line (or parted by `;`), as a pathologist would jot them down.

    patient female 34 y                         (default: female, 40 y; `born 1990-05-01` gives the day)
    2026-03-01  ferritin 9 ng/mL                (a bare date is 08:00Z; a time is taken as it stands)
    2026-03-01  b12 1450 pg/mL range 180..914 corrected as R1 note hemolyzed
    2026-03-01  parietal_cell_ab positive
    2026-01-10  medication b12_supplement oral until 2026-02-01
    2020-01-01  condition K90.0                 (a concept's name stands for one of its codes)
    2020-01-01  condition urn:north:list|A7     (a code of a system of one's own)
    2026-03-01  pregnant 20 wk                  (or: not pregnant)
    as of 2026-03-03T08:00:00Z                  (default: the newest result)
    -90d  ferritin 29 ug/L                      (90 d, or -48h, before `as of`; `now` is `as of`)

Nothing here judges: it builds the history that a case is judged by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from rules.analytes import CATALOGUE
from rules.concepts import CONCEPTS, Concept
from rules.facts import (
    Coded,
    History,
    Patient,
    PregnancyStatement,
    Record,
    RecordKind,
    Result,
    Sex,
    Status,
    Unusable,
)
from rules.nearest import nearest
from rules.reading import Refusal, read

_MORNING = time(8, tzinfo=UTC)
_SOME_DAY = datetime(2026, 6, 1, 8, tzinfo=UTC)  # the `as of` of a case that only counts back from it
_AGO = re.compile(r"-(\d+)([dh])|now")
_CODES = (
    (re.compile(r"^0[0-9A-Z]{6}$|^30[0-9A-Z]{5}$"), "http://www.cms.gov/Medicare/Coding/ICD10"),
    (re.compile(r"^[A-Z]\d{2}[A-Z]{2}\d{0,2}$|^[A-Z]\d{2}[A-Z]$"), "http://www.whocc.no/atc"),
    (re.compile(r"^\d{1,6}-\d$"), "http://loinc.org"),
    (re.compile(r"^\d{5}$"), "http://www.ama-assn.org/go/cpt"),
    (re.compile(r"^\d{6,}$"), "http://snomed.info/sct"),
    (re.compile(r"^[A-Z]\d"), "http://hl7.org/fhir/sid/icd-10-cm"),
)
_CONCEPTS_LIVE = "`ferrule rules concepts` lists them; another system's is SYSTEM|CODE"
_STATUS_WORDS = {s.value for s in Status}
_RECORD_STATUS = frozenset({"active", "completed", "stopped", "resolved", "inactive", "on-hold", "refuted"})
_ROUTES = frozenset({"oral", "injection", "intramuscular", "intravenous", "subcutaneous", "other"})


class BadCase(ValueError):
    """A line of a case that says no fact; one line that names it."""


@dataclass
class CaseFacts:
    """What has been read so far."""

    patient: Patient = field(default_factory=lambda: Patient("urn:ferrule:case", "case", sex=Sex.FEMALE))
    years: int | None = 40
    results: list[Result] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    pregnancy: list[PregnancyStatement] = field(default_factory=list)
    as_of: datetime | None = None
    concepts: Mapping[str, Concept] = field(default_factory=lambda: CONCEPTS)

    def finished(self) -> tuple[History, datetime]:
        """The history and the moment it is judged at; every fact is known from the start."""
        moments = [r.effective_at for r in self.results if r.effective_at]
        moments += [s.effective_at for s in self.pregnancy]
        if self.as_of is None and not moments:
            raise BadCase("no dated result; give one, or 'as of TIME'")
        as_of = self.as_of or max(moments)
        patient = self.patient
        if patient.birth_date is None and self.years is not None:
            patient = replace(patient, birth_date=_years_before(as_of.date(), self.years))
        history = History(patient, tuple(self.results), tuple(self.records), tuple(self.pregnancy))
        return history, as_of


def case_facts(given: str, concepts: Mapping[str, Concept] = CONCEPTS) -> tuple[History, datetime]:
    """The history a case gives, and its `as_of`; a concept's name stands for one of its codes.

    Raises:
        BadCase: naming the line.
    """
    lines = given.replace(";", "\n").splitlines()
    facts = CaseFacts(as_of=_as_of(lines), concepts=concepts)
    for line in lines:
        if words := line.split():
            try:
                _take(facts, words)
            except BadCase:
                raise
            except (ValueError, IndexError, KeyError) as error:
                raise BadCase(f"cannot read the case line '{line.strip()}': {error}") from None
    return facts.finished()


def _as_of(lines: Iterable[str]) -> datetime | None:
    """The moment of judging that the lines name; some day, when they only count back from it."""
    words = [line.split() for line in lines if line.strip()]
    named = next((w[2:] for w in words if w[:2] == ["as", "of"]), None)
    if named is not None:
        try:
            return moment(named[0])
        except (ValueError, IndexError) as error:
            raise BadCase(f"cannot read the case line 'as of {' '.join(named)}': {error}") from None
    return _SOME_DAY if any(_AGO.fullmatch(word) for line in words for word in line) else None


def _take(facts: CaseFacts, words: list[str]) -> None:
    if words[0] == "patient":
        _patient(facts, words[1:])
    elif words[:2] == ["as", "of"]:
        return
    elif words[1] in {k.value for k in RecordKind}:
        facts.records.append(_record(len(facts.records), words, facts.as_of, facts.concepts))
    elif "pregnant" in words[1:3]:
        weeks = int(words[2]) if words[1] == "pregnant" and len(words) > 2 else None
        at = moment(words[0], facts.as_of)
        facts.pregnancy.append(PregnancyStatement(words[1] == "pregnant", weeks, at, _ALWAYS, 0))
    else:
        facts.results.append(_result(len(facts.results), words, facts.as_of))


_ALWAYS = datetime(1900, 1, 1, tzinfo=UTC)


def moment(text: str, now: datetime | None = None) -> datetime:
    """A time with offset, 08:00Z of a bare date, or a time counted back from `now`.

    Raises:
        ValueError: none of these.
    """
    if now is not None and (ago := _AGO.fullmatch(text)):
        return now - timedelta(hours=int(ago[1] or 0) * (24 if ago[2] == "d" else 1))
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), _MORNING)
    return datetime.fromisoformat(text)


def _patient(facts: CaseFacts, words: list[str]) -> None:
    facts.patient = replace(facts.patient, sex=Sex(words[0]))
    facts.years = None
    if words[1:2] == ["born"]:
        facts.patient = replace(facts.patient, birth_date=date.fromisoformat(words[2]))
    elif len(words) > 1:
        facts.years = int(words[1])


def _years_before(day: date, years: int) -> date:
    """A birthday that makes the patient that many years old: their birthday was 100 d ago."""
    earlier = day - timedelta(days=100)
    return earlier.replace(year=earlier.year - years, day=min(earlier.day, 28))


def _result(number: int, words: list[str], now: datetime | None) -> Result:
    at, analyte, rest = moment(words[0], now), words[1], list(words[2:])
    if analyte not in CATALOGUE:
        near = nearest(analyte, CATALOGUE)
        raise BadCase(f"unknown analyte '{analyte}' in a case; {near}`ferrule rules analytes` lists them")
    options = dict(_options(rest))
    value, unit = rest[0], rest[1] if len(rest) > 1 else None
    coded = value in {c.value for c in Coded}
    key = options.get("as", f"case-{number}")
    status = Status(options.get("status", "final"))
    result = Result(
        key=key,
        id=key,
        source="urn:ferrule:case",
        analyte=analyte,
        status=status,
        effective_at=at,
        issued_at=at,
        known_at=_ALWAYS,
        arrival=number,
        notes=tuple(options["note"].split(",")) if "note" in options else (),
        reported_value=value,
        reported_unit=unit or "",
    )
    low, high = options.get("low"), options.get("high")
    reading = read(
        CATALOGUE[analyte],
        value=value,
        comparator=None,
        unit=unit,
        interpretation=value if coded else options.get("flag"),
        code_property=None,
        range_low=low,
        range_high=high,
    )
    if isinstance(reading, Refusal):
        return replace(result, problem=Unusable(reading.reason), detail=reading.detail)
    return replace(
        result,
        quantity=reading.quantity,
        coded=reading.coded,
        range_low=reading.range_low,
        range_high=reading.range_high,
    )


def _options(rest: list[str]) -> Iterator[tuple[str, str]]:
    """Takes what follows value and unit off the list, and gives it by name."""
    while len(rest) > 1:
        word = rest[-1]
        before = rest[-2]
        if word in _STATUS_WORDS:
            yield "status", rest.pop()
        elif before in {"as", "note", "flag"}:
            rest.pop()
            yield rest.pop(), word
        elif before in {"range", "limit"}:
            rest.pop()
            rest.pop()
            low, _, high = word.rpartition("..")
            yield "high", high
            if low:
                yield "low", low
        else:
            return


def _record(number: int, words: list[str], now: datetime | None, concepts: Mapping[str, Concept]) -> Record:
    start, kind, what, rest = words[0], RecordKind(words[1]), words[2], words[3:]
    system, code, name = _coded(kind, what, concepts)
    if "named" in rest:
        at = rest.index("named")
        name, rest = " ".join(rest[at + 1 :]), rest[:at]
    end = moment(rest[rest.index("until") + 1], now) if "until" in rest else None
    status = next((w for w in rest if w in _RECORD_STATUS), "active")
    route = next((w for w in rest if w in _ROUTES), None)
    key = f"case-record-{number}"
    return Record(key, kind, system, code, name, status, moment(start, now), end, _ALWAYS, number, route)


def _coded(kind: RecordKind, what: str, concepts: Mapping[str, Concept]) -> tuple[str, str, str]:
    if what in concepts:
        concept = concepts[what]
        if concept.kind != kind:
            raise BadCase(f"'{what}' is a {concept.kind} concept, not a {kind}")
        return concept.example
    if "|" in what:
        system, _, code = what.rpartition("|")
        return system, code, code
    for pattern, system in _CODES:
        if pattern.match(what):
            return system, what, what
    near = nearest(what, (name for name, concept in concepts.items() if concept.kind == kind))
    raise BadCase(f"'{what}' is neither a concept nor a code of a known system; {near}{_CONCEPTS_LIVE}")
