"""The facts a rule may look at: results, records and the patient, each with its two times.

Every fact says when it was so (`effective_at`, `start`) and when we knew (`known_at`). Nothing here decides
anything; `rules.history` picks which facts count at a moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Comparator(StrEnum):
    """How a printed number stands to the true one: `<5` is an interval, not a five."""

    LT = "<"
    LE = "<="
    EQ = "="
    GE = ">="
    GT = ">"


class Coded(StrEnum):
    """A worded or coded answer, reduced to the three that rules know."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    EQUIVOCAL = "equivocal"


class Status(StrEnum):
    """FHIR R4 Observation.status."""

    REGISTERED = "registered"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    APPENDED = "appended"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
    UNKNOWN = "unknown"


class Unusable(StrEnum):
    """Why a result is not used: the closed set of `not_used.reason` (docs: `ferrule evaluate --json`)."""

    UNIT_MISSING = "unit-missing"
    UNIT_UNKNOWN = "unit-unknown"
    UNIT_PROPERTY_MISMATCH = "unit-property-mismatch"
    IMPLAUSIBLE = "implausible"
    CODE_UNKNOWN = "code-unknown"
    STATUS = "status"
    SPECIMEN = "specimen"
    NOT_NUMERIC = "not-numeric"
    NO_TIME = "no-time"
    ZONE_UNKNOWN = "zone-unknown"
    SUPERSEDED = "superseded"
    FUTURE = "future"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A believed number with a believed unit.

    `value` is the number as printed, in `unit` (its UCUM spelling); `base` is the same number exactly scaled
    to the base unit of `dimension` ("mass", "molar", "fraction", …; see `rules.units`), so that two
    quantities of one dimension compare without any rounding.
    """

    value: Decimal
    comparator: Comparator
    unit: str
    dimension: str
    base: Decimal


@dataclass(frozen=True, slots=True)
class Result:
    """One version of one laboratory result.

    `key` names the result across its versions (source and result id); `problem` is None when the reading was
    believed, else why it never can be used. `range_low` and `range_high` are the laboratory's own limits, in
    the reported unit. `notes` are specimen notes and remarks, lower case. `reading` is how often its message
    had been read before: read again, with another mapping, one message may say something else.
    """

    key: str
    id: str
    source: str
    analyte: str | None
    status: Status
    effective_at: datetime | None
    issued_at: datetime | None
    known_at: datetime
    arrival: int
    quantity: Quantity | None = None
    coded: Coded | None = None
    range_low: Decimal | None = None
    range_high: Decimal | None = None
    notes: tuple[str, ...] = ()
    problem: Unusable | None = None
    detail: str = ""
    reported_value: str = ""
    reported_unit: str = ""
    reading: int = 0


class RecordKind(StrEnum):
    """What a record is about; the four closed-world lists."""

    MEDICATION = "medication"
    CONDITION = "condition"
    PROCEDURE = "procedure"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one entry of a medication, problem, procedure or order list.

    `start` is the first instant and `end` the last instant (a bare date is its whole local day). `start_last`
    is the last instant that `start` may mean: the end of that local day when only the day was given, else
    None. `status` and `route` are lower-case words or None. A version with status `entered-in-error` takes
    the record away. `said_at` is when its sender said so, which orders the versions (None: `known_at` does).
    """

    key: str
    kind: RecordKind
    system: str
    code: str
    name: str
    status: str | None
    start: datetime | None
    end: datetime | None
    known_at: datetime
    arrival: int
    route: str | None = None
    start_last: datetime | None = None
    said_at: datetime | None = None


class Sex(StrEnum):
    """FHIR administrative-gender; what is not male or female is unknown to a rule that needs it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PregnancyStatement:
    """`pregnant` was said at `effective_at`, at `weeks` completed weeks (None: not said)."""

    pregnant: bool
    weeks: int | None
    effective_at: datetime
    known_at: datetime
    arrival: int


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the facts are about. `birth_date` None or `sex` UNKNOWN make dependent conditions unknown."""

    system: str
    id: str
    birth_date: date | None = None
    sex: Sex = Sex.UNKNOWN
    deceased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All that is stored about one patient, every version of it, in any order."""

    patient: Patient
    results: tuple[Result, ...] = ()
    records: tuple[Record, ...] = ()
    pregnancy: tuple[PregnancyStatement, ...] = field(default=())
