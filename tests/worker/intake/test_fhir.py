"""FHIR R4 as events: what is read of each resource, what is refused and where."""

import pytest
from fhir.resources.R4B import get_fhir_model_class

from tests.worker.intake.fhir_examples import (
    ERIKA,
    LOINC,
    MRN,
    bundle,
    message_header,
    observation,
    patient,
    quantity,
    raw,
)
from worker.intake.decode import decode_parts
from worker.intake.event import MERGE, RECORD, REPORT
from worker.intake.fhir_issues import FhirInvalid
from worker.intake.fhir_package import read_package
from worker.intake.fhir_types import TELLTALES
from worker.intake.json_text import loads
from worker.intake.unreadable import Reason, Unreadable

SNOMED = "http://snomed.info/sct"


def events(value, known=lambda *_: None):
    decoded = decode_parts("fhir", raw(value), source="urn:lab:north", known=known)
    assert decoded.refused == ()
    return decoded.events


def results(value):
    return [result for event in events(value) for result in event.report.results]


def issues(value):
    """(code, expression) of everything that is wrong with one resource."""
    try:
        package = read_package(raw(value))
    except FhirInvalid as fault:
        return [(issue.code, issue.expression) for issue in fault.issues]
    return [
        (issue.code, issue.expression)
        for entry in package.entries
        if entry.fault
        for issue in entry.fault.issues
    ]


def refusals(value):
    return [
        (why.reason, why.place) for why in decode_parts("fhir", raw(value), source="urn:lab:north").refused
    ]


def test_an_observation_is_a_result_of_its_patient():
    (event,) = events(observation())
    assert (event.type, event.source) == (REPORT, "urn:lab:north")
    assert (event.report.patient.system, event.report.patient.id) == (MRN, "123")
    (result,) = event.report.results
    assert (result.system, result.code, result.value, result.unit) == (LOINC, "2276-4", "9", "ng/mL")
    assert (result.status, result.effective_at) == ("final", "2026-03-01T07:30:00Z")
    assert result.issued_at == "2026-03-01T08:10:00Z"


@pytest.mark.parametrize("number", ["1.10", "0.0", "1E2", "123456789.123456789", "-0.5"])
def test_a_number_stays_as_it_was_written(number):
    assert results(observation(number))[0].value == number


def test_b85_a_comparator_is_kept():
    (result,) = results(observation(valueQuantity=quantity("5", comparator="<")))
    assert (result.comparator, result.value) == ("<", "5")


@pytest.mark.parametrize(
    "value",
    [{"value": "9", "unit": "ng/mL"}, quantity("1E400"), quantity("9", comparator="ad"), quantity("9" * 50)],
    ids=["text", "1E400", "R5 comparator", "too long"],
)
def test_b85_a_number_that_is_none_is_refused(value):
    ((_, place),) = issues(observation(valueQuantity=value))
    assert place.startswith("Observation.value.ofType(Quantity).")


def test_the_unit_is_the_ucum_code_before_the_printed_one():
    (result,) = results(observation(valueQuantity=quantity("9", unit="µg/l", code="ug/L")))
    assert result.unit == "ug/L"
    (result,) = results(observation(valueQuantity=quantity("9", unit="µg/l", system="urn:own", code="17")))
    assert result.unit == "µg/l"


def test_loinc_is_taken_before_other_codes():
    codings = [{"system": "urn:own", "code": "FERR"}, {"system": LOINC, "code": "2276-4"}]
    (result,) = results(observation(code={"coding": codings, "text": "Ferritin"}))
    assert (result.system, result.code, result.name) == (LOINC, "2276-4", "Ferritin")


