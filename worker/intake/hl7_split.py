"""HL7 v2 bytes split into segments and fields: strictly, after every cap and structure check has passed.

Our own few lines instead of python-hl7, which takes an LF-terminated message for one segment, accepts
`MSH|^~` and makes real segment ends of `\\X0D\\`. Knows separators, not meanings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from worker.intake.hl7_charset import codec_of, decoded
from worker.intake.hl7_escapes import Separators, has_unknown_escape, unescape
from worker.intake.marks import Mark
from worker.intake.unreadable import Reason, Unreadable

MAX_BYTES = 4 * 1024 * 1024
MAX_OBSERVATIONS = 2000
MAX_SEGMENTS = 10_000
MAX_REPETITIONS = 500

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SEGMENT_NAME = re.compile("[A-Z][A-Z0-9]{2}")
_AROUND = b"\x0b\x1c\r\n\t \x00"  # block marks and blanks around a message
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `position` counts those of its name from 1; `fields[n]` is field n, still escaped."""

    name: str
    position: int
    fields: tuple[str, ...]
    separators: Separators
    codec: str

    def raw(self, field: int) -> str:
        """Field `field` as sent; "" when it is absent or an explicit null."""
        text = self.fields[field] if field < len(self.fields) else ""
        return "" if text == '""' else text

    def repetitions(self, field: int) -> list[str]:
        """The repetitions of a field, still escaped; none for an empty field."""
        text = self.raw(field)
        return text.split(self.separators.repetition) if text.strip() else []

    def first(self, field: int) -> str:
        """The first repetition of a field, still escaped."""
        return self.raw(field).split(self.separators.repetition, 1)[0]

    def text(self, field: int, component: int = 1) -> str:
        """One component of the first repetition, read and trimmed."""
        return self.component(self.first(field), component)

    def component(self, repetition: str, component: int) -> str:
        """One component of a repetition, read and trimmed; "" when absent or null."""
        parts = repetition.split(self.separators.component)
        text = parts[component - 1].strip() if component <= len(parts) else ""
        return "" if text == '""' else self.read(text).strip()

    def components(self, repetition: str) -> list[str]:
        """All components of a repetition, read and trimmed, nulls as ""."""
        parts = (part.strip() for part in repetition.split(self.separators.component))
        return ["" if part == '""' else self.read(part).strip() for part in parts]

    def subcomponents(self, repetition: str, component: int) -> list[str]:
        """The subcomponents of a component, read and trimmed."""
        parts = repetition.split(self.separators.component)
        text = parts[component - 1] if component <= len(parts) else ""
        return [self.read(part).strip() for part in text.split(self.separators.subcomponent)]

    def read(self, text: str) -> str:
        """`text` with its escape sequences read."""
        return unescape(text, self.separators, self.codec)

    def place(self, field: int | None = None) -> str:
        """Where this is, for an error: OBX[3]-5."""
        name = f"{self.name}[{self.position}]"
        return name if field is None else f"{name}-{field}"


@dataclass(frozen=True, slots=True)
class Message:
    """The segments of one message in order, the first of them MSH, and what was noticed while splitting."""

    segments: tuple[Segment, ...]
    marks: tuple[Mark, ...]

    @property
    def header(self) -> Segment:
        """The MSH segment."""
        return self.segments[0]


def split_message(raw: bytes) -> Message:
    """The segments of the message in `raw`; raises `Unreadable` naming the place, never what stands there."""
    body = _checked_body(raw)
    separators = separators_of(body)
    lines, normalized = _lines(body, separators)
    _check_caps(lines, separators)
    header = lines[0].split(separators.field.encode())
    declared = header[17].decode("ascii", errors="replace") if len(header) > 17 else ""
    text, codec, marks = decoded(b"\r".join(lines), codec_of(declared.split(separators.repetition)))
    segments = _segments(text.split("\r"), separators, codec)
    noticed = list(marks)
    if normalized:
        noticed.append(Mark.LINE_ENDS)
    # Few messages have an escape at all: looking into every field took half the time of splitting.
    escapes = separators.escape in text.partition("\r")[2]
    if escapes and any(
        has_unknown_escape(field, separators, codec) for segment in segments[1:] for field in segment.fields
    ):
        noticed.append(Mark.UNKNOWN_ESCAPE)
    return Message(segments, tuple(noticed))


