"""The HL7 interface specification says what the code does: the fields it reads, the answers it gives."""

from collections import defaultdict

import pytest

from tests.worker.intake.examples import HEADER, hl7
from worker.hl7_page import AT, EXAMPLES, FIELDS, answers, hl7_page, message
from worker.intake.hl7_split import Segment
from worker.intake.hl7v2 import TYPES, decode_hl7, read_structure
from worker.intake.unreadable import Unreadable

# Every segment that is read, with every branch of a reader: a value for each field, or none.
FULL = hl7(
    HEADER,
    "PID|1||123^^^NORTH^MR||Muster^Erika",
    "PD1|1|||||||||||N",
    "ARV|1|D|ALL",
    "PV1|1|O|A^1^2||||7^Wren",
    "ORC|RE|P1|F1",
    "OBR|1|||57698-3|||20260301||||||||||||||||||||||||||||||||",
    "SPM|1|||BLD",
    "OBX|1|CWE|2276-4^Ferritin^LN||260385009^Negative^SCT|ng/mL",
    "OBX|1|SN|2276-4^Ferritin^LN||<^5|ng/mL^x^UCUM",
    "NTE|1||note",
)
PHARMACY = hl7(HEADER.replace("ORU^R01^ORU_R01", "RDE^O11"), "PID|1||1^^^N", "ORC|NW|P1", "RXE||11248")
ADMISSION = hl7(HEADER.replace("ORU^R01^ORU_R01", "ADT^A08"), "EVN||20260301", "PID|1||1^^^N")
MERGE = hl7(HEADER.replace("ORU^R01^ORU_R01", "ADT^A40"), "PID|1||1^^^N", "MRG|2^^^N")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """Which fields of which segments were asked for."""
    asked: dict[str, set[int]] = defaultdict(set)
    really = Segment.raw

    def raw(segment: Segment, field: int) -> str:
        asked[segment.name].add(field)
        return really(segment, field)

    monkeypatch.setattr(Segment, "raw", raw)
    return asked


def test_the_page_names_the_fields_that_are_read_and_no_others(read: dict[str, set[int]]) -> None:
    for raw in (FULL, message(), PHARMACY, MERGE, ADMISSION):
        read_structure(raw)
        decode_hl7(raw)
    read["MSH"].add(18)  # read from the bytes, before there are segments
    assert {name: sorted(read[name]) for name in FIELDS} == {name: sorted(of) for name, of in FIELDS.items()}


@pytest.mark.parametrize(("title", "raw"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_each_example_on_the_page_is_what_the_code_answers(title: str, raw: bytes) -> None:
    page = hl7_page()
    for answer in answers(raw):
        assert f"|{AT:%Y%m%d%H%M%S}+0000|" in answer
        for line in filter(None, answer.split("\r")):
            assert f"    {line}\n" in page


@pytest.mark.parametrize("kind", TYPES)
def test_each_message_type_on_the_page_is_taken(kind: str) -> None:
    for trigger in TYPES[kind]:
        beside = "PID|2||456^^^NORTH^MR" if trigger == "A37" else "MRG|2^^^N"
        raw = message(beside, kind=f"{kind}^{trigger}")
        assert read_structure(raw).trigger == trigger
    with pytest.raises(Unreadable):
        read_structure(message(kind=f"{kind}^X99"))
