"""The use cases of the worker over messages: judge what was rung for, judge what is due.

Each takes what it works with as an argument and returns how it went. Accepting is `worker.accepting`; what
happens to one batch between claim and commit is `worker.judging`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from alerts.steps import Conflict
from worker.accepting import Inbound, Receipt, accept
from worker.admission import admitted
from worker.claiming import Claimed, Terms, claim_due, claim_rung, give_back
from worker.committing import Group, messages_ours
from worker.composition import Deps
from worker.counting import count_read
from worker.database import db_now, is_passing, writing
from worker.fhir_memory import remembered
from worker.judging import groups_of, judge_groups
from worker.logs import logger
from worker.merging import settled
from worker.quarantine import note, set_aside
from worker.reading import Read, read

__all__ = ["Inbound", "Receipt", "accept", "judge", "judge_due"]

log = logger("worker.pipeline")

PAUSE_SECONDS = 0.02
ROUNDS = 20
"""How often a patient others keep changing is judged again before the message is given back."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How many messages were claimed, and how many of them were judged or set aside for good."""

    claimed: int = 0
    judged: int = 0
    quarantined: int = 0

    def __add__(self, other: Turn) -> Turn:
        return Turn(
            self.claimed + other.claimed, self.judged + other.judged, self.quarantined + other.quarantined
        )


def judge(deps: Deps, ids: Sequence[int]) -> Turn:
    """Judge those of the stored messages `ids` that nobody else has. Unknown and finished ids do no harm."""
    total = Turn()
    while ids:
        with writing(deps.engine) as connection:
            claimed = claim_rung(connection, ids, _terms(deps))
        if not claimed:
            break
        total += _judge_claimed(deps, claimed)
        done = {message.id for message in claimed}
        ids = [one for one in ids if one not in done]
    return total


def judge_due(deps: Deps) -> Turn:
    """Judge one batch of what nobody judged in time."""
    with writing(deps.engine) as connection:
        claimed = claim_due(connection, _terms(deps))
    return _judge_claimed(deps, claimed) if claimed else Turn()


def _terms(deps: Deps) -> Terms:
    settings = deps.settings
    return Terms(settings.batch_size, timedelta(seconds=settings.lease_seconds), settings.attempts)


def _judge_claimed(deps: Deps, claimed: Sequence[Claimed]) -> Turn:
    reads = [one for one in (_read(deps, message) for message in claimed) if one is not None]
    try:
        reads = settled(deps.engine, reads)
    except Exception as error:
        return Turn(len(claimed), _after_failure(deps, groups_of(reads), error))
    aside = [one for one in reads if one.whole is not None]
    if aside:
        _set_aside(deps, aside)
    groups = groups_of(one for one in reads if one.whole is None)
    judged = _judge_until_held(deps, groups)
    return Turn(len(claimed), judged, len(aside))


def _read(deps: Deps, message: Claimed) -> Read | None:
    """The message read; None when reading it failed by a fault of ours, and it was given back for later."""
    try:
        return read_stored(deps, message)
    except Exception as error:
        log.error("reading failed", message=message.id, attempt=message.attempts, error=error)
        _give_back(deps, [message], blameless=False)
        return None


def read_stored(deps: Deps, message: Claimed) -> Read:
    """What a message says, by the mapping in force for its source, of whom that source may speak."""
    sources, known = deps.sources(), remembered(deps.engine, message.source)
    said = read(message, deps.settings, sources.dialect(message.source), known)
    return admitted(said, sources.of(message.source), deps.settings.test_patients_begin)


def _set_aside(deps: Deps, reads: Sequence[Read]) -> None:
    with writing(deps.engine) as connection:
        now = db_now(connection)
        ours = messages_ours(connection, [one.message for one in reads])
        for one in reads:
            if one.whole is None or one.message.id not in ours:
                continue
            set_aside(connection, one.message.id, one.whole, now)
            for part in one.parts:
                note(connection, one.message.id, part, now)
    count_read(reads)
    for one in reads:
        log.warning("message set aside", message=one.message.id, reason=one.whole and one.whole.reason)


def _judge_until_held(deps: Deps, groups: Sequence[Group]) -> int:
    """Judge until each group is committed or given back; how many messages were committed."""
    judged = 0
    left = list(groups)
    refused: Exception | None = None
    for turn in range(ROUNDS):
        if not left:
            return judged
        if turn:
            time.sleep(random.uniform(0, PAUSE_SECONDS * turn))  # noqa: S311
        try:
            lost, refused = judge_groups(deps, left), None
        except (IntegrityError, Conflict) as error:
            # Somebody else's commit between our look and ours, caught by a unique index: look again.
            if len(left) > 1:
                return judged + _each_alone(deps, left)
            lost, refused = left, error
        except Exception as error:
            return judged + _after_failure(deps, left, error)
        judged += _messages(left) - _messages(lost)
        left = lost
    if refused is not None:
        return judged + _after_failure(deps, left, refused)
    _give_back(deps, [message for group in left for message in group.messages], blameless=True)
    return judged


def _after_failure(deps: Deps, groups: Sequence[Group], error: Exception) -> int:
    """Nothing was committed. A passing fault: give all back. Else each group alone, to find the one that
    fails.
    """
    messages = [message for group in groups for message in group.messages]
    if is_passing(error):
        log.warning("database not available", error=error, count=len(messages))
        _give_back(deps, messages, blameless=True)
        return 0
    if len(groups) > 1:
        return _each_alone(deps, groups)
    log.error("judging failed", messages=[message.id for message in messages], error=error)
    _give_back(deps, messages, blameless=False)
    return 0


def _each_alone(deps: Deps, groups: Sequence[Group]) -> int:
    return sum(_judge_until_held(deps, [group]) for group in groups)


def _give_back(deps: Deps, messages: Sequence[Claimed], *, blameless: bool) -> None:
    """Best effort: what cannot be given back now is due again when its lease ends."""
    try:
        with writing(deps.engine) as connection:
            for message in messages:
                give_back(connection, message, blameless=blameless)
    except SQLAlchemyError as error:
        log.warning("could not give messages back", error=error, count=len(messages))


def _messages(groups: Sequence[Group]) -> int:
    return sum(len(group.messages) for group in groups)
