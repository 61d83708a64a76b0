"""Keeping the facts of messages: rows of the result timeline, records, pregnancy statements and the patient.

Every version of a fact is kept once; nothing is overwritten. A version is named by the hash of what it says,
so that an exact repeat, in whatever message, is recognized. Nothing is judged here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts.people import Orderer
from rules.courses import said_order
from rules.facts import History, Patient, PregnancyStatement, Record, Result, Sex
from worker.database import is_sqlite
from worker.records import Stored
from worker.tables import PATIENT, PATIENT_LINK, PREGNANCY_STATEMENT, RECORD, RESULT

Fact = Result | Record | PregnancyStatement


@dataclass(frozen=True, slots=True)
class Said:
    """What one message says of one patient. `at` is when its sender said so: newer demographics win."""

    message: int
    at: datetime
    patient: Patient
    name: str | None
    results: tuple[Result, ...]
    records: tuple[Record, ...]
    pregnancy: tuple[PregnancyStatement, ...]
    orderers: Mapping[str, Orderer]


def version_of(patient: int, fact: Fact) -> str:
    """The hash of what a fact says: not of when it became known, nor of which message brought it."""
    said = [str(getattr(fact, name)) for name in type(fact).__slots__ if name not in ("known_at", "arrival")]
    return hashlib.sha256("\x1f".join((str(patient), type(fact).__name__, *said)).encode()).hexdigest()


def with_news(stored: Stored, news: Iterable[Said]) -> tuple[Stored, list[Said]]:
    """The history as it will be once `news` is kept, and of the news only what was not kept before."""
    fresh: list[Said] = []
    for said in sorted(news, key=lambda said: said.message):
        kept = _without_repeats(stored, said)
        stored = _with(stored, kept)
        fresh.append(kept)
    return stored, fresh


def known_from(said: Said, moment: datetime) -> Said:
    """The same, known no earlier than `moment`.

    A message judged late, after a younger one, was not known when that one was judged.
    """
    return replace(
        said,
        results=tuple(replace(fact, known_at=max(fact.known_at, moment)) for fact in said.results),
        records=tuple(replace(fact, known_at=max(fact.known_at, moment)) for fact in said.records),
        pregnancy=tuple(replace(fact, known_at=max(fact.known_at, moment)) for fact in said.pregnancy),
    )


def keep(connection: Connection, news: Sequence[tuple[Stored, Sequence[Said]]]) -> None:
    """Write the news of some patients, and who each patient now is: one statement for each table."""
    said = [(stored.id, fresh) for stored, all_fresh in news for fresh in all_fresh]
    _insert(connection, RESULT, [_result(p, s, result) for p, s in said for result in s.results])
    _insert(connection, RECORD, [_record(p, s, record) for p, s in said for record in s.records])
    _insert(
        connection, PREGNANCY_STATEMENT, [_pregnancy(p, s, item) for p, s in said for item in s.pregnancy]
    )
    who = PATIENT.update().where(PATIENT.c.id == bindparam("patient"))
    connection.execute(who, [{"patient": stored.id, **_who(stored)} for stored, _ in news])


def ensure_patients(connection: Connection, keys: Iterable[tuple[str, str]], now: datetime) -> None:
    """A row for each (system, id) not yet known: provisional, until a message says more."""
    rows = [
        {"system": system, "ident": ident, "version": 0, "sex": Sex.UNKNOWN.value, "created_at": now}
        for system, ident in sorted(keys)
    ]
    _insert(connection, PATIENT, rows)


def patient_ids(connection: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The row of each known (system, id); of a merged one, its survivor's."""
    asked = select(PATIENT.c.id, PATIENT.c.system, PATIENT.c.ident)
    rows = connection.execute(asked.where(PATIENT.c.ident.in_({ident for _, ident in keys})))
    found = {(row.system, row.ident): row.id for row in rows if (row.system, row.ident) in keys}
    survivors = _survivors(connection, found.values())
    return {key: survivors.get(row, row) for key, row in found.items()}


def _survivors(connection: Connection, patients: Iterable[int]) -> dict[int, int]:
    link = PATIENT_LINK.c
    rows = connection.execute(
        select(link.retired_id, link.survivor_id).where(
            link.retired_id.in_(list(patients)), link.ended_at.is_(None)
        )
    )
    return {row.retired_id: row.survivor_id for row in rows}


def _without_repeats(stored: Stored, said: Said) -> Said:
    seen = set(stored.versions)

    def is_new(fact: Fact) -> bool:
        version = version_of(stored.id, fact)
        new = version not in seen and not _still_says(stored, fact)
        seen.add(version)
        return new

    return replace(
        said,
        results=tuple(filter(is_new, said.results)),
        records=tuple(filter(is_new, said.records)),
        pregnancy=tuple(filter(is_new, said.pregnancy)),
    )


