"""The answers a clinician can give, as they come in: one model each, shared by the API and the forms."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from alerts.answers import DismissReason

SNOOZE_AT_MOST = timedelta(days=90)


Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Ident = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]


class _Body(BaseModel):
    # An unknown field is refused: nobody sets a state or a role by sending it along.
    model_config = ConfigDict(extra="forbid", frozen=True)


class Acknowledge(_Body):
    """Seen and taken on. `follow_ups` names what is agreed on of what is expected; left out: all of it."""

    comment: Comment | None = None
    follow_ups: list[Ident] | None = None


class Dismiss(_Body):
    """Not to be acted on, for a coded reason."""

    reason: DismissReason
    comment: Comment | None = None


class Snooze(_Body):
    """Not now, but then."""

    until: AwareDatetime
    reason: Reason


class Resolve(_Body):
    """Settled."""

    reason: Reason


class Whom(_Body):
    """A clinician or pool of the directory."""

    system: Ident
    id: Ident


class Reassign(_Body):
    """Somebody else's."""

    to: Whom
    reason: Reason


class Reopen(_Body):
    """Not settled after all."""

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
