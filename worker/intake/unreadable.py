"""The one error of intake: why something cannot be read, where, and what its sender should do.

No text here ever holds a patient's value: places, kinds and remedies only, so that it may be logged.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a message, or a part of one, was not read; the closed set behind `messages_quarantined_total`."""

    CHARSET = "charset"  # not decodable as declared, or UTF-16
    DUPLICATE_KEY = "duplicate-key"  # a JSON object says one key twice
    FILE = "file"  # cannot be opened
    FORMAT_LATER = "format-later"  # a format that this door does not read
    FORMAT_UNKNOWN = "format-unknown"
    IDENTITY_UNREADABLE = "identity-unreadable"  # an identifier holds bytes that cannot be what was meant
    MERGE_INCOMPLETE = "merge-incomplete"
    NO_HEADER = "no-header"  # no usable MSH
    NO_PATIENT = "no-patient"
    NOT_AN_EVENT = "not-an-event"  # JSON, but not a CloudEvent of ours
    NOT_JSON = "not-json"
    NOT_STORED = "not-stored"  # told to a sender of HL7 while the database takes nothing; kept nowhere
    PROCESSING_ID = "processing-id"  # MSH-11 training or debugging
    STRUCTURE = "structure"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"  # more segments or repetitions than any real message has
    UNKNOWN_SENDER = "unknown-sender"  # MSH-3 and MSH-4 name nobody who is configured, or not who connected
    UNSUPPORTED_TYPE = "unsupported-type"
    UNSUPPORTED_VERSION = "unsupported-version"


class Unreadable(Exception):
    """Raised, or yielded by the file readers, for what cannot be read. One line, no patient data."""

    def __init__(self, reason: Reason, place: str, remedy: str) -> None:
        super().__init__(f"{place}: {reason}: {remedy}" if place else f"{reason}: {remedy}")
        self.reason = reason
        self.place = place
        self.remedy = remedy

    def within(self, outer: str) -> Unreadable:
        """The same error with its place inside a larger whole (a file and line, an index of a list)."""
        place = f"{outer}: {self.place}" if self.place else outer
        return Unreadable(self.reason, place, self.remedy)
