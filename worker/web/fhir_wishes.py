"""What the entries of a Bundle ask for, as wishes: POST and PUT, with their conditions.

A message or collection asks for nothing: each of its resources is taken under its own id.
"""

from __future__ import annotations

import re

from worker.fhir_door import Wish, search_of, version_in
from worker.intake.fhir import address_in
from worker.intake.fhir_bundle import EntryRequest
from worker.intake.fhir_issues import FhirInvalid, Issue
from worker.intake.fhir_package import Entry, Package
from worker.intake.fhir_scope import Part

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def wishes_of(package: Package, fallback: str) -> list[Wish]:
    """A wish for each resource; raises `FhirInvalid`, or `BadCondition` for a condition that is not read."""
    if package.kind == "transaction":
        return [wish_of(entry, fallback) for entry in package.entries]
    return [Wish(part, address_in(part, fallback)) for part in package.parts if _has_address(part)]


def wish_of(entry: Entry, fallback: str) -> Wish:
    """The wish of an entry of a transaction or batch."""
    request, part = entry.request, entry.part
    place = f"{entry.place}.request"
    if request is None or request.method not in ("POST", "PUT") or part is None:
        raise FhirInvalid(
            Issue("not-supported", f"{place}.method", "expected POST or PUT, got another method")
        )
    if request.if_none_match is not None:
        raise FhirInvalid(Issue("not-supported", f"{place}.ifNoneMatch", "this condition is not read"))
    address, _, query = request.url.partition("?")
    if request.method == "POST":
        return _posted(part, request, address, place, fallback)
    if query:
        if address != part.type:
            raise FhirInvalid(_mismatch(place))
        search = search_of(query, f"{place}.url")
        return Wish(part, address_in(part, fallback), instead_of=search)
    type_name, _, identity = address.partition("/")
    if type_name != part.type or not ID.fullmatch(identity) or part.json.get("id") != identity:
        raise FhirInvalid(_mismatch(place))
    version = version_in(request.if_match, f"{place}.ifMatch") if request.if_match else None
    return Wish(part, identity, if_match=version)


def _posted(part: Part, request: EntryRequest, address: str, place: str, fallback: str) -> Wish:
    if address != part.type:
        raise FhirInvalid(_mismatch(place))
    condition = request.if_none_exist
    unless = search_of(condition, f"{place}.ifNoneExist") if condition else None
    return Wish(part, address_in(part, fallback), unless=unless)


def _mismatch(place: str) -> Issue:
    return Issue("value", f"{place}.url", "expected the type, and for PUT the id, of the entry's resource")


def _has_address(part: Part) -> bool:
    return part.type != "MessageHeader"
