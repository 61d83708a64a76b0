"""What the references of a FHIR message lead to: its entries, contained resources, what was sent before.

Nothing is ever fetched, and no address in a message is ever opened: a reference to another server leads
nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from worker.intake.fhir_checks import Json, checked, type_of
from worker.intake.fhir_datatypes import Reference
from worker.intake.fhir_issues import FhirInvalid
from worker.intake.fhir_resources import READ, Resource

Known = Callable[[str, str], Json | None]
"""(type, id) → the resource that this sender sent before under that address."""

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_BASE = re.compile(r"(.*/)[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")

ResourceT = TypeVar("ResourceT", bound=Resource)


def nothing_known(_type: str, _id: str) -> Json | None:
    """The memory of a house where nothing was sent before."""
    return None


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a message: where it stands, its address in a Bundle, and itself when it is read."""

    place: str
    type: str
    json: Json
    resource: Resource | None
    full_url: str | None = None

    @property
    def root(self) -> str:
        """The start of a FHIRPath of its elements."""
        return self.place or self.type


@dataclass
class Scope:
    """The addresses that hold in one message."""

    parts: Iterable[Part]
    known: Known = nothing_known
    _by_address: dict[str, Part] = field(default_factory=dict)
    _remembered: dict[tuple[str, str], Resource | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in self.parts:
            # The first of an address stands; a later one with the same is told apart by its place alone.
            if part.full_url:
                self._by_address.setdefault(part.full_url, part)
            if identity := part.json.get("id"):
                self._by_address.setdefault(f"{part.type}/{identity}", part)

    def find(self, kind: type[ResourceT], reference: Reference | None, holder: Part) -> ResourceT | None:
        """The resource of type `kind` that a reference in `holder` leads to; None when it leads nowhere."""
        if reference is None or reference.reference is None:
            return None
        found = self._find(reference.reference, holder)
        return found if isinstance(found, kind) else None

    def part_of(self, text: str, holder: Part) -> Part | None:
        """The entry of this message that an address leads to."""
        found = self._by_address.get(text)
        relative = _RELATIVE.fullmatch(text)
        if found is None and relative is not None:
            plain = f"{relative[1]}/{relative[2]}"
            base = _BASE.fullmatch(holder.full_url or "")
            found = self._by_address.get(base[1] + plain) if base else None
            found = found or self._by_address.get(plain)
        return found

    def _find(self, text: str, holder: Part) -> Resource | None:
        if text.startswith("#"):
            return contained(holder.json, text[1:])
        if part := self.part_of(text, holder):
            return part.resource
        relative = _RELATIVE.fullmatch(text)
        return self._remember(relative[1], relative[2]) if relative else None

    def _remember(self, type_name: str, identity: str) -> Resource | None:
        key = type_name, identity
        if key not in self._remembered:
            self._remembered[key] = self._recalled(*key)
        return self._remembered[key]

    def _recalled(self, type_name: str, identity: str) -> Resource | None:
        value = self.known(type_name, identity) if type_name in READ else None
        try:
            return checked(value) if value is not None else None
        except FhirInvalid:
            return None


def contained(holder: Mapping[str, Any], identity: str) -> Resource | None:
    """The resource contained in `holder` under `identity`, when it is one that is read and sound."""
    for value in holder.get("contained") or ():
        if isinstance(value, dict) and value.get("id") == identity:
            try:
                return checked(value) if type_of(value) in READ else None
            except FhirInvalid:
                return None
    return None
