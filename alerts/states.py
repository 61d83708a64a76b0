"""The states of an alert and the one table of steps between them; the diagram in the docs is drawn from it.

It does not decide when a step is taken (`alerts.reconcile`, `alerts.answers`) and keeps nothing
(`alerts.store`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where an alert stands between being raised and being answered."""

    HELD = "held"
    RAISED = "raised"
    TOLD = "told"
    ACKNOWLEDGED = "acknowledged"
    FOLLOWING_UP = "following-up"
    SNOOZED = "snoozed"
    CLOSED = "closed"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """What can happen to an alert; each one that happens is a row of `alert_event`."""

    RAISE = "raise"
    HOLD = "hold"
    RELEASE = "release"
    TELL = "tell"
    JOIN = "join"
    AMEND = "amend"
    WORSEN = "worsen"
    FLAG = "flag"
    ACKNOWLEDGE = "acknowledge"
    FOLLOW = "follow"
    SNOOZE = "snooze"
    WAKE = "wake"
    REASSIGN = "reassign"
    DISMISS = "dismiss"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    REMIND = "remind"
    ESCALATE = "escalate"
    CALL = "call"
    LAPSE = "lapse"
    OVERDUE = "overdue"


OPEN = (State.RAISED, State.TOLD, State.ACKNOWLEDGED, State.FOLLOWING_UP, State.SNOOZED)
ENDED = (State.CLOSED, State.DISMISSED, State.WITHDRAWN)
UNENDED = (State.HELD, *OPEN)
"""An episode that has begun and not ended. HELD is not open to anybody: the pattern is there, untold."""
UNANSWERED = (State.RAISED, State.TOLD, State.SNOOZED)
ASKING = (State.RAISED, State.TOLD)
"""Waiting for an answer now: what escalates."""
TAKEN_ON = (State.ACKNOWLEDGED, State.FOLLOWING_UP)


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken: its event, and the alert's new version."""

    alert_id: int
    event_id: int
    step: Step
    version: int


class NotAllowed(Exception):
    """Raised when the table has no such step from the state the alert is in; nothing was changed."""

    def __init__(self, state: State | None, step: Step) -> None:
        super().__init__(f"an alert that is {state or 'not raised'} cannot {step}")
        self.state = state
        self.step = step


def _from_each(
    states: Iterable[State], step: Step, to: State | None = None
) -> dict[tuple[State | None, Step], State]:
    """The same step from several states; `to` None keeps the state."""
    return {(state, step): to or state for state in states}


TRANSITIONS: Mapping[tuple[State | None, Step], State] = MappingProxyType(
    {
        (None, Step.RAISE): State.RAISED,
        (None, Step.HOLD): State.HELD,
        (State.HELD, Step.RELEASE): State.RAISED,
        # Held for long (`alerts.holding`), it is kept true to its evidence.
        **_from_each((State.HELD,), Step.JOIN),
        **_from_each((State.HELD,), Step.AMEND),
        **_from_each((State.HELD,), Step.FLAG),
        (State.HELD, Step.CLOSE): State.CLOSED,
        (State.RAISED, Step.TELL): State.TOLD,
        **_from_each(OPEN, Step.JOIN),
        **_from_each(OPEN, Step.AMEND),
        **_from_each(OPEN, Step.WORSEN, State.RAISED),
        **_from_each(OPEN, Step.FLAG),
        **_from_each(UNANSWERED, Step.ACKNOWLEDGE, State.ACKNOWLEDGED),
        (State.ACKNOWLEDGED, Step.FOLLOW): State.FOLLOWING_UP,
        **_from_each(ASKING, Step.REMIND),
        **_from_each(ASKING, Step.ESCALATE),
        # A call that was made is written down whatever the alert has meanwhile become, but withdrawn.
        **_from_each((*OPEN, State.CLOSED, State.DISMISSED), Step.CALL),
        **_from_each(TAKEN_ON, Step.LAPSE, State.RAISED),
        **_from_each(OPEN, Step.OVERDUE),
        **_from_each(UNANSWERED, Step.SNOOZE, State.SNOOZED),
        (State.SNOOZED, Step.WAKE): State.RAISED,
        **_from_each(OPEN, Step.REASSIGN, State.RAISED),
        **_from_each(OPEN, Step.DISMISS, State.DISMISSED),
        **_from_each(OPEN, Step.RESOLVE, State.CLOSED),
        **_from_each(OPEN, Step.CLOSE, State.CLOSED),
        **_from_each((State.CLOSED, State.DISMISSED), Step.REOPEN, State.TOLD),
        # An answer given on a value that turns out to be wrong must be taken back too.
        **_from_each((*OPEN, State.CLOSED, State.DISMISSED), Step.WITHDRAW, State.WITHDRAWN),
    }
)


def after(state: State | None, step: Step) -> State:
    """The state that `step` leads to; raises NotAllowed for a step the table does not have."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise NotAllowed(state, step) from None


def steps_from(state: State) -> tuple[Step, ...]:
    """The steps that are possible now, in the order they are declared (what buttons a page may show)."""
    return tuple(step for step in Step if (state, step) in TRANSITIONS)


def diagram() -> str:
    """The table as a Mermaid state diagram; steps that keep the state are left out."""
    arrows: dict[tuple[State | None, State], list[str]] = {}
    for (state, step), to in TRANSITIONS.items():
        if state is not to:
            arrows.setdefault((state, to), []).append(step)
    lines = [f"    {_node(a)} --> {_node(b)}: {', '.join(steps)}" for (a, b), steps in arrows.items()]
    return "\n".join(["stateDiagram-v2", *lines, *(f"    {_node(s)} --> [*]" for s in ENDED)]) + "\n"


def _node(state: State | None) -> str:
    return "[*]" if state is None else state.replace("-", "_")
