"""One frame that came in: its messages, what of them is stored, and what is answered once that is committed.

A batch (FHS, BHS) is several messages and one answer. Nothing here waits, stores or sends.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from worker.accepting import Inbound, Outcome, Receipt
from worker.intake.hl7_answers import Answer, answers_to, batch_answer, not_stored
from worker.intake.hl7_asked import Asked, read_asked
from worker.intake.hl7_pieces import hl7_pieces
from worker.intake.hl7_refusals import Code, Condition, Location, Refusal, refusal_of
from worker.intake.hl7_split import unwrapped
from worker.intake.hl7v2 import Header, read_structure
from worker.intake.unreadable import Reason, Unreadable
from worker.logs import logger
from worker.mllp.policy import Policy
from worker.sources import Sender

log = logger("worker.mllp")

NO_SENDER = "urn:ferrule:mllp"
"""The source of a message whose header names none that could be read."""

_BATCH = re.compile(rb"(?:FHS|BHS)(?![A-Za-z0-9])")
_SECOND_HEADER = re.compile(rb"(?:^|[\r\n])(BHS[^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a frame. Without `inbound` it is an answer, which is never answered nor stored."""

    raw: bytes
    asked: Asked | None
    refusal: Refusal | None = None
    inbound: Inbound | None = None
    header: Header | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """The messages of one frame; `envelopes` are the FHS and BHS they came in."""

    parts: tuple[Part, ...]
    envelopes: tuple[Asked, ...] = ()

    @property
    def inbound(self) -> list[Inbound]:
        """What there is to store."""
        return [part.inbound for part in self.parts if part.inbound is not None]

    def answered(self, receipts: Sequence[Receipt], now: datetime) -> list[Answer]:
        """The answers, now that what they say is committed; `receipts` are those of `inbound`."""
        given = iter(receipts)
        answers: list[Answer] = []
        for part in self.parts:
            receipt = next(given) if part.inbound is not None else None
            answers += answers_to(part.asked, _standing(part, receipt), part.raw, _moment(receipt, now))
        return self._enveloped(answers, now)

    def refused_for_now(self, now: datetime) -> list[Answer]:
        """What is answered while nothing can be stored: to most senders nothing."""
        if self.envelopes:
            return []
        return [
            answer for part in self.parts for answer in not_stored(part.asked, _not_now(part), part.raw, now)
        ]

    def _enveloped(self, answers: list[Answer], now: datetime) -> list[Answer]:
        if not self.envelopes or (self.parts and not answers):
            return answers
        return [Answer("batch", batch_answer(self.envelopes, answers, now))]


def received(content: bytes, policy: Policy, certified: Sender | None = None) -> Received:
    """The messages of a frame. Never raises: what fails to be read is refused, and kept."""
    if not _BATCH.match(unwrapped(content)):
        return Received((_part(content, policy, certified),))
    pieces = [piece for _, piece in hl7_pieces([content])]
    parts = [_part(piece, policy, certified) for piece in pieces if isinstance(piece, bytes)]
    if len(parts) < len(pieces):
        parts.append(_stray(content))
    return Received(tuple(parts), _envelopes(content))


def too_large(head: bytes, now: datetime) -> list[Answer]:
    """The answer to a frame over the limit, by the header in its first bytes; none without a header."""
    asked = read_asked(head)
    if asked is None or not asked.control_id:
        return []
    why = Unreadable(Reason.TOO_LARGE, "", "the message is larger than this listener takes; send less in one")
    refusal = Refusal(Code.REJECT, Condition.TOO_LONG, Location("MSH"), why)
    return answers_to(asked, refusal, head, now)


def _part(raw: bytes, policy: Policy, certified: Sender | None) -> Part:
    asked = read_asked(raw)
    if asked is not None and asked.is_acknowledgement:
        return Part(raw, asked)
    try:
        header = read_structure(raw)
        policy.check_sender(header.source, certified)
        return Part(raw, asked, None, _taken(raw, header), header)
    except Unreadable as why:
        refusal = refusal_of(why, raw)
    except Exception as error:
        # A fault of ours in reading; the bytes are kept, and whoever sent them is told.
        log.error("reading failed", error=error)
        ours = Unreadable(Reason.STRUCTURE, "", "this message could not be read by a fault of the receiver")
        refusal = Refusal(Code.ERROR, Condition.INTERNAL, Location("MSH"), ours)
    kept = _kept(raw, asked, refusal)
    if policy.keep_tests and refusal.why.reason is Reason.PROCESSING_ID:
        return Part(raw, asked, None, kept)
    return Part(raw, asked, refusal, kept)


def _stray(content: bytes) -> Part:
    """What stands in a batch and in no message of it: the whole batch is kept beside its messages."""
    why = Unreadable(Reason.NO_HEADER, "", "expected MSH after BHS, got something else")
    refusal = refusal_of(why, content)
    return Part(content, None, refusal, _kept(content, None, refusal))


def _taken(raw: bytes, header: Header) -> Inbound:
    if header.control_id:
        return Inbound(header.source, header.control_id, "hl7", raw)
    identity = hashlib.sha256(raw).hexdigest()
    return Inbound(header.source, identity, "hl7", raw, flag="control-id-missing")


def _kept(raw: bytes, asked: Asked | None, refusal: Refusal) -> Inbound:
    identity = (asked.control_id if asked else "") or hashlib.sha256(raw).hexdigest()
    refused = refusal.code is Code.REJECT
    return Inbound(_source(asked), identity, "hl7", raw, refusal.keeps, refused)


def _source(asked: Asked | None) -> str:
    if asked is None or not (asked.raw(3) or asked.raw(4)):
        return NO_SENDER
    facility, application = (asked.component(field, 1).encode("iso8859-1") for field in (4, 3))
    return f"urn:hl7v2:{quote(facility, safe='')}:{quote(application, safe='')}"


def _standing(part: Part, receipt: Receipt | None) -> Refusal | None:
    """The refusal that is answered: none to a message that was accepted when it first came."""
    if part.refusal is None or receipt is None or receipt.outcome is not Outcome.DUPLICATE:
        return part.refusal
    refused_then = receipt.refused or receipt.reason == part.refusal.why.reason
    return part.refusal if refused_then else None


def _moment(receipt: Receipt | None, now: datetime) -> datetime:
    return receipt.first_received_at if receipt else now


def _not_now(part: Part) -> Refusal:
    if part.refusal is not None and part.refusal.code is Code.ERROR:
        return part.refusal
    why = Unreadable(Reason.NOT_STORED, "", "nothing can be stored now; send it again")
    return Refusal(Code.ERROR, Condition.INTERNAL, Location("MSH"), why)


def _envelopes(content: bytes) -> tuple[Asked, ...]:
    found = [read_asked(content)]
    if found[0] is not None and found[0].fields[0] == "FHS" and (inner := _SECOND_HEADER.search(content)):
        found.append(read_asked(inner[1]))
    return tuple(asked for asked in found if asked is not None)
