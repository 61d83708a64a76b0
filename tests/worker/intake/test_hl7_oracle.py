"""Our splitter beside python-hl7, which is right about well-formed messages."""

import hl7
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.intake.examples import HEADER, ORDER, PATIENT, obx, report
from worker.intake.hl7_split import split_message

TEXT = st.text(st.sampled_from("abcÄ 019.^&~<>*-"), max_size=12).map(lambda text: text.strip('"'))


def fields(raw: bytes) -> list[list[str]]:
    return [
        [segment.raw(n) for n in range(1, len(segment.fields))] for segment in split_message(raw).segments
    ]


def by_the_library(raw: bytes) -> list[list[str]]:
    message = hl7.parse(raw.decode())
    return [[str(segment[n]) for n in range(1, len(segment))] for segment in message]


def test_a_plain_report_is_split_as_the_library_splits_it():
    assert fields(report()) == by_the_library(report())


@given(st.lists(st.lists(TEXT, min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_well_formed_message_is_split_as_the_library_splits_it(notes):
    raw = report(obx(), *("NTE|" + "|".join(note) for note in notes))
    assert fields(raw) == by_the_library(raw)


def test_components_and_repetitions_are_those_of_the_library():
    segments, message = split_message(report()).segments, hl7.parse(report().decode())
    assert segments[1].text(5, 2) == str(message.segment("PID")[5][0][1]) == "Erika"
    assert segments[2].text(16, 9) == str(message.segment("OBR")[16][0][8]) == "NPI"
    assert (HEADER[:3], PATIENT[:3], ORDER[:3]) == tuple(segment.name for segment in segments[:3])