def unwrapped(raw: bytes) -> bytes:
    """A message without block marks, blanks and byte order mark around it."""
    return raw.strip(_AROUND).removeprefix(_BYTE_ORDER_MARK)


def separators_of(body: bytes) -> Separators:
    """The delimiters of a message, batch or file header; raises `Unreadable`."""
    field = body[3:4]
    declared = body[4 : body.find(field, 4)] if field and body.find(field, 4) > 0 else b""
    characters = (field + declared).decode("ascii", errors="replace")
    if len(declared) not in (4, 5) or len(set(characters)) != len(characters):
        raise Unreadable(
            Reason.NO_HEADER, "MSH-2", "expected four or five different delimiters, got something else"
        )
    if any(not c.isascii() or c.isalnum() or not c.isprintable() or c == " " for c in characters):
        raise Unreadable(
            Reason.NO_HEADER, "MSH-2", "expected signs as delimiters, got letters, digits or blanks"
        )
    return Separators(*characters)


def _checked_body(raw: bytes) -> bytes:
    if len(raw) > MAX_BYTES:
        raise Unreadable(Reason.TOO_LARGE, "", f"send at most {MAX_BYTES} bytes in one message")
    if raw[:2] in _UTF16_MARKS or raw[:6] in (b"M\0S\0H\0", b"\0M\0S\0H"):
        raise Unreadable(Reason.CHARSET, "", "expected one byte for each ASCII character, got UTF-16")
    body = unwrapped(raw)
    if not body.startswith(b"MSH"):
        raise Unreadable(Reason.NO_HEADER, "MSH", "expected MSH as the first segment, got something else")
    return body


def _lines(body: bytes, separators: Separators) -> tuple[list[bytes], bool]:
    """The segments' bytes, and whether other ends than CR were found.

    The first end decides: after LF or CRLF every line is a segment. After CR a line feed is text inside a
    value, unless a segment follows it.
    """
    first = re.search(b"[\r\n]", body)
    plain = body.replace(b"\r\n", b"\r")
    if first is not None and (first[0] == b"\n" or body[first.start() : first.end() + 1] == b"\r\n"):
        ends = plain.replace(b"\n", b"\r")
    else:
        field = re.escape(separators.field.encode())
        ends = re.sub(b"\n(?=[A-Z][A-Z0-9]{2}" + field + b")", b"\r", plain)
    return [line for line in ends.split(b"\r") if line.strip()], ends != body


def _check_caps(lines: list[bytes], separators: Separators) -> None:
    if len(lines) > MAX_SEGMENTS:
        raise Unreadable(Reason.TOO_MANY, "", f"send at most {MAX_SEGMENTS} segments in one message")
    if sum(line.startswith(b"OBX") for line in lines) > MAX_OBSERVATIONS:
        raise Unreadable(Reason.TOO_MANY, "OBX", f"send at most {MAX_OBSERVATIONS} OBX in one message")
    repetition, field = separators.repetition.encode(), separators.field.encode()
    for number, line in enumerate(lines, 1):
        if line.count(repetition) < MAX_REPETITIONS:
            continue
        if any(part.count(repetition) >= MAX_REPETITIONS for part in line.split(field)):
            remedy = f"send at most {MAX_REPETITIONS} repetitions in one field"
            raise Unreadable(Reason.TOO_MANY, f"segment {number}", remedy)


def _segments(lines: list[str], separators: Separators, codec: str) -> tuple[Segment, ...]:
    counts: dict[str, int] = {}
    segments = []
    for number, line in enumerate(lines, 1):
        name, *rest = line.split(separators.field)
        if not _SEGMENT_NAME.fullmatch(name.strip()):
            remedy = "expected a segment name of three capitals or digits, got something else"
            raise Unreadable(Reason.STRUCTURE, f"segment {number}", remedy)
        name = name.strip()
        if name == "MSH":
            if number > 1:
                raise Unreadable(
                    Reason.STRUCTURE, f"segment {number}", "expected one MSH in a message, got two"
                )
            rest = [separators.field, *rest]
        counts[name] = counts.get(name, 0) + 1
        segments.append(Segment(name, counts[name], (name, *rest), separators, codec))
    return tuple(segments)
