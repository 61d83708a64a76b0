"""The resources of FHIR R4 that are read, as frozen pydantic models: required elements, cardinalities, codes.

Every element R4 knows is named, so that an unknown one is refused; what nobody reads is `Unread`. What the
resources mean for a patient is the business of `fhir_observation`, `fhir_records` and `fhir_people`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from worker.intake.fhir_datatypes import (
    Annotation,
    Backbone,
    Boolean,
    Code,
    CodeableConcept,
    Coding,
    Date,
    DateTime,
    Element,
    HumanName,
    Id,
    Identifier,
    Instant,
    Integer,
    Meta,
    Period,
    Quantity,
    Range,
    Ratio,
    Reference,
    String,
    Timing,
    Unread,
    Uri,
)

References = tuple[Reference, ...]
Concepts = tuple[CodeableConcept, ...]


class Resource(Element):
    """What every resource carries. Rules that change its meaning (`implicitRules`) are refused."""

    resource_type: String
    id: Id | None = None
    meta: Meta | None = None
    implicit_rules: None = None
    language: Code | None = None
    text: Unread = None
    contained: tuple[Unread, ...] = ()
    modifier_extension: Unread = None


class Identified(Resource):
    """A resource with business identifiers."""

    identifier: tuple[Identifier, ...] = ()


class ReferenceRange(Backbone):
    """The laboratory's own limits, perhaps for some people only."""

    low: Quantity | None = None
    high: Quantity | None = None
    type: CodeableConcept | None = None
    applies_to: Concepts = ()
    age: Range | None = None
    text: String | None = None


class Measured(Backbone):
    """Code and value, of an Observation or of one of its components."""

    choices: ClassVar[tuple[str, ...]] = ("value", "effective")

    code: CodeableConcept
    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: String | None = None
    value_boolean: Boolean | None = None
    value_integer: Integer | None = None
    value_range: Range | None = None
    value_ratio: Ratio | None = None
    value_sampled_data: Unread = None
    value_time: Unread = None
    value_date_time: DateTime | None = None
    value_period: Period | None = None
    data_absent_reason: CodeableConcept | None = None
    interpretation: Concepts = ()
    reference_range: tuple[ReferenceRange, ...] = ()

    @model_validator(mode="after")
    def _no_reason_beside_a_value(self) -> Measured:
        """Invariant obs-6."""
        if self.data_absent_reason is not None and self.has_value:
            raise ValueError("invariant|expected value[x] or dataAbsentReason, got both (obs-6)")
        return self

    @property
    def has_value(self) -> bool:
        """Whether any value[x] was sent."""
        names = (name for name in Measured.model_fields if name.startswith("value_"))
        return any(getattr(self, name) is not None for name in names)


class Observation(Identified, Measured):
    """A result, with its components."""

    based_on: References = ()
    part_of: References = ()
    status: Literal[
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered-in-error",
        "unknown",
    ]
    category: Concepts = ()
    subject: Reference
    focus: References = ()
    encounter: Reference | None = None
    effective_date_time: DateTime | None = None
    effective_period: Period | None = None
    effective_timing: Timing | None = None
    effective_instant: Instant | None = None
    issued: Instant | None = None
    performer: References = ()
    note: tuple[Annotation, ...] = ()
    body_site: CodeableConcept | None = None
    method: CodeableConcept | None = None
    specimen: Reference | None = None
    device: Reference | None = None
    has_member: References = ()
    derived_from: References = ()
    component: tuple[Measured, ...] = ()


class DiagnosticReport(Identified):
    """Results that were sent together."""

    choices: ClassVar[tuple[str, ...]] = ("effective",)

    based_on: References = ()
    status: Literal[
        "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
        "entered-in-error", "unknown",
    ]  # fmt: skip
    category: Concepts = ()
    code: CodeableConcept
    subject: Reference
    encounter: Reference | None = None
    effective_date_time: DateTime | None = None
    effective_period: Period | None = None
    issued: Instant | None = None
    performer: References = ()
    results_interpreter: References = ()
    specimen: References = ()
    result: References = ()
    imaging_study: Unread = None
    media: Unread = None
    conclusion: Unread = None
    conclusion_code: Unread = None
    presented_form: Unread = None


class PatientLink(Backbone):
    """Another record of the same person."""

    other: Reference
    type: Literal["replaced-by", "replaces", "refer", "seealso"]


