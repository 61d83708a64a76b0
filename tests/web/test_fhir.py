"""POST /fhir and /fhir/{type}: rows B80 to B94 of the trials."""

import gzip
import json
import socket
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome
from httpx import Response
from sqlalchemy import Engine, func, select

from tests.services.loops import run_alone
from tests.web import clinic
from tests.web.serving import serving
from tests.worker.intake.fhir_examples import (
    ERIKA,
    MRN,
    bundle,
    message_header,
    observation,
    patient,
    quantity,
    raw,
)
from worker import clock
from worker.composition import Deps
from worker.intake.fhir_package import MAX_BYTES
from worker.pipeline import judge
from worker.tables import FHIR_RESOURCE, MESSAGE, PATIENT, RESULT, TOKEN
from worker.web import fhir_body
from worker.web.fhir_metadata import capability_statement
from worker.web.sessions import digest

JSON = "application/fhir+json"
BEARER = {
    "authorization": f"Bearer {clinic.INTAKE_TOKEN}",
    "content-type": JSON,
    "accept": JSON,
}
SECONDS = 1.0
"""Of processor time: a busy machine beside is not the door's fault."""


@pytest.fixture
def seeded(store: Engine) -> None:
    """Tokens, and nothing else: a clinic without patients."""
    tokens = {clinic.INTAKE_TOKEN: "intake", clinic.CLINICIAN_TOKEN: "clinician"}
    with store.begin() as connection:
        for secret, role in tokens.items():
            row = {"secret_sha256": digest(secret), "role": role, "label": role, "created_at": clock.now()}
            connection.execute(TOKEN.insert().values(row))


