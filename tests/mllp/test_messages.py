"""Rows B13 to B40 through the door: what each message is answered, and what is kept of it."""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from tests.mllp.door import Door, door, err, eventually, header, numbered, said
from tests.worker.intake.examples import HEADER, ORDER, PATIENT, hl7, obx, report
from tests.worker.made_up import deps_on
from worker import metrics
from worker.database import make_engine, reading
from worker.mllp.policy import Policy
from worker.pipeline import judge
from worker.rejected import rejected_messages
from worker.sources import Hl7Sender, Sender, Sources, no_sources
from worker.tables import RESULT


@pytest.fixture
def here(engine: Engine) -> Iterator[Door]:
    with door(engine) as made:
        yield made


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Door]:
    """One database is enough where it makes no difference."""
    with door(make_engine(sqlite_url)) as made:
        yield made


def asked(here: Door, raw: bytes) -> str:
    """The answer; and the connection is good for the next message."""
    sender = here.connect()
    (answer,) = sender.asked(raw)
    assert said(sender.asked(numbered("NEXT"))[0]) == ("AA", "NEXT")
    return answer


def first(here: Door):
    return here.rows()[0]


def values(here: Door) -> list[str]:
    judge(deps_on(here.engine), [row.id for row in here.rows() if row.message_id != "NEXT"])
    with reading(here.engine) as connection:
        return list(connection.execute(select(RESULT.c.reported_value).order_by(RESULT.c.id)).scalars())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_b13_other_line_ends_are_read_and_the_bytes_kept(quick, end):
    raw = hl7(HEADER, PATIENT, ORDER, obx(), end=end)
    assert said(asked(quick, raw)) == ("AA", "MSG00001")
    assert first(quick).raw == raw
    assert values(quick) == ["9"]


@pytest.mark.parametrize(
    "raw",
    [b"hello", b"PID|1\rMSH|^~\\&|A\r", b"MSH|^~|LIS\r", b"MSH|^^~\\&|A\r", b"MSHA^~\\&A\r",
     "MSH|^~\\&|LIS|N\r".encode("utf-16")],
    ids=["b14-none", "b14-not-first", "b15-short", "b16-repeated", "b16-letter", "b21-utf-16"],
)  # fmt: skip
def test_without_a_usable_header_it_is_rejected_and_the_bytes_are_kept_apart(here, raw):
    assert said(asked(here, raw)) == ("AR", "")
    assert (first(here).raw, first(here).state) == (raw, "rejected")
    assert here.quarantine() == []


def test_b17_other_separators_are_read(quick):
    raw = "\r".join(
        part.replace("|", "$") for part in (HEADER, PATIENT, ORDER, obx())
    ).encode()  # fmt: skip
    assert said(asked(quick, raw)) == ("AA", "MSG00001")
    assert values(quick) == ["9"]


def test_b18_five_encoding_characters_are_accepted(quick):
    raw = report(header=HEADER.replace("^~\\&", "^~\\&#").replace("2.5.1", "2.7"))
    assert said(asked(quick, raw)) == ("AA", "MSG00001")


@pytest.mark.parametrize(
    ("declared", "codec"), [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("8859/15", "iso8859-15")]
)
def test_b19_the_declared_character_set_is_read_and_given_back(quick, declared, codec):
    raw = report(header=header(f10="Mü", f18=declared)).decode().encode(codec)
    sender = quick.connect().send(raw)
    assert f"|{declared}\rMSA|AA|Mü\r" in sender.answer().encode("latin-1").decode(codec)
    assert first(quick).message_id == "Mü"


def test_b20_bytes_invalid_in_the_declared_set_are_kept_and_touch_no_identity_or_value(quick):
    identity = report(header=header(f18="UNICODE UTF-8"), patient=PATIENT.replace("123", "12\ufffd3"))
    broken = identity.replace("\ufffd".encode(), b"\xff")
    assert said(asked(quick, broken))[0] == "AA"
    assert first(quick).raw == broken
    judge(deps_on(quick.engine), [first(quick).id])
    assert first(quick).state == "quarantined"


def test_b21_a_byte_order_mark_is_passed_over(quick):
    assert said(asked(quick, b"\xef\xbb\xbf" + report())) == ("AA", "MSG00001")


def test_b22_nul_and_control_characters_reach_no_text_column(here):
    raw = report(obx("a\x00b\x01c", f2="ST"))
    assert said(asked(here, raw))[0] == "AA"
    assert first(here).raw == raw
    assert values(here) == ["abc"]


def test_b22_nul_in_a_control_id_is_no_fault_of_the_database(here):
    raw = numbered("A\x00B")
    assert said(asked(here, raw)) == ("AA", "A\\X00\\B")
    assert (first(here).raw, first(here).message_id) == (raw, "A\ufffdB")


