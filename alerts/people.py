"""Who is addressed and who acts: identifiers of people, of pools and of Ferrule itself."""

from __future__ import annotations

from dataclasses import dataclass

POOL_SYSTEM = "urn:ferrule:pool"
SELF_SYSTEM = "urn:ferrule:self"
RECORD_SYSTEM = "urn:ferrule:record-system"


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An identifier of a person (as the laboratory sends it), of a pool (system `urn:ferrule:pool`) or of a
    system that keeps the patient's record (`urn:ferrule:record-system`, by its channel).
    """

    system: str
    id: str

    def __post_init__(self) -> None:
        if not self.system or not self.id:
            raise ValueError(
                f"address: expected a system and an id, got {'no id' if self.system else 'no system'}"
            )

    @property
    def is_pool(self) -> bool:
        """Whether a group that answers together is meant, not one person."""
        return self.system == POOL_SYSTEM

    @property
    def is_record_system(self) -> bool:
        """Whether a program that keeps the patient's record is meant, and nobody who could answer."""
        return self.system == RECORD_SYSTEM


def pool(ident: str) -> Address:
    """The address of a pool."""
    return Address(POOL_SYSTEM, ident)


def record_system(channel: str) -> Address:
    """The address of the record system that a channel leads to."""
    return Address(RECORD_SYSTEM, channel)


UNADDRESSED = pool("unaddressed")
"""The visible queue of alerts that nobody else can get."""


NOBODY_YET = Address(SELF_SYSTEM, "held")
"""Whom an alert belongs to while it is held: nobody sees it."""


@dataclass(frozen=True, slots=True)
class Orderer:
    """Who ordered a result, as its message said."""

    system: str
    id: str
    name: str = ""

    @property
    def address(self) -> Address:
        """Where to reach them."""
        return Address(self.system, self.id)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who took a step. `origin` is where from (an IP address or a command), for the audit trail."""

    system: str
    id: str
    origin: str = ""


def ferrule(part: str) -> Actor:
    """Ferrule itself, acting through one of its parts."""
    return Actor(SELF_SYSTEM, part)