class Patient(Identified):
    """Who everything is about."""

    choices: ClassVar[tuple[str, ...]] = ("deceased", "multipleBirth")

    active: Boolean | None = None
    name: tuple[HumanName, ...] = ()
    telecom: Unread = None
    gender: Literal["male", "female", "other", "unknown"] | None = None
    birth_date: Date | None = None
    deceased_boolean: Boolean | None = None
    deceased_date_time: DateTime | None = None
    address: Unread = None
    marital_status: Unread = None
    multiple_birth_boolean: Unread = None
    multiple_birth_integer: Unread = None
    photo: Unread = None
    contact: Unread = None
    communication: Unread = None
    general_practitioner: Unread = None
    managing_organization: Unread = None
    link: tuple[PatientLink, ...] = ()


class Dosage(Backbone):
    """How a medicine is taken; its route is read."""

    sequence: Unread = None
    text: Unread = None
    additional_instruction: Unread = None
    patient_instruction: Unread = None
    timing: Unread = None
    as_needed_boolean: Unread = None
    as_needed_codeable_concept: Unread = None
    site: Unread = None
    route: CodeableConcept | None = None
    method: Unread = None
    dose_and_rate: Unread = None
    max_dose_per_period: Unread = None
    max_dose_per_administration: Unread = None
    max_dose_per_lifetime: Unread = None


class Medicated(Identified):
    """A resource about one medicine for one patient."""

    choices: ClassVar[tuple[str, ...]] = ("medication", "effective", "reported")

    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference

    @model_validator(mode="after")
    def _says_which_medicine(self) -> Medicated:
        if self.medication_codeable_concept is None and self.medication_reference is None:
            raise ValueError("required|expected medication[x], got none")
        return self


class MedicationStatement(Medicated):
    """A medicine someone says the patient takes, or does not take."""

    based_on: Unread = None
    part_of: Unread = None
    status: Literal[
        "active", "completed", "entered-in-error", "intended", "stopped", "on-hold", "unknown", "not-taken"
    ]
    status_reason: Unread = None
    category: Unread = None
    context: Unread = None
    effective_date_time: DateTime | None = None
    effective_period: Period | None = None
    date_asserted: DateTime | None = None
    information_source: Unread = None
    derived_from: Unread = None
    reason_code: Unread = None
    reason_reference: Unread = None
    note: Unread = None
    dosage: tuple[Dosage, ...] = ()


class DispenseRequest(Backbone):
    """For how long a prescription may be filled."""

    initial_fill: Unread = None
    dispense_interval: Unread = None
    validity_period: Period | None = None
    number_of_repeats_allowed: Unread = None
    quantity: Unread = None
    expected_supply_duration: Unread = None
    performer: Unread = None


class MedicationRequest(Medicated):
    """A medicine that was prescribed."""

    status: Literal[
        "active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"
    ]
    status_reason: Unread = None
    intent: Literal[
        "proposal",
        "plan",
        "order",
        "original-order",
        "reflex-order",
        "filler-order",
        "instance-order",
        "option",
    ]
    category: Unread = None
    priority: Unread = None
    do_not_perform: Boolean | None = None
    reported_boolean: Unread = None
    reported_reference: Unread = None
    encounter: Unread = None
    supporting_information: Unread = None
    authored_on: DateTime | None = None
    requester: Unread = None
    performer: Unread = None
    performer_type: Unread = None
    recorder: Unread = None
    reason_code: Unread = None
    reason_reference: Unread = None
    instantiates_canonical: Unread = None
    instantiates_uri: Unread = None
    based_on: Unread = None
    group_identifier: Unread = None
    course_of_therapy_type: Unread = None
    insurance: Unread = None
    note: Unread = None
    dosage_instruction: tuple[Dosage, ...] = ()
    dispense_request: DispenseRequest | None = None
    substitution: Unread = None
    prior_prescription: Unread = None
    detected_issue: Unread = None
    event_history: Unread = None


class GivenDosage(Backbone):
    """How a medicine was given; its route is read."""

    text: Unread = None
    site: Unread = None
    route: CodeableConcept | None = None
    method: Unread = None
    dose: Unread = None
    rate_ratio: Unread = None
    rate_quantity: Unread = None


