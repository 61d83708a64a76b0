"""Whether a JSON value is a resource of FHIR R4 that we may read: version, modifiers, depth, then its model.

What stands in the way is raised as `FhirInvalid`, all of it at once where that can be said. References are
not looked at here.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from worker.intake.fhir_issues import FhirInvalid, Issue, fhir_path, issues_of
from worker.intake.fhir_resources import READ, Resource
from worker.intake.fhir_types import R4_TYPES, version_of_element, version_of_profiles, version_of_type
from worker.intake.unreadable import Reason

MOST_LEVELS = 40
SENDS_R4 = "this server reads FHIR R4 (4.0.1); convert it before sending"

ResourceT = TypeVar("ResourceT", bound=Resource)
Json = dict[str, Any]


def type_of(value: object, place: str = "") -> str:
    """The resource's type, of those R4 has; raises `FhirInvalid`."""
    name = value.get("resourceType") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise FhirInvalid(
            Issue("structure", place, "expected a FHIR resource with its resourceType, got none")
        )
    if name in R4_TYPES:
        return name
    if other := version_of_type(name):
        raise FhirInvalid(_other_version(place, f"a resource type of FHIR {other}"))
    raise FhirInvalid(Issue("not-found", place, "FHIR R4 has no such resource type", Reason.UNSUPPORTED_TYPE))


def checked(value: Json) -> Resource:
    """The resource as its model; raises `FhirInvalid`. Of a type that is `READ`."""
    name = type_of(value)
    refuse_other_versions(name, value)
    modifiers = list(modifiers_in(name, value))
    try:
        resource = READ[name].model_validate(value)
    except ValidationError as error:
        raise FhirInvalid(*_named(name, issues_of(error, name)), *modifiers) from None
    if modifiers:
        raise FhirInvalid(*modifiers)
    return resource


def refuse_other_versions(name: str, value: Json) -> None:
    """Raise `FhirInvalid` for a resource that says it is, or can only be, STU3 or R5."""
    if other := version_of_profiles(value):
        raise FhirInvalid(_other_version(f"{name}.meta.profile", f"a profile of FHIR {other}"))
    for element, content in value.items():
        if other := version_of_element(name, element, content):
            raise FhirInvalid(_other_version(fhir_path(name, (element,)), f"an element of FHIR {other}"))


def modifiers_in(name: str, value: Json) -> list[Issue]:
    """Every modifierExtension: we know none, and what it modifies would be misread without it."""
    found: list[Issue] = []
    waiting: list[tuple[Any, tuple[int | str, ...]]] = [(value, ())]
    while waiting:
        one, place = waiting.pop()
        if len(place) > MOST_LEVELS:
            raise FhirInvalid(Issue("structure", name, "nested more deeply than any resource is"))
        if isinstance(one, list):
            waiting += [(item, (*place, at)) for at, item in enumerate(one) if isinstance(item, dict | list)]
        elif isinstance(one, dict):
            if one.get("modifierExtension"):
                path = fhir_path(name, (*place, "modifierExtension"))
                found.append(Issue("extension", path, "a modifier extension that this server does not know"))
            waiting += [
                (item, (*place, key))
                for key, item in one.items()
                if isinstance(item, dict | list) and key != "modifierExtension"
            ]
    return found


def _named(name: str, issues: list[Issue]) -> list[Issue]:
    """An R5 value among the codes is told by name, as its elements are."""
    return [issue for issue in issues if issue.expression != f"{name}.resourceType"] or issues


def _other_version(place: str, what: str) -> Issue:
    return Issue("not-supported", place, f"{what}; {SENDS_R4}", Reason.UNSUPPORTED_VERSION)
