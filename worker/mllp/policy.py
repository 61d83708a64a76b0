"""Who may send HL7 here, and what becomes of test messages: asked of each message and each certificate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from worker.intake.unreadable import Reason, Unreadable
from worker.sources import InForce, Sender

CertificateNames = Sequence[str]


@dataclass(frozen=True)
class Policy:
    """What the site says. `keep_tests`: messages for training or debugging are accepted, and never judged.

    `zone` is that of times without an offset from senders of whom no zone is known.
    """

    sources: InForce
    refuse_unknown: bool = True
    keep_tests: bool = False
    zone: ZoneInfo | None = None

    def check_sender(self, source: str, certified: Sender | None) -> None:
        """Raise `Unreadable` when the header names nobody we know, or somebody else than the certificate."""
        sources = self.sources()
        named = sources.of(source)
        if certified is not None and certified.hl7 and named != certified:
            remedy = "expected the sender of the client certificate, got another one"
            raise Unreadable(Reason.UNKNOWN_SENDER, "MSH-3", remedy)
        knows_some = any(sender.hl7 for sender in sources.senders)
        if named is None and certified is None and knows_some and self.refuse_unknown:
            remedy = (
                "expected a sender of the sources file, got another one: add it there, or have it corrected"
            )
            raise Unreadable(Reason.UNKNOWN_SENDER, "MSH-3", remedy)

    def certified(self, names: CertificateNames) -> Sender | None:
        """The source that shows a certificate with one of these names."""
        return self.sources().by_certificate(names)


def certificate_names(certificate: Mapping[str, Any]) -> list[str]:
    """The names in a peer's certificate as `ssl` gives it: alternative names, then the common name."""
    alternative = [str(value) for _, value in certificate.get("subjectAltName", ())]
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    return [*alternative, *(str(value) for key, value in subject if key == "commonName")]
