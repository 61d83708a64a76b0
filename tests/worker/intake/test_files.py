import io
import json
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.intake.examples import FERRITIN, HEADER, ORDER, PATIENT, event, hl7, raw, report, result
from worker.intake.event import Event
from worker.intake.files import Format, read_events, read_pieces
from worker.intake.hl7_pieces import hl7_pieces
from worker.intake.json_pieces import value_pieces
from worker.intake.unreadable import Reason, Unreadable


def numbered(*ids: str) -> list[dict[str, object]]:
    return [event(result()) | {"id": identity} for identity in ids]


def message(identity: str, end: str = "\r") -> bytes:
    return hl7(HEADER.replace("MSG00001", identity), PATIENT, ORDER, FERRITIN, end=end)


def read(tmp_path: Path, content: bytes, format: Format = Format.AUTO) -> tuple[list[str], list[Unreadable]]:
    file = tmp_path / "input"
    file.write_bytes(content)
    items = list(read_events([file], format))
    return [i.id for i in items if isinstance(i, Event)], [i for i in items if isinstance(i, Unreadable)]


def lines(*events: object) -> bytes:
    return b"".join(raw(one) + b"\n" for one in events)


# --- JSON


@pytest.mark.parametrize(
    "content",
    [
        lines(*numbered("a", "b")),
        lines(*numbered("a", "b")).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf\n\n" + lines(*numbered("a", "b")).rstrip(),
        json.dumps(numbered("a", "b")).encode(),
        json.dumps(numbered("a", "b"), indent=2).encode(),
        b"\n".join(json.dumps(one, indent=4).encode() for one in numbered("a", "b")),
    ],
    ids=["lines", "crlf lines", "mark and blank lines", "array", "indented array", "indented objects"],
)
def test_events_are_read_however_they_are_laid_out(tmp_path, content):
    assert read(tmp_path, content) == (["a", "b"], [])


def test_a_single_event_is_a_file(tmp_path):
    assert read(tmp_path, raw(event()))[0] == ["E1"]
    assert read(tmp_path, json.dumps(event(), indent=2).encode())[0] == ["E1"]


def test_a_broken_line_costs_that_line_and_is_named(tmp_path):
    content = raw(event()) + b"\n{broken\n\n" + lines(event() | {"id": "E2"}) + b"[1]\n"
    ids, refused = read(tmp_path, content)
    assert ids == ["E1", "E2"]
    assert [(r.reason, r.place.split("input:")[1].split(":")[0]) for r in refused] == [
        (Reason.NOT_JSON, "2"),
        (Reason.NOT_AN_EVENT, "5"),
    ]


def test_a_broken_first_line_does_not_hide_the_others(tmp_path):
    ids, refused = read(tmp_path, b'{"specversion": oops\n' + lines(*numbered("a", "b")))
    assert (ids, [r.reason for r in refused]) == (["a", "b"], [Reason.NOT_JSON])


def test_a_broken_item_of_an_array_costs_that_item(tmp_path):
    items = [raw(one) for one in numbered("a", "b")]
    ids, refused = read(tmp_path, b"[" + items[0] + b',\n{"x": tru},\n17, ' + items[1] + b"]")
    assert ids == ["a", "b"]
    assert [r.reason for r in refused] == [Reason.NOT_JSON, Reason.NOT_AN_EVENT]


def test_an_array_that_breaks_off_gives_what_was_whole(tmp_path):
    ids, refused = read(tmp_path, json.dumps(numbered("a", "b")).encode()[:-20])
    assert (ids, [r.reason for r in refused]) == (["a"], [Reason.NOT_JSON])


def test_braces_and_quotes_inside_texts_cut_nothing(tmp_path):
    odd = event(result(name='} ] { [ \\" \\\\ "')) | {"id": "odd"}
    assert read(tmp_path, json.dumps([odd, event()]).encode())[0] == ["odd", "E1"]


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.lists(st.text(max_size=3)))),
    st.integers(1, 9),
)
def test_an_array_is_cut_the_same_in_chunks_of_any_size(values, size):
    text = json.dumps(values, indent=1).encode()
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert [json.loads(piece) for _, piece in value_pieces(chunks, array=True)] == values


def test_a_line_over_the_limit_costs_that_line(tmp_path):
    long = raw(event(result(name="x" * (5 * 1024 * 1024))))
    ids, refused = read(tmp_path, lines(*numbered("a")) + long + b"\n" + lines(*numbered("b")))
    assert (ids, [r.reason for r in refused]) == (["a", "b"], [Reason.TOO_LARGE])


