"""Every reason for which something waits in quarantine, and what to do about each: one set for all doors.

Where a door can say more exactly what was expected, its words stand on the item; else these do. The lists in
the documents are written from here.
"""

from __future__ import annotations

from enum import StrEnum

from rules.facts import Unusable
from worker.intake.marks import Mark
from worker.intake.unreadable import Reason


class QuarantineReason(StrEnum):
    """Why an item waits: the closed set behind the work-list and `messages_quarantined_total`."""

    # the message, or a part of it, cannot be read
    CHARSET = Reason.CHARSET.value
    DUPLICATE_KEY = Reason.DUPLICATE_KEY.value
    FILE = Reason.FILE.value
    FORMAT_LATER = Reason.FORMAT_LATER.value
    FORMAT_UNKNOWN = Reason.FORMAT_UNKNOWN.value
    IDENTITY_UNREADABLE = Reason.IDENTITY_UNREADABLE.value
    MERGE_INCOMPLETE = Reason.MERGE_INCOMPLETE.value
    NO_HEADER = Reason.NO_HEADER.value
    NO_PATIENT = Reason.NO_PATIENT.value
    NOT_AN_EVENT = Reason.NOT_AN_EVENT.value
    NOT_JSON = Reason.NOT_JSON.value
    NOT_STORED = Reason.NOT_STORED.value
    PROCESSING_ID = Reason.PROCESSING_ID.value
    STRUCTURE = Reason.STRUCTURE.value
    TOO_LARGE = Reason.TOO_LARGE.value
    TOO_MANY = Reason.TOO_MANY.value
    UNKNOWN_SENDER = Reason.UNKNOWN_SENDER.value
    UNSUPPORTED_TYPE = Reason.UNSUPPORTED_TYPE.value
    UNSUPPORTED_VERSION = Reason.UNSUPPORTED_VERSION.value
    # who it is about, and who says so
    AUTHORITY_NOT_ALLOWED = "authority-not-allowed"
    IDENTITY_CONFLICT = "identity-conflict"
    TWO_IDENTIFIER_MISMATCH = "two-identifier-mismatch"
    MERGE_SAME = "merge-same"
    MERGE_CYCLE = "merge-cycle"
    MERGE_CONFLICT = "merge-conflict"
    MERGE_NOT_FOUND = "merge-not-found"
    MERGE_SURVIVOR_UNKNOWN = "merge-survivor-unknown"
    # a result that is not used, or contradicts itself
    CRITICAL_FLAG_DISAGREES = "critical-flag-disagrees"
    DECIMAL_COMMA = Mark.DECIMAL_COMMA.value
    HEMOGLOBIN_IMPLAUSIBLE = Mark.HEMOGLOBIN_IMPLAUSIBLE.value
    NAME_CONTRADICTS = Mark.NAME_CONTRADICTS.value
    TIME_INVALID = Mark.TIME_INVALID.value
    IMPLAUSIBLE = Unusable.IMPLAUSIBLE.value
    UNIT_MISSING = Unusable.UNIT_MISSING.value
    UNIT_PROPERTY_MISMATCH = Unusable.UNIT_PROPERTY_MISMATCH.value
    UNIT_UNKNOWN = Unusable.UNIT_UNKNOWN.value
    ZONE_UNKNOWN = Unusable.ZONE_UNKNOWN.value
    WRONG_PATIENT = "wrong-patient"
    # what happened to the message here
    FAILED_REPEATEDLY = "failed-repeatedly"
    ID_REUSED = "id-reused"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self]


