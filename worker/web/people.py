"""How a patient and a colleague are named on the screen. Names never leave the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from worker.records import Stored
from worker.web import words

SHOWN_OF_ID = 4


@dataclass(frozen=True, slots=True)
class PatientWords:
    """`title` is the name, else the end of the identifier; `detail` is sex, age and that end."""

    title: str
    detail: str


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
    return PatientWords(stored.name or f"Patient {end}", " · ".join(part for part in parts if part))
