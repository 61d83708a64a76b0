"""What arrives and nothing maps: codes without a meaning, units that are not on the list or not sent.

A gap is written down once for each source, code, name and unit; how many results wait behind it is counted
when somebody asks. No patient data: of values only the range of their magnitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite

from rules.analytes import CATALOGUE, analyte_by_loinc, dimensions_of, loinc_check_digit_ok
from rules.facts import Result, Unusable
from rules.names import contradiction, proposed, something_else
from rules.nearest import nearest
from rules.reading import number
from rules.units import UNITS, unit_of
from worker.database import is_sqlite
from worker.intake.dialect import Dialect, LocalCode, plain_label
from worker.intake.result_facts import Sent
from worker.sources import Sources
from worker.statements import Said
from worker.tables import CODE_GAP, RESULT

UNIT_PROBLEMS = frozenset({Unusable.UNIT_UNKNOWN.value, Unusable.UNIT_MISSING.value})
LONGEST = 200
EXAMPLES = 200
"""How many values are looked at for their magnitude."""

Key = tuple[str, str, str, str, str, str]
"""source, system, code, name, unit, problem"""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is not mapped. `mapped`: by now it is, and its results wait to be read again."""

    source: str
    source_name: str
    system: str
    code: str
    name: str
    unit: str
    problem: str
    count: int
    magnitude: str
    proposal: str
    mapped: bool
    first_seen_at: datetime


# ── writing down ─────────────────────────────────────────────────────────────────────────────────────


def note_gaps(connection: Connection, said: Iterable[Said], now: datetime) -> None:
    """Write down what is not mapped, once; what is known already is left as it is."""
    keys = {key for one in said for key in _keys(one)}
    if not keys:
        return
    names = ("source", "system", "code", "name", "unit", "problem")
    rows: list[dict[str, Any]] = [
        dict(zip(names, key, strict=True)) | {"first_seen_at": now} for key in sorted(keys)
    ]
    dialect = sqlite if is_sqlite(connection) else postgresql
    connection.execute(dialect.insert(CODE_GAP).on_conflict_do_nothing(), rows)


def _keys(said: Said) -> Iterator[Key]:
    for result in said.results:
        sent = said.sent.get(result.key)
        problem = _problem(result, sent) if sent else None
        if sent and problem:
            texts = (sent.system, sent.code, sent.name, result.reported_unit)
            system, code, name, unit = (text[:LONGEST] for text in texts)
            yield result.source, system, code, name, unit, problem


def _problem(result: Result, sent: Sent) -> str | None:
    if sent.unmapped:
        return Unusable.CODE_UNKNOWN.value
    return result.problem.value if result.problem and result.problem.value in UNIT_PROBLEMS else None


# ── listing ──────────────────────────────────────────────────────────────────────────────────────────


def gaps(connection: Connection, sources: Sources, name: str | None = None) -> list[Gap]:
    """Every gap, the one with most results first; of one source, by its short name, when asked."""
    rows = connection.execute(select(CODE_GAP)).mappings().all()
    chosen = [row for row in rows if name is None or sources.label(row["source"]) == name]
    counts = _counts(connection, {row["source"] for row in chosen})
    found = [_gap(connection, sources, row, counts.get(_key(row), 0)) for row in chosen]
    open_ones = [gap for gap in found if gap is not None and not (gap.mapped and gap.count == 0)]
    return sorted(open_ones, key=lambda gap: (gap.mapped, -gap.count, gap.source, gap.code, gap.unit))


def unmapped(connection: Connection, sources: Sources) -> dict[tuple[str, bool], int]:
    """How many gaps each source (by short name) has, and of these how many look like an analyte of ours.

    Asked at every scrape: no result is counted.
    """
    found: dict[tuple[str, bool], int] = {}
    for row in connection.execute(select(CODE_GAP)).mappings():
        if _state(row, sources.dialect(row["source"])) is None:
            key = sources.label(row["source"]), _looks_like_ours(row)
            found[key] = found.get(key, 0) + 1
    return found


def _gap(connection: Connection, sources: Sources, row: RowMapping, count: int) -> Gap | None:
    state = _state(row, sources.dialect(row["source"]))
    if state == "ignored":
        return None
    return Gap(
        source=row["source"],
        source_name=sources.label(row["source"]),
        system=row["system"],
        code=row["code"],
        name=row["name"],
        unit=row["unit"],
        problem=row["problem"],
        count=count,
        magnitude=_magnitude(connection, row) if count else "",
        proposal=_proposal(row),
        mapped=state == "mapped",
        first_seen_at=row["first_seen_at"],
    )


def _state(row: RowMapping, dialect: Dialect) -> str | None:
    """What the mapping in force says of a gap: mapped, ignored, or nothing."""
    local = dialect.meaning(row["system"], row["code"], row["name"])
    if row["problem"] == Unusable.CODE_UNKNOWN.value:
        if local is None:
            return None
        return "ignored" if local.ignored or _contradicted(row, local) else "mapped"
    if row["problem"] == Unusable.UNIT_MISSING.value:
        return "mapped" if local and local.unit else None
    return "mapped" if unit_of(dialect.units.get(row["unit"], row["unit"])) else None


