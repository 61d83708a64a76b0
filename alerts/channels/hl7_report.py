"""An alert as HL7 v2 has it: an ORU^R01 with the rule as its test and the alert's words as its result. Pure.

What was corrected is sent as C, what was withdrawn as W, under the filler order number it had. Whatever a
text holds stays in its field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from alerts.channels.record_entry import Entry
from alerts.people import Address
from alerts.states import Step
from alerts.wording import link

FIELD, END = "|", "\r"
ENCODING = "^~\\&"
OWN_CODES = "99FERRULE"
CONTROL_ID_CHARACTERS = 20
"""MSH-10 of HL7 2.5.1."""

_ESCAPES = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\"}
_CONTROLS = frozenset(map(chr, (*range(32), 127)))
OID = "urn:oid:"


def escaped(text: str) -> str:
    """The text as one component of one field; line ends and other control characters by their number."""
    return "".join(_ESCAPES.get(c) or (_hex(c) if c in _CONTROLS else c) for c in text)


def report(
    entries: Sequence[tuple[Step, Entry]], *, control_id: str, sent: datetime, sender: str, page_url: str
) -> str:
    """The message of one delivery: a PID and an OBR for each alert. `sender` is MSH-4."""
    segments = [_header(control_id, sent, sender)]
    for number, (step, entry) in enumerate(entries, start=1):
        segments += _group(number, step, entry, sender, page_url)
    return "".join(segment + END for segment in segments)


def control_id(key: str) -> str:
    """The same for each repeat of a delivery."""
    return key[:CONTROL_ID_CHARACTERS]


def _header(control: str, sent: datetime, sender: str) -> str:
    names = ["FERRULE", escaped(sender), "", "", _time(sent), "", "ORU^R01^ORU_R01", control, "P", "2.5.1"]
    return _segment("MSH", [ENCODING, *names, "", "", "", "", "", "UNICODE UTF-8"])


def _group(number: int, step: Step, entry: Entry, sender: str, page_url: str) -> Iterator[str]:
    status = "W" if entry.withdrawn else "C" if entry.corrected or step in (Step.AMEND, Step.WORSEN) else "F"
    test = f"{escaped(entry.rule)}^{escaped(entry.headline)}^{OWN_CODES}"
    order = f"{entry.alert_id}^{escaped(sender)}"
    yield _segment("PID", ["1", "", _patient(entry.patient)])
    times = [_time(entry.raised_at), *([""] * 14), _time(entry.updated_at)]
    yield _segment(
        "OBR", [str(number), "", order, test, "", "", *times, "", "", "C" if status != "F" else "F"]
    )
    for index, (name, value) in enumerate(_values(entry, page_url), start=1):
        code = test if name == "alert" else f"{name}^^{OWN_CODES}"
        typed = "TX" if name in ("alert", "action") else "ST"
        said = ["", escaped(value), *([""] * 5), status, "", "", _time(entry.updated_at)]
        yield _segment("OBX", [str(index), typed, code, *said])


def _values(entry: Entry, page_url: str) -> Iterable[tuple[str, str]]:
    yield "alert", f"{entry.headline}\n{entry.text}"
    yield "severity", entry.severity.value
    yield "state", entry.state.value
    yield from (("action", action) for action in entry.actions)
    yield from (("answer", f"{answer.step} ({answer.reason})") for answer in entry.answers)
    yield "link", link(page_url, entry.alert_id)


def _patient(patient: Address) -> str:
    """PID-3, with its authority by an OID or a URI."""
    if patient.system.startswith(OID):
        authority = f"&{escaped(patient.system.removeprefix(OID))}&ISO"
    else:
        authority = f"&{escaped(patient.system)}&URI"
    return f"{escaped(patient.id)}^^^{authority}"


def _segment(name: str, fields: Sequence[str]) -> str:
    return FIELD.join([name, *fields])


def _time(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S%z")


def _hex(character: str) -> str:
    return f"\\X{ord(character):02X}\\"
