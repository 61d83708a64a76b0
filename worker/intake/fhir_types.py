"""The names of FHIR R4's resource types, and the signs by which STU3 and R5 are told from it.

A resource without any such sign means the same in R4, and is read as R4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

R4_TYPES = frozenset(
    """
    Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse
    AuditEvent Basic Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement
    CarePlan CareTeam CatalogEntry ChargeItem ChargeItemDefinition Claim ClaimResponse
    ClinicalImpression CodeSystem Communication CommunicationRequest CompartmentDefinition
    Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest
    CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest
    DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis
    Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence
    EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal
    GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization
    ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice
    Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration
    MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct
    MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication
    MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
    MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect
    MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder Observation
    ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation
    Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner
    PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson
    RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject
    RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen
    SpecimenDefinition StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid
    SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
    SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport
    TestScript ValueSet VerificationResult VisionPrescription
    """.split()  # noqa: SIM905  (a list would take a line each)
)

_OTHER_TYPES = {
    "ProcedureRequest": "STU3", "ReferralRequest": "STU3", "Sequence": "STU3", "DataElement": "STU3",
    "EligibilityRequest": "STU3", "BodySite": "STU3", "ImagingManifest": "STU3",
    "DiagnosticOrder": "DSTU2", "MedicationOrder": "DSTU2",
    "SubscriptionStatus": "R4B or R5", "SubscriptionTopic": "R4B or R5", "ActorDefinition": "R5",
    "Citation": "R4B or R5", "NutritionProduct": "R4B or R5", "Transport": "R5", "GenomicStudy": "R5",
    "RequestOrchestration": "R5", "DeviceUsage": "R5", "InventoryReport": "R5", "Permission": "R5",
    "ImagingSelection": "R5", "BiologicallyDerivedProductDispense": "R5", "EncounterHistory": "R5",
}  # fmt: skip

# Elements that R4 does not have and another version does.
TELLTALES: dict[str, dict[str, str]] = {
    "Observation": {
        "context": "STU3", "related": "STU3", "comments": "DSTU2", "comment": "STU3",
        "triggeredBy": "R5", "bodyStructure": "R5", "instantiatesCanonical": "R5",
        "instantiatesReference": "R5", "organizer": "R6", "valueAttachment": "R5", "valueReference": "R5",
    },
    "DiagnosticReport": {
        "context": "STU3", "codedDiagnosis": "STU3", "image": "STU3", "study": "R5", "supportingInfo": "R5",
        "composition": "R5",
    },
    "Patient": {"animal": "STU3"},
    "Practitioner": {"role": "STU3", "deceasedBoolean": "R5", "deceasedDateTime": "R5"},
    "MedicationStatement": {
        "taken": "STU3", "reasonNotTaken": "STU3", "adherence": "R5", "medication": "R5", "reason": "R5",
        "renderedDosageInstruction": "R5", "encounter": "R5", "relatedClinicalInformation": "R5",
        "effectiveTiming": "R5",
    },
    "MedicationRequest": {
        "context": "STU3", "definition": "STU3", "medication": "R5", "reason": "R5",
        "effectiveDosePeriod": "R5",
        "renderedDosageInstruction": "R5", "device": "R5", "reported": "R5", "informationSource": "R5",
    },
    "MedicationAdministration": {
        "notGiven": "STU3", "prescription": "STU3", "reasonNotGiven": "STU3", "definition": "STU3",
        "medication": "R5", "occurenceDateTime": "R5", "occurencePeriod": "R5", "occurenceTiming": "R5",
        "isSubPotent": "R5", "recorded": "R5", "reason": "R5", "encounter": "R5", "basedOn": "R5",
    },
    "Condition": {"context": "STU3", "assertedDate": "STU3", "participant": "R5"},
    "AllergyIntolerance": {"assertedDate": "STU3", "participant": "R5"},
    "Immunization": {
        "date": "STU3", "notGiven": "STU3", "explanation": "STU3", "vaccinationProtocol": "STU3",
        "administeredProduct": "R5",
    },
    "MedicationDispense": {
        "notDone": "STU3", "notDoneReasonCodeableConcept": "STU3", "notDoneReasonReference": "STU3",
        "medication": "R5",
    },
    "CarePlan": {"context": "STU3", "definition": "STU3"},
    "Communication": {"context": "STU3", "definition": "STU3", "notDone": "STU3", "notDoneReason": "STU3"},
    "FamilyMemberHistory": {"definition": "STU3", "notDone": "STU3", "notDoneReason": "STU3"},
    "Composition": {"class": "STU3"},
    "Consent": {"actor": "STU3", "consentingParty": "STU3", "except": "STU3"},
    "ImagingStudy": {"uid": "STU3", "accession": "STU3", "availability": "STU3", "context": "STU3"},
    "Binary": {"content": "STU3"},
    "HealthcareService": {"programName": "STU3", "eligibilityNote": "STU3"},
    "Provenance": {"period": "STU3"},
    "CapabilityStatement": {"acceptUnknown": "STU3", "profile": "STU3"},
    "ImplementationGuide": {"dependency": "STU3", "package": "STU3", "page": "STU3"},
    "Procedure": {
        "context": "STU3", "notDone": "STU3", "notDoneReason": "STU3", "definition": "STU3",
        "occurrenceDateTime": "R5", "occurrencePeriod": "R5", "recorded": "R5", "reason": "R5", "focus": "R5",
        "used": "R5", "reportedBoolean": "R5", "supportingInfo": "R5",
    },
    "ServiceRequest": {
        "context": "STU3", "definition": "STU3", "bodyStructure": "R5", "reason": "R5", "location": "R5",
        "focus": "R5",
    },
    "Specimen": {"combined": "R5", "feature": "R5", "role": "R5"},
    "Encounter": {
        "incomingReferral": "STU3", "actualPeriod": "R5", "admission": "R5", "plannedStartDate": "R5",
    },
    "PractitionerRole": {"contact": "R5", "characteristic": "R5", "availability": "R5"},
    "MessageHeader": {"timestamp": "STU3", "receiver": "STU3", "event": "STU3"},
    "Bundle": {"issues": "R5"},
}  # fmt: skip

_DOSES = ("doseQuantity", "doseRange", "rateQuantity", "rateRange", "rateRatio")

# Elements that R4 has too and STU3 holds differently: as what kind of value, or with which elements inside.
_STU3_KINDS: dict[tuple[str, str], type] = {
    ("Condition", "clinicalStatus"): str,
    ("Condition", "verificationStatus"): str,
    ("AllergyIntolerance", "clinicalStatus"): str,
    ("AllergyIntolerance", "verificationStatus"): str,
    ("Observation", "interpretation"): dict,
    ("Communication", "topic"): list,
}
_STU3_INSIDE: dict[tuple[str, str], tuple[str, ...]] = {
    ("MedicationRequest", "dosageInstruction"): _DOSES,
    ("MedicationDispense", "dosageInstruction"): _DOSES,
    ("MedicationStatement", "dosage"): _DOSES,
    ("MedicationRequest", "requester"): ("agent", "onBehalfOf"),
    ("DiagnosticReport", "performer"): ("actor", "role"),
    ("Procedure", "performer"): ("role",),
}

_PROFILES = {
    "/STU3/": "STU3", "/3.0/": "STU3", "/3.0.": "STU3", "/DSTU2/": "DSTU2", "/1.0/": "DSTU2",
    "/R5/": "R5", "/5.0/": "R5", "/5.0.": "R5", "/R6/": "R6", "/6.0/": "R6",
}  # fmt: skip


def version_of_type(name: str) -> str | None:
    """The version of FHIR that has a resource type which R4 has not; None when we know of none."""
    return _OTHER_TYPES.get(name)


def version_of_element(type_name: str, element: str, value: object = None) -> str | None:
    """The version of FHIR in which a type has an element that R4 has not, or has with another content."""
    if other := TELLTALES.get(type_name, {}).get(element):
        return other
    if isinstance(value, _STU3_KINDS.get((type_name, element), ())):
        return "STU3"
    within = _STU3_INSIDE.get((type_name, element), ())
    held = value if isinstance(value, list) else [value]
    return "STU3" if any(name in one for one in held if isinstance(one, dict) for name in within) else None


def version_of_profiles(resource: Mapping[str, Any]) -> str | None:
    """The version of FHIR, other than R4, that a profile of `meta.profile` names (`…|5.0.0`, `/STU3/`)."""
    meta = resource.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    for profile in profiles if isinstance(profiles, list) else ():
        if not isinstance(profile, str) or not profile.startswith("http://hl7.org/fhir/"):
            continue
        if found := next((version for sign, version in _PROFILES.items() if sign in profile), None):
            return found
        versions = {"3": "STU3", "5": "R5", "6": "R6"}
        if found := versions.get(profile.rpartition("|")[2].partition(".")[0]):
            return found if "/StructureDefinition/" in profile and _is_core(profile) else None
    return None


def _is_core(profile: str) -> bool:
    """Whether it is a profile of FHIR itself: an implementation guide's version says nothing of FHIR's."""
    name = profile.partition("|")[0].rpartition("/")[2]
    return name in R4_TYPES or name in ("vitalsigns", "lipidprofile")