_OF = QuarantineReason
REMEDIES = {
    _OF.CHARSET: "declare the character set the bytes are in (HL7: MSH-18), or send UTF-8",
    _OF.DUPLICATE_KEY: "say each key of an object once",
    _OF.FILE: "name a file that can be opened",
    _OF.FORMAT_LATER: "send it to the door that reads this format",
    _OF.FORMAT_UNKNOWN: "send HL7 v2, FHIR R4, an event, or CSV with its mapping",
    _OF.IDENTITY_UNREADABLE: (
        "an identifier holds bytes that cannot be meant: send it again, in its character set"
    ),
    _OF.MERGE_INCOMPLETE: "say both patients with an identifier each",
    _OF.NO_HEADER: "begin the message with an MSH segment of usual separators",
    _OF.NO_PATIENT: "nobody is named: have the sender say the patient's number (PID-3) and send it again",
    _OF.NOT_AN_EVENT: "send a CloudEvent of a type we read (`ferrule rules schema --events`)",
    _OF.NOT_JSON: "send JSON that can be parsed",
    _OF.NOT_STORED: "send it again: the database took nothing then",
    _OF.PROCESSING_ID: "training and debugging messages are not judged: send P where it is meant",
    _OF.STRUCTURE: "have the sender correct the place that is named, and send it again",
    _OF.TOO_LARGE: "send less in one message",
    _OF.TOO_MANY: "send fewer segments, repetitions or entries in one message",
    _OF.UNKNOWN_SENDER: "add the sender to the sources file, or correct what it says of itself",
    _OF.UNSUPPORTED_TYPE: "send only the types that are read",
    _OF.UNSUPPORTED_VERSION: "send a version that is read",
    _OF.AUTHORITY_NOT_ALLOWED: (
        "its sender may not speak of patients this authority numbers: add the authority to the source, or "
        "ask it"
    ),
    _OF.IDENTITY_CONFLICT: (
        "its identifiers belong to two known patients: merge them if they are one, then release it"
    ),
    _OF.TWO_IDENTIFIER_MISMATCH: (
        "the number is known with another birth date or family name: find out whose it is; releasing it says "
        "that they are the same person"
    ),
    _OF.MERGE_SAME: "survivor and retired are one identifier: ask the sender what was meant",
    _OF.MERGE_CYCLE: "the survivor was merged into the other one before: undo that, or discard",
    _OF.MERGE_CONFLICT: "it was merged into somebody else before: undo that first, then release this",
    _OF.MERGE_NOT_FOUND: (
        "these two are not merged with each other: where they are one by a third, undo that link (ferrule "
        "patients show, then unmerge); else there is nothing to undo: discard it"
    ),
    _OF.MERGE_SURVIVOR_UNKNOWN: (
        "nothing was ever sent of the survivor, perhaps the two stand reversed; it takes effect with the "
        "first message of the survivor; if reversed, undo it (ferrule patients unmerge)"
    ),
    _OF.CRITICAL_FLAG_DISAGREES: (
        "its laboratory flags it as critical and its value is not so by its own limits: ask the laboratory "
        "at once which is right; one that is wrong is corrected by it; then discard this"
    ),
    _OF.DECIMAL_COMMA: (
        "if the laboratory writes decimal commas, set `decimal: comma` for its source, then release it"
    ),
    _OF.HEMOGLOBIN_IMPLAUSIBLE: (
        "ask the laboratory at once: the value is impossible in its unit, and a true one may be critical"
    ),
    _OF.NAME_CONTRADICTS: (
        "code and name are of different tests: ask the laboratory which is right; a name that is right goes "
        "under `labels` of its code in the mapping; then release it"
    ),
    _OF.TIME_INVALID: "the time names no moment: ask the sender to send it again with a time that exists",
    _OF.IMPLAUSIBLE: (
        "the value is impossible in its unit: ask the laboratory; its sender corrects a slip of the unit"
    ),
    _OF.UNIT_MISSING: (
        "if the laboratory declares one unit for this code, add it as `unit` in the mapping, then release it"
    ),
    _OF.UNIT_PROPERTY_MISMATCH: (
        "code and unit are of different kinds: ask the laboratory which is right, correct the mapping, "
        "then release it"
    ),
    _OF.UNIT_UNKNOWN: (
        "ask the laboratory what its unit means, add the spelling under `units` in the mapping, "
        "then release it"
    ),
    _OF.ZONE_UNKNOWN: "set FERRULE_DEFAULT_ZONE or the source's zone, then release it",
    _OF.WRONG_PATIENT: (
        "alerts rested on a result that was another patient's; they are taken back where they were told: "
        "find out who acted on them, and whose the result is; then discard this, saying what was found"
    ),
    _OF.FAILED_REPEATEDLY: (
        "judging it failed or killed the worker each time: read the log for its id, then release it to try "
        "again"
    ),
    _OF.ID_REUSED: (
        "the sender used one id for two different events; ask it to send the second under a new id"
    ),
}
