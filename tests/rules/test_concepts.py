"""Concepts: which records mean what, and whether a resolved one still counts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.concepts import (
    CONCEPTS,
    LIBRARY,
    NOTE,
    concepts_of,
    matches,
    note_matches,
    order_matches_analyte,
    route_class,
)
from rules.facts import Record, RecordKind

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
WHO = "http://hl7.org/fhir/sid/icd-10"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
SCT = "http://snomed.info/sct"
ATC = "http://www.whocc.no/atc"
RXN = "http://www.nlm.nih.gov/research/umls/rxnorm"
CPT = "http://www.ama-assn.org/go/cpt"
UNII = "http://fdasis.nlm.nih.gov"
LOINC = "http://loinc.org"
SOME_DAY = datetime(2025, 6, 1, tzinfo=UTC)
INJECTED = CONCEPTS["injection_product"]
IN_RULES = sorted(name for name, concept in CONCEPTS.items() if concept.kind != NOTE)


def record(kind, system, code, name="", status="active", route=None):
    return Record("k", RecordKind(kind), system, code, name, status, SOME_DAY, None, SOME_DAY, 0, route)


def means(concept, system, code, name="", status="active"):
    found = CONCEPTS[concept]
    return matches(found, record(found.kind, system, code, name, status))


@pytest.mark.parametrize("concept", IN_RULES)
def test_the_example_of_a_concept_means_it(concept):
    assert means(concept, *CONCEPTS[concept].example)


@pytest.mark.parametrize("concept", IN_RULES)
def test_a_concept_of_one_list_is_not_met_on_another(concept):
    found = CONCEPTS[concept]
    for kind in RecordKind:
        assert matches(found, record(kind, *found.example)) == (kind == found.kind)


@pytest.mark.parametrize("concept", IN_RULES)
def test_an_empty_record_means_nothing(concept):
    assert not means(concept, "", "")


@pytest.mark.parametrize("concept", IN_RULES)
def test_a_code_of_another_system_means_nothing(concept):
    _, code, _ = CONCEPTS[concept].example
    assert not means(concept, "urn:somewhere:local", code)


@pytest.mark.parametrize("concept", sorted(CONCEPTS))
def test_a_concept_says_how_sure_it_is_and_why(concept):
    assert CONCEPTS[concept].checked in {"primary", "secondary", "no"}
    assert CONCEPTS[concept].source


@pytest.mark.parametrize(
    ("concept", "system", "code"),
    [
        ("liver_disease", ICD, "K74.60"),
        ("liver_disease", ICD, "K7460"),
        ("liver_disease", WHO, "K70"),
        ("liver_disease", ICD, "k76.1"),
        ("liver_disease", ICD, "B18.2"),
        ("liver_disease", ICD, "C78.7"),
        ("liver_disease", SCT, "19943007"),
        ("fatty_liver", ICD, "K76.0"),
        ("liver_disease_coded", ICD, "K76.0"),
        ("renal_failure", ICD, "N18.6"),
        ("renal_failure", ICD, "Z99.2"),
        ("aki", ICD, "N17.9"),
        ("ckd", ICD, "N18.30"),
        ("ckd", ICD, "N18.9"),
        ("myeloid_neoplasm", ICD, "D47.1"),
        ("myeloid_neoplasm", ICD, "C92.10"),
        ("myeloid_neoplasm", ICD, "D75.81"),
        ("solid_tumor", ICD, "C18.9"),
        ("solid_tumor", ICD, "C7A.092"),
        ("solid_tumor", ICD, "C78.7"),
        ("solid_tumor", ICD, "C80.1"),
        ("sepsis_critical_illness", ICD, "R65.21"),
        ("b12_therapeutic_indication", ICD, "D51.0"),
        ("b12_therapeutic_indication", ICD, "E53.8"),
        ("b12_therapeutic_indication", ICD, "K50.90"),
        ("b12_therapeutic_indication", ICD, "O99.841"),
        ("b12_therapeutic_indication", ICD, "K31.A0"),
        ("strong_codeficiency_cause", ICD, "Z98.84"),
        ("strong_codeficiency_cause", ICD, "K90.0"),
        ("strong_codeficiency_cause", ICD, "K50.012"),
        ("strong_codeficiency_cause", SCT, "34000006"),
        ("strong_codeficiency_cause", SCT, "396331005"),
        ("celiac", ICD, "K90.0"),
        ("ibd", ICD, "K51.90"),
        ("ibd", SCT, "24526004"),
        ("heart_failure", ICD, "I13.2"),
        ("rheumatoid_arthritis", ICD, "M06.9"),
        ("sle", ICD, "M32.10"),
        ("neurological_signs", ICD, "G62.9"),
        ("neurological_signs", ICD, "R20.2"),
        ("pregnancy", ICD, "O9A.211"),
        ("pregnancy", ICD, "Z3A.28"),
        ("pregnancy", SCT, "77386006"),
        ("pregnancy_end", ICD, "O03.9"),
        ("pregnancy_end", ICD, "Z37.0"),
        ("hemochromatosis", ICD, "E83.110"),
        ("hypothyroid", ICD, "E03.9"),
        ("methylmalonic_acidemia", ICD, "E71.120"),
        ("refusal", ICD, "Z53.20"),
        ("palliative_care", ICD, "Z51.5"),
        ("upper_endoscopy", PCS, "0DJ08ZZ"),
        ("upper_endoscopy", PCS, "0DB68ZX"),
        ("upper_endoscopy", PCS, "0DB98ZX"),
        ("upper_endoscopy", CPT, "43239"),
        ("upper_endoscopy", SCT, "76009000"),
        ("lower_endoscopy", PCS, "0DJD8ZZ"),
        ("lower_endoscopy", PCS, "0DBE8ZX"),
        ("lower_endoscopy", PCS, "0DBB8ZX"),
        ("lower_endoscopy", CPT, "45378"),
        ("lower_endoscopy", CPT, "74263"),
        ("gastric_resection", PCS, "0D164ZA"),
        ("gastric_resection", PCS, "0DB60ZZ"),
        ("gastric_resection", CPT, "43846"),
        ("ileal_resection", PCS, "0DTB0ZZ"),
        ("ileal_resection", PCS, "0DBB4ZZ"),
        ("strong_codeficiency_procedure", CPT, "44160"),
        ("transfusion", PCS, "30233N1"),
        ("delivery_procedure", PCS, "10D00Z1"),
        ("gi_referral", SCT, "306308009"),
        ("b12_supplement", ATC, "A11DB"),
        ("b12_supplement", ATC, "B03AE10"),
        ("b12_supplement", RXN, "11248"),
        ("b12_supplement", UNII, "p6yc3eg204"),
        ("b12_treatment", ATC, "B03BA51"),
        ("b12_treatment", ATC, "V03AB33"),
        ("oral_iron", ATC, "B03AA07"),
        ("iv_iron", ATC, "B03AC02"),
        ("folic_acid", ATC, "B03AE01"),
        ("metformin", ATC, "A10BD07"),
        ("metformin", ATC, "A10BD15"),
        ("ppi_h2ra", ATC, "A02BD04"),
        ("cytotoxic_or_antiretroviral", ATC, "L01XA01"),
        ("cytotoxic_or_antiretroviral", ATC, "J05AF01"),
        ("methotrexate", ATC, "L04AX03"),
    ],
)
def test_a_listed_code_means_its_concept(concept, system, code):
    assert means(concept, system, code)


@pytest.mark.parametrize(
    ("concept", "system", "code"),
    [
        ("liver_disease", ICD, "K76.0"),
        ("liver_disease", ICD, "K77"),
        ("liver_disease", ICD, "K69"),
        ("renal_failure", ICD, "N18.3"),
        ("renal_failure", SCT, "709044004"),
        ("ckd", ICD, "N18.2"),
        ("myeloid_neoplasm", ICD, "D75.82"),
        ("myeloid_neoplasm", ICD, "D47.2"),
        ("solid_tumor", ICD, "C44.91"),
        ("solid_tumor", ICD, "C81.9"),
        ("solid_tumor", ICD, "Z85.3"),
        ("strong_codeficiency_cause", ICD, "K51.90"),
        ("strong_codeficiency_cause", SCT, "24526004"),
        ("strong_codeficiency_cause", ICD, "Z90.49"),
        ("strong_codeficiency_cause", ICD, "D51.3"),
        ("b12_therapeutic_indication", ICD, "D50.9"),
        ("heart_failure", ICD, "I11.9"),
        ("pregnancy", ICD, "Z39.2"),
        ("pregnancy", ICD, "O80"),
        ("pregnancy", ICD, "O03.9"),
        ("rheumatoid_arthritis", SCT, "396331005"),
        ("metformin", ATC, "A10BD01"),
        ("metformin", ATC, "A10BD19"),
        ("upper_endoscopy", PCS, "0DB64ZX"),
        ("upper_endoscopy", PCS, "0DB68ZZ"),
        ("upper_endoscopy", CPT, "43260"),
        ("upper_endoscopy", CPT, "91110"),
        ("upper_endoscopy", SCT, "363687006"),
        ("lower_endoscopy", PCS, "0DBQ8ZX"),
        ("lower_endoscopy", CPT, "91110"),
        ("ileal_resection", PCS, "0DBB8ZX"),
        ("gastric_resection", PCS, "0DB68ZX"),
        ("gi_referral", SCT, "183524004"),
        ("iv_iron", ATC, "B03AA07"),
        ("oral_iron", ATC, "B03AC02"),
        ("b12_treatment", ATC, "A11DB"),
        ("b12_treatment", ATC, "B03AE10"),
    ],
)
def test_a_neighboring_code_does_not(concept, system, code):
    assert not means(concept, system, code)


@pytest.mark.parametrize(
    ("concept", "name", "meant"),
    [
        ("b12_supplement", "Vitamin B12 500 mcg", True),
        ("b12_supplement", "CENTRUM MULTIVITAMIN", True),
        ("b12_supplement", "Vitamin B complex", True),
        ("b12_supplement", "Prenatal tablets", True),
        ("b12_supplement", "Nutritional yeast", True),
        ("b12_supplement", "Vitamin D3 1000 IU", False),
        ("b12_treatment", "Cyanocobalamin 1 mg tablet", True),
        ("b12_treatment", "Vitamin B12 1000 mcg", True),
        ("b12_treatment", "Multivitamin with vitamin B12", False),
        ("oral_iron", "Ferrous sulfate 325 mg", True),
        ("iv_iron", "Ferric carboxymaltose 500 mg", True),
        ("oral_iron", "Ferric carboxymaltose 500 mg", False),
        ("ppi_h2ra", "Omeprazole 20 mg", True),
        ("ppi_h2ra", "Aripiprazole 5 mg", False),
        ("ppi_h2ra", "Fluconazole 150 mg", False),
        ("metformin", "Metformin 500 mg", True),
        ("macro_b12", "Macro-B12 in serum", True),
        ("macro_b12", "Macrocobalamin", True),
        ("gi_referral", "Referral: Gastroenterology clinic", True),
        ("gi_referral", "Referral: Dermatology", False),
    ],
)
def test_a_product_or_referral_is_also_known_by_its_name(concept, name, meant):
    assert means(concept, "", "", name) is meant


@pytest.mark.parametrize("status", ["resolved", "inactive", "remission"])
@pytest.mark.parametrize(
    ("concept", "code", "counts"),
    [
        ("crohn", "K50.90", False),
        ("liver_disease", "K74.60", False),
        ("solid_tumor", "C18.9", False),
        ("celiac", "K90.0", True),
        ("autoimmune_gastritis", "D51.0", True),
        ("autoimmune_gastritis", "K29.40", True),
        ("gastric_surgery", "K91.1", True),
        ("gastric_surgery", "Z98.84", True),
        ("renal_failure", "Z99.2", True),
        ("renal_failure", "N18.5", False),
        ("b12_therapeutic_indication", "D51.0", True),
        ("b12_therapeutic_indication", "D51.3", False),
        ("b12_therapeutic_indication", "E53.8", False),
        ("strong_codeficiency_cause", "K50.90", False),
        ("strong_codeficiency_cause", "K90.0", True),
        ("blood_donor", "Z52.000", True),
        ("pregnancy", "Z34.00", False),
        ("pregnancy", "O26.0", False),
        ("pregnancy_end", "O80", True),
        ("palliative_care", "Z51.5", False),
    ],
)
def test_a_resolved_condition_counts_only_where_the_past_matters(concept, code, counts, status):
    assert means(concept, ICD, code, status=status) is counts
    assert means(concept, ICD, code, status="active")
    assert means(concept, ICD, code, status=None)


@pytest.mark.parametrize("status", ["entered-in-error", "refuted"])
def test_what_was_never_so_does_not_count(status):
    assert not means("celiac", ICD, "K90.0", status=status)


def test_a_completed_medication_or_procedure_still_means_its_concept():
    assert means("metformin", ATC, "A10BA02", status="completed")
    assert means("upper_endoscopy", CPT, "43239", status="completed")
    assert not means("upper_endoscopy", CPT, "43239", status="not-done")


@pytest.mark.parametrize(
    ("route", "code", "name", "expected"),
    [
        ("oral", "B03BA01", "", "oral"),
        (None, "B03BA01", "", "oral"),
        ("other", "B03BA01", "", "oral"),
        ("nasal", "B03BA01", "", "oral"),
        ("injection", "B03BA01", "", "injection"),
        ("intramuscular", "B03BA01", "", "injection"),
        ("intravenous", "B03BA01", "", "injection"),
        ("subcutaneous", "B03BA01", "", "injection"),
        ("i.m.", "B03BA01", "", "injection"),
        ("im", "B03BA01", "", "injection"),
        ("iv push", "B03BA01", "", "injection"),
        ("parenteral", "B03BA01", "", "injection"),
        (None, "B03BA01", "Cyanocobalamin 1 mg/mL injection", "injection"),
        (None, "B03BA01", "Cyanocobalamin 1 mg tablet", "oral"),
        (None, "B03AC02", "", "injection"),
    ],
)
def test_a_route_is_an_injection_or_counts_as_oral(route, code, name, expected):
    assert route_class(record("medication", ATC, code, name, route=route), INJECTED) == expected


@pytest.mark.parametrize("code", ["309594", "2001499", "317106"])
def test_an_injection_product_is_injected_whatever_the_route_says_not(code):
    assert route_class(record("medication", RXN, code), INJECTED) == "injection"


@pytest.mark.parametrize("note", ["non-fasting", "nonfasting", "random sample", "postprandial 2 h"])
def test_a_note_can_say_that_the_patient_had_eaten(note):
    assert note_matches(CONCEPTS["non_fasting"], ["icteric", note])


def test_silence_about_fasting_says_nothing():
    assert not note_matches(CONCEPTS["non_fasting"], ["fasting", "hemolyzed"])
    assert not note_matches(CONCEPTS["non_fasting"], [])


@pytest.mark.parametrize(
    ("analyte", "system", "code", "name", "asked"),
    [
        ("crp", LOINC, "1988-5", "", True),
        ("tsat", LOINC, "50190-8", "", True),
        ("tsat", "", "", "Iron studies", True),
        ("b12", "", "", "Vitamin B12 level", True),
        ("ferritin", LOINC, "2276-4", "", True),
        ("ferritin", LOINC, "2132-9", "Vitamin B12", False),
        ("ferritin", "urn:local", "2276-4", "", False),
        ("crp", "", "", "Complete blood count", False),
    ],
)
def test_an_order_asks_for_an_analyte_by_code_panel_or_name(analyte, system, code, name, asked):
    assert order_matches_analyte(record("order", system, code, name), analyte) is asked


@given(code=st.text(max_size=10), name=st.text(max_size=10), concept=st.sampled_from(IN_RULES))
def test_no_text_makes_it_fail(code, name, concept):
    for system in (ICD, PCS, SCT, ATC, "", "other"):
        assert means(concept, system, code, name) in {True, False}


def test_an_order_for_a_test_is_an_order_and_no_other_record():
    ordered = record("order", LOINC, "2276-4", "")
    assert order_matches_analyte(ordered, "ferritin")
    assert not order_matches_analyte(replace(ordered, kind=RecordKind.PROCEDURE), "ferritin")


def test_a_concept_known_by_names_alone_is_exemplified_by_its_own():
    entry = {**LIBRARY["celiac"], "codes": {}, "names": "celiac"}
    entry.pop("example", None)
    assert concepts_of({"celiac": entry})["celiac"].example == ("", "", entry["display"])
