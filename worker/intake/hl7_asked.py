"""What the header of an HL7 v2 message asks of its answer, read from MSH alone, however broken the rest is.

Bytes pass through as they are (ISO 8859-1), so that an answer gives a sender's id back byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from worker.intake.hl7_escapes import Separators
from worker.intake.hl7_split import separators_of, unwrapped
from worker.intake.unreadable import Unreadable

MOST_FIELDS = 20
HEADERS = (b"MSH", b"FHS", b"BHS")


@dataclass(frozen=True, slots=True)
class Asked:
    """MSH as sent, still escaped with the sender's `separators`; absent fields are empty."""

    separators: Separators
    fields: tuple[str, ...]

    def raw(self, field: int) -> str:
        """Field `field` as sent, without blanks around it; an explicit null is empty."""
        text = self.fields[field].strip(" ") if field < len(self.fields) else ""
        return "" if text == '""' else text

    def component(self, field: int, number: int) -> str:
        """One component of a field, as sent."""
        parts = self.raw(field).split(self.separators.component)
        return parts[number - 1].strip(" ") if number <= len(parts) else ""

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.raw(10)

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.component(12, 1)

    @property
    def trigger(self) -> str:
        """MSH-9.2."""
        return self.component(9, 2).upper()

    @property
    def accept_condition(self) -> str:
        """MSH-15."""
        return self.raw(15).upper()

    @property
    def application_condition(self) -> str:
        """MSH-16."""
        return self.raw(16).upper()

    @property
    def is_enhanced(self) -> bool:
        """Whether the sender asks for the enhanced acknowledgement mode."""
        return bool(self.accept_condition or self.application_condition)

    @property
    def is_acknowledgement(self) -> bool:
        """Whether this is an answer itself. One never answers an answer."""
        return self.component(9, 1).upper() in ("ACK", "MCF")


def read_asked(raw: bytes) -> Asked | None:
    """The header of a message, a batch (BHS) or a file (FHS); None when there is none that can be read."""
    body = unwrapped(raw)
    if not body.startswith(HEADERS):
        return None
    try:
        separators = separators_of(body)
    except Unreadable:
        return None
    line = re.split(b"[\r\n]", body[:100_000], maxsplit=1)[0].decode("iso8859-1")
    name, *rest = line.split(separators.field, MOST_FIELDS)[:MOST_FIELDS]
    return Asked(separators, (name, separators.field, *rest))