def test_two_loinc_codes_of_different_analytes_are_none():
    codings = [{"system": LOINC, "code": code} for code in ("2276-4", "2132-9")]
    assert results(observation(code={"coding": codings}))[0].code is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"valueString": "<5"}, "<5"),
        ({"valueInteger": 7}, "7"),
        ({"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "10828004"}]}}, "positive"),
        ({"valueCodeableConcept": {"text": "weakly positive"}}, "weakly positive"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 80}}}, "1:80"),
        ({"valueRange": {"low": {"value": 3}, "high": {"value": 5}}}, "3-5"),
        ({"dataAbsentReason": {"text": "clotted"}}, None),
        ({"valueTime": "12:00:00"}, None),
    ],
)
def test_each_kind_of_value_is_read_as_sent(value, read):
    (result,) = results(observation(valueQuantity=None, **value))
    assert result.value == read


def test_a_value_and_a_reason_for_its_absence_contradict_each_other():
    assert issues(observation(dataAbsentReason={"text": "x"})) == [("invariant", "Observation")]


def test_two_kinds_of_value_are_refused():
    assert issues(observation(valueString="9")) == [("structure", "Observation")]


def test_components_are_results_of_their_own_and_a_panel_is_none():
    b12 = {
        "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
        "valueQuantity": quantity("150", "pg/mL"),
    }
    ferritin = {"code": observation()["code"], "valueQuantity": quantity("9")}
    panel = {"coding": [{"system": LOINC, "code": "57698-3"}]}
    found = results(observation(valueQuantity=None, code=panel, component=[ferritin, b12]))
    assert [(one.code, one.value) for one in found] == [("2276-4", "9"), ("2132-9", "150")]
    assert len({one.id for one in found}) == 2


def test_the_range_for_everyone_is_taken_and_one_in_another_unit_is_none():
    plain = {"low": quantity("13"), "high": quantity("150")}
    children = plain | {"age": {"high": {"value": 5, "unit": "a"}}}
    (result,) = results(observation(referenceRange=[children, plain]))
    assert (result.reference_range.low, result.reference_range.high) == ("13", "150")
    (result,) = results(observation(referenceRange=[{"high": quantity("150", "ug/dL")}]))
    assert result.reference_range.high is None


def test_times_fall_back_on_the_specimen_then_on_the_message():
    taken = {"resourceType": "Specimen", "id": "s", "collection": {"collectedDateTime": "2026-02-27"}}
    with_specimen = observation(effectiveDateTime=None, contained=[taken], specimen={"reference": "#s"})
    (result,) = results(with_specimen)
    assert (result.effective_at, result.marks) == ("2026-02-27", ("time-from-order",))
    (result,) = results(observation(effectiveDateTime=None))
    assert (result.effective_at, result.marks) == (None, ("time-from-receipt",))


def test_what_is_said_of_the_specimen_is_kept():
    condition = {"coding": [{"code": "HEM"}]}
    blood = {"resourceType": "Specimen", "id": "s", "condition": [condition]}
    (result,) = results(
        observation(contained=[blood], specimen={"reference": "#s"}, note=[{"text": "see phone call"}])
    )
    assert result.specimen_notes == ("see phone call", "hemolyzed")


@pytest.mark.parametrize("element", ["status", "code", "subject"])
def test_b83_an_observation_without_what_makes_it_one_is_refused(element):
    assert issues(observation(**{element: None})) == [("required", f"Observation.{element}")]


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "unknown"])
def test_b86_a_status_is_kept_as_it_is(status):
    assert results(observation(status=status))[0].status == status


def test_a_status_that_r4_does_not_know_is_refused():
    assert issues(observation(status="done")) == [("code-invalid", "Observation.status")]


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"favorite": 1}, "structure", "Observation.favorite"),
        ({"valueQuantity": quantity("9", precision=2)}, "structure", "Observation.value.ofType(Quantity).precision"),  # noqa: E501
        ({"modifierExtension": [{"url": "urn:x"}]}, "extension", "Observation.modifierExtension"),
        ({"component": [{"code": {"text": "x"}, "modifierExtension": [{"url": "urn:x"}]}]}, "extension",
         "Observation.component[0].modifierExtension"),
        ({"implicitRules": "urn:own"}, "value", "Observation.implicitRules"),
        ({"effectiveDateTime": "2026-02-30"}, "value", "Observation.effective.ofType(dateTime)"),
        ({"effectiveDateTime": "2026-02-03T08:00:00"}, "value", "Observation.effective.ofType(dateTime)"),
        ({"code": "2276-4"}, "structure", "Observation.code"),
        ({"identifier": {"value": "x"}}, "structure", "Observation.identifier"),
    ],
)  # fmt: skip
def test_b82_what_r4_does_not_have_or_we_do_not_know_is_refused(change, code, place):
    assert issues(observation(**change)) == [(code, place)]