class MedicationAdministration(Medicated):
    """A medicine that was given."""

    instantiates: Unread = None
    part_of: Unread = None
    status: Literal[
        "in-progress", "not-done", "on-hold", "completed", "entered-in-error", "stopped", "unknown"
    ]
    status_reason: Unread = None
    category: Unread = None
    context: Unread = None
    supporting_information: Unread = None
    effective_date_time: DateTime | None = None
    effective_period: Period | None = None
    performer: Unread = None
    reason_code: Unread = None
    reason_reference: Unread = None
    request: Unread = None
    device: Unread = None
    note: Unread = None
    dosage: GivenDosage | None = None
    event_history: Unread = None

    @model_validator(mode="after")
    def _says_when(self) -> MedicationAdministration:
        if self.effective_date_time is None and self.effective_period is None:
            raise ValueError("required|expected effective[x], got none")
        return self


class Condition(Identified):
    """A problem or diagnosis."""

    choices: ClassVar[tuple[str, ...]] = ("onset", "abatement")

    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    category: Unread = None
    severity: Unread = None
    code: CodeableConcept | None = None
    body_site: Unread = None
    subject: Reference
    encounter: Unread = None
    onset_date_time: DateTime | None = None
    onset_age: Unread = None
    onset_period: Period | None = None
    onset_range: Unread = None
    onset_string: Unread = None
    abatement_date_time: DateTime | None = None
    abatement_age: Unread = None
    abatement_period: Period | None = None
    abatement_range: Unread = None
    abatement_string: Unread = None
    recorded_date: DateTime | None = None
    recorder: Unread = None
    asserter: Unread = None
    stage: Unread = None
    evidence: Unread = None
    note: Unread = None


class Procedure(Identified):
    """Something that was done."""

    choices: ClassVar[tuple[str, ...]] = ("performed",)

    instantiates_canonical: Unread = None
    instantiates_uri: Unread = None
    based_on: Unread = None
    part_of: Unread = None
    status: Literal[
        "preparation",
        "in-progress",
        "not-done",
        "on-hold",
        "stopped",
        "completed",
        "entered-in-error",
        "unknown",
    ]
    status_reason: Unread = None
    category: Unread = None
    code: CodeableConcept | None = None
    subject: Reference
    encounter: Unread = None
    performed_date_time: DateTime | None = None
    performed_period: Period | None = None
    performed_string: Unread = None
    performed_age: Unread = None
    performed_range: Unread = None
    recorder: Unread = None
    asserter: Unread = None
    performer: Unread = None
    location: Unread = None
    reason_code: Unread = None
    reason_reference: Unread = None
    body_site: Unread = None
    outcome: Unread = None
    report: Unread = None
    complication: Unread = None
    complication_detail: Unread = None
    follow_up: Unread = None
    note: Unread = None
    focal_device: Unread = None
    used_reference: Unread = None
    used_code: Unread = None


class ServiceRequest(Identified):
    """Something that was asked for: an order; and through it, who asked."""

    choices: ClassVar[tuple[str, ...]] = ("occurrence", "asNeeded", "quantity")

    instantiates_canonical: Unread = None
    instantiates_uri: Unread = None
    based_on: Unread = None
    replaces: Unread = None
    requisition: Identifier | None = None
    status: Literal["draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"]
    intent: Literal[
        "proposal", "plan", "directive", "order", "original-order", "reflex-order", "filler-order",
        "instance-order", "option",
    ]  # fmt: skip
    category: Unread = None
    priority: Unread = None
    do_not_perform: Boolean | None = None
    code: CodeableConcept | None = None
    order_detail: Unread = None
    quantity_quantity: Unread = None
    quantity_ratio: Unread = None
    quantity_range: Unread = None
    subject: Reference
    encounter: Unread = None
    occurrence_date_time: DateTime | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Unread = None
    as_needed_boolean: Unread = None
    as_needed_codeable_concept: Unread = None
    authored_on: DateTime | None = None
    requester: Reference | None = None
    performer_type: Unread = None
    performer: Unread = None
    location_code: Unread = None
    location_reference: Unread = None
    reason_code: Unread = None
    reason_reference: Unread = None
    insurance: Unread = None
    supporting_info: Unread = None
    specimen: Unread = None
    body_site: Unread = None
    note: Unread = None
    patient_instruction: Unread = None
    relevant_history: Unread = None


