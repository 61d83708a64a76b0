"""How a patient and a colleague are named on the screen. Names never leave the page."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from worker.records import Stored
from worker.web import words

SHOWN_OF_ID = 4
LONGEST_NAME = 80
_BIDI_CONTROLS = dict.fromkeys(
    map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
)
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


@dataclass(frozen=True, slots=True)
class PatientWords:
    """`title` is the name, else the end of the identifier; `detail` is sex, age and that end."""

    title: str
    detail: str


def shown_name(name: str) -> str:
    """A name as a page may show it: cut with a marker, and unable to turn the words around it.

    Characters that order text are left out; a name written from right to left is isolated.
    """
    kept = unturned(name)
    if len(kept) > LONGEST_NAME:
        kept = kept[: LONGEST_NAME - 1].rstrip() + "…"
    turns = any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in kept)
    return f"\u2068{kept}\u2069" if turns else kept


def sex_and_age(stored: Stored | None, on: datetime) -> str:
    """ "woman of 46", for who may not know whom it is about."""
    if stored is None:
        return "Patient"
    patient = stored.history.patient
    who = {"F": "Woman", "M": "Man"}.get(words.sex_letter(patient.sex), "Patient")
    return f"{who} of {words.age(patient.birth_date, on.date())}" if patient.birth_date else who


def unturned(text: str) -> str:
    """One line without characters that order text or steer a terminal."""
    kept = (c if unicodedata.category(c) != "Cc" else " " for c in text.translate(_BIDI_CONTROLS))
    return " ".join("".join(kept).split())


def patient_words(stored: Stored | None, now: datetime) -> PatientWords:
    """The patient of a row or page; "Patient" when nothing is kept of them."""
    if stored is None:
        return PatientWords("Patient", "")
    patient = stored.history.patient
    end = f"…{patient.id[-SHOWN_OF_ID:]}"
    about = [
        words.sex_letter(patient.sex),
        str(words.age(patient.birth_date, now.date())) if patient.birth_date else "",
    ]
    parts = [
        " ".join(part for part in about if part),
        end if stored.name else "",
        "deceased" if patient.deceased_at else "",
    ]
    return PatientWords(
        shown_name(stored.name or "") or f"Patient {end}", " · ".join(part for part in parts if part)
    )
