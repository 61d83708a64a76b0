"""Who appears in the demo: made-up patients and clinicians. Any likeness is chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

PATIENT_SYSTEM = "urn:mrn:demo"
NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"

# fmt: off
_FAMILY = (
    "Alder", "Birch", "Cedar", "Dogwood", "Elder", "Fir", "Gorse", "Hazel", "Ivy", "Juniper", "Kapok",
    "Larch", "Maple", "Nettle", "Oak", "Pine", "Quince", "Rowan", "Sorrel", "Thistle", "Umber", "Viburnum",
    "Willow", "Yarrow", "Aspen", "Bramble", "Clover", "Damson", "Fennel", "Ginger",
)
_WOMEN = (
    "Ada", "Bea", "Cleo", "Dora", "Edda", "Fay", "Gilda", "Hope", "Ines", "June", "Kira", "Lena", "Mona",
    "Nell", "Odette", "Pia", "Romy", "Sol", "Tess", "Una",
)
_MEN = (
    "Abel", "Boris", "Caleb", "Dirk", "Emil", "Falk", "Gus", "Hugo", "Igor", "Jan", "Kurt", "Leo", "Max",
    "Nico", "Otto", "Pim", "Rolf", "Sven", "Theo", "Uwe",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up patient."""

    id: str
    name: str
    birth_date: date
    sex: str

    def as_event(self) -> dict[str, object]:
        """The event's `patient`."""
        born = self.birth_date.isoformat()
        return {
            "system": PATIENT_SYSTEM,
            "id": self.id,
            "name": self.name,
            "birth_date": born,
            "sex": self.sex,
        }


@dataclass(frozen=True, slots=True)
class Clinician:
    """A made-up orderer."""

    id: str
    name: str
    email: str

    def as_event(self) -> dict[str, object]:
        """The event's `orderer`."""
        return {"system": NPI_SYSTEM, "id": self.id, "name": self.name}


# The first one signs in; the numbers pass the NPI check digit and belong to nobody the demo knows of.
CLINICIANS = (
    Clinician("1000000012", "Dr. Robin Example", "robin@clinic.example"),
    Clinician("1000000020", "Dr. Sasha Sample", "sasha@clinic.example"),
    Clinician("1000000038", "Dr. Toni Testcase", "toni@clinic.example"),
    Clinician("1000000046", "Dr. Uli Fiction", "uli@clinic.example"),
)


def person(number: int, sex: str, age: int, today: date, dice: Random) -> Person:
    """The patient with this number: `age` completed years today, the birthday months away from today."""
    given = dice.choice(_WOMEN if sex == "female" else _MEN)
    born = today - timedelta(days=age * 365 + age // 4 + dice.randint(60, 300))
    return Person(f"D{number:04d}", f"{given} {dice.choice(_FAMILY)}", born, sex)
