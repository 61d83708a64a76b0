"""The bytes of a FHIR message as its parts: a Bundle's entries or one resource, each sound or with its fault.

Strict about each resource, and one bad entry never hides the others; only one of another version of FHIR
speaks for its whole Bundle. What they say of whom is `fhir`; what a
door does about a fault is its own affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from worker.intake.fhir_bundle import ASKING_KINDS, READ_KINDS, Bundle, BundleEntry, EntryRequest
from worker.intake.fhir_checks import checked, modifiers_in, refuse_other_versions, type_of
from worker.intake.fhir_issues import FhirInvalid, Issue, issues_of
from worker.intake.fhir_notification import Notification, is_status, notification_of
from worker.intake.fhir_resources import READ, MessageHeader
from worker.intake.fhir_scope import Part
from worker.intake.json_text import loads
from worker.intake.unreadable import Reason

MAX_BYTES = 16 * 1024 * 1024
MOST_ENTRIES = 2_000

SINGLE = "resource"
NOTIFICATION = "notification"


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource of a message, or why it cannot be read; what a transaction asks to be done with it."""

    place: str
    part: Part | None
    fault: FhirInvalid | None = None
    request: EntryRequest | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """One message. `kind` is the Bundle's type, "resource" or "notification"."""

    kind: str
    entries: tuple[Entry, ...]
    sent_at: str | None = None
    notification: Notification | None = None

    @property
    def parts(self) -> list[Part]:
        """The sound ones."""
        return [entry.part for entry in self.entries if entry.part is not None]


def read_package(raw: bytes) -> Package:
    """The message in `raw`; raises `Unreadable` for what is no JSON, `FhirInvalid` for the whole of it."""
    value = loads(raw, most_bytes=MAX_BYTES)
    if type_of(value) == "Bundle":
        return _bundle(value)
    return Package(SINGLE, (_entry("", BundleEntry(resource=value)),))


def _bundle(value: dict[str, Any]) -> Package:
    bundle = _envelope(value)
    if bundle.type not in READ_KINDS:
        remedy = "expected transaction, batch, message, collection or a notification, got another type"
        raise FhirInvalid(Issue("not-supported", "Bundle.type", remedy, Reason.UNSUPPORTED_TYPE))
    given = bundle.entry
    status = given[0].resource if given else None
    if bundle.type == "history" or is_status(status):
        return _notification(bundle, status)
    entries = tuple(_entry(f"Bundle.entry[{at}]", one, kind=bundle.type) for at, one in enumerate(given))
    _refuse_other_version(entries)
    if bundle.type == "message":
        _refuse_no_message(entries)
    return Package(bundle.type, entries, sent_at=bundle.timestamp)


def _envelope(value: dict[str, Any]) -> Bundle:
    refuse_other_versions("Bundle", value)
    entries = value.get("entry")
    if isinstance(entries, list) and len(entries) > MOST_ENTRIES:
        remedy = (
            f"send at most {MOST_ENTRIES} entries in one Bundle, or the file as ndjson by `ferrule submit`"
        )
        raise FhirInvalid(Issue("too-costly", "Bundle.entry", remedy, Reason.TOO_MANY))
    shell = {name: one for name, one in value.items() if name != "entry"}
    if modifiers := modifiers_in("Bundle", shell):
        raise FhirInvalid(*modifiers)
    try:
        return Bundle.model_validate(value)
    except ValidationError as error:
        raise FhirInvalid(*issues_of(error, "Bundle")) from None


def _notification(bundle: Bundle, status: object) -> Package:
    if not (isinstance(status, dict) and is_status(status)):
        remedy = (
            "a history is read as a subscription notification alone: expected its status first, got another"
        )
        raise FhirInvalid(Issue("not-supported", "Bundle.type", remedy, Reason.UNSUPPORTED_TYPE))
    told = notification_of(status, "Bundle.entry[0].resource")
    rest = enumerate(bundle.entry[1:], 1)
    entries = (_entry(f"Bundle.entry[{at}]", one) for at, one in rest if one.resource is not None)
    return Package(NOTIFICATION, tuple(entries), sent_at=None, notification=told)


def _entry(place: str, given: BundleEntry, kind: str = SINGLE) -> Entry:
    inside = f"{place}.resource" if place else ""
    try:
        if given.modifier_extension:
            raise FhirInvalid(
                Issue(
                    "extension", "x.modifierExtension", "a modifier extension that this server does not know"
                )
            )
        if kind in ASKING_KINDS and given.request is None:
            raise FhirInvalid(
                Issue("required", "x.request", "expected what to do with this entry, got nothing")
            )
        part = _part(inside, given)
    except FhirInvalid as fault:
        at_request = any(issue.expression.startswith("x.") for issue in fault.issues)
        outer = place if at_request else inside
        return Entry(place, None, fault.within(outer) if outer else fault, given.request)
    return Entry(place, part, None, given.request)


def _part(place: str, given: BundleEntry) -> Part | None:
    """The resource of an entry; None for an entry that asks without one (DELETE)."""
    value = given.resource
    if value is None and given.request is not None and given.request.method not in ("POST", "PUT"):
        return None
    name = type_of(value)
    if name == "Bundle":
        raise FhirInvalid(Issue("not-supported", name, "a Bundle inside a Bundle is not read"))
    resource = checked(value) if name in READ else None
    if resource is None:
        refuse_other_versions(name, value)
        if modifiers := modifiers_in(name, value):
            raise FhirInvalid(*modifiers)
    return Part(place, name, value, resource, given.full_url)


def _refuse_other_version(entries: tuple[Entry, ...]) -> None:
    """A Bundle is written in one version of FHIR: what one entry shows holds for those that show nothing."""
    for entry in entries:
        if entry.fault and any(issue.reason is Reason.UNSUPPORTED_VERSION for issue in entry.fault.issues):
            raise entry.fault


def _refuse_no_message(entries: tuple[Entry, ...]) -> None:
    first = entries[0] if entries else None
    if first is None or first.fault is not None or first.part is None:
        if first is not None and first.fault is not None:
            raise first.fault
        raise FhirInvalid(
            Issue("required", "Bundle.entry", "expected a MessageHeader as the first entry, got none")
        )
    header = first.part.resource
    if not isinstance(header, MessageHeader):
        remedy = "expected a MessageHeader as the first entry, got another type"
        raise FhirInvalid(Issue("invalid", "Bundle.entry[0].resource", remedy))
    if header.response:
        remedy = "an answer to a message is not read: nothing was asked"
        raise FhirInvalid(Issue("not-supported", "Bundle.entry[0].resource.response", remedy))
