"""The HL7 interface specification, for whoever connects a laboratory: written from what the code does.

Answers and examples are made by the code that answers; the fields are a table that the tests hold against the
reader.
"""

# ruff: noqa: E501 - the lines of the page are as long as those of the other pages

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from worker.accepting import Outcome, Receipt
from worker.intake.hl7_charset import CODECS
from worker.intake.hl7_refusals import refusals
from worker.intake.hl7_split import MAX_BYTES, MAX_OBSERVATIONS, MAX_REPETITIONS, MAX_SEGMENTS
from worker.intake.hl7v2 import LONGEST_CONTROL_ID, TYPES, VERSIONS
from worker.intake.mllp import MAX_NOISE_BYTES
from worker.mllp.policy import Policy
from worker.mllp.received import received
from worker.quarantine_reasons import QuarantineReason
from worker.sources import no_sources

FIELDS: Mapping[str, Mapping[int, str]] = {
    "MSH": {
        3: "Sending application: with MSH-4 the source.",
        4: "Sending facility.",
        7: "Time of the message; its offset holds for times in the message that have none.",
        9: "Type and event.",
        10: f"Control id, up to {LONGEST_CONTROL_ID} characters, given back in MSA-2. Empty: the SHA-256 of the message.",
        11: "P. T and D are not judged.",
        12: "Version.",
        15: "When an accept answer is wanted (AL, NE, ER, SU).",
        16: "When an application answer is wanted.",
        18: "Character set. Empty: UTF-8, else ISO 8859-1.",
    },
    "PID": {
        3: "Identifiers with assigning authority (component 4) and type (component 5; MR, PI, PT before others).",
        5: "Name.",
        7: "Date of birth.",
        8: "Sex.",
        29: "Time of death.",
        30: "Whether the patient is dead.",
    },
    "PD1": {12: "Y: the patient is marked as sensitive. N and nothing leave the mark as it is."},
    "ARV": {
        2: "D: not read further.",
        3: "ALL, DRG, HIV, PSY, SMD or STD (table 0717), in an ARV between PID and PV1: the patient is marked as sensitive.",
    },
    "EVN": {2: "When the event was recorded: which of two ADT messages is the newer."},
    "PV1": {2: "Class.", 3: "Location.", 7: "Attending clinician."},
    "MRG": {1: "The retired identifier (A40). An A37 has none: its two PID are two patients from then on."},
    "ORC": {
        1: "Order control, of a pharmacy order.",
        2: "Placer's number, where OBR-2 is empty.",
        3: "Filler's number, where OBR-3 is empty.",
        12: "Orderer, where OBR-16 is empty.",
    },
    "OBR": {
        2: "Placer's number.",
        3: "Filler's number: part of each result's id.",
        7: "When the specimen was taken, where OBX-14 is empty.",
        13: "Remarks on the specimen.",
        16: "Orderer.",
        22: "When the results were released or changed.",
        28: "Copies to.",
        39: "Remarks on the specimen.",
    },
    "OBX": {
        2: "Type of the value: NM, SN, ST, TX, FT, CE, CWE; any other is kept as text.",
        3: "What was measured: LOINC, or a local code of the source's mapping. Part of the result's id.",
        4: "Sub-id: part of the result's id.",
        5: "Value, with its comparator.",
        6: "Unit.",
        7: "The laboratory's own limits.",
        8: "Interpretation.",
        11: "Status: P F C D W X R S I N O U V A B.",
        14: "When the specimen was taken.",
        17: "Method.",
        19: "When the value was measured.",
    },
    "SPM": {
        11: "Its role: control samples are not patients.",
        21: "Why the specimen was rejected.",
        24: "Its condition: hemolyzed, clotted, …",
    },
    "NTE": {3: "Remarks on the result, the order or the specimen above it."},
}
"""Segment → field → what is read of it. Pharmacy and problem segments are in RECORDS."""

