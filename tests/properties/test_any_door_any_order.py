"""Events in any order, with repeats, by any mix of doors, end in one timeline and one set of open alerts.

On the real store, both databases. The doors are taken at the function that makes a message of what came in;
sockets and queues have tests of their own.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.serialization import dumps as celery_dumps
from kombu.serialization import loads as celery_loads
from sqlalchemy import Engine, select

from alerts.states import OPEN
from alerts.tables import ALERT
from tests.worker.made_up import LOINC, deps_on
from worker.accepting import Inbound, accept
from worker.composition import Deps
from worker.database import reading
from worker.intake.files import Piece
from worker.pipeline import judge
from worker.submitted import inbound_of as of_task
from worker.submitted import inbound_of_bytes as of_stream_entry
from worker.tables import PATIENT, RECORD, RESULT
from worker.verbs.submit import inbound_of as of_piece
from worker.web import cloudevents, events

Event = dict[str, Any]
Door = Callable[[Event], Inbound]

TAKEN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
JSON = "application/json"
EXAMPLES = 12
worlds = itertools.count(1)


def by_http(event: Event) -> Inbound:
    return events.inbound_of(json.dumps(event).encode())[0]


def by_http_in_a_batch(event: Event) -> Inbound:
    return events.inbound_of(json.dumps([event], indent=2).encode(), cloudevents.Mode.BATCH)[0]


def by_http_in_binary(event: Event) -> Inbound:
    headers = {f"ce-{name}": event[name] for name in ("specversion", "type", "source", "id", "time")}
    body = json.dumps(event["data"], sort_keys=True).encode()
    return events.inbound_of(body, cloudevents.Mode.BINARY, headers)[0]


def by_task(event: Event) -> Inbound:
    _, _, body = celery_dumps([[event], {}, {}], "json")
    return of_task(celery_loads(body, JSON, "utf-8", accept={JSON})[0][0])


def by_stream(event: Event) -> Inbound:
    return of_stream_entry(json.dumps(event, separators=(",", ":")).encode())


def by_file(event: Event) -> Inbound:
    return of_piece(Piece("event", json.dumps(event, sort_keys=True).encode(), "day.ndjson:1"))


DOORS: Sequence[Door] = (by_http, by_http_in_a_batch, by_http_in_binary, by_task, by_stream, by_file)


def hl7_of(event: Event) -> Inbound:
    """The same report as a laboratory that speaks HL7 sends it: one door, one text."""
    data, stamp = event["data"], "%Y%m%d%H%M%S+0000"
    taken = [datetime.fromisoformat(one["effective_at"]).strftime(stamp) for one in data["results"]]
    issued = [datetime.fromisoformat(one["issued_at"]).strftime(stamp) for one in data["results"]]
    letters = {"final": "F", "corrected": "C", "preliminary": "P", "entered-in-error": "W"}
    lines = [
        rf"MSH|^~\&|LIS|{event['source'].rpartition(':')[2]}|FERRULE|HOSP|{issued[0]}||ORU^R01|{event['id']}|P|2.5.1",
        f"PID|1||{data['patient']['id']}^^^north^MR||Made^Up||19800203|F",
    ]
    for n, one in enumerate(data["results"]):
        order = f"OBR|{n + 1}|PL{n}|{one['id']}|24323-8^Panel^LN|||{taken[n]}"
        lines.append(f"{order}|||||||||1234567893^A||||||{issued[n]}")
        cells = ["OBX", "1", "NM", f"{one['code']}^x^LN", "", str(one["value"]), one["unit"], "", "", "", ""]
        lines.append("|".join([*cells, letters[one["status"]], "", "", taken[n]]))
    return of_piece(Piece("hl7", ("\r".join(lines) + "\r").encode(), "day.hl7:1"))


VALUES = {"ferritin": (9, 9.5, 200), "b12": (1450, 1450.0, 400), "crp": (2, 150)}


@st.composite
def histories(draw: Any) -> list[Event]:
    """Some reports of one patient: results, corrections, retractions, records, each with its own time."""
    made = []
    for number in range(draw(st.integers(2, 5))):
        analyte = draw(st.sampled_from(sorted(VALUES)))
        status = draw(st.sampled_from(["final", "final", "corrected", "preliminary", "entered-in-error"]))
        issued = TAKEN + timedelta(hours=1, minutes=number)
        code, unit = LOINC[analyte]
        result = {
            "id": f"{analyte}-{draw(st.integers(1, 2))}", "system": "http://loinc.org", "code": code,
            "value": draw(st.sampled_from(VALUES[analyte])), "unit": unit, "status": status,
            "effective_at": TAKEN.isoformat(), "issued_at": issued.isoformat(),
        }  # fmt: skip
        data: Event = {"results": [result]}
        if draw(st.booleans()):
            product = {
                "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                "code": "11248",
                "name": "Vitamin B12",
            }
            state = draw(st.sampled_from(["active", "entered-in-error"]))
            data["medications"] = [
                product | {"id": "MED1", "status": state, "start": "2026-01-01", "route": "oral"}
            ]
        made.append({"number": number, "time": issued.isoformat(), "data": data})
    return made


def in_world(history: Sequence[Event], world: int) -> list[Event]:
    """The history as that of a patient and a laboratory nobody else in the test has."""
    return [
        {
            "specversion": "1.0",
            "type": "org.ferrule.report.v1",
            "source": f"urn:lab:w{world}",
            "id": f"M{one['number']}",
            "time": one["time"],
            "data": {"patient": {"system": "urn:mrn:north", "id": f"W{world}"}, **one["data"]},
        }
        for one in history
    ]


def send(deps: Deps, batches: Sequence[Sequence[Inbound]]) -> None:
    for batch in batches:
        receipts = accept(deps.engine, batch)
        judge(deps, [receipt.message for receipt in receipts if receipt.judge])


def ending(engine: Engine, world: int) -> Mapping[str, Any]:
    """The timeline and the open alerts of a world's patient, without the numbers of rows."""
    with reading(engine) as connection:
        patients = list(
            connection.execute(select(PATIENT.c.id).where(PATIENT.c.ident == f"W{world}")).scalars()
        )
        results = select(RESULT).where(RESULT.c.patient_id.in_(patients))
        records = select(RECORD).where(RECORD.c.patient_id.in_(patients))
        alerts = select(ALERT).where(ALERT.c.patient_id.in_(patients), ALERT.c.state.in_(OPEN))
        timeline = {
            (row.result_id, row.status, row.reported_value, row.effective_at, row.issued_at)
            for row in connection.execute(results)
        }
        return {
            "timeline": timeline,
            "records": {(row.code, row.status, row.start) for row in connection.execute(records)},
            "alerts": {(row.rule, row.severity) for row in connection.execute(alerts)},
        }


