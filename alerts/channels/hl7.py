"""Alerts back into the record system as HL7 v2 over MLLP: one ORU^R01 a delivery, and its answer read.

The control id is the delivery's key, so that a receiver takes a repeat once. What the message says is
`alerts.channels.hl7_report`; where it may go, `alerts.channels.guarded_http` decides.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

from alerts.channels.channel import Message, Passing, Refused
from alerts.channels.guarded_http import GUARDED, MLLP, MOST_BYTES, GuardedHttp, NotSent, Target
from alerts.channels.hl7_report import control_id, report
from alerts.channels.record_entry import Entries

START, END = b"\x0b", b"\x1c\r"
TAKEN = ("AA", "CA")
FAULTY = ("AE", "CE")
NOT_NOW = ("207", "206")
"""Table 0357: an error inside the receiver, or a record it has locked. Nothing is wrong with the message."""

Tls = Callable[[], ssl.SSLContext | None]


def _this_machines() -> ssl.SSLContext | None:
    return None


@dataclass(frozen=True, slots=True)
class Hl7Channel:
    """Sends to one listener. `sender` is MSH-4; `tls` makes the context of an attempt."""

    target: Target
    entries: Entries
    page_url: str
    sender: str
    tls: Tls = _this_machines
    http: GuardedHttp = GUARDED
    name: str = "hl7"
    instant: bool = False

    def send(self, message: Message) -> None:
        """One attempt. Raises Refused (AE: this message, for good) or Passing (all else)."""
        known = self.entries([line.alert_id for line in message.lines])
        told = [(line.step, known[line.alert_id]) for line in message.lines]
        control = control_id(message.key)
        text = report(
            told, control_id=control, sent=message.created_at, sender=self.sender, page_url=self.page_url
        )
        judge_answer(self._asked(text), control)

    def _asked(self, text: str) -> str:
        try:
            context = self.tls() if self.target.scheme == MLLP[0] else None
        except (OSError, ssl.SSLError):
            # The files of the certificates: ours to mend.
            raise Passing("tls-files", is_down=True) from None
        try:
            with replace(self.http, tls=context).connected(self.target) as talking:
                talking.sendall(START + text.encode() + END)
                return _answer(talking)
        except NotSent as problem:
            raise Passing(problem.reason, is_down=True) from None


def judge_answer(text: str, control: str) -> None:
    """Nothing for AA and CA; raises Refused or Passing for the rest."""
    segments = {line[:3]: line.split(text[3:4]) for line in text.split("\r") if text[3:4]}
    said = segments.get("MSA", [])
    if len(said) < 3 or said[2] != control:
        raise Passing("answer-not-ours", is_down=True)
    code = said[1]
    if code in TAKEN:
        return
    if code in FAULTY and not _is_passing(segments.get("ERR", [])):
        raise Refused(f"answer-{code}")
    # AR is about the header or the receiver: the same for every message, until somebody mends it.
    raise Passing(f"answer-{code}" if code in (*FAULTY, "AR", "CR") else "answer-not-ours", is_down=True)


def _is_passing(error: list[str]) -> bool:
    return len(error) > 3 and error[3].partition("^")[0] in NOT_NOW


def _answer(talking: socket.socket) -> str:
    """The first frame that comes back."""
    heard = b""
    while END not in heard:
        piece = talking.recv(4096)
        if not piece or len(heard) > MOST_BYTES:
            raise ConnectionError
        heard += piece
    frame, _, _ = heard.partition(END)
    return frame.lstrip(START).decode("utf-8", "replace")
