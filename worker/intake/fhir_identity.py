"""The names of FHIR resources: by which two messages are known to speak of the same result or record.

The business identifier with the code where there is one, else the sender's id, else the message itself.
"""

from __future__ import annotations

import hashlib

from worker.intake.fhir_people import best_identifier
from worker.intake.fhir_resources import Identified, Resource

ID_LENGTH = 32


def identity_of(resource: Resource, fallback: str, code: str = "") -> str:
    """The name of a result or record. Identifiers are often an order's: the code tells its results apart."""
    chosen = best_identifier(resource.identifier) if isinstance(resource, Identified) else None
    if chosen is not None:
        return f"{chosen.token}/{code}" if code else f"{chosen.token}"
    return resource.id or fallback


def address_of(resource: Resource, fallback: str, code: str = "") -> str:
    """The id under which a resource is answered for: the sender's, else one that a repeat gets again."""
    if resource.id:
        return resource.id
    identity = identity_of(resource, "", code)
    return made_up(f"{resource.resource_type}|{identity}") if identity else fallback


def made_up(text: str) -> str:
    """An id that follows from `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]