@pytest.mark.parametrize("text", [r"a\Q9\b", "a\\Fb"])
def test_b23_unknown_and_unfinished_escapes_stay_as_they_are(quick, text):
    assert said(asked(quick, report(obx(text, f2="ST"))))[0] == "AA"
    assert values(quick) == [text]


def test_b24_a_hexadecimal_line_end_makes_no_segment(quick):
    assert said(
        asked(quick, report(obx(r"12\X0D\OBX|2|NM|2132-9^^LN||1".replace("|", r"\F\\"[:3]), f2="ST")))
    )
    assert len(values(quick)) == 1


@pytest.mark.parametrize("name", ["1", "obx", "OBXX"])
def test_b25_a_wrong_segment_name_is_an_error_that_names_it_and_the_bytes_wait(here, name):
    raw = report(obx(), f"{name}|1")
    answer = asked(here, raw)
    assert (said(answer), err(answer)) == (("AE", "MSG00001"), ("100", f"{name}^1"))
    assert (first(here).state, first(here).raw) == ("quarantined", raw)
    assert here.quarantine() == [("structure", "segment 5")]


def test_b26_an_unknown_z_segment_is_kept_and_ignored(quick):
    raw = report(obx(), "ZDE|anything|goes")
    assert said(asked(quick, raw))[0] == "AA"
    assert (first(quick).raw, values(quick)) == (raw, ["9"])


@pytest.mark.parametrize(
    "raw", [report(*[obx()] * 8000), report(obx(), obx("~" * 40_000))], ids=["8000-obx", "40000-repetitions"]
)
def test_b27_what_no_real_message_has_is_refused_before_it_is_read(here, raw):
    before = time.thread_time()
    answer = asked(here, raw)
    assert time.thread_time() - before < 1
    assert (said(answer)[0], err(answer)[0]) == ("AE", "198")
    assert first(here).state == "quarantined"


def test_b28_two_patients_are_two_and_an_orphan_obx_waits_alone(quick):
    two = hl7(HEADER, PATIENT, ORDER, obx(), PATIENT.replace("123", "456"), ORDER, obx("12"))
    assert said(asked(quick, two))[0] == "AA"
    assert values(quick) == ["9", "12"]
    orphan = hl7(header(f10="ORPHAN"), PATIENT, obx("7"), ORDER, obx("8"))
    assert said(quick.connect().asked(orphan)[0]) == ("AA", "ORPHAN")
    judge(deps_on(quick.engine), [row.id for row in quick.rows()])
    assert quick.quarantine() == [("structure", "OBX[1]")]


def batch(*messages: bytes, file: bool = False) -> bytes:
    inner = b"BHS|^~\\&|LIS|NORTH|FERRULE|HOSP|20260301||||B1\r" + b"".join(messages)
    inner += b"BTS|%d\r" % len(messages)
    return b"FHS|^~\\&|LIS|NORTH|FERRULE|HOSP|20260301||||F1\r" + inner + b"FTS|1\r" if file else inner


@pytest.mark.parametrize("file", [False, True])
def test_b29_a_batch_is_messages_of_their_own_and_one_answer_that_lists_what_failed(here, file):
    contents = (numbered("A"), report(obx(), "obxx|1", header=header(f10="B")), numbered("C", f12="9.9"))
    answer = asked(here, batch(*contents, file=file))
    segments = [line.split("|") for line in answer.split("\r") if line]
    names = [segment[0] for segment in segments]
    messages = ["MSH", "MSA", "MSH", "MSA", "ERR", "MSH", "MSA", "ERR"]
    assert names == (["FHS", "BHS", *messages, "BTS", "FTS"] if file else ["BHS", *messages, "BTS"])
    assert [(s[1], s[2]) for s in segments if s[0] == "MSA"] == [("AE", "B") if s[2] == "B" else
            ("AR", "C") if s[2] == "C" else ("AA", "A") for s in segments if s[0] == "MSA"]  # fmt: skip
    assert next(s for s in segments if s[0] == "BHS")[11] == "B1"
    assert next(s for s in segments if s[0] == "BTS")[1] == "3"
    assert [state for state, _ in here.states()] == ["pending", "quarantined", "rejected", "pending"]


def test_b29_a_batch_with_something_that_is_no_message_keeps_the_whole_beside_its_messages(quick):
    broken = batch(numbered("A")).replace(b"MSH", b"PID|1\rMSH", 1)
    answer = asked(quick, broken)
    assert answer.count("MSA|AA|A") == 1
    assert answer.count("MSA|AR|") == 1
    assert [state for state, _ in quick.states()] == ["pending", "rejected", "pending"]


