"""What intake noticed and could live with: a closed set, counted and shown to operations, without values."""

from __future__ import annotations

from enum import StrEnum


class Mark(StrEnum):
    """One noticed oddity. A mark changes no judgment by itself."""

    # of a whole message
    LINE_ENDS = "line-ends-normalized"
    CHARSET_UNDECLARED = "charset-undeclared"  # not UTF-8 and MSH-18 empty: read as ISO 8859-1
    BYTES_REPLACED = "bytes-replaced"  # bytes invalid in the declared character set
    UNKNOWN_ESCAPE = "unknown-escape"
    CONTROL_ID_MISSING = "control-id-missing"  # keyed by the message's SHA-256
    NO_AUTHORITY = "no-authority"
    ITEM_REFUSED = "item-refused"  # one result or record of the message was not readable
    # of one result
    STATUS_LETTER_UNKNOWN = "status-letter-unknown"  # read as preliminary
    DELETED = "deleted"  # OBX-11 D: taken back, and not because it is somebody else's
    STATUS_ONLY = "status-only"  # OBX-11 U: final, without sending the value again
    TIME_FROM_ORDER = "time-from-order"  # OBR-7
    TIME_FROM_MESSAGE = "time-from-message"  # MSH-7
    TIME_FROM_RECEIPT = "time-from-receipt"
    TIME_OF_DAY_MISSING = "time-of-day-missing"
    HOUR_REPEATED = "hour-repeated"  # the clocks went back: the earlier is taken, the later kept beside it
    HOUR_SKIPPED = "hour-skipped"  # the clocks went forward: shifted
    RANGE_UNREADABLE = "range-unreadable"
    VALUE_REPEATED = "value-repeated"  # several values under one code: each is a result
    ID_MADE_UP = "id-made-up"  # the result came without an id
    VALUE_CONFLICT = "value-conflict"  # one id, two different values: both are kept and judged
    UNIT_DECLARED = "unit-declared"  # sent without one; the source's mapping declares it
    DECIMAL_COMMA = "decimal-comma"  # from a source that is not set to write so: not used
    FLAG_DISAGREES = "flag-disagrees"  # high or low by its flag, not by its value and limits, or the reverse
    NAME_CONTRADICTS = "name-contradicts"  # its name is that of another analyte than its code
    TIME_INVALID = "time-invalid"  # a time was sent and names no moment
    SPECIMEN_OLD = "specimen-old"  # taken years before it was received: history loaded late
    SPECIMEN_FUTURE = "specimen-future"  # taken later than received: a clock runs ahead
    CONTROL_SAMPLE = "control-sample"  # of no patient: a control, calibrator or proficiency specimen
    TEST_PATIENT = "test-patient"  # of nobody: a number or name the site keeps for tests
    VALUE_NOT_TEXT = "value-not-text"  # encapsulated data, a reference pointer
    NOT_REPORTED = "not-reported"  # an OBX of a message that is no report (ADT, pharmacy): kept, not used
    HEMOGLOBIN_IMPLAUSIBLE = "hemoglobin-implausible"  # critical for operations: a true 18 g/L exists


MARK_OF = {mark.value: mark for mark in Mark}
