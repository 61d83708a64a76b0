"""The FHIR channel against a real server: no second resource, each answer by its kind, R4 to the letter."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from fhir.resources.R4B.communication import Communication
from fhir.resources.R4B.detectedissue import DetectedIssue

from alerts.channels.channel import Line, Message, Passing, Refused
from alerts.channels.fhir import FhirChannel, token_in
from alerts.channels.fhir_resources import communication, detected_issue
from alerts.channels.guarded_http import GuardedHttp, target_of
from alerts.channels.record_entry import Answer, Entry
from alerts.people import Address, pool, record_system
from alerts.snapshot import evidence_documents
from alerts.states import State, Step
from rules.findings import Severity
from tests.alerts.fhir_server import FhirServer, fhir_server
from tests.alerts.http_script import receiver
from tests.alerts.made_up import ADA, day, ferritin, no_supplement

PAGES = "https://ferrule.hospital.test"
ENTRY = Entry(
    alert_id=7,
    patient=Address("urn:mrn:north", "123"),
    rule="b12-high-iron-deficient-unexplained",
    severity=Severity.HIGH,
    state=State.TOLD,
    headline="High B12 with iron deficiency",
    text="Ferritin 9 ug/L and B12 1450 pg/mL.",
    evidence=tuple(evidence_documents([ferritin(), no_supplement()])),
    actions=("Ask about supplements",),
    recipients=(ADA.address, pool("hematology")),
    raised_at=day(0),
    updated_at=day(0),
)


def message(step: Step = Step.RAISE, key: str = "0a1b2c3d" * 8) -> Message:
    line = Line(7, step, Severity.HIGH, ENTRY.headline)
    return Message(key, record_system("fhir"), None, day(0), (line,))


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with fhir_server() as running:
        yield running


def channel(server: FhirServer, entry: Entry = ENTRY, token: Path | None = None) -> FhirChannel:
    return FhirChannel(
        target_of(server.url, ["127.0.0.1"]),
        lambda: token_in(token) if token else None,
        lambda ids: {i: replace(entry, alert_id=i) for i in ids},
        PAGES,
        lambda: day(0),
        GuardedHttp(seconds=5),
    )


def test_an_alert_that_is_told_is_an_issue_and_a_communication_about_it(server: FhirServer) -> None:
    channel(server).send(message())
    (issue,), (told,) = server.of("DetectedIssue"), server.of("Communication")
    assert issue["identifier"] == [{"system": f"{PAGES}/alerts", "value": "7"}]
    assert (issue["status"], issue["severity"]) == ("final", "high")
    assert issue["patient"]["identifier"] == {"system": "urn:mrn:north", "value": "123"}
    assert issue["evidence"][0]["detail"][0]["identifier"] == {"system": "lab", "value": "F1"}
    assert told["about"][0]["identifier"] == issue["identifier"][0]
    assert [one["type"] for one in told["recipient"]] == ["Practitioner", "CareTeam"]


def test_f66_a_repeat_makes_no_second_resource(server: FhirServer) -> None:
    for _ in range(3):
        channel(server).send(message())
    assert len(server.resources) == 2


@pytest.mark.parametrize("when", [0, 1], ids=["issue", "communication"])
def test_f66_one_that_was_kept_before_the_line_was_cut_is_not_there_twice(
    server: FhirServer, when: int
) -> None:
    server.faults = [*[""] * when, "late"]
    with pytest.raises(Passing, match="connection"):
        channel(server).send(message())
    channel(server).send(message())
    assert sorted(one["resourceType"] for one in server.resources) == ["Communication", "DetectedIssue"]


@pytest.mark.parametrize(
    ("status", "problem", "is_down"),
    [
        (409, Passing, False),
        (423, Passing, False),
        (429, Passing, True),
        (500, Passing, True),
        (502, Passing, True),
        (503, Passing, True),
        (403, Passing, True),
        (404, Passing, True),
        (400, Refused, None),
        (412, Refused, None),
        (422, Refused, None),
    ],
)
def test_f66_each_answer_by_its_kind(
    server: FhirServer, status: int, problem: type[Exception], is_down: bool | None
) -> None:
    server.faults, server.retry_after = [status], "120"
    with pytest.raises(problem, match=f"status-{status}") as said:
        channel(server).send(message())
    assert getattr(said.value, "is_down", None) is is_down
    if status in (429, 503):
        assert said.value.retry_after.total_seconds() == 120  # type: ignore[attr-defined]
    if problem is Passing:
        channel(server).send(message())
        assert len(server.resources) == 2


def test_f66_a_token_that_was_exchanged_is_read_again_once(server: FhirServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    server.token = "new"
    sending = channel(server, token=token)
    with pytest.raises(Passing, match="status-401") as passing:
        sending.send(message())
    assert passing.value.is_down
    assert [used for _, _, used in server.asked] == ["old", "old"]
    server.faults = [401]
    token.write_text("new")
    sending.send(message())
    assert len(server.resources) == 2


@pytest.mark.parametrize("text", ["", "two words", "a\nb", "tökén"])
def test_a_token_that_is_none_waits_and_is_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(Passing, match="no-token"):
        token_in(tmp_path / "token")
    with pytest.raises(Passing, match="no-token"):
        token_in(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("step", "changed", "status"),
    [
        (Step.WITHDRAW, {"state": State.WITHDRAWN}, "entered-in-error"),
        (Step.AMEND, {"corrected": True}, "corrected"),
    ],
)
def test_what_is_taken_back_or_corrected_changes_the_issue_and_is_told(
    server: FhirServer, step: Step, changed: dict[str, object], status: str
) -> None:
    channel(server).send(message())
    channel(server, replace(ENTRY, **changed)).send(message(step, "second" * 8))  # type: ignore[arg-type]
    (issue,) = server.of("DetectedIssue")
    assert issue["status"] == status
    assert len(server.of("Communication")) == 2
    said = server.of("Communication")[1]["payload"]
    assert said[0]["contentString"].endswith(": High B12 with iron deficiency")
    assert len(said) == (1 if step is Step.WITHDRAW else 2)


def test_an_answer_is_the_issues_mitigation_and_nobody_is_told(server: FhirServer) -> None:
    channel(server).send(message())
    dismissed = Answer(Step.DISMISS, "known-diagnosis", ADA.address, day(1))
    entry = replace(ENTRY, state=State.DISMISSED, answers=(dismissed,))
    channel(server, entry).send(message(Step.DISMISS, "second" * 8))
    (issue,) = server.of("DetectedIssue")
    assert issue["mitigation"][0]["action"]["text"] == "known-diagnosis"
    assert issue["mitigation"][0]["author"]["identifier"]["value"] == ADA.id
    assert len(server.of("Communication")) == 1


def test_two_resources_of_one_identifier_are_a_persons_to_mend(server: FhirServer) -> None:
    channel(server).send(message())
    server.resources.append({**server.of("DetectedIssue")[0], "id": "twin"})
    with pytest.raises(Refused, match="status-412"):
        channel(server, replace(ENTRY, state=State.WITHDRAWN)).send(message(Step.WITHDRAW))


def test_s29_no_address_names_a_patient_or_the_token(server: FhirServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("planted-token")
    sending = channel(server, token=tmp_path / "token")
    sending.send(message())
    sending.send(message(Step.WITHDRAW, "second" * 8))
    paths = " ".join(unquote(path) for _, path, _ in server.asked)
    assert "alerts|7" in paths
    for planted in ("urn:mrn:north", "123", "planted-token"):
        assert planted not in paths
    assert "planted" not in repr(sending)


def test_s55_a_redirect_takes_neither_token_nor_patient_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("planted-token")
    with receiver() as moved, receiver() as elsewhere:
        moved.says(
            b"HTTP/1.1 307 Elsewhere\r\nLocation: "
            + elsewhere.url.encode()
            + b"\r\nContent-Length: 0\r\n\r\n"
        )
        sending = replace(
            channel(FhirServer(), token=tmp_path / "token"), base=target_of(moved.url, ["127.0.0.1"])
        )
        with pytest.raises(Passing, match="redirect"):
            sending.send(message())
        assert elsewhere.connections == 0


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("severity", Severity)
def test_whatever_an_alert_is_its_resources_are_r4(state: State, severity: Severity) -> None:
    answers = tuple(Answer(step, "made-up", ADA.address, day(1)) for step in (Step.ACKNOWLEDGE, Step.CLOSE))
    bare = replace(
        ENTRY, state=state, severity=severity, evidence=(), recipients=(), actions=(), answers=answers
    )
    for entry in (bare, replace(ENTRY, state=state, severity=severity, corrected=True)):
        DetectedIssue.model_validate(detected_issue(entry, PAGES))
        for step in Step:
            told = communication(entry, PAGES, key="k", step=step, headline="h", sent=day(0))
            Communication.model_validate(told)
