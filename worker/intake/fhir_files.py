"""FHIR in files, such as those of a Bulk Data export: which file goes first, and where its references lead.

Holds only what other resources refer to; results and records are never kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from worker.intake.fhir_checks import Json
from worker.intake.fhir_package import MAX_BYTES
from worker.intake.json_text import loads
from worker.intake.unreadable import Unreadable

REFERRED_TO = (
    "Practitioner",
    "PractitionerRole",
    "Medication",
    "Patient",
    "Encounter",
    "ServiceRequest",
    "Specimen",
)
"""In the order in which they refer to each other."""

_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"')
_HEAD_BYTES = 1 << 16


def in_order(paths: Iterable[Path]) -> list[Path]:
    """The files, those that hold what others refer to first: a Bulk Data file holds one type."""
    return sorted(paths, key=_rank)


def _rank(path: Path) -> int:
    try:
        with path.open("rb") as stream:
            found = _TYPE.search(stream.read(_HEAD_BYTES)) if path.is_file() else None
    except OSError:
        found = None
    name = found[1].decode() if found else ""
    return REFERRED_TO.index(name) if name in REFERRED_TO else len(REFERRED_TO)


class FileMemory:
    """What references lead to in some files: read once, when first asked."""

    def __init__(self, pieces: Callable[[], Iterable[bytes]]) -> None:
        self._pieces = pieces
        self._found: dict[tuple[str, str], Json] | None = None

    def __call__(self, type_name: str, identity: str) -> Json | None:
        if self._found is None:
            self._found = {key: one for raw in self._pieces() for key, one in _named(raw)}
        return self._found.get((type_name, identity))


def _named(raw: bytes) -> Iterator[tuple[tuple[str, str], Json]]:
    """The resources of a message that others refer to."""
    if not any(name in REFERRED_TO for name in (match[1].decode() for match in _TYPE.finditer(raw))):
        return
    try:
        value = loads(raw, MAX_BYTES)
    except Unreadable:
        return
    for one in _resources(value):
        type_name, identity = one.get("resourceType"), one.get("id")
        if type_name in REFERRED_TO and isinstance(identity, str):
            yield (type_name, identity), one


def _resources(value: Any) -> Iterator[Json]:
    entries = value.get("entry") if isinstance(value, dict) else None
    inside = (
        [one.get("resource") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    )
    yield from (one for one in (value, *inside) if isinstance(one, dict))
