"""The answers a clinician can give, as they come in: one model each, shared by the API and the forms."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, StringConstraints

from alerts.answers import DismissReason

SNOOZE_AT_MOST = timedelta(days=90)


Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Ident = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]


class _Body(BaseModel):
    # An unknown field is refused: nobody sets a state or a role by sending it along.
    model_config = ConfigDict(extra="forbid", frozen=True)


def _like(example: dict[str, JsonValue]) -> ConfigDict:
    """For the OpenAPI document: what such a body looks like."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class Acknowledge(_Body):
    """Seen and taken on. `follow_ups` names what is agreed on of what is expected; left out: all of it."""

    model_config = _like({"comment": "Will call her today.", "follow_ups": ["ferritin"]})

    comment: Comment | None = None
    follow_ups: list[Ident] | None = None


class Dismiss(_Body):
    """Not to be acted on, for a coded reason."""

    model_config = _like({"reason": "known-diagnosis", "comment": "Seen at the clinic last week."})

    reason: DismissReason
    comment: Comment | None = None


class Snooze(_Body):
    """Not now, but then."""

    model_config = _like({"until": "2026-03-08T08:00:00Z", "reason": "after the infusion"})

    until: AwareDatetime
    reason: Reason


class Resolve(_Body):
    """Settled."""

    model_config = _like({"reason": "referred to gastroenterology"})

    reason: Reason


class Whom(_Body):
    """A clinician or pool of the directory."""

    system: Ident
    id: Ident


class Reassign(_Body):
    """Somebody else's."""

    model_config = _like({"to": {"system": "urn:npi", "id": "1000000002"}, "reason": "her own patient"})

    to: Whom
    reason: Reason


class Reopen(_Body):
    """Not settled after all."""

    model_config = _like({"reason": "the wrong alert was closed"})

    reason: Reason


Answer = Acknowledge | Dismiss | Snooze | Resolve | Reassign | Reopen

KINDS: dict[str, type[Answer]] = {
    "acknowledge": Acknowledge,
    "dismiss": Dismiss,
    "snooze": Snooze,
    "resolve": Resolve,
    "reassign": Reassign,
    "reopen": Reopen,
}


def is_too_far(until: datetime, now: datetime) -> bool:
    """Whether a snooze would last longer than anybody should forget an alert."""
    return until > now + SNOOZE_AT_MOST