RECORDS = {
    "DG1": "DG1-3 (or DG1-4), DG1-5, DG1-21: a condition",
    "PR1": "PR1-3 (or PR1-4), PR1-5, PR1-20: a procedure",
    "RXE, RXO, RXR, TQ1": "a medication order with its route and times",
    "RXA, RXR": "RXA-3, RXA-4, RXA-5, RXA-20, RXA-21: a dose given",
}

AT = datetime(2026, 3, 1, 7, 12, 0, tzinfo=UTC)
_MSH = "MSH|^~\\&|LIS|NORTH|FERRULE|HOSP|20260301081200+0100||{kind}|{id}|{processing}|{version}"
_BODY = (
    "PID|1||123^^^NORTH^MR||Muster^Erika||19800203|F",
    "OBR|1|PL1|ACC1|57698-3^Anemia panel^LN|||20260301073000+0100|||||||||1234567893^Wren^Ada^^^^^^NPI",
    "OBX|1|NM|2276-4^Ferritin^LN||9|ng/mL|13-150|L|||F|||20260301073000+0100",
)


def message(
    *more: str, kind: str = "ORU^R01^ORU_R01", id: str = "MSG00001", tail: str = "", **msh: str
) -> bytes:
    """An example."""
    header = _MSH.format(kind=kind, id=id, **{"processing": "P", "version": "2.5.1", **msh}) + tail
    return "".join(f"{segment}\r" for segment in (header, *_BODY, *more)).encode()


EXAMPLES: tuple[tuple[str, bytes], ...] = (
    ("A report that is stored", message()),
    ("Enhanced mode, both answers asked for (MSH-15 and MSH-16 AL)", message(id="MSG00002", tail="|||AL|AL")),
    ("A segment that cannot be read: the bytes wait in quarantine", message("obx|2", id="MSG00003")),
    ("A type that is not taken", message(kind="SIU^S12", id="MSG00004")),
    ("A version that is not taken, in enhanced mode", message(id="MSG00005", version="9.9", tail="|||AL|NE")),
    (
        "A batch",
        b"BHS|^~\\&|LIS|NORTH|FERRULE|HOSP|20260301||||BATCH1\r"
        + message(id="MSG00006")
        + message("obx|2", id="MSG00007")
        + b"BTS|2\r",
    ),
    ("Not HL7", b"hello\r"),
)


def answers(raw: bytes) -> list[str]:
    """What the code answers to an example that is new to it."""
    frame = received(raw, Policy(no_sources))
    receipts = [Receipt(1, Outcome.STORED, None, AT) for _ in frame.inbound]
    return [answer.content.decode("latin-1") for answer in frame.answered(receipts, AT)]


def hl7_page() -> str:
    """The page."""
    kinds = [(f"`{kind}`", ", ".join(sorted(triggers))) for kind, triggers in TYPES.items()]
    fields = [
        (f"{segment}-{number}", meaning) for segment, of in FIELDS.items() for number, meaning in of.items()
    ]
    return "\n".join(
        [
            "# HL7 v2 interface",
            "",
            _TRANSPORT,
            "## Messages taken",
            "",
            _table(("MSH-9.1", "MSH-9.2"), kinds),
            f"Versions (MSH-12): {', '.join(sorted(version for version in VERSIONS if version))}.",
            f"Character sets (MSH-18): {', '.join(sorted(CODECS))}; dashes, blanks and case do not matter.",
            "",
            f"At most {MAX_BYTES // 1024**2} MB, {MAX_SEGMENTS} segments, {MAX_OBSERVATIONS} OBX and"
            f" {MAX_REPETITIONS} repetitions of a field. Segments end with CR; LF and CRLF are read too.",
            "A segment of another name is kept with the message and not read.",
            "",
            _ANSWERS,
            "### What is refused",
            "",
            _table(("answer", "ERR-3", "meaning", "reason it is kept under"), _refused()),
            "## Fields read",
            "",
            _table(("field", "meaning"), fields),
            _table(("segments", "records"), RECORDS.items()),
            _IDENTITY,
            _reasons(),
            "## Examples",
            "",
            *(_example(title, raw) for title, raw in EXAMPLES),
        ]
    )


