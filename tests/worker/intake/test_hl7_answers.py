"""What a sender is answered: the tables of the original and enhanced mode, ERR, separators, batches."""

from dataclasses import replace
from datetime import UTC, datetime

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.intake.examples import HEADER, ORDER, PATIENT, obx, report
from tests.worker.intake.examples import hl7 as message
from worker.intake.hl7_answers import OURS, answers_to, escaped, not_stored, own
from worker.intake.hl7_asked import Asked, read_asked
from worker.intake.hl7_escapes import Separators, unescape
from worker.intake.hl7_refusals import Code, refusal_of
from worker.intake.hl7_split import split_message
from worker.intake.hl7v2 import read_structure
from worker.intake.unreadable import Reason, Unreadable

AT = datetime(2026, 3, 1, 7, 12, tzinfo=UTC)
INTERNAL = Unreadable(Reason.STRUCTURE, "", "x")


def answered(raw: bytes) -> list[str]:
    """The answers to `raw` if its structure alone decides."""
    try:
        read_structure(raw)
        refusal = None
    except Unreadable as why:
        refusal = refusal_of(why, raw)
    return [one.content.decode("latin-1") for one in answers_to(read_asked(raw), refusal, raw, AT)]


def fields(answer: str, segment: str) -> list[str]:
    return next(line for line in answer.split("\r") if line.startswith(segment)).split("|")


def header(**changed: str) -> str:
    """The usual header with some fields replaced: header(f10="X")."""
    parts = HEADER.split("|")
    for name, text in changed.items():
        number = int(name[1:]) - 1
        parts += [""] * (number + 1 - len(parts))
        parts[number] = text
    return "|".join(parts)


def test_what_is_stored_is_answered_aa_with_the_senders_id_and_its_name_as_receiver():
    (answer,) = answered(report())
    assert fields(answer, "MSA") == ["MSA", "AA", "MSG00001"]
    msh = fields(answer, "MSH")
    assert msh[2:7] == ["FERRULE", "HOSP", "LIS", "NORTH", "20260301071200+0000"]
    assert msh[8:9] + msh[10:12] == ["ACK^R01^ACK", "P", "2.5.1"]
    assert 0 < len(msh[9]) <= 20
    assert answer.endswith("\r")


def test_the_same_message_and_moment_give_the_same_bytes():
    assert answered(report()) == answered(report())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (report(header=header(f12="9.9")), ("AR", "203", "MSH^1^12")),
        (report(header=header(f9="ORM^O01")), ("AR", "200", "MSH^1^9")),
        (report(header=header(f9="ADT^A99")), ("AR", "201", "MSH^1^9")),
        (report(header=header(f11="T")), ("AR", "202", "MSH^1^11")),
        (report(header=header(f11="D")), ("AR", "202", "MSH^1^11")),
        (report(header=header(f10="x" * 200)), ("AR", "104", "MSH^1^10")),
        (report(header=header(f18="KLINGON")), ("AE", "103", "MSH^1^18")),
        (message(HEADER, ORDER, obx()), ("AE", "100", "PID^1")),
        (message(header(f9="ADT^A40"), PATIENT), ("AE", "100", "MRG^1")),
        (message(header(f9="ADT^A40"), PATIENT, "MRG|"), ("AE", "101", "MRG^1^1")),
        (report(obx(), "obxx|1"), ("AE", "100", "obxx^1")),
        (report(obx(), "1|1"), ("AE", "100", "1^1")),
        (report(obx(), obx(), "obx|1", "NTE|1"), ("AE", "100", "obx^1")),
        (report(*[obx()] * 2001), ("AE", "198", "OBX^1")),
        (report(obx(), obx("~" * 40_000)), ("AE", "198", "OBX^2")),
    ],
    ids=[
        "b36-version",
        "b37-type",
        "b37-event",
        "b35-training",
        "b35-debugging",
        "b34-long-control-id",
        "b19-unknown-charset",
        "no-pid",
        "b50-no-mrg",
        "b50-empty-mrg",
        "b25-long-name",
        "b25-digit",
        "b25-lower-case",
        "b27-too-many-obx",
        "b27-too-many-repetitions",
    ],
)
def test_err_names_the_code_of_table_0357_and_the_place(raw, said):
    (answer,) = answered(raw)
    err = fields(answer, "ERR")
    assert (fields(answer, "MSA")[1], err[3].split("^")[0], err[2]) == said
    assert err[3].endswith("^HL70357")
    assert err[4] == "E"


@pytest.mark.parametrize(
    "raw",
    [b"", b"hello", b"PID|1\r", b"MSH", b"MSH|", b"MSH|^~|LIS\r", b"MSH|^^~\\|LIS\r", b"MSHA^~\\&A\r",
     "MSH|^~\\&|LIS".encode("utf-16")],
    ids=["b08-empty", "b14-text", "b14-pid-first", "b14-msh-alone", "b15-bar", "b15-short", "b16-repeated",
         "b16-letter", "b21-utf-16"],
)  # fmt: skip
def test_without_a_usable_header_the_answer_is_ar_with_an_empty_id(raw):
    (answer,) = answered(raw)
    assert fields(answer, "MSA")[:3] == ["MSA", "AR", ""]


@pytest.mark.parametrize("version", ["2.2", "2.3.1", "2.4"])
def test_an_older_sender_gets_the_place_in_err_1_as_well(version):
    (answer,) = answered(report(header=header(f12=version, f9="ORM^O01")))
    assert fields(answer, "ERR")[1] == "MSH^1^9^200&Unsupported message type&HL70357"
    assert fields(answer, "MSH")[11] == version


