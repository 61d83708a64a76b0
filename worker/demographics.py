"""Who a patient is, from everything ever said of them: each trait as it was said last.

Pure. Statements are kept side by side like the versions of a result, so that one that comes late changes only
what nothing newer has said. What belongs to whom is not decided here (`worker.patients`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from rules.facts import Patient, Sex


@dataclass(frozen=True, slots=True)
class Demographics:
    """What one message said of a person; what is None it said nothing of.

    `deceased` False takes a death back. `said_at` is when the sender said so, which orders the statements.
    """

    said_at: datetime
    known_at: datetime
    arrival: int
    name: str | None = None
    family: str | None = None
    birth_date: date | None = None
    sex: Sex | None = None
    deceased: bool | None = None
    deceased_at: datetime | None = None
    location: str | None = None
    attending_system: str | None = None
    attending_id: str | None = None

    @property
    def says_something(self) -> bool:
        """Whether there is anything in it."""
        shown = ("said_at", "known_at", "arrival")
        return any(getattr(self, name) is not None for name in self.__slots__ if name not in shown)


def demographics_order(said: Demographics) -> tuple[datetime, int]:
    """What was said last wins, then what arrived last."""
    return said.said_at, said.arrival


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as they are known now, and what beside that is shown or used for addressing."""

    patient: Patient
    name: str | None = None
    location: str | None = None
    attending: tuple[str, str] | None = None


def person_of(key: tuple[str, str], said: Iterable[Demographics], known_by: datetime | None = None) -> Person:
    """The person under an identifier, as known by a moment (None: now)."""
    newest_first = sorted(
        (one for one in said if known_by is None or one.known_at <= known_by),
        key=demographics_order,
        reverse=True,
    )

    def last(says: Callable[[Demographics], bool]) -> Demographics | None:
        return next((one for one in newest_first if says(one)), None)

    born = last(lambda one: one.birth_date is not None)
    sex = last(lambda one: one.sex is not None)
    death = last(lambda one: one.deceased is not None)
    name = last(lambda one: one.name is not None)
    place = last(lambda one: one.location is not None)
    attending = last(lambda one: one.attending_id is not None)
    return Person(
        Patient(
            *key,
            birth_date=born.birth_date if born else None,
            sex=sex.sex or Sex.UNKNOWN if sex else Sex.UNKNOWN,
            deceased_at=(death.deceased_at or death.said_at) if death and death.deceased else None,
        ),
        name=name.name if name else None,
        location=place.location if place else None,
        attending=((attending.attending_system or "", attending.attending_id or "") if attending else None),
    )