def test_any_order_repeats_and_doors_end_in_one_state(engine: Engine) -> None:
    deps = deps_on(engine, storm_floor="0")

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories(), st.data())
    def holds(history: list[Event], data: st.DataObject) -> None:
        plain, mixed = next(worlds), next(worlds)
        send(deps, [[by_http(event)] for event in in_world(history, plain)])
        sent = [
            data.draw(st.sampled_from(DOORS))(event)
            for event in in_world(history, mixed)
            for _ in range(data.draw(st.integers(1, 3)))
        ]
        sent = data.draw(st.permutations(sent))
        cut = data.draw(st.integers(0, len(sent)))
        send(deps, [sent[:cut], sent[cut:]])
        assert ending(engine, mixed) == ending(engine, plain)

    holds()


def test_any_order_and_repeats_of_hl7_end_in_one_state(engine: Engine) -> None:
    deps = deps_on(engine, storm_floor="0")

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories(), st.data())
    def holds(history: list[Event], data: st.DataObject) -> None:
        ordered, mixed = next(worlds), next(worlds)
        send(deps, [[hl7_of(event)] for event in in_world(history, ordered)])
        sent = [
            hl7_of(event) for event in in_world(history, mixed) for _ in range(data.draw(st.integers(1, 2)))
        ]
        send(deps, [data.draw(st.permutations(sent))])
        assert ending(engine, mixed) == ending(engine, ordered)

    holds()