MODES = {
    # MSH-15, MSH-16: answers to what was accepted, to an error, to a rejection
    ("", ""): (["AA"], ["AE"], ["AR"]),
    ("AL", "NE"): (["CA"], ["CE"], ["CR"]),
    ("AL", ""): (["CA"], ["CE"], ["CR"]),
    ("AL", "AL"): (["CA", "AA"], ["CE"], ["CR"]),
    ("NE", "AL"): (["AA"], ["AE"], ["AR"]),
    ("NE", "NE"): ([], [], []),
    ("ER", "NE"): ([], ["CE"], ["CR"]),
    ("SU", "NE"): (["CA"], [], []),
    ("ER", "ER"): ([], ["CE"], ["CR"]),
    ("SU", "SU"): (["CA", "AA"], [], []),
    ("", "AL"): (["AA"], ["AE"], ["AR"]),
    ("", "ER"): ([], ["AE"], ["AR"]),
    ("al", "ne"): (["CA"], ["CE"], ["CR"]),
    ("??", ""): (["CA"], ["CE"], ["CR"]),
}


@pytest.mark.parametrize(("asked", "codes"), MODES.items(), ids=[f"b40-{a}-{b}" for a, b in MODES])
def test_b40_exactly_the_asked_answers_are_given(asked, codes):
    raw = report(header=header(f15=asked[0], f16=asked[1]))
    refusals = [None, *(replace(refusal_of(INTERNAL, raw), code=code) for code in (Code.ERROR, Code.REJECT))]
    given = tuple([one.code for one in answers_to(read_asked(raw), why, raw, AT)] for why in refusals)
    assert given == codes


@pytest.mark.parametrize(
    ("asked", "codes"),
    [(("", ""), []), (("AL", ""), ["CE"]), (("ER", "AL"), ["CE"]), (("SU", "AL"), []), (("NE", "AL"), [])],
)
def test_while_nothing_can_be_stored_only_who_asked_for_accept_answers_hears_of_it(asked, codes):
    raw = report(header=header(f15=asked[0], f16=asked[1]))
    assert [one.code for one in not_stored(read_asked(raw), refusal_of(INTERNAL, raw), raw, AT)] == codes


def test_b30_an_answer_is_never_answered():
    raw = message(header(f9="ACK^R01^ACK"), "MSA|AA|MSG00001")
    assert answered(raw) == []


def test_b17_a_message_with_other_separators_is_answered_with_ours():
    raw = message("MSH$*%!@$LIS*1$NORTH$FERRULE$HOSP$20260301$$ORU*R01$A|B!S!C$P$2.5$", "PID$1$$9*****")
    (answer,) = answered(raw)
    assert answer.startswith("MSH|^~\\&|FERRULE|HOSP|LIS^1|NORTH|")
    assert fields(answer, "MSA") == ["MSA", "AA", "A\\F\\B*C"]


def test_b18_five_encoding_characters_are_taken():
    (answer,) = answered(report(header=HEADER.replace("^~\\&", "^~\\&#").replace("2.5.1", "2.7")))
    assert fields(answer, "MSA") == ["MSA", "AA", "MSG00001"]


@pytest.mark.parametrize("control_id", ["A^B", "x' OR '1'='1", 'a"b', "A\\F\\B", "Ä1", "A~B&C"])
def test_b34_the_senders_id_comes_back_byte_for_byte(control_id):
    raw = report(header=header(f10=control_id))
    (answer,) = answers_to(read_asked(raw), None, raw, AT)
    assert f"MSA|AA|{control_id}\r".encode() in answer.content


def test_b05_an_end_block_in_an_id_does_not_end_the_answer():
    (answer,) = answered(report(header=header(f10="A\x1c")))
    assert fields(answer, "MSA")[2] == "A\\X1C\\"


@given(st.text(st.characters(max_codepoint=255), max_size=30))
def test_s42_any_value_is_one_field_and_one_value_of_an_answer(text):
    field = escaped(text)
    assert not set(field) & set("|^~&\r\n\x0b\x1c")
    back = unescape(field, OURS, "iso8859-1")
    assert back == text.replace("\r", "\n")  # a hexadecimal CR is read as a line feed inside one value


@given(st.text(st.characters(max_codepoint=255, exclude_characters="$"), max_size=30))
def test_s42_whatever_a_sender_calls_its_message_the_answer_stays_one_message(text):
    asked = Asked(Separators("$", "*", "%", "!", "@"), ("MSH", "$", "*%!@", *[""] * 7, text))
    content = answers_to(asked, None, b"", AT)[0].content
    assert content.count(b"\r") == 2
    assert not set(b"\x0b\x1c\n") & set(content)
    assert len(content.split(b"\r")[1].split(b"|")) == 3
    assert own(text, OURS) == "".join(c if c >= " " and c != "\x7f" else f"\\X{ord(c):02X}\\" for c in text)


@pytest.mark.parametrize("raw", [report(), report(header=header(f12="9.9")), message(HEADER, ORDER, obx())])
def test_python_hl7_reads_our_answers(raw):
    (answer,) = answered(raw)
    parsed = hl7.parse(answer)
    assert str(parsed.segment("MSA")[2]) == "MSG00001"
    assert split_message(answer.encode()).header.text(9) == "ACK"
