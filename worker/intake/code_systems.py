"""Names of code systems: the many spellings seen in messages, each read as its FHIR URI.

Only names; which code means what is `rules.analytes` and `rules.concepts`.
"""

from __future__ import annotations

from functools import lru_cache

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
CPT = "http://www.ama-assn.org/go/cpt"
ATC = "http://www.whocc.no/atc"
UNII = "http://fdasis.nlm.nih.gov"
NDC = "http://hl7.org/fhir/sid/ndc"
NPI = "http://hl7.org/fhir/sid/us-npi"

# HL7 table 0396 mnemonics, HL7 v2 habits and OIDs, in lower case.
_SPELLINGS = {
    LOINC: ("ln", "loinc", "2.16.840.1.113883.6.1"),
    SNOMED: ("sct", "snomed", "snomed-ct", "snomed ct", "2.16.840.1.113883.6.96"),
    RXNORM: ("rxnorm", "2.16.840.1.113883.6.88"),
    ICD10CM: ("i10c", "icd-10-cm", "icd10cm", "icd10-cm", "2.16.840.1.113883.6.90"),
    ICD10PCS: (
        "i10p",
        "icd-10-pcs",
        "icd10pcs",
        "2.16.840.1.113883.6.4",
        "http://hl7.org/fhir/sid/icd-10-pcs",
    ),
    ICD10: ("i10", "icd10", "icd-10", "2.16.840.1.113883.6.3"),
    CPT: ("c4", "cpt", "cpt4", "cpt-4", "2.16.840.1.113883.6.12"),
    ATC: ("wc", "atc", "whoatc", "2.16.840.1.113883.6.73"),
    UNII: ("unii", "2.16.840.1.113883.4.9"),
    NDC: ("ndc", "2.16.840.1.113883.6.69"),
    NPI: ("npi", "2.16.840.1.113883.4.6"),
}
_URI_OF = {name: uri for uri, names in _SPELLINGS.items() for name in (*names, uri.lower())}


@lru_cache(maxsize=512)
def system_uri(text: str | None) -> str:
    """The FHIR URI of a system however it was named; an unknown name as it came; "" when none was given."""
    if text is None:
        return ""
    stripped = text.strip()
    plain = stripped.lower().removeprefix("urn:oid:").rstrip("/")
    return _URI_OF.get(plain) or _URI_OF.get(plain.replace("https://", "http://", 1)) or stripped
