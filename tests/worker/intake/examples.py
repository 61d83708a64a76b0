"""Made-up messages for the tests of intake: no person in them exists."""

import json

HEADER = r"MSH|^~\&|LIS|NORTH|FERRULE|HOSP|20260301081200+0100||ORU^R01^ORU_R01|MSG00001|P|2.5.1"
PATIENT = "PID|1||123^^^NORTH^MR||Muster^Erika||19800203|F"
ORDER = (
    "OBR|1|PL1|ACC1|57698-3^Anemia panel^LN|||20260301073000+0100|||||||||"
    "1234567893^Wren^Ada^^^^^^NPI||||||20260301081000+0100|||F"
)
FERRITIN = "OBX|1|NM|2276-4^Ferritin^LN||9|ng/mL|13-150|L|||F|||20260301073000+0100"


def hl7(*segments: str, end: str = "\r", codec: str = "utf-8") -> bytes:
    """One message of these segments."""
    return (end.join(segments) + end).encode(codec)


def report(*observations: str, header: str = HEADER, patient: str = PATIENT, order: str = ORDER) -> bytes:
    """An ORU^R01 with one order."""
    return hl7(header, patient, order, *(observations or (FERRITIN,)))


def obx(value: str = "9", **fields: str) -> str:
    """A ferritin OBX with some fields replaced: obx(f2="SN", f11="P")."""
    parts = [
        "OBX",
        "1",
        "NM",
        "2276-4^Ferritin^LN",
        "",
        value,
        "ng/mL",
        "13-150",
        "L",
        "",
        "",
        "F",
        "",
        "",
        "20260301073000+0100",
    ]
    for name, text in fields.items():
        number = int(name[1:])
        parts += [""] * (number + 1 - len(parts))
        parts[number] = text
    return "|".join(parts)


def result(**fields: object) -> dict[str, object]:
    """A ferritin result of an event, some fields replaced; of another code it has no name."""
    return {
        "id": "R1",
        "code": "2276-4",
        "system": "http://loinc.org",
        "name": None if "code" in fields else "Ferritin",
        "value": "9",
        "unit": "ng/mL",
        "status": "final",
        "effective_at": "2026-03-01T07:30:00Z",
        "issued_at": "2026-03-01T08:10:00Z",
    } | fields


def event(*results: object, patient: object = None, **data: object) -> dict[str, object]:
    """A report event about patient 123."""
    who = {"system": "urn:mrn:north", "id": "123", "birth_date": "1980-02-03", "sex": "female"}
    return {
        "specversion": "1.0",
        "type": "org.ferrule.report.v1",
        "source": "urn:lab:north",
        "id": "E1",
        "time": "2026-03-01T08:12:00Z",
        "data": {"patient": who if patient is None else patient, "results": list(results), **data},
    }


def raw(value: object) -> bytes:
    """An event's bytes."""
    return json.dumps(value).encode()