def test_memory_does_not_grow_with_the_file(tmp_path):
    file = tmp_path / "long.ndjson"
    file.write_bytes(lines(*numbered("a")) * 40_000)
    tracemalloc.start()
    count = sum(1 for _ in read_pieces([file]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 40_000
    assert peak < 2 * 1024 * 1024 < file.stat().st_size


# --- HL7 v2


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n\r\n"])
def test_messages_one_after_another_are_read(tmp_path, end, between):
    assert read(tmp_path, between.join([message("a", end), message("b", end), b""])) == (["a", "b"], [])


def test_messages_in_frames_are_read(tmp_path):
    framed = b"".join(b"\x0b" + message(identity) + b"\x1c\r" for identity in "ab")
    assert read(tmp_path, framed) == (["a", "b"], [])


def test_a_batch_is_its_messages(tmp_path):
    batch = b"FHS|^~\\&|LIS\rBHS|^~\\&|LIS\r" + message("a") + message("b") + b"BTS|2\rFTS|1\r"
    assert read(tmp_path, batch) == (["a", "b"], [])


def test_a_message_that_cannot_be_read_does_not_stop_the_next(tmp_path):
    bad = hl7(HEADER.replace("ORU^R01^ORU_R01", "ORM^O01"), PATIENT)
    ids, refused = read(tmp_path, message("a") + bad + report(patient="PID|1||") + message("b"))
    assert ids == ["a", "b"]
    assert [(r.reason, r.place.split("input:")[1]) for r in refused] == [
        (Reason.UNSUPPORTED_TYPE, "5: MSH-9"),
        (Reason.NO_PATIENT, "7: PID[1]-3"),
    ]


def test_what_stands_before_the_first_message_is_told_once(tmp_path):
    ids, refused = read(tmp_path, b"PID|1\rOBX|1\r" + message("a"), Format.HL7)
    assert (ids, [r.reason for r in refused]) == (["a"], [Reason.NO_HEADER])


@given(st.sampled_from(["\r", "\n", "\r\n"]), st.integers(1, 40))
def test_a_file_is_cut_the_same_in_chunks_of_any_size(end, size):
    text = message("a", end) + message("b", end)
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    whole = [message(identity, end).strip() for identity in "ab"]
    assert [piece for _, piece in hl7_pieces(chunks)] == whole


# --- what is not read


@pytest.mark.parametrize(
    ("content", "format", "reason"),
    [
        (b'{"resourceType": "Bundle"}', Format.AUTO, Reason.STRUCTURE),
        (b'[{"resourceType": "Observation"}]', Format.AUTO, Reason.STRUCTURE),
        (b"patient,code,value\n1,2,3\n", Format.AUTO, Reason.FORMAT_UNKNOWN),
        (b"MSH|^~\\&|", Format.CSV, Reason.FORMAT_UNKNOWN),
        (b"{}", Format.FHIR, Reason.STRUCTURE),
        (b"hello", Format.AUTO, Reason.FORMAT_UNKNOWN),
        (b"\x00\x01\x02", Format.AUTO, Reason.FORMAT_UNKNOWN),
        (report().decode().encode("utf-16"), Format.AUTO, Reason.CHARSET),
    ],
)
def test_what_cannot_be_read_is_answered_in_one_line(tmp_path, content, format, reason):
    ids, refused = read(tmp_path, content, format)
    assert (ids, [r.reason for r in refused]) == ([], [reason])
    assert "\n" not in str(refused[0])


def test_an_empty_file_says_nothing(tmp_path):
    assert read(tmp_path, b" \n") == ([], [])


def test_a_file_that_is_not_there_does_not_stop_the_next(tmp_path):
    there = tmp_path / "there"
    there.write_bytes(raw(event()))
    missing, found = read_events([tmp_path / "missing", there])
    assert isinstance(missing, Unreadable)
    assert missing.reason is Reason.FILE
    assert isinstance(found, Event)


def test_a_dash_is_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw(event()))))
    assert [item.id for item in read_events([Path("-")]) if isinstance(item, Event)] == ["E1"]


def test_an_embedded_document_of_one_long_line_is_cut_in_linear_time():
    document = b"OBX|1|ED|PDF^Report||^application^pdf^Base64^" + b"QUJD" * (1 << 15)
    whole = HEADER.encode() + b"\r" + document
    begun = time.process_time()
    assert [piece for _, piece in hl7_pieces([whole + b"\r"])] == [whole]
    assert time.process_time() - begun < 1