class Practitioner(Identified):
    """A clinician."""

    active: Boolean | None = None
    name: tuple[HumanName, ...] = ()
    telecom: Unread = None
    address: Unread = None
    gender: Unread = None
    birth_date: Unread = None
    photo: Unread = None
    qualification: Unread = None
    communication: Unread = None


class PractitionerRole(Identified):
    """A clinician at a place of work."""

    active: Boolean | None = None
    period: Unread = None
    practitioner: Reference | None = None
    organization: Unread = None
    code: Unread = None
    specialty: Unread = None
    location: Unread = None
    healthcare_service: Unread = None
    telecom: Unread = None
    available_time: Unread = None
    not_available: Unread = None
    availability_exceptions: Unread = None
    endpoint: Unread = None


class Collection(Backbone):
    """When a specimen was taken."""

    choices: ClassVar[tuple[str, ...]] = ("collected", "fastingStatus")

    collector: Unread = None
    collected_date_time: DateTime | None = None
    collected_period: Period | None = None
    duration: Unread = None
    quantity: Unread = None
    method: Unread = None
    body_site: Unread = None
    fasting_status_codeable_concept: Unread = None
    fasting_status_duration: Unread = None


class Specimen(Identified):
    """What was examined, and in what state it came."""

    accession_identifier: Unread = None
    status: Literal["available", "unavailable", "unsatisfactory", "entered-in-error"] | None = None
    type: Unread = None
    subject: Unread = None
    received_time: Unread = None
    parent: Unread = None
    request: Unread = None
    collection: Collection | None = None
    processing: Unread = None
    container: Unread = None
    condition: Concepts = ()
    note: tuple[Annotation, ...] = ()


class Medication(Identified):
    """A medicine."""

    code: CodeableConcept | None = None
    status: Code | None = None
    manufacturer: Unread = None
    form: Unread = None
    amount: Unread = None
    ingredient: Unread = None
    batch: Unread = None


class EncounterLocation(Backbone):
    """Where the patient was."""

    location: Reference
    status: Unread = None
    physical_type: Unread = None
    period: Unread = None


class EncounterParticipant(Backbone):
    """Who looked after the patient."""

    type: Concepts = ()
    period: Unread = None
    individual: Reference | None = None


class Encounter(Identified):
    """A stay or a visit."""

    status: Code
    status_history: Unread = None
    class_: Coding = Field(alias="class")
    class_history: Unread = None
    type: Unread = None
    service_type: Unread = None
    priority: Unread = None
    subject: Unread = None
    episode_of_care: Unread = None
    based_on: Unread = None
    participant: tuple[EncounterParticipant, ...] = ()
    appointment: Unread = None
    period: Unread = None
    length: Unread = None
    reason_code: Unread = None
    reason_reference: Unread = None
    diagnosis: Unread = None
    account: Unread = None
    hospitalization: Unread = None
    location: tuple[EncounterLocation, ...] = ()
    service_provider: Unread = None
    part_of: Unread = None


class MessageSource(Backbone):
    """Who sends a message."""

    name: String | None = None
    software: Unread = None
    version: Unread = None
    contact: Unread = None
    endpoint: Uri


class MessageHeader(Resource):
    """What a message is about."""

    choices: ClassVar[tuple[str, ...]] = ("event",)

    event_coding: Coding | None = None
    event_uri: Uri | None = None
    destination: Unread = None
    sender: Unread = None
    enterer: Unread = None
    author: Unread = None
    source: MessageSource
    responsible: Unread = None
    reason: Unread = None
    response: Unread = None
    focus: References = ()
    definition: Unread = None

    @model_validator(mode="after")
    def _says_what(self) -> MessageHeader:
        if self.event_coding is None and self.event_uri is None:
            raise ValueError("required|expected event[x], got none")
        return self


DOORS: dict[str, type[Resource]] = {
    model.__name__: model
    for model in (
        Observation, DiagnosticReport, Patient, MedicationStatement, MedicationRequest,
        MedicationAdministration, Condition, Procedure, ServiceRequest, Practitioner,
    )
}  # fmt: skip
"""The types that may come alone, by `POST /fhir/{type}`."""

READ: dict[str, type[Resource]] = DOORS | {
    model.__name__: model for model in (PractitionerRole, Specimen, Medication, Encounter, MessageHeader)
}
"""The types that are read: those of the doors, and what they refer to."""
