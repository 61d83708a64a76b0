"""What is wrong with a FHIR resource, said as FHIR says it: issue code, FHIRPath of the element, remedy.

No text here ever holds a value that was sent. OperationOutcomes are built from these by the web.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from worker.intake.unreadable import Reason, Unreadable

MOST_ISSUES = 20

_CHOICE = re.compile(
    r"(value|effective|medication|onset|abatement|performed|occurrence|deceased|multipleBirth|asNeeded"
    r"|collected|fastingStatus|reported)([A-Z][A-Za-z]*)"
)
_LOWER = frozenset({"String", "Boolean", "Integer", "Decimal", "DateTime", "Date", "Time", "Instant", "Code"})

# pydantic's kinds of error as codes of http://hl7.org/fhir/issue-type, with what was expected.
_KINDS = {
    "missing": ("required", "expected this element, got none"),
    "extra_forbidden": ("structure", "FHIR R4 has no such element here"),
    "literal_error": ("code-invalid", "expected a code of the required value set, got another"),
    "model_type": ("structure", "expected an object, got something else"),
    "model_attributes_type": ("structure", "expected an object, got something else"),
    "tuple_type": ("structure", "expected an array, got something else"),
    "bool_type": ("structure", "expected true or false, got something else"),
    "string_type": ("structure", "expected text, got something else"),
    "too_short": ("required", "expected at least one, got none"),
}


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: `code` is of FHIR's issue types, `expression` a FHIRPath."""

    code: str
    expression: str
    diagnostics: str
    reason: Reason = Reason.STRUCTURE

    def within(self, outer: str) -> Issue:
        """The same, seen from the Bundle that the resource stands in."""
        if not self.expression:
            return replace(self, expression=outer)
        # From the outside an element's path goes through the entry, not through the name of its type.
        _, dot, rest = self.expression.partition(".")
        return replace(self, expression=f"{outer}{dot}{rest}")


class FhirInvalid(Exception):
    """Raised for a resource, or a whole Bundle, that cannot be taken as FHIR R4. Holds its issues."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__("; ".join(f"{issue.expression}: {issue.diagnostics}" for issue in issues[:3]))
        self.issues = issues[:MOST_ISSUES]

    def within(self, outer: str) -> FhirInvalid:
        """The same issues at an entry of a Bundle."""
        return FhirInvalid(*(issue.within(outer) for issue in self.issues))

    def unreadable(self) -> Unreadable:
        """The first issue as intake's error."""
        first = self.issues[0]
        return Unreadable(first.reason, first.expression, first.diagnostics)


def issues_of(error: ValidationError, root: str) -> list[Issue]:
    """pydantic's findings about a resource of the type `root`."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [_issue(one["type"], one["loc"], one["msg"], root) for one in found[:MOST_ISSUES]]


def _issue(kind: str, place: tuple[int | str, ...], message: str, root: str) -> Issue:
    known = _KINDS.get(kind)
    if known is None:
        code, _, text = message.removeprefix("Value error, ").rpartition("|")
        known = (code or "value", text if kind == "value_error" else "expected another kind of value")
    return Issue(known[0], fhir_path(root, place), known[1])


def fhir_path(root: str, place: Iterable[int | str]) -> str:
    """`("component", 0, "valueQuantity")` as `Observation.component[0].value.ofType(Quantity)`."""
    path = root
    for step in place:
        path += f"[{step}]" if isinstance(step, int) else f".{_element(step)}"
    return path


def _element(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "?", name)[:64]  # a name nobody knows may hold anything
    match = _CHOICE.fullmatch(plain)
    if match is None:
        return plain
    of = match[2]
    return f"{match[1]}.ofType({of[0].lower() + of[1:] if of in _LOWER else of})"