def test_an_extension_and_one_beside_a_primitive_change_nothing():
    plain = observation(extension=[{"url": "urn:x", "valueString": "y"}], _status={"id": "a"})
    assert results(plain)[0].value == "9"


@pytest.mark.parametrize(
    ("resource", "place", "version"),
    [
        (observation(context={"reference": "Encounter/1"}), "Observation.context", "STU3"),
        (observation(related=[]), "Observation.related", "STU3"),
        (observation(triggeredBy=[]), "Observation.triggeredBy", "R5"),
        ({"resourceType": "MedicationStatement", "adherence": {}}, "MedicationStatement.adherence", "R5"),
        ({"resourceType": "MedicationStatement", "taken": "y"}, "MedicationStatement.taken", "STU3"),
        ({"resourceType": "Condition", "clinicalStatus": "active"}, "Condition.clinicalStatus", "STU3"),
        ({"resourceType": "Procedure", "notDone": False}, "Procedure.notDone", "STU3"),
        ({"resourceType": "Immunization", "notGiven": True}, "Immunization.notGiven", "STU3"),
        (observation(interpretation={"text": "low"}), "Observation.interpretation", "STU3"),
        (
            {"resourceType": "MedicationRequest", "dosageInstruction": [{"doseQuantity": {}}]},
            "MedicationRequest.dosageInstruction",
            "STU3",
        ),
        (
            {"resourceType": "MedicationRequest", "requester": {"agent": {}}},
            "MedicationRequest.requester",
            "STU3",
        ),
        ({"resourceType": "ProcedureRequest"}, "", "STU3"),
        ({"resourceType": "SubscriptionStatus"}, "", "R5"),
        (
            observation(meta={"profile": ["http://hl7.org/fhir/StructureDefinition/Observation|5.0.0"]}),
            "Observation.meta.profile",
            "R5",
        ),
    ],
)
def test_other_versions_of_fhir_are_refused_by_name(resource, place, version):
    try:
        (refused,) = decode_parts("fhir", raw(resource)).refused
    except Unreadable as whole:
        refused = whole
    assert (refused.reason, refused.place) == (Reason.UNSUPPORTED_VERSION, place)
    assert version in refused.remedy


@pytest.mark.parametrize("kind", ["collection", "batch", "transaction"])
def test_an_entry_of_another_version_of_fhir_refuses_its_whole_bundle_by_name(kind):
    stu3 = {"resourceType": "Condition", "clinicalStatus": "active", "verificationStatus": "confirmed"}
    with pytest.raises(Unreadable) as refused:
        decode_parts("fhir", raw(bundle(patient(), observation(), stu3, type=kind)))
    assert refused.value.reason is Reason.UNSUPPORTED_VERSION
    assert refused.value.place == "Bundle.entry[2].resource.clinicalStatus"
    assert "STU3" in refused.value.remedy


def test_no_sign_of_another_version_is_an_element_of_r4():
    for name, signs in TELLTALES.items():
        elements = set(get_fhir_model_class(name).elements_sequence())
        assert not elements & set(signs), name


def test_a_profile_of_a_guide_says_nothing_of_the_version():
    profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab|5.0.1"
    assert results(observation(meta={"profile": [profile]}))


@pytest.mark.parametrize("subject", [ERIKA, "Patient/p1", "https://lab.example/fhir/Patient/p1"])
def test_a_subject_is_found_inside_the_bundle(subject):
    who = patient(id="p1")
    whole = bundle(who, observation(subject={"reference": subject}))
    if subject.startswith("https"):
        whole["entry"][0]["fullUrl"] = subject
    (event,) = events(whole)
    assert (event.report.patient.id, event.report.patient.birth_date) == ("123", "1980-02-03")