def send(visitor: TestClient, path: str, body: Any, method: str = "POST", **headers: str) -> Response:
    content = body if isinstance(body, bytes) else raw(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return visitor.request(method, path, content=content, headers={**BEARER, **named})


def refused(answer: Response, status: int) -> list[tuple[str, str]]:
    """(code, expression) of each issue; the answer is an OperationOutcome."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith(JSON)
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert all(issue["severity"] == "error" and issue["diagnostics"] for issue in body["issue"])
    return [(issue["code"], issue.get("expression", [""])[0]) for issue in body["issue"]]


def rows(store: Engine) -> list[Any]:
    with store.connect() as connection:
        return list(connection.execute(select(MESSAGE).where(MESSAGE.c.format == "fhir")))


def test_an_observation_is_stored_byte_for_byte_and_the_doorbell_is_rung(
    visitor: TestClient, store: Engine, rung: list[int]
) -> None:
    body = raw(observation("1.10"))

    answer = send(visitor, "/fhir/Observation", body)

    assert answer.status_code == 201
    assert '"value":1.10' in answer.text.replace(" ", "")
    (row,) = rows(store)
    assert (row.raw, [row.id]) == (body, rung)
    where = f"/fhir/Observation/{answer.json()['id']}/_history/1"
    assert answer.headers["location"].endswith(where)
    assert answer.headers["etag"] == 'W/"1"'


def test_a_sent_observation_is_judged_like_any_other(
    visitor: TestClient, deps: Deps, rung: list[int]
) -> None:
    send(visitor, "/fhir/Observation", observation("1.10", valueQuantity=quantity("1.10")))

    judge(deps, rung)

    with deps.engine.connect() as connection:
        row = connection.execute(select(RESULT).where(RESULT.c.message_id.in_(rung))).one()
    assert (row.analyte, row.reported_value) == ("ferritin", "1.10")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b"", 400),
        (b'{"resourceType": "Observation", "status": "final", "status": "final"}', 400),
        (b'{"resourceType":"Observation","code":' + b'{"coding":[' * 500 + b"]}" * 500 + b"}", 400),
        (b'{"resourceType":"Observation","x":' + b"[" * 1000 + b"]" * 1000 + b"}", 400),
        (b" " * 50_000_000, 413),
        (b'{"resourceType":"Observation","status":"\xff"}', 400),
    ],
    ids=["text", "nothing", "duplicate key", "deep objects", "deep arrays", "50 MB", "not UTF-8"],
)
def test_b80_what_is_no_json_of_a_resource_is_refused_within_a_second(
    visitor: TestClient, store: Engine, body: bytes, status: int
) -> None:
    began = time.process_time()
    answer = send(visitor, "/fhir/Observation", body)
    assert time.process_time() - began < SECONDS
    refused(answer, status)
    assert rows(store) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/fhir+xml"},
        {"content_type": "application/json+fhir"},
        {"content_type": f"{JSON}; charset=utf-16"},
        {"content_type": f"{JSON}; fhirVersion=3.0"},
        {"content_type": f"{JSON}; fhirVersion=5.0"},
        {"content_encoding": "br"},
    ],
    ids=str,
)
def test_b81_another_media_type_charset_or_version_is_refused(
    visitor: TestClient, headers: dict[str, str]
) -> None:
    refused(send(visitor, "/fhir/Observation", observation(), **headers), 415)


def test_b81_gzip_is_read_and_a_bomb_is_not(visitor: TestClient) -> None:
    packed = gzip.compress(raw(observation()))
    assert send(visitor, "/fhir/Observation", packed, content_encoding="gzip").status_code == 201
    bomb = gzip.compress(b" " * (MAX_BYTES * 20))
    began = time.process_time()
    refused(send(visitor, "/fhir/Observation", bomb, content_encoding="gzip"), 413)
    assert time.process_time() - began < SECONDS
    refused(send(visitor, "/fhir/Observation", packed[:-9], content_encoding="gzip"), 400)
    refused(send(visitor, "/fhir/Observation", b"plain", content_encoding="gzip"), 400)


def test_b82_an_unknown_type_or_element_and_a_modifier_are_refused(visitor: TestClient) -> None:
    refused(send(visitor, "/fhir/Oracle", observation()), 404)
    refused(send(visitor, "/fhir/Device", observation()), 404)
    refused(send(visitor, "/fhir/Observation", {"resourceType": "Oracle"}), 422)
    found = refused(send(visitor, "/fhir/Observation", observation(favorite=1)), 422)
    assert found == [("structure", "Observation.favorite")]
    meant = observation(modifierExtension=[{"url": "urn:not", "valueBoolean": True}])
    found = refused(send(visitor, "/fhir/Observation", meant), 422)
    assert found == [("extension", "Observation.modifierExtension")]


def test_b83_what_is_missing_is_named_by_its_path(visitor: TestClient, store: Engine) -> None:
    empty = {"resourceType": "Observation"}
    found = refused(send(visitor, "/fhir/Observation", empty), 422)
    assert sorted(found) == [("required", f"Observation.{one}") for one in ("code", "status", "subject")]
    assert rows(store) == []


@pytest.mark.parametrize(
    "subject", ["http://elsewhere.example/fhir/Patient/1", "urn:uuid:gone", "#gone", "Patient/unknown"]
)
def test_b84_a_subject_that_leads_nowhere_is_refused(visitor: TestClient, subject: str) -> None:
    found = refused(send(visitor, "/fhir/Observation", observation(subject={"reference": subject})), 422)
    assert found == [("not-found", "Observation.subject.reference")]


def test_b84_nothing_is_fetched(visitor: TestClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/fhir/Patient/1"
        send(visitor, "/fhir/Observation", observation(subject={"reference": address}))
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.accept()


def test_b84_a_patient_sent_before_is_found(visitor: TestClient, deps: Deps, rung: list[int]) -> None:
    answer = send(visitor, "/fhir/Patient", patient(identifier=[{"system": MRN, "value": "777"}]))
    identity = answer.json()["id"]

    about = observation(subject={"reference": f"Patient/{identity}"})
    assert send(visitor, "/fhir/Observation", about).status_code == 201

    judge(deps, rung)
    with deps.engine.connect() as connection:
        found = select(PATIENT.c.ident).join(RESULT, RESULT.c.patient_id == PATIENT.c.id)
        assert connection.execute(found.where(RESULT.c.message_id.in_(rung))).scalar_one() == "777"


def test_b85_a_comparator_is_taken_and_no_number_is_not(visitor: TestClient) -> None:
    good = observation(valueQuantity=quantity("5", comparator="<"))
    assert send(visitor, "/fhir/Observation", good).status_code == 201
    for value in (quantity("5") | {"value": "5"}, quantity("1E400")):
        ((code, place),) = refused(send(visitor, "/fhir/Observation", observation(valueQuantity=value)), 422)
        assert place == "Observation.value.ofType(Quantity).value", code


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "unknown"])
def test_b86_a_result_of_no_validity_is_stored_as_that(
    visitor: TestClient, deps: Deps, rung: list[int], status: str
) -> None:
    assert send(visitor, "/fhir/Observation", observation(status=status)).status_code == 201
    judge(deps, rung)
    with deps.engine.connect() as connection:
        found = select(RESULT.c.status).where(RESULT.c.message_id.in_(rung))
        assert connection.execute(found).scalar_one() == status


def test_b87_one_bad_entry_refuses_the_whole_transaction(visitor: TestClient, store: Engine) -> None:
    whole = bundle(patient(), observation(), observation(status=None), type="transaction")
    found = refused(send(visitor, "/fhir", whole), 422)
    assert found == [("required", "Bundle.entry[2].resource.status")]
    assert rows(store) == []
    with store.connect() as connection:
        assert connection.execute(select(func.count()).select_from(FHIR_RESOURCE)).scalar() == 0


def test_b87_of_a_batch_each_entry_has_its_own_answer(
    visitor: TestClient, store: Engine, rung: list[int]
) -> None:
    whole = bundle(observation(), observation(status=None), patient(), type="batch")
    whole["entry"].append({"request": {"method": "DELETE", "url": "Observation/1"}})
    answer = send(visitor, "/fhir", whole)
    assert answer.status_code == 200
    body = answer.json()
    assert body["type"] == "batch-response"
    assert [entry["response"]["status"][:3] for entry in body["entry"]] == ["201", "422", "201", "422"]
    (issue,) = body["entry"][1]["response"]["outcome"]["issue"]
    assert issue["expression"] == ["Bundle.entry[1].resource.status"]
    assert len(rows(store)) == len(rung) == 2


def test_a_transaction_is_taken_whole(visitor: TestClient, deps: Deps, rung: list[int]) -> None:
    whole = bundle(patient(), observation(subject={"reference": ERIKA}), type="transaction")
    answer = send(visitor, "/fhir", whole)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["201 Created"] * 2
    assert judge(deps, rung).judged == 1


def test_b88_the_same_identifier_twice_is_one_result(
    visitor: TestClient, deps: Deps, rung: list[int]
) -> None:
    first = send(visitor, "/fhir/Observation", observation())
    again = send(visitor, "/fhir/Observation", observation())
    other = send(visitor, "/fhir/Observation", observation("90", issued="2026-03-01T09:00:00Z"))
    assert [first.status_code, again.status_code, other.status_code] == [201, 200, 200]
    assert first.json()["id"] == again.json()["id"] == other.json()["id"]
    judge(deps, rung)
    with deps.engine.connect() as connection:
        ids = select(RESULT.c.result_id).where(RESULT.c.message_id.in_(rung)).distinct()
        assert len(connection.execute(ids).all()) == 1
        resources = select(FHIR_RESOURCE).where(FHIR_RESOURCE.c.type == "Observation")
        assert len(connection.execute(resources).all()) == 1


def test_b88_if_none_exist_with_no_one_and_two_matches(
    visitor: TestClient, store: Engine, rung: list[int]
) -> None:
    search = {"If_None_Exist": "identifier=urn:lab:north:result|R1"}
    assert send(visitor, "/fhir/Observation", observation(), **search).status_code == 201
    assert send(visitor, "/fhir/Observation", observation("90"), **search).status_code == 200
    assert len(rows(store)) == len(rung) == 1
    assert send(visitor, "/fhir/Observation/b", observation(id="b"), "PUT").status_code == 201
    assert refused(send(visitor, "/fhir/Observation", observation("91"), **search), 412)
    assert len(rows(store)) == 2
    refused(send(visitor, "/fhir/Observation", observation("91"), If_None_Exist="code=2276-4"), 400)


def test_b88_another_senders_identifier_is_not_a_match(visitor: TestClient, store: Engine) -> None:
    from worker.fhir_door import Wish, take
    from worker.intake.fhir_package import read_package

    other = raw(observation())
    take(store, "urn:other", other, [Wish(read_package(other).parts[0], "x")])
    search = {"If_None_Exist": "identifier=urn:lab:north:result|R1"}
    assert send(visitor, "/fhir/Observation", observation(), **search).status_code == 201


def test_b89_an_old_version_changes_nothing(visitor: TestClient, store: Engine) -> None:
    path = "/fhir/Observation/a"
    assert send(visitor, path, observation(id="a"), "PUT").headers["etag"] == 'W/"1"'
    assert send(visitor, path, observation("8", id="a"), "PUT", If_Match='W/"1"').headers["etag"] == 'W/"2"'
    before = len(rows(store))
    assert refused(send(visitor, path, observation("7", id="a"), "PUT", If_Match='W/"1"'), 412)
    assert len(rows(store)) == before
    refused(send(visitor, path, observation("7", id="a"), "PUT", If_Match="seven"), 400)
    refused(send(visitor, "/fhir/Observation/new", observation(id="new"), "PUT", If_Match='W/"1"'), 412)


def test_a_value_that_was_changed_and_changed_back_is_stored_three_times(
    visitor: TestClient, store: Engine, rung: list[int]
) -> None:
    for value in ("9", "90", "9", "9"):
        assert send(visitor, "/fhir/Observation/a", observation(value, id="a"), "PUT").is_success
    assert len(rows(store)) == len(rung) == 3


@pytest.mark.parametrize(
    ("path", "id"),
    [
        ("a", "b"),
        ("a", None),
        ("..%2F..%2Fetc", "../../etc"),
        ("a" * 200, "a" * 200),
        ("a%00b", "a\x00b"),
    ],
)
def test_b90_an_id_that_is_none_or_another_is_refused(visitor: TestClient, path: str, id: str | None) -> None:
    body = observation(id=id) if id else observation()
    assert send(visitor, f"/fhir/Observation/{path}", body, "PUT").status_code in (400, 404)
    if "%2F" not in path:
        refused(send(visitor, f"/fhir/Observation/{path}", body, "PUT"), 400)


def test_b91_xml_is_refused_whatever_it_says(visitor: TestClient) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Observation/>'
    for media in ("application/fhir+xml", "text/xml", "application/xml"):
        refused(send(visitor, "/fhir/Observation", bomb, content_type=media), 415)
    refused(send(visitor, "/fhir/Observation", bomb), 400)


def test_b92_a_bundle_of_ten_thousand_entries_is_refused_at_once(visitor: TestClient) -> None:
    one = {"resource": observation(), "request": {"method": "POST", "url": "Observation"}}
    for kind in ("transaction", "collection", "batch"):
        whole = {"resourceType": "Bundle", "type": kind, "entry": [one] * 10_000}
        body = raw(whole)
        found = refused(send(visitor, "/fhir", body), 413)
        assert found == [("too-costly", "Bundle.entry")]


def test_b93_two_lengths_in_one_request_and_a_slow_body(
    seeded: None, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_body, "BODY_SECONDS", 0.5)
    head = (
        "POST /fhir/Observation HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {BEARER['authorization']}\r\nContent-Type: {JSON}\r\n"
    )
    smuggled = (
        head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"
    )
    slow = head + "Content-Length: 100\r\n\r\n{"
    with serving(deps) as address:
        host, port = address.removeprefix("http://").split(":")
        for text, status in ((smuggled, b"400"), (slow, b"408")):
            with socket.create_connection((host, int(port)), timeout=10) as line:
                line.sendall(text.encode())
                answer = _all_of(line)
                assert answer.split(b" ", 2)[1] == status, answer[:200]
                assert answer.count(b"HTTP/1.1 ") == 1


def _all_of(line: socket.socket) -> bytes:
    got = b""
    line.settimeout(2)
    try:
        while chunk := line.recv(65536):
            got += chunk
    except TimeoutError:
        pass
    return got


def test_b94_only_fhir_json_is_given_and_never_html(visitor: TestClient) -> None:
    refused(send(visitor, "/fhir/Observation", observation(), accept="text/html"), 406)
    refused(send(visitor, "/fhir/Observation", observation(), accept="application/fhir+xml"), 406)
    refused(send(visitor, "/fhir/Observation", observation(), accept=f"{JSON}; fhirVersion=5.0"), 406)
    refused(send(visitor, "/fhir/Observation?_format=exe", observation()), 406)
    good = send(visitor, "/fhir/Observation?_format=json", observation(), accept="text/html")
    assert good.status_code == 201
    assert good.headers["content-type"].startswith(JSON)
    named = observation(code={"text": "<script>alert(1)</script>"})
    answer = send(visitor, "/fhir/Observation", named)
    assert answer.headers["content-type"].startswith(JSON)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_refusal_is_an_operation_outcome(visitor: TestClient) -> None:
    html = {"accept": "text/html"}
    for path, method in (
        ("/fhir/Observation", "GET"),
        ("/fhir/Observation/1/_history", "GET"),
        ("/fhir/x/y/z", "PUT"),
    ):
        answer = visitor.request(method, path, headers=html)
        assert answer.status_code in (401, 404, 405)
        assert answer.json()["resourceType"] == "OperationOutcome"
    answer = visitor.post("/fhir/Observation", content=b"{}", headers={"content-type": JSON} | html)
    refused(answer, 401)
    refused(send(visitor, "/fhir", observation()), 422)
    clinician = {"authorization": f"Bearer {clinic.CLINICIAN_TOKEN}"}
    refused(send(visitor, "/fhir/Observation", observation(), **clinician), 403)


def test_a_message_and_a_collection_are_taken_whole(visitor: TestClient, deps: Deps, rung: list[int]) -> None:
    told = bundle(message_header(), patient(), observation(subject={"reference": ERIKA}), type="message")
    assert send(visitor, "/fhir", told).status_code == 200
    assert judge(deps, rung).judged == 1
    broken = bundle(patient(), observation(status="MARKED"), type="collection")
    answer = send(visitor, "/fhir", broken)
    assert refused(answer, 422) == [("code-invalid", "Bundle.entry[1].resource.status")]
    assert "MARKED" not in answer.text


def test_kinds_of_bundle_that_ask_for_nothing_are_refused_by_name(visitor: TestClient) -> None:
    for kind in ("searchset", "history", "document", "batch-response"):
        assert refused(send(visitor, "/fhir", bundle(observation(), type=kind)), 422)[0][1] == "Bundle.type"


def test_the_answer_leaves_the_resource_out_when_asked(visitor: TestClient) -> None:
    answer = send(visitor, "/fhir/Observation", observation(), Prefer="return=minimal")
    assert (answer.status_code, answer.content) == (201, b"")
    answer = send(visitor, "/fhir/Observation", observation(), Prefer="return=OperationOutcome")
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_the_source_is_the_tokens_label(visitor: TestClient, store: Engine) -> None:
    send(visitor, "/fhir/Observation", observation())
    (row,) = rows(store)
    assert row.source.startswith("urn:")


def test_the_answer_does_not_wait_for_the_doorbell(seeded: None, deps: Deps) -> None:
    with serving(replace(deps, publish=lambda _: True)) as address:
        answer = httpx.post(
            f"{address}/fhir/Observation", content=raw(observation()), headers=BEARER, timeout=5
        )
    assert json.loads(answer.text)["resourceType"] == "Observation"


def test_the_metadata_is_given_to_whoever_has_a_token(visitor: TestClient) -> None:
    token = {"authorization": f"Bearer {clinic.INTAKE_TOKEN}", "accept": "application/fhir+json"}
    answer = visitor.get("/fhir/metadata", headers=token)
    assert answer.status_code == 200
    assert json.loads(answer.text) == capability_statement()
    assert visitor.get("/fhir/metadata").status_code == 401


async def _by_fhirpy(address: str) -> tuple[str, str]:
    """A patient and a result of theirs, created, corrected and refused by a client others wrote."""
    client = AsyncFHIRClient(f"{address}/fhir", authorization=BEARER["authorization"])
    erika = client.resource(
        "Patient", **{name: one for name, one in patient().items() if name != "resourceType"}
    )
    await erika.create()
    given = json.loads(raw(observation(subject={"reference": f"Patient/{erika.id}"})))
    given.pop("resourceType")
    ferritin = client.resource("Observation", **given)
    await ferritin.create()
    ferritin["status"] = "corrected"
    await ferritin.update()
    ferritin["status"] = "nonsense"
    with pytest.raises(OperationOutcome) as refusal:
        await ferritin.update()
    return ferritin.id, str(refusal.value)


def test_a_fhir_client_that_others_wrote_creates_and_corrects(
    seeded: None, deps: Deps, rung: list[int]
) -> None:
    with serving(deps) as address:
        identity, refusal = run_alone(_by_fhirpy(address))
    assert identity
    assert "Observation.status" in refusal
    judge(deps, rung)
    with deps.engine.connect() as connection:
        found = connection.execute(select(RESULT.c.status, RESULT.c.result_id).order_by(RESULT.c.id)).all()
    assert [row.status for row in found] == ["final", "corrected"]
    assert len({row.result_id for row in found}) == 1
