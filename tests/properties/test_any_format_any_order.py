"""One history told in HL7 v2, FHIR and events, in any order and with repeats, ends as when told plainly.

On the real store, both databases. A result or record is told under one name by every door that can say that
name: by any event door, and by the doors of HL7 or of FHIR.
"""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select

from alerts.states import OPEN
from alerts.tables import ALERT
from rules.history import View
from tests.properties import formats
from tests.properties.formats import FHIR_DOORS, HL7_DOORS, Door, Sent, Statement, World, as_event, named
from tests.properties.test_any_door_any_order import DOORS
from tests.worker.made_up import LOINC, deps_on
from worker.composition import Deps
from worker.database import reading
from worker.pipeline import judge
from worker.records import load
from worker.tables import MESSAGE, PATIENT, RECORD, RESULT

TAKEN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
EXAMPLES = 12
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""No shrinking: a history is short, and each step of it is work for a database."""
EVENT_DOORS: Sequence[Door] = tuple(as_event(door) for door in DOORS)
DOORS_OF = {"hl7": (*EVENT_DOORS, *HL7_DOORS * 3), "fhir": (*EVENT_DOORS, *FHIR_DOORS * 2)}
VALUES = {
    "ferritin": (9, 9.5, 200, "<5"),
    "b12": (1450, 1450.0, 400, ">2000"),
    "crp": (2, 150),
}
LIMITS = {"ferritin": {"low": "13", "high": "150"}, "b12": {"low": "180", "high": "914"}}
PRODUCT = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "11248", "name": "Vitamin B12"}
STATUSES = ("final", "final", "corrected", "preliminary", "entered-in-error")
worlds = map(World, itertools.count(1))


@st.composite
def histories(draw: Any) -> list[Statement]:
    """What a laboratory and a ward say of one patient, each statement with a time of its own."""
    return [
        _medication(draw, number) if draw(st.integers(0, 3)) == 0 else _result(draw, number)
        for number in range(draw(st.integers(2, 6)))
    ]


def _result(draw: Any, number: int) -> Statement:
    analyte = draw(st.sampled_from(sorted(VALUES)))
    home = draw(st.sampled_from(["hl7", "fhir"]))
    issued = TAKEN + timedelta(hours=1, minutes=number)
    value, (code, unit) = draw(st.sampled_from(VALUES[analyte])), LOINC[analyte]
    compared = isinstance(value, str)
    said = {
        "id": named(home, analyte, draw(st.sampled_from([1, 1, 1, 2]))),
        "system": "http://loinc.org",
        "code": code,
        "value": value[1:] if compared else value,
        "comparator": value[0] if compared else None,
        "unit": unit,
        "status": draw(st.sampled_from(STATUSES)),
        "effective_at": TAKEN.isoformat(),
        "issued_at": issued.isoformat(),
        "reference_range": draw(st.sampled_from([None, LIMITS.get(analyte)])),
        "specimen_notes": draw(st.sampled_from([[], [], ["hemolyzed"]])),
    }
    return Statement(number, home, issued, result=said)


def _medication(draw: Any, number: int) -> Statement:
    status = draw(st.sampled_from(["active", "active", "entered-in-error"]))
    said = PRODUCT | {"id": "MED1", "status": status, "start": "2026-01-01", "route": "oral"}
    return Statement(number, "fhir", TAKEN + timedelta(hours=1, minutes=number), medication=said)


def send(deps: Deps, batches: Sequence[Sequence[Sent]]) -> None:
    for batch in batches:
        judge(deps, [message for sent in batch for message in sent(deps.engine)])


def ending(engine: Engine, world: World) -> Mapping[str, Any]:
    """The timeline and the open alerts of a world's patient, without the numbers of rows."""
    with reading(engine) as connection:
        key = (PATIENT.c.system == formats.MRN, PATIENT.c.ident == world.patient["id"])
        (patient,) = connection.execute(select(PATIENT.c.id).where(*key)).scalars()
        results = connection.execute(select(RESULT).where(RESULT.c.patient_id == patient)).all()
        records = connection.execute(select(RECORD).where(RECORD.c.patient_id == patient)).all()
        open_ = select(ALERT).where(ALERT.c.patient_id == patient, ALERT.c.state.in_(OPEN))
        return {
            "results": {_of_result(row) for row in results},
            "records": {_of_record(row) for row in records},
            "in force": _in_force(connection, patient),
            "alerts": {(row.rule, row.severity) for row in connection.execute(open_)},
        }


def _in_force(connection: Connection, patient: int) -> set[tuple[Any, ...]]:
    """What counts now: of each result and record the version that has the last word."""
    view = View(load(connection, [patient])[patient].history, as_of=datetime.now(UTC))
    results = (one for analyte in VALUES for one in view.results(analyte, preliminary=True))
    records = (one for found in view.records.values() for one in found)
    return {(one.id, one.status, one.reported_value) for one in results} | {
        (one.code, one.status, one.start) for one in records
    }


def _of_result(row: Any) -> tuple[Any, ...]:
    times = row.effective_at, row.issued_at
    limits = row.range_low, row.range_high
    return row.result_id, row.status, row.reported_value, row.unit, *times, *limits, *row.notes, row.problem


def _of_record(row: Any) -> tuple[Any, ...]:
    return row.code, row.status, row.start, row.end, row.route


def unread(engine: Engine, world: World) -> list[Any]:
    """The messages of a world that did not become facts."""
    with reading(engine) as connection:
        own = MESSAGE.c.source == world.source
        asked = select(MESSAGE.c.format, MESSAGE.c.reason).where(own, MESSAGE.c.state != "judged")
        return list(connection.execute(asked).all())


def test_any_order_repeats_and_formats_end_in_one_state(engine: Engine) -> None:
    deps = deps_on(engine, storm_floor="0")

    @settings(max_examples=EXAMPLES, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories(), st.data())
    def holds(history: list[Statement], data: st.DataObject) -> None:
        plain, mixed = next(worlds), next(worlds)
        send(deps, [[EVENT_DOORS[0](said, plain)] for said in history])
        sent = [
            data.draw(st.sampled_from(DOORS_OF[said.home]))(said, mixed)
            for said in history
            for _ in range(data.draw(st.integers(1, 3)))
        ]
        sent = data.draw(st.permutations(sent))
        cut = data.draw(st.integers(0, len(sent)))
        send(deps, [sent[:cut], sent[cut:]])
        assert unread(engine, mixed) == []
        assert ending(engine, mixed) == ending(engine, plain)

    holds()