def test_a_subject_may_be_contained():
    (event,) = events(observation(contained=[patient(id="p")], subject={"reference": "#p"}))
    assert event.report.patient.id == "123"


@pytest.mark.parametrize(
    "subject",
    ["https://elsewhere.example/fhir/Patient/1", "urn:uuid:gone", "#nobody", "Patient/7", "Patient?name=x"],
)
def test_b84_a_subject_that_leads_nowhere_is_refused(subject):
    assert refusals(observation(subject={"reference": subject})) == [
        (Reason.NO_PATIENT, "Observation.subject.reference")
    ]


def test_a_subject_that_is_no_patient_is_refused():
    assert refusals(observation(subject={"type": "Group", "identifier": {"value": "1"}})) == [
        (Reason.NO_PATIENT, "Observation.subject.type")
    ]


def test_a_conditional_reference_names_the_patient_it_asks_for():
    (event,) = events(observation(subject={"reference": "Patient?identifier=urn%3Amrn%3Anorth|123"}))
    assert (event.report.patient.system, event.report.patient.id) == (MRN, "123")


def test_a_relative_subject_is_what_its_sender_sent_before():
    def known(type, id):
        return loads(raw(patient())) if (type, id) == ("Patient", "7") else None

    (event,) = events(observation(subject={"reference": "Patient/7"}), known)
    assert event.report.patient.id == "123"


def test_one_bad_entry_does_not_hide_the_others():
    whole = bundle(observation(status=None), observation())
    decoded = decode_parts("fhir", raw(whole))
    assert [result.value for event in decoded.events for result in event.report.results] == ["9"]
    assert [why.place for why in decoded.refused] == ["Bundle.entry[0].resource.status"]


@pytest.mark.parametrize("type", ["document", "transaction-response", "batch-response", "history"])
def test_a_bundle_of_another_kind_is_refused_by_name(type):
    with pytest.raises(Unreadable, match=r"Bundle\.type"):
        decode_parts("fhir", raw(bundle(observation(), type=type)))


def test_a_message_begins_with_its_header():
    assert events(bundle(message_header(), observation(), type="message"))
    with pytest.raises(Unreadable, match="MessageHeader"):
        decode_parts("fhir", raw(bundle(observation(), type="message")))
    answer = message_header(response={"identifier": "1", "code": "ok"})
    with pytest.raises(Unreadable, match="answer to a message"):
        decode_parts("fhir", raw(bundle(answer, type="message")))


def test_the_orderer_is_who_asked_for_the_report():
    doctor = {
        "resourceType": "Practitioner",
        "id": "d",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
        "name": [{"family": "Wren", "given": ["Ada"]}],
    }
    order = {
        "resourceType": "ServiceRequest", "id": "o", "status": "active", "intent": "order",
        "identifier": [{"value": "PL1"}],
        "subject": {"reference": ERIKA}, "requester": {"reference": "Practitioner/d"},
    }  # fmt: skip
    result = observation(id="r", subject={"reference": ERIKA})
    report = {
        "resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Anemia"},
        "subject": {"reference": ERIKA}, "basedOn": [{"reference": "ServiceRequest/o"}],
        "result": [{"reference": "Observation/r"}],
    }  # fmt: skip
    (event,) = events(bundle(patient(), doctor, order, result, report))
    orderer = event.report.orderer
    assert (orderer.id, orderer.name, event.report.order_id) == ("1234567893", "Ada Wren", "PL1")


