"""No OBX is passed over: each is a result, a result that is not used, or waits in quarantine."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.facts import Unusable
from tests.worker.intake.examples import FERRITIN, HEADER, ORDER, PATIENT, hl7, obx
from worker.claiming import Claimed
from worker.intake.decode import decode_parts
from worker.intake.event import MergeData
from worker.intake.hl7v2 import TYPES
from worker.reading import Read, read
from worker.settings import Settings

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
KINDS = [f"{kind}^{trigger}" for kind, triggers in TYPES.items() for trigger in sorted(triggers)]
NO_REPORTS = [kind for kind in KINDS if kind not in ("ORU^R01", "ADT^A37", "ADT^A40")]
OBSERVATIONS = (
    FERRITIN,
    obx("11"),
    obx("12~13", f3="718-7^Hemoglobin^LN", f4="1"),
    obx("72", f3="3141-9^Weight^LN", f6="kg"),
    obx("^application^pdf^Base64^JVBERi0=", f2="ED", f3="PDF^Report^L"),
    obx("ref^lab^1", f2="RP"),
    obx("", f2="", f11="X"),
    obx("", f3="", f11="N"),
    "OBX",
)
AROUND = (ORDER, "OBR|2", "ORC|RE|PL1", "NTE|1||hemolyzed", "SPM|1", "PV1|1|O", "DG1|1||K90.0^^I10C")
PATIENTS = (PATIENT, "PID|1||456^^^NORTH^MR", "PID|1")
MERGED = "MRG|77^^^NORTH^MR"


def of(kind: str, *segments: str) -> bytes:
    return hl7(HEADER.replace("ORU^R01^ORU_R01", kind), *segments)


def read_as(raw: bytes) -> Read:
    return read(Claimed(1, 1, 1, "urn:lab:north", "hl7", raw, AT), Settings())


def stood_at(raw: bytes) -> Counter[str]:
    """How many results came of each OBX, by where it stood."""
    events = decode_parts("hl7", raw).events
    reports = [event.report for event in events if not isinstance(event.data, MergeData)]
    return Counter(item.place or "" for report in reports for item in report.results if item)


def expected_places(segments: list[str]) -> list[tuple[str, str]]:
    """Each OBX, and the PID above it."""
    patients, found = 0, []
    for segment in segments:
        patients += segment.startswith("PID")
        if segment.startswith("OBX"):
            found.append((f"OBX[{len(found) + 1}]", f"PID[{patients}]" if patients else "PID"))
    return found


def is_accounted_for(place: str, patient: str, results: Counter[str], waiting: set[str]) -> bool:
    """An OBX under a patient who is set aside waits with the patient."""
    return bool(results[place]) or place in waiting or any(one.split("-")[0] == patient for one in waiting)


@given(
    kind=st.sampled_from(KINDS),
    segments=st.lists(st.sampled_from((*PATIENTS[:1] * 3, *PATIENTS, *AROUND, *OBSERVATIONS)), max_size=14),
)
def test_as_many_obx_are_accounted_for_as_came_in(kind: str, segments: list[str]) -> None:
    raw = of(kind, *segments, *([MERGED] if kind == "ADT^A40" else []))
    said = read_as(raw)
    if said.whole is not None:
        return  # all of it waits
    results, waiting = stood_at(raw), {aside.place for aside in said.parts}
    lost = [
        place
        for place, patient in expected_places(segments)
        if not is_accounted_for(place, patient, results, waiting)
    ]
    assert lost == []
    assert sum(results.values()) == sum(len(one.results) for one in said.said)


@pytest.mark.parametrize("kind", NO_REPORTS)
@pytest.mark.parametrize("order", [(), (ORDER,)])
def test_an_observation_in_a_message_that_is_no_report_is_kept_and_not_used(
    kind: str, order: tuple[str, ...]
) -> None:
    said = read_as(of(kind, PATIENT, *order, FERRITIN, OBSERVATIONS[3]))
    results = [result for one in said.said for result in one.results]
    assert [result.reported_value for result in results] == ["9", "72"]
    assert {(result.problem, result.analyte, result.quantity) for result in results} == {
        (Unusable.CODE_UNKNOWN, None, None)
    }
    assert {result.detail for result in results} == {"sent in a message that is no laboratory report"}
    assert (said.whole, said.parts) == (None, ())
    assert not any(sent.unmapped for one in said.said for sent in one.sent.values())


def test_an_observation_beside_a_merge_waits_and_the_merge_is_read() -> None:
    said = read_as(of("ADT^A40", PATIENT, MERGED, FERRITIN))
    assert len(said.merges) == 1
    assert [(aside.reason, aside.place) for aside in said.parts] == [("structure", "OBX[1]")]
