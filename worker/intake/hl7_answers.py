"""HL7 v2 answers: original and enhanced mode, ERR segments that name the place, batches.

Pure: the same message, verdict and moment give the same bytes, so that a duplicate gets the first answer
again. Whether a message is accepted is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from worker.intake.hl7_asked import Asked
from worker.intake.hl7_escapes import Separators, unescape
from worker.intake.hl7_refusals import Code, Location, Refusal
from worker.intake.hl7v2 import VERSIONS

OURS = Separators("|", "^", "~", "\\", "&")
ENCODING = r"^~\&"
US = "FERRULE"
DEFAULT_VERSION = "2.5.1"
ACCEPT_CODES = {Code.ACCEPT: "CA", Code.ERROR: "CE", Code.REJECT: "CR"}
"""Application codes as accept codes of the enhanced mode (HL7 table 0008)."""

_ASKED_FOR = {
    "AL": frozenset(Code),
    "": frozenset[Code](),
    "NE": frozenset[Code](),
    "ER": frozenset({Code.ERROR, Code.REJECT}),
    "SU": frozenset({Code.ACCEPT}),
}
"""HL7 table 0155: for which outcomes a sender wants to hear."""

_SIGNS = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """One acknowledgement: its code in MSA-1, and its bytes without a frame."""

    code: str
    content: bytes


def answers_to(asked: Asked | None, refusal: Refusal | None, raw: bytes, at: datetime) -> list[Answer]:
    """What the sender of `raw` asked to hear of it, in the order it is sent."""
    code = refusal.code if refusal else Code.ACCEPT
    if asked is not None and asked.is_acknowledgement:
        return []
    codes = _codes(asked, code)
    return [Answer(said, _message(asked, said, refusal, raw, at)) for said in codes]


def not_stored(asked: Asked | None, refusal: Refusal, raw: bytes, at: datetime) -> list[Answer]:
    """The answer while nothing can be stored: CE to who asked for accept answers, to all others silence."""
    if asked is None or not asked.is_enhanced or asked.is_acknowledgement:
        return []
    if Code.ERROR not in _wanted(asked.accept_condition):
        return []
    return [Answer("CE", _message(asked, "CE", refusal, raw, at))]


def batch_answer(headers: Sequence[Asked], answers: Sequence[Answer], at: datetime) -> bytes:
    """One batch of acknowledgements for a batch, in a file when it came in one. `headers`: FHS, BHS."""
    opening = [_envelope(header, at) for header in headers]
    closing = [
        f"BTS|{len(answers)}\r" if header.fields[0] == "BHS" else "FTS|1\r" for header in reversed(headers)
    ]
    body = b"".join(answer.content for answer in answers)
    return "".join(opening).encode("iso8859-1") + body + "".join(closing).encode()


def own(text: str, theirs: Separators) -> str:
    """A field's text with our separators: one field and one value, whatever stands in it."""
    if replace(theirs, truncation="") != OURS:
        text = escaped(unescape(text, theirs, "iso8859-1"))
    return _CONTROL.sub(lambda found: f"\\X{ord(found[0]):02X}\\", text)


def escaped(text: str) -> str:
    """Plain text as it stands in a field of ours."""
    plain = "".join(_SIGNS.get(sign, sign) for sign in text)
    return _CONTROL.sub(lambda found: f"\\X{ord(found[0]):02X}\\", plain)


def _codes(asked: Asked | None, code: Code) -> list[str]:
    if asked is None or not asked.is_enhanced:
        return [code.value]
    told = [ACCEPT_CODES[code]] if code in _wanted(asked.accept_condition) else []
    # What was not accepted is not processed: its one answer is the accept answer, if that was asked for.
    if code in _wanted(asked.application_condition) and (code is Code.ACCEPT or not told):
        told.append(code.value)
    return told


def _wanted(condition: str) -> frozenset[Code]:
    return _ASKED_FOR.get(condition, frozenset(Code))


def _message(asked: Asked | None, code: str, refusal: Refusal | None, raw: bytes, at: datetime) -> bytes:
    version = _version(asked)
    segments = [_msh(asked, code, version, raw, at), _msa(asked, code, version, refusal)]
    if refusal is not None:
        segments.append(_err(refusal, version))
    return ("\r".join(segments) + "\r").encode("iso8859-1", errors="replace")


def _version(asked: Asked | None) -> str:
    said = asked.version if asked else ""
    return said if said and said in VERSIONS else DEFAULT_VERSION


def _msh(asked: Asked | None, code: str, version: str, raw: bytes, at: datetime) -> str:
    trigger = own(asked.trigger, asked.separators) if asked else ""
    kind = f"ACK^{trigger}" + ("^ACK" if version >= "2.4" else "") if trigger else "ACK"
    identity = hashlib.sha256(code.encode() + raw).hexdigest()[:20].upper()
    processing = own(asked.component(11, 1), asked.separators) if asked else ""
    fields = ["MSH", ENCODING, *_route(asked), _time(at), "", kind, identity, processing or "P", version]
    if asked and asked.raw(18):
        fields += ["", "", "", "", "", own(asked.raw(18), asked.separators)]
    return "|".join(fields)


def _route(asked: Asked | None) -> list[str]:
    """Sender and receiver, changed about."""
    if asked is None:
        return [US, "", "", ""]
    return [_named(asked, 5) or US, _named(asked, 6), _named(asked, 3), _named(asked, 4)]


def _named(asked: Asked, field: int) -> str:
    parts = asked.raw(field).split(asked.separators.component)
    return "^".join(own(part, asked.separators) for part in parts)


def _msa(asked: Asked | None, code: str, version: str, refusal: Refusal | None) -> str:
    control_id = own(asked.control_id, asked.separators) if asked else ""
    # MSA-3 is what older engines show a person; version 2.7 took it out.
    text = f"|{escaped(refusal.condition.text)}" if refusal and version < "2.7" else ""
    return f"MSA|{code}|{control_id}{text}"


def _err(refusal: Refusal, version: str) -> str:
    number, text = refusal.condition.number, refusal.condition.text
    where = _erl(refusal.location)
    older = f"{_eld(refusal.location)}^{number}&{text}&HL70357" if version < "2.5" else ""
    said = escaped(str(refusal.why))
    return f"ERR|{older}|{where}|{number}^{text}^HL70357|E||||{said}"


def _erl(location: Location) -> str:
    parts = [location.segment, str(location.sequence), str(location.field or "")]
    return "^".join(parts).rstrip("^")


def _eld(location: Location) -> str:
    return f"{location.segment}^{location.sequence}^{location.field or ''}"


def _envelope(header: Asked, at: datetime) -> str:
    """FHS or BHS of the answer; field 12 refers to the control id of the one that came."""
    name, theirs = header.fields[0], own(header.raw(11), header.separators)
    return "|".join([name, ENCODING, *_route(header), _time(at), "", "ACK", "", theirs, theirs]) + "\r"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