def test_a_report_that_is_void_takes_its_results_with_it():
    inside = observation(id="r", subject={"reference": ERIKA})
    report = {
        "resourceType": "DiagnosticReport", "status": "entered-in-error", "code": {"text": "Anemia"},
        "subject": {"reference": ERIKA}, "result": [{"reference": "Observation/r"}],
    }  # fmt: skip
    assert [one.status for one in results(bundle(patient(), inside, report))] == ["entered-in-error"]
    alone = report | {"subject": observation()["subject"]}
    (event,) = events(alone, lambda *_: loads(raw(observation(id="r"))))
    assert [(one.id, one.status) for one in event.report.results] == [
        ("urn:lab:north:result|R1/2276-4", "entered-in-error")
    ]


def test_results_contained_in_a_report_are_read():
    report = {
        "resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Anemia"},
        "identifier": [{"value": "ACC1"}],
        "subject": observation()["subject"], "result": [{"reference": "#a"}],
        "contained": [observation(id="a", identifier=None)],
    }  # fmt: skip
    assert [one.value for one in results(report)] == ["9"]


def record(resource):
    (event,) = events(bundle(patient(), {"subject": {"reference": ERIKA}} | resource))
    assert event.type == RECORD
    lists = event.report.medications + event.report.conditions + event.report.procedures + event.report.orders
    (found,) = lists
    return found


RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
B12 = {"coding": [{"system": RXNORM, "code": "11248", "display": "Vitamin B12"}]}


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ({"resourceType": "MedicationStatement", "status": "active"}, "active"),
        ({"resourceType": "MedicationStatement", "status": "not-taken"}, "not-taken"),
        ({"resourceType": "MedicationStatement", "status": "intended"}, "draft"),
        ({"resourceType": "MedicationRequest", "status": "active", "intent": "order"}, "active"),
        ({"resourceType": "MedicationRequest", "status": "active", "intent": "proposal"}, "draft"),
        ({"resourceType": "MedicationRequest", "status": "cancelled", "intent": "order"}, "not-taken"),
        ({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "doNotPerform": True},
         "not-taken"),
        ({"resourceType": "MedicationAdministration", "status": "completed", "effectiveDateTime": "2026-01"},
         "completed"),
        ({"resourceType": "MedicationAdministration", "status": "not-done", "effectiveDateTime": "2026-01"},
         "not-taken"),
        ({"resourceType": "MedicationStatement", "status": "entered-in-error"}, "entered-in-error"),
    ],
)  # fmt: skip
def test_medications_are_records_with_the_words_that_count(resource, status):
    found = record(resource | {"medicationCodeableConcept": B12})
    assert (found.code, found.system, found.name, found.status) == ("11248", RXNORM, "Vitamin B12", status)


def test_a_medication_may_be_a_resource_of_its_own():
    medicine = {"resourceType": "Medication", "id": "m", "code": B12}
    found = record(
        {
            "resourceType": "MedicationStatement", "status": "active", "contained": [medicine],
            "medicationReference": {"reference": "#m"},
            "effectivePeriod": {"start": "2026-01-01", "end": "2026-02-01"},
            "dosage": [{"route": {"coding": [{"system": SNOMED, "code": "26643006"}]}}],
        }
    )  # fmt: skip
    assert (found.code, found.start, found.end, found.route) == ("11248", "2026-01-01", "2026-02-01", "oral")


def concept(code):
    return {"coding": [{"code": code}]}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"clinicalStatus": concept("active")}, "active"),
        ({"clinicalStatus": concept("resolved")}, "resolved"),
        ({"clinicalStatus": concept("active"), "verificationStatus": concept("refuted")}, "refuted"),
        ({"verificationStatus": concept("entered-in-error")}, "entered-in-error"),
        ({"abatementString": "years ago"}, "resolved"),
        ({}, "active"),
    ],
)
def test_conditions_are_records_unless_refuted(fields, status):
    code = {"coding": [{"system": SNOMED, "code": "396331005", "display": "Celiac disease"}]}
    found = record({"resourceType": "Condition", "code": code, "onsetDateTime": "2019-05", **fields})
    assert (found.code, found.status, found.start) == ("396331005", status, "2019-05")


