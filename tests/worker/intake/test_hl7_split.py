from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.intake.examples import FERRITIN, HEADER, ORDER, PATIENT, hl7, obx, report
from worker.intake.hl7_escapes import Separators, unescape
from worker.intake.hl7_split import MAX_BYTES, MAX_OBSERVATIONS, MAX_REPETITIONS, split_message
from worker.intake.hl7v2 import decode_hl7
from worker.intake.marks import Mark
from worker.intake.unreadable import Reason, Unreadable

USUAL = Separators("|", "^", "~", "\\", "&")


def reason(raw: bytes) -> Reason:
    with pytest.raises(Unreadable) as caught:
        split_message(raw)
    return caught.value.reason


def in_charset(declared: str, codec: str, name: str = "Müller") -> str | None:
    header = HEADER + "|" * 6 + declared
    events, _ = decode_hl7(
        report(header=header, patient=PATIENT.replace("Muster", name)).decode().encode(codec)
    )
    return events[0].report.patient.name


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_other_line_ends_give_the_same_events_and_are_marked(end):
    plain = hl7(HEADER, PATIENT, ORDER, FERRITIN)
    other = hl7(HEADER, PATIENT, ORDER, FERRITIN, end=end)
    assert Mark.LINE_ENDS in split_message(other).marks
    assert [e.report.results for e in decode_hl7(other)[0]] == [
        e.report.results for e in decode_hl7(plain)[0]
    ]


def test_a_line_feed_inside_a_value_of_a_cr_message_is_text():
    (event,) = decode_hl7(report(obx("first\nsecond line", f2="ST")))[0]
    assert event.report.results[0].value == "first\nsecond line"


def test_a_lost_cr_before_a_segment_is_found():
    raw = hl7(HEADER, PATIENT) + hl7(ORDER, FERRITIN, end="\n")
    assert [segment.name for segment in split_message(raw).segments] == ["MSH", "PID", "OBR", "OBX"]


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_only_cr_and_lf_end_a_segment(separator):
    raw = report(obx(f"a{separator}OBX|2", f2="ST"))
    assert sum(segment.name == "OBX" for segment in split_message(raw).segments) == 1


def test_a_hexadecimal_line_end_never_makes_a_segment():
    (event,) = decode_hl7(report(obx(r"12\X0D\OBX\F\2\F\NM", f2="ST")))[0]
    assert [r.value for r in event.report.results] == ["12\nOBX|2|NM"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"PID|1\rMSH|^~\\&|x",
        b"MSH|^~",
        b"MSH|^~|A",
        b"MSH",
        b"MSHA^~\\&A",
        b"MSH|^^\\&|",
        b"MSH|^~\\1|",
        b"MSH| ~\\&|",
    ],
)
def test_a_header_that_cannot_be_used_is_refused(raw):
    assert reason(raw) is Reason.NO_HEADER


def test_other_delimiters_are_parsed():
    raw = hl7(HEADER, PATIENT, ORDER, FERRITIN).translate(bytes.maketrans(b"|^~\\&", b"#*!?$"))
    (event,) = decode_hl7(raw)[0]
    assert event.report.results[0].code == "2276-4"
    assert event.report.patient.name == "Erika Muster"


def test_a_fifth_delimiter_is_accepted():
    assert len(split_message(report(header=HEADER.replace(r"^~\&", r"^~\&#"))).segments) == 4


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("8859", "iso8859-1"),
        ("8859-1", "iso8859-1"),
        ("ISO 8859/1", "iso8859-1"),
        ("UNICODE UTF-8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("ASCII~8859/1", "iso8859-1"),
        ("GB 18030-2000", "gb18030"),
        ("", "utf-8"),
        ("", "iso8859-1"),
    ],
)
def test_text_is_decoded_as_declared(declared, codec):
    assert in_charset(declared, codec) == "Erika Müller"


def test_an_unknown_character_set_is_refused():
    assert reason(report(header=HEADER + "||||||EBCDIC")) is Reason.CHARSET