def _still_says(stored: Stored, fact: Fact) -> bool:
    """Whether a record is as it was when last spoken of: lists come again with every report."""
    if not isinstance(fact, Record):
        return False
    before = [r for r in stored.history.records if r.key == fact.key and said_order(r) <= said_order(fact)]
    last = max(before, key=said_order, default=None)
    if last is None:
        return False
    return replace(last, known_at=fact.known_at, arrival=fact.arrival, said_at=fact.said_at) == fact


def _with(stored: Stored, said: Said) -> Stored:
    history = stored.history
    facts: tuple[Fact, ...] = (*said.results, *said.records, *said.pregnancy)
    newer = stored.told_at is None or said.at >= stored.told_at
    return replace(
        stored,
        history=History(
            patient=_merged(history.patient, said.patient, newer=newer),
            results=history.results + said.results,
            records=history.records + said.records,
            pregnancy=history.pregnancy + said.pregnancy,
        ),
        name=(said.name or stored.name) if newer else (stored.name or said.name),
        told_at=said.at if newer else stored.told_at,
        orderers={**stored.orderers, **_new_orderers(stored, said)},
        versions=stored.versions | {version_of(stored.id, fact) for fact in facts},
    )


def _new_orderers(stored: Stored, said: Said) -> Mapping[str, Orderer]:
    """Who ordered the new versions. A repeat changes nothing, and what came later has the last word."""
    arrived: dict[str, int] = {}
    for kept in stored.history.results:
        arrived[kept.key] = max(kept.arrival, arrived.get(kept.key, kept.arrival))
    new = [r.key for r in said.results if r.arrival >= arrived.get(r.key, r.arrival)]
    return {key: said.orderers[key] for key in new if key in said.orderers}


def _merged(known: Patient, said: Patient, *, newer: bool) -> Patient:
    """The newer saying wins where it says something."""
    first, second = (said, known) if newer else (known, said)
    return replace(
        known,
        birth_date=first.birth_date or second.birth_date,
        sex=first.sex if first.sex is not Sex.UNKNOWN else second.sex,
        deceased_at=first.deceased_at or second.deceased_at,
    )


def _who(stored: Stored) -> dict[str, Any]:
    patient = stored.history.patient
    return {
        "name": stored.name,
        "birth_date": patient.birth_date,
        "sex": patient.sex.value,
        "deceased_at": patient.deceased_at,
        "told_at": stored.told_at,
        "judged_as_of": stored.judged_as_of,
    }


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        dialect = sqlite if is_sqlite(connection) else postgresql
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _result(patient: int, said: Said, result: Result) -> dict[str, Any]:
    orderer = said.orderers.get(result.key)
    quantity = result.quantity
    return {
        "patient_id": patient,
        "message_id": said.message,
        "source": result.source,
        "result_id": result.id,
        "version": version_of(patient, result),
        "analyte": result.analyte,
        "status": result.status.value,
        "effective_at": result.effective_at,
        "issued_at": result.issued_at,
        "known_at": result.known_at,
        "value": str(quantity.value) if quantity else None,
        "comparator": quantity.comparator.value if quantity else None,
        "unit": quantity.unit if quantity else None,
        "dimension": quantity.dimension if quantity else None,
        "base": str(quantity.base) if quantity else None,
        "coded": result.coded.value if result.coded else None,
        "range_low": None if result.range_low is None else str(result.range_low),
        "range_high": None if result.range_high is None else str(result.range_high),
        "notes": list(result.notes),
        "problem": result.problem.value if result.problem else None,
        "detail": result.detail,
        "reported_value": result.reported_value,
        "reported_unit": result.reported_unit,
        "orderer_system": orderer.system if orderer else None,
        "orderer_id": orderer.id if orderer else None,
        "orderer_name": orderer.name if orderer else None,
    }


def _record(patient: int, said: Said, record: Record) -> dict[str, Any]:
    return {
        "patient_id": patient,
        "message_id": said.message,
        "record_key": record.key,
        "version": version_of(patient, record),
        "kind": record.kind.value,
        "system": record.system,
        "code": record.code,
        "name": record.name,
        "status": record.status,
        "start": record.start,
        "start_last": record.start_last,
        "end": record.end,
        "known_at": record.known_at,
        "said_at": record.said_at,
        "route": record.route,
    }


def _pregnancy(patient: int, said: Said, item: PregnancyStatement) -> dict[str, Any]:
    return {
        "patient_id": patient,
        "message_id": said.message,
        "version": version_of(patient, item),
        "pregnant": item.pregnant,
        "weeks": item.weeks,
        "effective_at": item.effective_at,
        "known_at": item.known_at,
    }
