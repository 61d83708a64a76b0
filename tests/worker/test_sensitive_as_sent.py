"""A sender marks a patient as sensitive, and no message takes the mark away; a person does."""

from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts import directory
from alerts.people import Actor, Address
from alerts.tables import AUDIT
from tests.services.smtp import MailSink
from tests.worker.intake.examples import HEADER, ORDER, obx
from tests.worker.intake.examples import PATIENT as PID
from tests.worker.intake.examples import hl7 as message_of
from tests.worker.intake.fhir_examples import bundle, patient, raw
from tests.worker.made_up import NORTH, deps_on, event, inbound, result
from worker.accepting import Inbound, accept
from worker.break_glass import SOURCE_SYSTEM, mark, patient_of_ident
from worker.composition import Deps
from worker.database import db_now, reading, writing
from worker.intake.decode import envelope_of
from worker.pipeline import judge
from worker.tables import PATIENT
from worker.telling import push_due

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ADT = HEADER.replace("ORU^R01^ORU_R01", "ADT^A08")
OFFICER = Actor("urn:ferrule:account", "officer")
LAB = "urn:hl7v2:NORTH:LIS"


def pd1(indicator: str) -> str:
    return "PD1" + "|" * 12 + indicator


def send(deps: Deps, *segments: str, id: str = "M1") -> None:
    sent = message_of(segments[0].replace("MSG00001", id), *segments[1:])
    envelope = envelope_of("hl7", sent)
    take(deps, Inbound(envelope.source, envelope.message_id, "hl7", sent))


def send_fhir(deps: Deps, id: str = "F1", **fields: Any) -> None:
    take(deps, Inbound(NORTH, id, "fhir", raw(bundle(patient(**fields)))))


def take(deps: Deps, *messages: Inbound) -> None:
    judge(deps, [receipt.message for receipt in accept(deps.engine, messages)])


def labeled(code: str, system: str = CONFIDENTIALITY) -> dict[str, Any]:
    return {"meta": {"security": [{"system": system, "code": code}]}}


def sensitive(engine: Engine) -> dict[str, bool]:
    with reading(engine) as connection:
        rows = connection.execute(select(PATIENT.c.ident, PATIENT.c.sensitive))
        return {row.ident: row.sensitive for row in rows}


def marks(engine: Engine) -> list[tuple[str, str]]:
    asked = select(AUDIT.c.actor_system, AUDIT.c.actor_ident).where(AUDIT.c.action == "patient.sensitive")
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(asked.order_by(AUDIT.c.id))]


def taken_away(engine: Engine, ident: str) -> None:
    with writing(engine) as connection:
        mark(connection, patient_of_ident(connection, ident), OFFICER, db_now(connection), sensitive=False)


@pytest.mark.parametrize("header", [ADT, HEADER], ids=["adt", "oru"])
def test_pd1_12_marks_the_patient_and_the_audit_trail_names_the_source(engine: Engine, header: str) -> None:
    send(deps_on(engine), header, PID, pd1("Y"), ORDER, obx())
    assert sensitive(engine) == {"123": True}
    assert marks(engine) == [(SOURCE_SYSTEM, LAB)]


@pytest.mark.parametrize("value", ["ALL", "DRG", "HIV", "PSY", "SMD", "STD"])
def test_an_arv_of_the_patient_that_closes_the_record_marks_them(engine: Engine, value: str) -> None:
    send(deps_on(engine), ADT, PID, f"ARV|1|A|{value}^^HL70717", "PV1|1|I")
    assert sensitive(engine) == {"123": True}


PLAIN = {
    "normal-access": (PID, pd1("N")),
    "nothing-said": (PID, pd1("")),
    "null": (PID, pd1('""')),
    "another-letter": (PID, pd1("U")),
    "no-restriction": (PID, "ARV|1|A|NO"),
    "registries-alone": (PID, "ARV|1|A|OO"),
    "a-trait-alone": (PID, "ARV|1|A|PID-17"),
    "restriction-deleted": (PID, "ARV|1|D|ALL"),
    "of-the-visit": (PID, "PV1|1|I", "ARV|1|A|ALL"),
    "of-the-message": ("ARV|1|A|ALL", PID),
    "vip": (PID, "PV1|1|I" + "|" * 14 + "VIP"),
}


@pytest.mark.parametrize("segments", PLAIN.values(), ids=PLAIN)
def test_what_closes_no_record_marks_nobody(engine: Engine, segments: tuple[str, ...]) -> None:
    send(deps_on(engine), ADT, *segments)
    assert sensitive(engine) == {"123": False}
    assert marks(engine) == []


@pytest.mark.parametrize("code", ["R", "V"])
def test_a_restricted_label_of_a_fhir_patient_marks_them(engine: Engine, code: str) -> None:
    send_fhir(deps_on(engine), **labeled(code))
    assert sensitive(engine) == {"123": True}
    assert marks(engine) == [(SOURCE_SYSTEM, NORTH)]


@pytest.mark.parametrize("said", [labeled("N"), labeled("U"), labeled("R", "urn:other"), {}])
def test_another_label_of_a_fhir_patient_marks_nobody(engine: Engine, said: dict[str, Any]) -> None:
    send_fhir(deps_on(engine), **said)
    assert sensitive(engine) == {"123": False}


def test_no_message_takes_the_mark_away_and_saying_it_again_is_no_second_act(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, ADT, PID, pd1("Y"), id="M1")
    send(deps, ADT, PID, pd1("N"), id="M2")
    send(deps, ADT, PID, "ARV|1|D|ALL", id="M3")
    send_fhir(deps, **labeled("N"))
    send(deps, ADT, PID, pd1("Y"), id="M4")
    assert sensitive(engine) == {"123": True}
    assert len(marks(engine)) == 1


def test_a_person_takes_it_away_and_the_next_message_that_protects_sets_it_again(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, ADT, PID, pd1("Y"), id="M1")
    taken_away(engine, "123")
    send(deps, ADT, PID, pd1("N"), id="M2")
    assert sensitive(engine) == {"123": False}
    send(deps, ADT, PID, pd1("Y"), id="M3")
    assert sensitive(engine) == {"123": True}
    assert [who for _, who in marks(engine)] == [LAB, "officer", LAB]


def test_a_person_takes_away_what_was_sent_for_a_merged_identifier_too(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, ADT, PID, id="M1")
    retired = PID.replace("123^", "77^")
    send(deps, ADT, retired, id="M2")
    send(deps, HEADER.replace("ORU^R01^ORU_R01", "ADT^A40"), PID, "MRG|77^^^NORTH^MR", id="M3")
    send(deps, ADT, retired, pd1("Y"), id="M4")
    assert sensitive(engine) == {"123": False, "77": True}
    taken_away(engine, "123")
    assert sensitive(engine) == {"123": False, "77": False}


def test_the_clinician_who_ordered_is_mailed_about_a_sensitive_patient_as_about_any(
    engine: Engine, mail_sink: MailSink
) -> None:
    owner = Address("http://hl7.org/fhir/sid/us-npi", "1234567893")
    with writing(engine) as connection:
        directory.register(connection, owner, email="owner@example.org")
    deps = deps_on(engine, smtp_url=mail_sink.url, smtp_from="ferrule@example.org")
    report = event("E1", [result("R1", "ferritin", "9"), result("R2", "b12", "1450")])
    report["data"]["patient"] |= {"restricted": True, "name": "Erika Muster"}
    take(deps, inbound(report))
    assert sensitive(engine) == {"P1": True}
    push_due(deps, "email")
    assert len(mail_sink.letters) == 1
    assert "Muster" not in str(mail_sink.messages[0])
