"""Specimen notes: the spellings in use, read as the nine words rules know; all else kept as lower-case text.

Only a note that says nothing else is read so: "not hemolyzed" and "hemolysis index 2" stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPELLINGS = {
    "hemolyzed": "hemolyzed hemolysed haemolyzed haemolysed hemolysis haemolysis hemolytic haemolytic",
    "lipemic": "lipemic lipaemic lipemia lipaemia",
    "icteric": "icteric icterus",
    "clotted": "clotted clot clots",
    "insufficient": "insufficient qns",
    "contaminated": "contaminated contamination",
    "diluted": "diluted dilute",
    "wrong-blood": "wrong-blood wrong-blood-in-tube wbit",
    "drip-arm": "drip-arm",
}
_WORD_OF = {spelling: word for word, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_PHRASES = {
    "wrong blood": "wrong-blood",
    "wrong blood in tube": "wrong-blood",
    "drip arm": "drip-arm",
    "drawn from drip arm": "drip-arm",
    "quantity not sufficient": "insufficient",
    "insufficient quantity": "insufficient",
}
_AROUND = re.compile(
    r"(?:(?:the |blood |serum )?(?:specimen|sample)(?: is| was)? )?"
    r"(?:slightly |moderately |markedly |grossly )?(.+?)(?: (?:specimen|sample))?[.!*]*"
)
CONTROL_SAMPLE = "control-sample"
"""A note that the specimen is no patient's: its results are nobody's."""
LONGEST_NOTE = 2000


def specimen_notes(texts: Iterable[str]) -> tuple[str, ...]:
    """The notes in lower case, known ones as their word, each once, in the order given."""
    return tuple(dict.fromkeys(note for note in map(_note, texts) if note))


def _note(text: str) -> str:
    plain = " ".join(text.lower().split())[:LONGEST_NOTE]
    match = _AROUND.fullmatch(plain.replace("_", " ")) if len(plain) < 80 else None
    if match is None:
        return plain
    core = match[1]
    return _WORD_OF.get(core.replace(" ", "-")) or _PHRASES.get(core) or plain
