"""Reading a directory of clinicians: CSV, or a FHIR R4 bundle of Practitioner and PractitionerRole.

Nothing is written; a line or entry that cannot be taken is named and the rest is read. What is not in the
file any more, `alerts.directory` decides.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.people import Address

COLUMNS = ("system", "id", "name", "email", "phone", "active", "pools")
NEEDED = ("system", "id")
TRUE, FALSE = ("", "true", "yes", "1"), ("false", "no", "0")
POOL_SEPARATOR = ";"
BYTES_AT_MOST = 50_000_000


class NotADirectory(Exception):
    """Raised when a file as a whole is neither of the two; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One clinician as the file names them."""

    address: Address
    name: str = ""
    email: str | None = None
    phone: str | None = None
    active: bool = True
    pools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """One line or entry that was not taken. `problem` never repeats what it held."""

    place: str
    problem: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds."""

    people: tuple[Listed, ...]
    refused: tuple[Refused, ...]


def read_directory(raw: bytes) -> Found:
    """The clinicians of a file. Raises NotADirectory."""
    if len(raw) > BYTES_AT_MOST:
        raise NotADirectory(f"expected at most {BYTES_AT_MOST} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotADirectory("expected UTF-8") from None
    items = _of_bundle(text) if text.lstrip().startswith("{") else _of_csv(text)
    taken = list(items)
    people = [one for one in taken if isinstance(one, Listed)]
    return Found(tuple(people), tuple(one for one in taken if isinstance(one, Refused)))


def _of_csv(text: str) -> Iterator[Listed | Refused]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    named = set(reader.fieldnames or ())
    if missing := [name for name in NEEDED if name not in named]:
        raise NotADirectory(f"expected a first line with {', '.join(COLUMNS)}; {missing[0]} is missing")
    if unknown := sorted(named - set(COLUMNS)):
        raise NotADirectory(f"expected only the columns {', '.join(COLUMNS)}, not {unknown[0][:40]!r}")
    seen: set[Address] = set()
    try:
        for row in reader:
            yield _once(_of_row(row, f"line {reader.line_num}"), seen, f"line {reader.line_num}")
    except csv.Error as error:
        raise NotADirectory(f"line {reader.line_num}: {error}") from None


def _of_row(row: Mapping[str | None, Any], place: str) -> Listed | Refused:
    if None in row or None in row.values():
        return Refused(place, "expected as many values as the first line has columns")
    values = {name: _clean(str(row.get(name) or "")) for name in COLUMNS}
    if not values["system"] or not values["id"]:
        return Refused(place, "expected a system and an id")
    active = values["active"].lower()
    if active not in (*TRUE, *FALSE):
        return Refused(place, "active: expected true or false")
    return Listed(
        Address(values["system"], values["id"]),
        values["name"],
        values["email"] or None,
        values["phone"] or None,
        active in TRUE,
        tuple(p.strip() for p in values["pools"].split(POOL_SEPARATOR) if p.strip()),
    )


def _of_bundle(text: str) -> Iterator[Listed | Refused]:
    try:
        bundle = json.loads(text)
    except (ValueError, RecursionError):
        raise NotADirectory("expected CSV, or JSON that can be read") from None
    if bundle.get("resourceType") != "Bundle" or not isinstance(bundle.get("entry"), list):
        raise NotADirectory("expected a FHIR Bundle with entries")
    practitioners: dict[str, tuple[str, dict[str, Any]]] = {}
    roles: dict[str, list[dict[str, Any]]] = {}
    for number, entry in enumerate(bundle["entry"]):
        held = entry.get("resource") if isinstance(entry, dict) else None
        resource: dict[str, Any] = held if isinstance(held, dict) else {}
        kind = resource.get("resourceType")
        if kind == "Practitioner":
            reference = str(entry.get("fullUrl") or f"Practitioner/{resource.get('id', number)}")
            practitioners[reference] = (f"entry[{number}]", resource)
        elif kind == "PractitionerRole":
            reference = str((resource.get("practitioner") or {}).get("reference", ""))
            roles.setdefault(reference, []).append(resource)
    seen: set[Address] = set()
    for reference, (place, resource) in practitioners.items():
        theirs = _roles_of(roles, reference, resource)
        for one in _of_practitioner(resource, theirs, place):
            yield _once(one, seen, place)


def _roles_of(
    roles: Mapping[str, list[dict[str, Any]]], reference: str, resource: Mapping[str, Any]
) -> list[dict[str, Any]]:
    short = f"Practitioner/{resource.get('id', '')}"
    return [role for name in dict.fromkeys((reference, short)) for role in roles.get(name, [])]


def _of_practitioner(
    resource: Mapping[str, Any], roles: Iterable[Mapping[str, Any]], place: str
) -> Iterator[Listed | Refused]:
    """One entry for each identifier: an order may name any of them. A role adds telecoms and pools (its
    code text).

    Somebody all of whose roles have ended is not active.
    """
    roles = list(roles)
    identifiers = [i for i in resource.get("identifier") or () if isinstance(i, dict)]
    usable = [i for i in identifiers if i.get("system") and i.get("value") and i.get("use") != "old"]
    if not usable:
        yield Refused(place, "expected an identifier with a system and a value")
        return
    telecoms = [*(resource.get("telecom") or ()), *(t for r in roles for t in r.get("telecom") or ())]
    works = resource.get("active", True) is not False
    if roles and not any(role.get("active", True) is not False for role in roles):
        works = False
    for identifier in usable:
        yield Listed(
            Address(_clean(str(identifier["system"])), _clean(str(identifier["value"]))),
            _name(resource),
            _telecom(telecoms, "email"),
            _telecom(telecoms, "phone"),
            works,
        )


def _name(resource: Mapping[str, Any]) -> str:
    names = [n for n in resource.get("name") or () if isinstance(n, dict)]
    if not names:
        return ""
    first = names[0]
    parts = [*(first.get("prefix") or ()), *(first.get("given") or ()), first.get("family") or ""]
    return _clean(str(first.get("text") or " ".join(p for p in parts if p)))


def _telecom(telecoms: Iterable[Any], system: str) -> str | None:
    found = (
        t["value"] for t in telecoms if isinstance(t, dict) and t.get("system") == system and t.get("value")
    )
    return next((_clean(str(value)) for value in found), None)


def _once(one: Listed | Refused, seen: set[Address], place: str) -> Listed | Refused:
    if isinstance(one, Refused):
        return one
    if one.address in seen:
        return Refused(place, "this system and id stand in the file twice; the first was taken")
    seen.add(one.address)
    return one


def _clean(text: str) -> str:
    """No control or formatting characters, which could hide who is meant."""
    return " ".join("".join(c for c in text if unicodedata.category(c)[0] != "C").split())[:200]
