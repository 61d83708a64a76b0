"""Notifications of FHIR R4 subscriptions (Subscriptions R5 Backport guide): what happened, numbered.

Reads the status resource (a Parameters); which numbers are missing is asked of the database elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.intake.fhir_checks import Json
from worker.intake.fhir_issues import FhirInvalid, Issue

STATUS_PROFILES = ("backport-subscription-status-r4", "backport-subscription-notification-r4")
KINDS = frozenset({"handshake", "heartbeat", "event-notification", "query-status", "query-event"})
MOST_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a notification: its number since the subscription began, and what it is about."""

    number: int
    focus: str | None


@dataclass(frozen=True, slots=True)
class Notification:
    """A status: the subscription's address, the kind, how many events there were, and those told here."""

    subscription: str
    kind: str
    events_so_far: int | None
    happenings: tuple[Happening, ...]


def is_status(value: object) -> bool:
    """Whether a Bundle's first resource makes it a notification."""
    if not isinstance(value, dict) or value.get("resourceType") != "Parameters":
        return False
    meta = value.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    named = [one for one in profiles if isinstance(one, str)] if isinstance(profiles, list) else []
    return any(sign in profile for profile in named for sign in STATUS_PROFILES) or "subscription" in _names(
        value
    )


def notification_of(value: Json, place: str) -> Notification:
    """The notification a status tells of; raises `FhirInvalid`."""
    given = _by_name(value)
    subscription = _reference(given.get("subscription"))
    kind = _scalar(given.get("type"), "valueCode")
    if subscription is None:
        raise FhirInvalid(
            Issue("required", f"{place}.parameter", "expected the parameter subscription, got none")
        )
    if kind not in KINDS:
        remedy = "expected the parameter type with a code of subscription-notification-type, got another"
        raise FhirInvalid(Issue("value", f"{place}.parameter", remedy))
    counted = given.get("events-since-subscription-start")
    events = [one for one in _parameters(value) if one.get("name") == "notification-event"]
    if len(events) > MOST_EVENTS:
        raise FhirInvalid(
            Issue("too-costly", f"{place}.parameter", f"send at most {MOST_EVENTS} events at once")
        )
    happenings = [_happening(one) for one in events]
    if None in happenings:
        remedy = "expected an event-number in each notification-event, got none"
        raise FhirInvalid(Issue("required", f"{place}.parameter", remedy))
    return Notification(
        subscription=subscription,
        kind=kind,
        events_so_far=_number(counted),
        happenings=tuple(one for one in happenings if one),
    )


def _happening(parameter: Mapping[str, Any]) -> Happening | None:
    parts = {one.get("name"): one for one in parameter.get("part") or () if isinstance(one, dict)}
    number = _number(parts.get("event-number"))
    return None if number is None else Happening(number, _reference(parts.get("focus")))


def _parameters(value: Json) -> list[dict[str, Any]]:
    given = value.get("parameter")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _by_name(value: Json) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in _parameters(value) if isinstance(one.get("name"), str)}


def _names(value: Json) -> set[str]:
    return set(_by_name(value))


def _scalar(parameter: Mapping[str, Any] | None, *names: str) -> str | None:
    given = (parameter.get(name) for name in names) if parameter else ()
    return next((one for one in given if isinstance(one, str)), None)


def _number(parameter: Mapping[str, Any] | None) -> int | None:
    """The guide's first edition has a string, later ones an integer or integer64."""
    text = _scalar(parameter, "valueString", "valueInteger", "valueUnsignedInt", "valueInteger64")
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _reference(parameter: Mapping[str, Any] | None) -> str | None:
    value = parameter.get("valueReference") if parameter else None
    text = value.get("reference") if isinstance(value, dict) else None
    return text if isinstance(text, str) and 0 < len(text) <= 500 else None
