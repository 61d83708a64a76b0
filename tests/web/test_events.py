"""POST /events: what is taken, what is set aside, what is refused."""

import json
from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import httpx
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import Engine, select

from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.serving import serving
from worker.composition import Deps
from worker.tables import MESSAGE

BEARER = {"authorization": f"Bearer {clinic.INTAKE_TOKEN}", "content-type": "application/json"}


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "org.ferrule.report.v1",
        "source": clinic.NORTH,
        "id": f"EVENT-{number}",
        "time": "2026-03-01T08:12:00Z",
        "data": {
            "patient": {"system": "urn:mrn:north", "id": "100999"},
            "results": [
                {"id": "R1", "code": "2276-4", "system": "http://loinc.org", "value": 9.10, "unit": "ng/mL"}
            ],
        },
        **changes,
    }


def send(visitor: TestClient, body: Any) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return visitor.post("/events", content=content, headers=BEARER)


def test_an_event_is_stored_byte_for_byte_and_the_doorbell_is_rung(
    visitor: TestClient, store: Engine, rung: list[int]
) -> None:
    body = json.dumps(event(), indent=3).encode()

    answer = send(visitor, body)

    assert answer.status_code == 202
    assert answer.json() == {"accepted": 1, "duplicates": 0, "quarantined": []}
    with store.connect() as connection:
        row = connection.execute(select(MESSAGE).where(MESSAGE.c.id.in_(rung))).one()
    assert row.raw == body


def test_of_an_array_each_event_is_stored_as_it_was_written(
    visitor: TestClient, store: Engine, rung: list[int]
) -> None:
    texts = [json.dumps(event(n), indent=n).encode() for n in (1, 2)]

    answer = send(visitor, b"[ " + b" ,\n".join(texts) + b" ]")

    assert answer.json()["accepted"] == 2
    with store.connect() as connection:
        rows = connection.execute(select(MESSAGE.c.raw).where(MESSAGE.c.id.in_(rung)).order_by(MESSAGE.c.id))
        assert sorted(rows.scalars()) == sorted(texts)


def test_an_event_sent_again_is_a_duplicate_and_rings_nobody(visitor: TestClient, rung: list[int]) -> None:
    send(visitor, event())
    rung.clear()

    assert send(visitor, event()).json() == {"accepted": 0, "duplicates": 1, "quarantined": []}
    assert rung == []


def test_the_same_id_with_other_bytes_is_set_aside(visitor: TestClient, rung: list[int]) -> None:
    send(visitor, event())
    rung.clear()

    answer = send(visitor, [event(2), event(1, time="2026-03-02T08:12:00Z")])

    reused = {"index": 1, "id": "EVENT-1", "reason": "id-reused"}
    assert answer.json() == {"accepted": 1, "duplicates": 0, "quarantined": [reused]}
    assert len(rung) == 1


def test_an_event_without_a_patient_is_kept_in_quarantine_and_the_rest_goes_on(visitor: TestClient) -> None:
    answer = send(visitor, [event(1, data={"results": []}), event(2)])

    assert answer.status_code == 202
    aside = {"index": 0, "id": "EVENT-1", "reason": "no-patient"}
    assert answer.json() == {"accepted": 1, "duplicates": 0, "quarantined": [aside]}


def test_a_cloud_event_of_another_type_is_kept_in_quarantine(visitor: TestClient) -> None:
    answer = send(visitor, event(type="com.example.other"))

    assert answer.status_code == 202
    assert answer.json()["quarantined"][0]["reason"] == "not-an-event"


def test_what_is_not_json_or_no_cloud_event_is_refused_and_nothing_is_stored(
    visitor: TestClient, rung: list[int]
) -> None:
    for body in (b"not json", b"", b"17", b"[17]", b'{"hello": 1}', json.dumps([event(), {}]).encode()):
        answer = send(visitor, body)
        assert answer.status_code == 400, body
    assert rung == []


def test_s50_a_key_said_twice_is_refused(visitor: TestClient) -> None:
    assert send(visitor, b'{"id": "a", "id": "b"}').status_code == 400


def test_an_empty_array_is_nothing(visitor: TestClient) -> None:
    assert send(visitor, []).json() == {"accepted": 0, "duplicates": 0, "quarantined": []}