def test_b30_an_answer_is_not_answered_and_not_stored(quick):
    sender = quick.connect().send(hl7(header(f9="ACK^R01^ACK"), "MSA|AA|X"))
    assert sender.is_silent()
    assert said(sender.asked(numbered("A"))[0]) == ("AA", "A")
    assert len(quick.rows()) == 1


def test_b31_without_a_control_id_the_hash_is_the_key_and_the_feed_is_flagged(here):
    raw = numbered("")
    before = flagged("control-id-missing")
    assert said(asked(here, raw)) == ("AA", "")
    assert first(here).message_id == hashlib.sha256(raw).hexdigest()
    assert first(here).flag == "control-id-missing"
    assert flagged("control-id-missing") == before + 1


def flagged(flag: str) -> float:
    return metrics.MESSAGES_FLAGGED.labels("other", flag)._value.get()


@pytest.mark.parametrize(
    "raw",
    [numbered("A"), numbered("A", f12="9.9"), report(obx(), "obxx|1"), b"hello", numbered("")],
    ids=["AA", "AR", "AE", "no-header", "no-id"],
)
def test_b32_a_message_that_comes_again_gets_the_first_answer_byte_for_byte(here, raw):
    before = metrics.MESSAGES_DUPLICATE.labels("other", "hl7")._value.get()
    sender = here.connect()
    (one,) = sender.asked(raw)
    time.sleep(1.1)
    (two,), (three,) = sender.asked(raw), here.connect().asked(raw)
    assert one == two == three
    assert len(here.rows()) == 1
    assert metrics.MESSAGES_DUPLICATE.labels("other", "hl7")._value.get() == before + 2
    assert len(here.quarantine()) <= 1


def test_b32_twice_in_one_commit_is_one_row_and_the_same_answer_twice(here):
    one, two = here.connect().asked(numbered("A"), numbered("A"))
    assert one == two
    assert len(here.rows()) == 1


def test_b33_other_bytes_under_the_same_id_are_taken_as_new_and_flagged(here):
    before = flagged("id-reused")
    sender = here.connect()
    other = report(obx("12"), header=header(f10="A"))
    assert [said(answer) for answer in sender.asked(numbered("A"), other)] == [("AA", "A"), ("AA", "A")]
    assert said(sender.asked(report(obx("13"), header=header(f10="A")))[0]) == ("AA", "A")
    assert [row.state for row in here.rows()] == ["pending"] * 3
    assert here.rows()[2].flag == "id-reused"
    assert flagged("id-reused") > before


@pytest.mark.parametrize("control_id", ["a'; DROP TABLE message; --", 'quo"te', "A^B&C~D", "x" * 199])
def test_b34_a_strange_control_id_is_an_id(here, control_id):
    assert said(asked(here, numbered(control_id))) == ("AA", control_id)
    assert first(here).message_id == control_id


def test_b34_one_that_is_too_long_is_rejected_and_kept(here):
    answer = asked(here, numbered("x" * 5000))
    assert (said(answer), err(answer)) == (("AR", "x" * 5000), ("104", "MSH^1^10"))
    assert first(here).state == "rejected"


@pytest.mark.parametrize("processing", ["T", "D"])
def test_b35_a_test_message_is_rejected_and_never_judged(here, processing):
    answer = asked(here, numbered("A", f11=processing))
    assert (said(answer), err(answer)) == (("AR", "A"), ("202", "MSH^1^11"))
    judge(deps_on(here.engine), [first(here).id])
    assert first(here).state == "rejected"


def test_b35_where_a_site_says_so_it_is_accepted_kept_apart_and_never_judged(sqlite_url):
    with door(make_engine(sqlite_url), policy=Policy(no_sources, keep_tests=True)) as here:
        assert said(asked(here, numbered("A", f11="T"))) == ("AA", "A")
        judge(deps_on(here.engine), [first(here).id])
        assert first(here).state == "rejected"


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"f12": "9.9"}, "203"), ({"f9": "SIU^S12"}, "200"), ({"f9": "ADT^A99"}, "201"), ({"f9": ""}, "200")],
    ids=["b36-version", "b37-type", "b37-event", "b37-none"],
)
def test_what_is_not_for_us_is_rejected_kept_and_counted_by_reason(here, fields, code):
    answer = asked(here, numbered("A", **fields))
    assert (said(answer)[0], err(answer)[0]) == ("AR", code)
    assert first(here).state == "rejected"
    assert here.quarantine() == []
    assert here.rung == [here.rows()[1].id] or eventually(lambda: here.rung == [here.rows()[1].id])