def _refused() -> Iterable[tuple[str, str, str, str]]:
    for reason, place, code, condition in refusals():
        where = f"{reason} ({place})" if place else reason
        yield code, str(condition.number), condition.text, where


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _example(title: str, raw: bytes) -> str:
    answered = "\n\n".join(_lines(answer) for answer in answers(raw))
    return f"### {title}\n\nSent:\n\n{_lines(raw.decode())}\n\nAnswered:\n\n{answered}\n"


def _lines(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\r") if line)


_TRANSPORT = f"""\
MLLP over TCP (`FERRULE_MLLP_LISTEN`, port 2575): `0x0B` message `0x1C 0x0D`. TLS 1.2 or newer where
`FERRULE_MLLP_TLS_CERTIFICATE` is set; client certificates where `FERRULE_MLLP_CLIENT_CA` is, each of them belonging to a source of
the sources file. Many connections at once, many messages on one; messages may be sent without waiting, the answers come in
their order. Leave connections open.

- An end block without its carriage return is taken after a second (`FERRULE_MLLP_END_BLOCK=strict` discards it).
- A start block inside a message ends that message unanswered. Bytes outside frames are passed over; after
  {MAX_NOISE_BYTES // 1024} kB of them, or another protocol's greeting, the connection is closed.
- A message must be whole within `FERRULE_MLLP_FRAME_SECONDS`; a connection that sends nothing for `FERRULE_MLLP_IDLE_SECONDS` is closed.
- A message over `FERRULE_MLLP_MAX_BYTES` is answered AR and the connection closed; nothing of it is kept.
"""

_ANSWERS = """\
## Answers

An answer comes after the message is committed to the database, so it may be taken off the sender's queue. While the
database takes nothing there is no answer (in enhanced mode CE) and nothing more is read: send it again.

| what became of it | original mode | enhanced mode |
| --- | --- | --- |
| stored | AA | CA, and AA if MSH-16 asks for it |
| stored, but its content cannot be used (no patient identifier, unknown code or unit) | AA | the same: an unmapped code stalls no feed |
| the structure cannot be read; the bytes wait in quarantine | AE | CE |
| not for us; the bytes are kept apart and not judged | AR | CR |
| the same message again | the first answer again | the same |
| an acknowledgement | none | none |

MSA-2 is MSH-10 as it came. AR is final, AE may be sent again; neither is given for a fault that passes. What was refused and
no longer is, because the site or the message type has been set up, is taken when it comes again. The same control id
with other bytes is taken as a new message and flagged.
Answers are written with `|^~\\&`, whatever the message used. ERR-2 names segment, sequence and field, ERR-3 the code of
table 0357; for versions before 2.5 ERR-1 says the same. A batch (FHS, BHS) is answered by one batch.
"""


def _reasons() -> str:
    """What may wait in quarantine, for the senders who are asked about it."""
    rows = "".join(f"| `{reason}` | {reason.remedy} |\n" for reason in sorted(QuarantineReason))
    return (
        "## What waits in quarantine\n\nWhatever the door it came by. The item says the place, and where it can, "
        f"what was expected there.\n\n| reason | what to do |\n| --- | --- |\n{rows}"
    )


_IDENTITY = """\
An OBX of a message that is no report (ADT, RDE, RAS, OMP) is kept as a result that is not used; beside an A40, or before any OBR
of a report, it waits in quarantine. No OBX is passed over.

A result's id is OBR-3, OBX-3.1 and OBX-4 together: a correction under the same id takes the place of the earlier value. A
patient is the identifier of PID-3 and its authority; without an authority the one that the sources file gives the source.

A sender sets the mark of a sensitive patient and never takes it away, by PD1-12 N or an ARV with D as little as by silence: one
system's N may be its default where another protects. The privacy officer takes it away (`/privacy`); the next message that protects
the patient sets it again, so correct the sender first. PV1-16 (table 0099, of each site's own) and restrictions of a visit are not read.
"""
