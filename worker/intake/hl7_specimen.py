"""Remarks on a specimen in HL7 v2: SPM-21 and SPM-24, OBR-13 and OBR-39, and NTE, as specimen notes."""

from __future__ import annotations

from worker.intake.hl7_split import Segment
from worker.intake.specimen import CONTROL_SAMPLE

# HL7 tables 0490 (reject reason) and 0493 (condition).
_WORDS = {
    "HEM": "hemolyzed", "RH": "hemolyzed", "CLOT": "clotted", "RC": "clotted",
    "CON": "contaminated", "RN": "contaminated", "QS": "insufficient",
}  # fmt: skip


# HL7 table 0369, SPM-11: roles of a specimen that is no patient's.
_OF_NOBODY = frozenset({"B", "C", "E", "F", "O", "Q", "V"})


def specimen_words(spm: Segment) -> list[str]:
    """The role, conditions and reject reasons of an SPM: known codes as our words, others by their text."""
    roles = {spm.component(repetition, 1).upper() for repetition in spm.repetitions(11)}
    notes = [CONTROL_SAMPLE] if roles & _OF_NOBODY else []
    for number in (21, 24):
        for repetition in spm.repetitions(number):
            code, text = spm.component(repetition, 1), spm.component(repetition, 2)
            notes.append(_WORDS.get(code.upper()) or text or code)
    return [note for note in notes if note]


def order_remarks(obr: Segment) -> list[str]:
    """Clinical information and collector's comments of an OBR; "fasting" is said here."""
    texts = [
        obr.read(obr.raw(13)).strip(),
        *(obr.component(r, 2) or obr.component(r, 1) for r in obr.repetitions(39)),
    ]
    return [text for text in texts if text]


def remark(nte: Segment) -> str:
    """The text of an NTE, its repetitions as lines."""
    return "\n".join(nte.read(line).strip() for line in nte.repetitions(3)).strip()