NORTH = Sources((Sender("north", hl7=(Hl7Sender("NORTH", "LIS"),)),))


def test_b38_a_sender_that_nobody_configured_is_rejected_once_some_are(sqlite_url):
    with door(make_engine(sqlite_url), policy=Policy(lambda: NORTH)) as here:
        sender = here.connect()
        (known,), (stranger,) = sender.asked(numbered("A")), sender.asked(numbered("B", f4="SOUTH"))
        assert (said(known)[0], said(stranger)[0], err(stranger)) == ("AA", "AR", ("103", "MSH^1^3"))
        assert here.states()[1] == ("rejected", "unknown-sender")


def test_b38_a_sender_that_is_configured_later_sends_again_and_is_taken(engine):
    now = [NORTH]
    with door(engine, policy=Policy(lambda: now[0])) as here:
        sender = here.connect()
        assert said(sender.asked(numbered("B", f4="SOUTH"))[0])[0] == "AR"
        now[0] = Sources((*NORTH.senders, Sender("south", hl7=(Hl7Sender("SOUTH", None),))))
        assert said(sender.asked(numbered("B", f4="SOUTH"))[0])[0] == "AA"
        assert here.states() == [("pending", None)]
        now[0] = NORTH
        assert said(sender.asked(numbered("B", f4="SOUTH"))[0])[0] == "AA"  # what was accepted stays accepted


def test_b38_where_a_site_says_so_anybody_may_send(sqlite_url):
    with door(make_engine(sqlite_url), policy=Policy(lambda: NORTH, refuse_unknown=False)) as here:
        assert said(asked(here, numbered("B", f4="SOUTH")))[0] == "AA"


@pytest.mark.parametrize("days", [2, -2])
def test_b39_a_clock_that_is_off_is_measured_for_the_feed_and_the_message_taken(sqlite_url, days):
    with door(make_engine(sqlite_url), policy=Policy(lambda: NORTH)) as here:
        metrics.name_sources(lambda source: "north" if "NORTH" in source else "other")
        sent = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%S+0000")
        assert said(here.connect().asked(numbered("A", f7=sent))[0])[0] == "AA"
        skew = metrics.CLOCK_SKEW.labels("north")._value.get()
    assert abs(skew - days * 86_400) < 120


@pytest.mark.parametrize(
    ("asked_for", "codes"),
    [(("NE", "NE"), []), (("ER", "NE"), []), (("SU", "NE"), ["CA"]), (("AL", "AL"), ["CA", "AA"]),
     (("AL", ""), ["CA"]), (("NE", "AL"), ["AA"])],
)  # fmt: skip
def test_b40_exactly_what_was_asked_for_is_answered_and_all_is_stored(quick, asked_for, codes):
    sender = quick.connect().send(numbered("A", f15=asked_for[0], f16=asked_for[1]), numbered("B"))
    answers = [said(sender.answer()) for _ in range(len(codes) + 1)]
    assert answers == [*((code, "A") for code in codes), ("AA", "B")]
    assert sender.is_silent(0.1)
    assert len(quick.rows()) == 2


@pytest.mark.parametrize("merge", ["A40 without MRG"])
def test_b50_a_merge_without_what_is_merged_is_an_error(here, merge):
    answer = asked(here, hl7(header(f9="ADT^A40^ADT_A39"), PATIENT))
    assert (said(answer)[0], err(answer)) == ("AE", ("100", "MRG^1"))
    assert here.quarantine() == [("merge-incomplete", "MRG")]


@pytest.mark.parametrize("event", ["A01", "A02", "A03", "A04", "A08", "A11", "A13", "A23", "A31"])
def test_every_adt_event_named_is_accepted(quick, event):
    raw = hl7(header(f9=f"ADT^{event}"), "EVN||20260301", PATIENT, "PV1|1|O")
    assert said(asked(quick, raw)) == ("AA", "MSG00001")


def test_what_was_rejected_is_listed_with_its_reason_and_without_its_bytes(quick):
    quick.connect().asked(numbered("A", f12="9.9"), numbered("B"), b"hello")
    with reading(quick.engine) as connection:
        rows = rejected_messages(connection, None, None, 10)
        only = rejected_messages(connection, "unsupported-version", None, 10)
    assert [row["reason"] for row in rows] == ["no-header", "unsupported-version"]
    assert [row["message_id"] for row in only] == ["A"]
    assert "raw" not in only[0]


def test_what_is_stored_is_rung_for_once(here):
    here.connect().asked(numbered("A"), numbered("A"), numbered("B"))
    wanted = [row.id for row in here.rows()]
    assert eventually(lambda: sorted(here.rung) == wanted)