def test_bytes_invalid_in_the_declared_set_are_replaced_and_marked():
    raw = report(header=HEADER + "||||||UNICODE UTF-8").replace(b"Muster", b"M\xfcster")
    assert Mark.BYTES_REPLACED in split_message(raw).marks
    assert decode_hl7(raw)[0][0].report.patient.name == "Erika M\ufffdster"


def test_bytes_invalid_in_an_identifier_set_the_patient_aside():
    raw = report(header=HEADER + "||||||UNICODE UTF-8").replace(b"|123^", b"|12\xfc3^")
    events, refused = decode_hl7(raw)
    assert not events
    assert [(r.reason, r.place) for r in refused] == [(Reason.IDENTITY_UNREADABLE, "PID[1]-3")]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(codec):
    assert reason(report().decode().encode(codec)) is Reason.CHARSET


def test_a_byte_order_mark_is_passed_over():
    assert split_message(b"\xef\xbb\xbf" + report()).segments == split_message(report()).segments


@pytest.mark.parametrize("name", ["1", "obx", "OBXX", "O-X", "ÖBX"])
def test_a_segment_with_no_name_of_a_segment_is_refused(name):
    assert reason(report(FERRITIN, f"{name}|1|x")) is Reason.STRUCTURE


def test_a_segment_of_the_site_is_passed_over():
    events, refused = decode_hl7(report(FERRITIN, "ZXY|1|anything"))
    assert len(events) == 1
    assert not refused


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"MSH|^~\\&|" + b"x" * MAX_BYTES, Reason.TOO_LARGE),
        (report(*[FERRITIN] * (MAX_OBSERVATIONS + 1)), Reason.TOO_MANY),
        (report(obx("~".join(["1"] * (MAX_REPETITIONS + 1)))), Reason.TOO_MANY),
        (report(FERRITIN, *["NTE|1||x"] * 10_001), Reason.TOO_MANY),
    ],
    ids=["bytes", "observations", "repetitions", "segments"],
)
def test_more_than_any_real_message_has_is_refused_before_parsing(raw, expected):
    assert reason(raw) is expected


def test_the_caps_themselves_are_allowed():
    events, _ = decode_hl7(report(*[obx(f4=str(n)) for n in range(MAX_OBSERVATIONS)]))
    assert len(events[0].report.results) == MAX_OBSERVATIONS
    assert (
        len(decode_hl7(report(obx("~".join(["1"] * MAX_REPETITIONS))))[0][0].report.results)
        == MAX_REPETITIONS
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"\H\bold\N\ text", "bold text"),
        (r"one\.br\two", "one\ntwo"),
        (r"\XC3BC\ber", "über"),
        (r"\Q9\ stays", r"\Q9\ stays"),
        (r"unfinished \F", r"unfinished \F"),
        (r"\X0\ odd", r"\X0\ odd"),
    ],
)
def test_an_escape_sequence_is_read_or_left_as_it_is(text, read):
    assert unescape(text, USUAL, "utf-8") == read


def test_an_unknown_escape_is_marked():
    assert Mark.UNKNOWN_ESCAPE in split_message(report(FERRITIN, r"NTE|1||\Q9\ ")).marks
    assert Mark.UNKNOWN_ESCAPE not in split_message(report(FERRITIN, r"NTE|1||\F\ ")).marks


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_unreadable(noise):
    for raw in (noise, b"MSH|^~\\&|" + noise, report() + noise, report()[:60] + noise + report()[60:]):
        with suppress(Unreadable):
            decode_hl7(raw)


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"]), max_size=60))
def test_a_value_escaped_by_its_sender_comes_out_as_it_was(text):
    escaped = "".join(
        {"\\": r"\E\\"[:3], "|": r"\F" + "\\", "^": r"\S" + "\\", "~": r"\R" + "\\", "&": r"\T" + "\\"}.get(
            c, c
        )
        for c in text
    )
    value = decode_hl7(report(obx(f"<{escaped}>", f2="ST")))[0][0].report.results[0].value
    assert value == f"<{text}>"