def _contradicted(row: RowMapping, local: LocalCode) -> bool:
    """Whether the name is another analyte's than the mapped code: that waits in quarantine."""
    known = analyte_by_loinc(local.loinc) if local.loinc else None
    analyte = known[0].name if known else local.analyte
    listed = plain_label(row["name"]) in local.labels
    return bool(analyte and not listed and contradiction(row["name"], analyte))


def _looks_like_ours(row: RowMapping) -> bool:
    return row["problem"] != Unusable.CODE_UNKNOWN.value or bool(_meant(row))


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────


def waiting_results(*columns: ColumnElement[Any]) -> Select[Any]:
    """`columns` of the results that were not used, as they were read last."""
    later = RESULT.alias("later")
    read_again = exists().where(
        and_(
            later.c.message_id == RESULT.c.message_id,
            later.c.result_id == RESULT.c.result_id,
            later.c.reading > RESULT.c.reading,
        )
    )
    return select(*columns).where(RESULT.c.problem.is_not(None), ~read_again)


_COLUMNS = (
    RESULT.c.source,
    RESULT.c.code_system,
    RESULT.c.code,
    RESULT.c.code_name,
    RESULT.c.reported_unit,
    RESULT.c.problem,
)


def _counts(connection: Connection, sources: set[str]) -> dict[Key, int]:
    asked = waiting_results(*_COLUMNS, func.count()).where(RESULT.c.source.in_(sources)).group_by(*_COLUMNS)
    return {
        (row[0], *(text[:LONGEST] for text in row[1:5]), row[5]): row[6] for row in connection.execute(asked)
    }


def _key(row: RowMapping) -> Key:
    return row["source"], row["system"], row["code"], row["name"], row["unit"], row["problem"]


def _magnitude(connection: Connection, row: RowMapping) -> str:
    """The powers of ten between which the newest values lie: `10 to 1000`; nothing where none is a number."""
    asked = (
        waiting_results(RESULT.c.reported_value)
        .where(
            RESULT.c.source == row["source"],
            RESULT.c.code == row["code"],
            RESULT.c.reported_unit == row["unit"],
        )
        .order_by(RESULT.c.id.desc())
        .limit(EXAMPLES)
    )
    return magnitude_of(connection.execute(asked).scalars().all())


def magnitude_of(values: Sequence[str]) -> str:
    """The powers of ten between which the numbers among `values` lie."""
    read_as = [number(value.replace(",", ".")) for value in values]
    amounts = [abs(one[1]) for one in read_as if one and one[1]]
    if not amounts:
        return ""
    low, high = min(amounts).adjusted(), max(amounts).adjusted() + 1
    return f"{Decimal(10) ** low:f} to {Decimal(10) ** high:f}"


# ── proposing ────────────────────────────────────────────────────────────────────────────────────────


def _proposal(row: RowMapping) -> str:
    """A line for the mapping file, or what to ask; never used by itself."""
    if row["problem"] == Unusable.UNIT_MISSING.value:
        return "ask the laboratory for the unit of this code, then `unit:`"
    if row["problem"] == Unusable.UNIT_UNKNOWN.value:
        near = nearest(row["unit"], UNITS)
        return f"{near}ask the laboratory, then a line under `units:`"
    if loinc_check_digit_ok(row["code"]) and (known := analyte_by_loinc(row["code"])):
        return f"looks like LOINC ({known[0].display}): ask for its coding system, or `loinc: {row['code']}`"
    meant = _meant(row)
    if len(meant) == 1:
        return _line(row, next(iter(meant)))
    if meant:
        return f"ask which: {' or '.join(sorted(meant))}"
    other = something_else(row["name"])
    return f"ignore: {other.what}" if other else ""


def _meant(row: RowMapping) -> list[str]:
    """The analytes that its name, else its code, stands for, and whose results may carry its unit."""
    named = proposed(row["name"]) or (frozenset() if row["name"] else proposed(row["code"]))
    unit = unit_of(row["unit"])
    return sorted(name for name in named if unit is None or _loinc(name, unit.dimension))


def _line(row: RowMapping, analyte: str) -> str:
    unit = unit_of(row["unit"])
    loinc = _loinc(analyte, unit.dimension) if unit else ""
    return f"loinc: {loinc} ({CATALOGUE[analyte].display})" if loinc else f"analyte: {analyte}"


def _loinc(analyte: str, dimension: str) -> str:
    """The code of the analyte that promises such a unit, the surest first."""
    kind = CATALOGUE[analyte]
    fitting = [c for c, p in kind.loinc.items() if {dimension, "arbitrary"} & dimensions_of(p)]
    return min(fitting, key=lambda code: "NCPM".index(kind.certainty[code]), default="")