def test_a_body_larger_than_anything_we_read_is_refused(visitor: TestClient) -> None:
    assert send(visitor, b" " * (4 * 1024 * 1024 + 1)).status_code == 413


def test_a_clinician_sends_no_events(browser: TestClient) -> None:
    assert browser.post("/events", json=event()).status_code == 403


def test_the_answer_does_not_wait_for_the_doorbell(seeded: Clinic, deps: Deps) -> None:
    answered = Event()

    def stuck(_ids: Sequence[int]) -> bool:
        return answered.wait(20)

    with serving(replace(deps, publish=stuck)) as address:
        answer = httpx.post(f"{address}/events", json=event(), headers=BEARER, timeout=5)
        answered.set()
    assert answer.json()["accepted"] == 1


STRUCTURED = {"content-type": "application/cloudevents+json; charset=UTF-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def send_as(visitor: TestClient, body: bytes, headers: dict[str, str]) -> Response:
    return visitor.post("/events", content=body, headers=BEARER | headers)


def test_a_structured_event_and_a_batch_are_taken_by_their_content_types(visitor: TestClient) -> None:
    one, two = json.dumps(event(1)).encode(), json.dumps([event(2), event(3)]).encode()
    assert send_as(visitor, one, STRUCTURED).json()["accepted"] == 1
    assert send_as(visitor, two, BATCH).json()["accepted"] == 2


def test_a_body_that_is_not_what_its_content_type_says_is_refused(visitor: TestClient) -> None:
    one, many = json.dumps(event()).encode(), json.dumps([event()]).encode()
    assert send_as(visitor, many, STRUCTURED).status_code == 400
    assert send_as(visitor, one, BATCH).status_code == 400


def binary_headers(sent: dict[str, Any]) -> dict[str, str]:
    return {f"ce-{name}": sent[name] for name in ("specversion", "type", "source", "id", "time")}


def test_a_binary_event_is_the_structured_one_it_stands_for(visitor: TestClient, store: Engine) -> None:
    sent = event()
    body = json.dumps(sent["data"], indent=2).encode()

    assert send_as(visitor, body, binary_headers(sent)).json()["accepted"] == 1
    assert send(visitor, sent).json()["duplicates"] == 1
    with store.connect() as connection:
        raw = (
            connection.execute(select(MESSAGE.c.raw).where(MESSAGE.c.message_id == "EVENT-1"))
            .scalars()
            .first()
        )
    assert raw is not None
    assert body in raw
    assert json.loads(raw)["data"] == sent["data"]


def test_a_binary_event_cannot_write_itself_another_envelope(visitor: TestClient, store: Engine) -> None:
    sent = event(id="EVENT-%22,%22type%22:%22x")
    answer = send_as(visitor, json.dumps(sent["data"]).encode(), binary_headers(sent))
    assert answer.json()["accepted"] == 1
    for body in (b'{}, "id": "other"', b"", b"{"):
        assert send_as(visitor, body, binary_headers(event(7))).status_code == 400
    with store.connect() as connection:
        assert 'EVENT-","type":"x' in connection.execute(select(MESSAGE.c.message_id)).scalars().all()


def test_b81_other_formats_charsets_and_compressed_bodies_are_refused_by_name(visitor: TestClient) -> None:
    body = json.dumps(event()).encode()
    for headers in (
        {"content-type": "application/xml"},
        {"content-type": "application/cloudevents+avro"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "gzip"},
        {"content-type": "multipart/form-data; boundary=x"},
    ):
        assert send_as(visitor, body, headers).status_code == 415, headers


def test_a_client_that_says_no_content_type_is_understood(visitor: TestClient) -> None:
    body = json.dumps(event()).encode()
    headers = {"authorization": BEARER["authorization"]}
    assert visitor.post("/events", content=body, headers=headers).json()["accepted"] == 1
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert send_as(visitor, json.dumps(event(2)).encode(), form).json()["accepted"] == 1


def test_the_same_event_written_another_way_is_a_duplicate(visitor: TestClient, rung: list[int]) -> None:
    send(visitor, event())
    rung.clear()
    assert send(visitor, json.dumps(event(), indent=4).encode()).json()["duplicates"] == 1
    assert rung == []