def test_procedures_and_orders_are_records():
    scope = {"coding": [{"system": SNOMED, "code": "76009000", "display": "Endoscopy"}]}
    done = {
        "resourceType": "Procedure",
        "status": "not-done",
        "code": scope,
        "performedDateTime": "2025-01-01",
    }
    assert record(done).status == "not-done"
    asked = {
        "resourceType": "ServiceRequest", "status": "revoked", "intent": "order", "code": scope,
        "authoredOn": "2026-02-01",
    }  # fmt: skip
    found = record(asked)
    assert (found.status, found.start) == ("not-done", "2026-02-01")


def test_a_pregnancy_is_said_of_its_own_time():
    pregnant = observation(
        code={"coding": [{"system": LOINC, "code": "82810-3"}]},
        valueQuantity=None,
        valueCodeableConcept={"coding": [{"system": SNOMED, "code": "77386006"}]},
    )
    (event,) = events(pregnant)
    assert (event.type, event.time) == (RECORD, "2026-03-01T07:30:00Z")
    assert event.report.patient.pregnant is True


def test_a_patient_replaced_by_another_is_a_merge():
    survivor = patient(id="s", identifier=[{"system": MRN, "value": "200"}])
    retired = patient(id="r", link=[{"other": {"reference": "Patient/s"}, "type": "replaced-by"}])
    whole = bundle(survivor, retired)
    whole["entry"][0]["fullUrl"] = "urn:uuid:s"
    (merge,) = (event for event in events(whole) if event.type == MERGE)
    assert (merge.data.survivor.id, merge.data.retired.id) == ("200", "123")


def test_the_medical_record_number_comes_before_other_identifiers():
    kind = {"coding": [{"code": "SS"}]}
    ssn = {"system": "urn:ssn", "value": "9", "type": kind}
    old = {"system": MRN, "value": "7", "use": "old"}
    (event,) = events(patient(identifier=[ssn, old, {"system": MRN, "value": "123"}]))
    assert event.report.patient.id == "123"


def test_the_deceased_are_so_by_time():
    (event,) = events(patient(deceasedDateTime="2026-01-01"))
    assert event.report.patient.deceased_at == "2026-01-01"


def test_a_correction_is_known_by_its_identifier_and_code():
    first, second = (results(observation(value, id=id))[0].id for value, id in (("9", "a"), ("90", "b")))
    assert first == second
    other = results(observation(code={"coding": [{"system": LOINC, "code": "2132-9"}]}))[0].id
    assert other != first


def test_two_values_under_one_name_are_both_kept():
    found = results(bundle(observation("9"), observation("90")))
    assert [one.value for one in found] == ["9", "90"]
    assert len({one.id for one in found}) == 2


def test_nothing_of_a_patient_is_in_a_refusal():
    bad = observation(status="MARKED", valueQuantity=quantity("1E400", unit="MARKED"), MARKEDx="MARKED")
    with_text = [str(why) for why in decode_parts("fhir", raw(bad)).refused]
    assert with_text
    assert "1E400" not in "".join(with_text)
    assert not any("MARKED" in text.replace("MARKEDx", "") for text in with_text)


@pytest.mark.parametrize(
    ("change", "named", "place"),
    [
        ({"unknown": 1}, "#a", "DiagnosticReport.contained[0].unknown"),
        ({"subject": None}, "#a", "DiagnosticReport.contained[0].subject"),
        ({"subject": {"reference": "Patient/x"}}, "#a", "DiagnosticReport.contained[0].subject.reference"),
        ({}, "#b", "DiagnosticReport.contained[0]"),
    ],
    ids=["unsound", "of nobody", "of somebody unknown", "named by no report"],
)
def test_a_contained_observation_that_gives_no_result_is_told(change, named, place):
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "panel"},
        "subject": {"identifier": {"system": MRN, "value": "123"}},
        "contained": [observation(id="a", **change)],
        "result": [{"reference": named}],
    }
    decoded = decode_parts("fhir", raw(report))
    assert [len(event.report.results) for event in decoded.events] == [0]
    assert [refused.place for refused in decoded.refused] == [place]
