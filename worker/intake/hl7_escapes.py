"""HL7 v2 escape sequences in text. An unknown or unfinished one stays as it is: nothing is dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_HEX = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
_FORMAT = re.compile(r"\.(?:br|sp|in|ti|fi|nf|sk|ce)[+-]?[0-9]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Separators:
    """The delimiters a message declares in MSH-1 and MSH-2; `truncation` is version 2.7's fifth."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str = ""


def unescape(text: str, separators: Separators, codec: str) -> str:
    """`text` with its sequences read. Line breaks, hexadecimal ones too, are line feeds inside one value."""
    if separators.escape not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        meaning = _meaning(match[1], separators, codec)
        return match[0] if meaning is None else meaning

    return _pattern(separators.escape).sub(replace, text)


def has_unknown_escape(text: str, separators: Separators, codec: str) -> bool:
    """Whether `text` holds a sequence that `unescape` leaves as it is."""
    if separators.escape not in text:
        return False
    pattern = _pattern(separators.escape)
    unknown = any(_meaning(match[1], separators, codec) is None for match in pattern.finditer(text))
    return unknown or separators.escape in pattern.sub("", text)


@lru_cache(maxsize=32)
def _pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f"{mark}([^{mark}\r\n]*){mark}")


def _meaning(sequence: str, separators: Separators, codec: str) -> str | None:
    delimiters = {
        "F": separators.field,
        "S": separators.component,
        "R": separators.repetition,
        "E": separators.escape,
        "T": separators.subcomponent,
        "P": separators.truncation,
        "H": "",
        "N": "",
    }
    if sequence in delimiters:
        return delimiters[sequence]
    if _FORMAT.fullmatch(sequence):
        return "\n" if sequence[1:3].lower() in ("br", "sp", "ce") else " "
    if _HEX.fullmatch(sequence):
        return bytes.fromhex(sequence[1:]).decode(codec, errors="replace").replace("\r", "\n")
    return None
