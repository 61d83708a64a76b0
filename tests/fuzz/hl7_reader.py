"""What the fuzzers of the HL7 door call: bytes to frames, and a frame to facts and answers."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from worker.accepting import Inbound, Outcome, Receipt
from worker.intake.event import MERGE
from worker.intake.hl7_asked import read_asked
from worker.intake.hl7v2 import decode_hl7
from worker.intake.mllp import END, START, Framer, framed
from worker.intake.normalize import facts_of
from worker.intake.unreadable import Unreadable
from worker.mllp.policy import Policy
from worker.mllp.received import received, too_large
from worker.sources import no_sources

RECEIVED = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = Policy(no_sources)
LIMIT = 200


def frame_all(data: bytes) -> None:
    """Frames of `data`, whole and cut where its first byte says: they must be the same."""
    cut = data[0] if data else 0
    whole, parts = Framer(LIMIT, max_noise=64), Framer(LIMIT, max_noise=64)
    seen = whole.receive(data) + whole.finish()
    pieces = [data[at : at + cut + 1] for at in range(0, len(data), cut + 1)]
    assert [one for piece in pieces for one in parts.receive(piece)] + parts.finish() == seen
    for one in seen:
        too_large(one.content, RECEIVED)


def answer_all(content: bytes) -> None:
    """The messages of a frame, answered as new and as a repeat: each answer is one frame that can be read."""
    frame = received(content, POLICY)
    first = [_receipt(message) for message in frame.inbound]
    again = [Receipt(r.message, Outcome.DUPLICATE, r.reason, r.first_received_at, r.refused) for r in first]
    answers = frame.answered(first, RECEIVED)
    assert frame.answered(again, RECEIVED) == answers
    for answer in (*answers, *frame.refused_for_now(RECEIVED)):
        assert not set(START + END[:1]) & set(answer.content)
        assert read_asked(answer.content) is not None
        assert Framer(len(answer.content)).receive(framed(answer.content))[0].content == answer.content


def _receipt(message: Inbound) -> Receipt:
    if message.unreadable is None:
        return Receipt(1, Outcome.STORED, None, RECEIVED)
    outcome = Outcome.REFUSED if message.refused else Outcome.QUARANTINED
    return Receipt(1, outcome, message.unreadable[0], RECEIVED, message.refused)


def read_all(raw: bytes) -> None:
    """Read `raw` as one HL7 message, and make facts of what it says."""
    try:
        events, _ = decode_hl7(raw)
    except Unreadable:
        return
    for event in events:
        if event.type != MERGE:
            facts_of(event, zone=ZoneInfo("UTC"), received_at=RECEIVED, arrival=1)


def take_all(data: bytes) -> None:
    """All three: frames, answers, facts."""
    frame_all(data)
    answer_all(data)
    read_all(data)
