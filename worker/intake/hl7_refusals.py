"""Why a message is refused, in HL7's words: AE or AR, the error code of table 0357, segment and field.

AE: the structure cannot be read, and the bytes are kept in quarantine. AR: not for us; never for a fault that
passes, because senders do not send again what was rejected. No text here holds anything of a patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum

from worker.intake.hl7_split import unwrapped
from worker.intake.unreadable import Reason, Unreadable


class Code(StrEnum):
    """The application acknowledgement codes of HL7 table 0008."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


class Condition(Enum):
    """HL7 table 0357, as far as it is used here."""

    SEGMENT_SEQUENCE = (100, "Segment sequence error")
    REQUIRED_FIELD = (101, "Required field missing")
    DATA_TYPE = (102, "Data type error")
    TABLE_VALUE = (103, "Table value not found")
    TOO_LONG = (104, "Value too long")
    CARDINALITY = (198, "Non-conformant cardinality")
    MESSAGE_TYPE = (200, "Unsupported message type")
    EVENT_CODE = (201, "Unsupported event code")
    PROCESSING_ID = (202, "Unsupported processing id")
    VERSION = (203, "Unsupported version id")
    INTERNAL = (207, "Application internal error")

    @property
    def number(self) -> int:
        """The code."""
        return int(self.value[0])

    @property
    def text(self) -> str:
        """What the table calls it."""
        return str(self.value[1])


@dataclass(frozen=True, slots=True)
class Location:
    """Where: the segment, which of its name, the field; None where no field is meant."""

    segment: str
    sequence: int = 1
    field: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal: what is answered, and the reason it is kept and counted under."""

    code: Code
    condition: Condition
    location: Location
    why: Unreadable

    @property
    def keeps(self) -> tuple[str, str, str]:
        """Reason, place and remedy, as a stored message has them."""
        return (str(self.why.reason), self.why.place, self.why.remedy)


_TABLE: dict[Reason, tuple[Code, Condition]] = {
    Reason.CHARSET: (Code.ERROR, Condition.TABLE_VALUE),
    Reason.MERGE_INCOMPLETE: (Code.ERROR, Condition.SEGMENT_SEQUENCE),
    Reason.NO_HEADER: (Code.REJECT, Condition.SEGMENT_SEQUENCE),
    Reason.NO_PATIENT: (Code.ERROR, Condition.SEGMENT_SEQUENCE),
    Reason.PROCESSING_ID: (Code.REJECT, Condition.PROCESSING_ID),
    Reason.STRUCTURE: (Code.ERROR, Condition.SEGMENT_SEQUENCE),
    Reason.TOO_LARGE: (Code.REJECT, Condition.TOO_LONG),
    Reason.TOO_MANY: (Code.ERROR, Condition.CARDINALITY),
    Reason.UNKNOWN_SENDER: (Code.REJECT, Condition.TABLE_VALUE),
    Reason.UNSUPPORTED_TYPE: (Code.REJECT, Condition.MESSAGE_TYPE),
    Reason.UNSUPPORTED_VERSION: (Code.REJECT, Condition.VERSION),
}
_PLACES: dict[tuple[Reason, str], tuple[Code, Condition]] = {
    (Reason.CHARSET, ""): (Code.REJECT, Condition.DATA_TYPE),  # UTF-16: no header that could be read
    (Reason.MERGE_INCOMPLETE, "MRG-1"): (Code.ERROR, Condition.REQUIRED_FIELD),
    (Reason.NO_HEADER, "MSH-2"): (Code.REJECT, Condition.DATA_TYPE),
    (Reason.STRUCTURE, "MSH-10"): (Code.REJECT, Condition.TOO_LONG),
    (Reason.UNSUPPORTED_TYPE, "MSH-9.2"): (Code.REJECT, Condition.EVENT_CODE),
}
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\.\d+)?)?")
_NUMBERED = re.compile(r"segment (\d+)")
_NAME = re.compile(rb"[A-Za-z0-9]{1,4}(?![A-Za-z0-9])")


def refusal_of(why: Unreadable, raw: bytes) -> Refusal:
    """The refusal for what could not be read of the message in `raw`."""
    code, condition = _PLACES.get((why.reason, why.place)) or _TABLE.get(
        why.reason, (Code.ERROR, Condition.INTERNAL)
    )
    return Refusal(code, condition, _location(why.place, raw), why)


def refusals() -> Iterator[tuple[str, str, Code, Condition]]:
    """Every refusal there is: reason, place where that matters, code, condition."""
    for (reason, place), (code, condition) in sorted(_PLACES.items()):
        yield str(reason), place, code, condition
    for reason, (code, condition) in sorted(_TABLE.items()):
        yield str(reason), "", code, condition


def _location(place: str, raw: bytes) -> Location:
    if match := _PLACE.fullmatch(place):
        return Location(match[1], int(match[2] or 1), int(match[3]) if match[3] else None)
    if match := _NUMBERED.fullmatch(place):
        return _numbered(int(match[1]), raw)
    return Location("MSH")


def _numbered(number: int, raw: bytes) -> Location:
    """The segment at a place in the message, by its name and which one of that name it is."""
    names = []
    for line in re.split(b"[\r\n]+", unwrapped(raw)):
        if line.strip():
            match = _NAME.match(line)
            names.append(match[0].decode() if match else "")
        if len(names) == number:
            break
    name = names[-1] if names else ""
    return Location(name, names.count(name) or 1)
