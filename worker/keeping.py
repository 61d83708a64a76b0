"""Keeping the facts of messages: rows of the result timeline, records, pregnancy statements and demographics.

Every version of a fact is kept once, under the identifier it was sent for; nothing is overwritten. Which of a
message's statements are new is `worker.statements`. Nothing is judged here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite

from rules.facts import PregnancyStatement, Record, Result
from worker.database import is_sqlite
from worker.demographics import Demographics
from worker.intake.result_facts import Sent
from worker.records import Stored
from worker.statements import Fact, Repeat, Said, version_of
from worker.tables import DEMOGRAPHICS, PATIENT, PREGNANCY_STATEMENT, RECORD, RESULT


def keep(connection: Connection, news: Sequence[tuple[Stored, Sequence[Said]]]) -> None:
    """Write the news of some patients, and who each patient now is: one statement for each table."""
    said = [one for _, all_fresh in news for one in all_fresh]
    _insert(connection, RESULT, [_result(s, result) for s in said for result in s.results])
    _insert(connection, RECORD, [_record(s, record) for s in said for record in s.records])
    _insert(connection, PREGNANCY_STATEMENT, [_pregnancy(s, item) for s in said for item in s.pregnancy])
    _insert(connection, DEMOGRAPHICS, [_demographics(s, item) for s in said for item in s.demographics])
    _said_again(connection, news)
    who = PATIENT.update().where(PATIENT.c.id == bindparam("patient"))
    connection.execute(who, [{"patient": stored.id, **_who(stored)} for stored, _ in news])


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        dialect = sqlite if is_sqlite(connection) else postgresql
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _said_again(connection: Connection, news: Sequence[tuple[Stored, Sequence[Said]]]) -> None:
    """Rows that were said once more, unchanged: by which message, and when, last."""
    rows: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    for stored, said in news:
        for repeat in (repeat for one in said for repeat in one.repeats):
            rows[_table(repeat.before)] += _repeated(stored, repeat)
    for table, repeats in rows.items():
        again = table.update().where(
            table.c.patient_id == bindparam("of_patient"),
            table.c.version == bindparam("of_version"),
            table.c.last_message_id == bindparam("before"),
            *([_key_column(table) == bindparam("of_key")] if table in (RESULT, RECORD) else []),
        )
        values: dict[str, Any] = {"last_message_id": bindparam("since")}
        if "last_said_at" in table.c:
            values["last_said_at"] = bindparam("since_at")
        connection.execute(again.values(values), repeats)


def _repeated(stored: Stored, repeat: Repeat) -> Iterable[dict[str, Any]]:
    """The row's name; of a merged patient it may be filed under any of the identifiers."""
    before, since = repeat.before, repeat.since
    row = {"of_version": version_of(before), "before": before.arrival, "since": since.arrival}
    if isinstance(before, Result):
        row["of_key"] = before.id
    if isinstance(before, Record):
        row["of_key"] = before.key
    if isinstance(since, Record | Demographics):
        row["since_at"] = since.said_at
    return [row | {"of_patient": patient} for patient in stored.filed_under]


def _table(fact: Fact) -> Table:
    if isinstance(fact, Result):
        return RESULT
    if isinstance(fact, Record):
        return RECORD
    return PREGNANCY_STATEMENT if isinstance(fact, PregnancyStatement) else DEMOGRAPHICS


def _key_column(table: Table) -> Any:
    return table.c.result_id if table is RESULT else table.c.record_key


def _who(stored: Stored) -> dict[str, Any]:
    patient = stored.history.patient
    return {
        "name": stored.name,
        "birth_date": patient.birth_date,
        "sex": patient.sex.value,
        "deceased_at": patient.deceased_at,
        "judged_as_of": stored.judged_as_of,
    }


def _statement(said: Said, fact: Fact) -> dict[str, Any]:
    """What every statement is kept with."""
    return {
        "patient_id": said.filed_under,
        "message_id": said.message,
        "last_message_id": fact.arrival,
        "version": version_of(fact),
        "known_at": fact.known_at,
    }


def _result(said: Said, result: Result) -> dict[str, Any]:
    orderer = said.orderers.get(result.key)
    quantity = result.quantity
    return _statement(said, result) | {
        "source": result.source,
        "result_id": result.id,
        "analyte": result.analyte,
        "status": result.status.value,
        "effective_at": result.effective_at,
        "issued_at": result.issued_at,
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
        **_as_sent(said.sent.get(result.key)),
        "reading": result.reading,
        "orderer_system": orderer.system if orderer else None,
        "orderer_id": orderer.id if orderer else None,
        "orderer_name": orderer.name if orderer else None,
    }


def _as_sent(sent: Sent | None) -> dict[str, Any]:
    """How a result was named and timed by its sender."""
    return {
        "code_system": sent.system if sent else "",
        "code": sent.code if sent else "",
        "code_name": sent.name if sent else "",
        "effective_text": sent.effective_at if sent else None,
        "effective_other": sent.other_effective_at if sent else None,
        "flag": sent.flag if sent else "",
        "marks": [mark.value for mark in sent.marks] if sent else [],
    }


def _record(said: Said, record: Record) -> dict[str, Any]:
    said_at = record.said_at or said.at
    return _statement(said, record) | {
        "record_key": record.key,
        "kind": record.kind.value,
        "system": record.system,
        "code": record.code,
        "name": record.name,
        "status": record.status,
        "start": record.start,
        "start_last": record.start_last,
        "end": record.end,
        "said_at": said_at,
        "last_said_at": said_at,
        "route": record.route,
    }


def _pregnancy(said: Said, item: PregnancyStatement) -> dict[str, Any]:
    return _statement(said, item) | {
        "pregnant": item.pregnant,
        "weeks": item.weeks,
        "effective_at": item.effective_at,
    }


def _demographics(said: Said, item: Demographics) -> dict[str, Any]:
    return _statement(said, item) | {
        "said_at": item.said_at,
        "last_said_at": item.said_at,
        "name": item.name,
        "family": item.family,
        "birth_date": item.birth_date,
        "sex": item.sex.value if item.sex else None,
        "deceased": item.deceased,
        "deceased_at": item.deceased_at,
        "location": item.location,
        "attending_system": item.attending_system,
        "attending_id": item.attending_id,
    }
