"""The data types of FHIR R4 that are read, as frozen pydantic models: every element known, no other taken.

Numbers stay the text they were written as; a number where text belongs, or text where a number belongs, is
refused. `Unread` marks what R4 allows and nobody here looks at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator
from pydantic.alias_generators import to_camel

from worker.intake.event import clean
from worker.intake.json_text import NumberText

Unread = Any

MOST_DIGITS = 40
MOST_EXPONENT = 30

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE]([+-]?[0-9]{1,9}))?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_CODE = re.compile(r"[^\s]+( [^\s]+)*")
_URI = re.compile(r"\S+")
_DAY = r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?"
_OFFSET = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DATE = re.compile(_DAY + r")?)?")
_DATE_TIME = re.compile(_DAY + rf"(?:{_CLOCK}{_OFFSET})?)?)?")
_INSTANT = re.compile(rf"([0-9]{{4}})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]){_CLOCK}{_OFFSET}")


def _text(value: object) -> str:
    if isinstance(value, NumberText) or not isinstance(value, str):
        raise ValueError("structure|expected text, got something else")
    if not value.strip():
        raise ValueError("expected text, got an empty one")
    return clean(value)


def _decimal(value: object) -> str:
    if not isinstance(value, NumberText):
        raise ValueError("structure|expected a JSON number, got something else")
    match = _DECIMAL.fullmatch(value)
    if match is None or len(value) > MOST_DIGITS or abs(int(match[1] or 0)) > MOST_EXPONENT:
        raise ValueError("expected a number that a measurement can have, got another")
    return str(value)


def _integer(value: object) -> str:
    if not isinstance(value, NumberText) or not _INTEGER.fullmatch(value) or len(value) > 11:
        raise ValueError("structure|expected a whole JSON number, got something else")
    return str(value)


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value)
        if not pattern.fullmatch(text):
            raise ValueError(f"expected {expected}, got another text")
        return text

    return read


def _time(pattern: re.Pattern[str], expected: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value)
        match = pattern.fullmatch(text)
        if match is None or not _is_day(match[1], match[2], match[3]):
            raise ValueError(f"expected {expected}, got another text")
        return text

    return read


def _is_day(year: str, month: str | None, day: str | None) -> bool:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return False
    return True


String = Annotated[str, BeforeValidator(_text)]
Decimal = Annotated[str, BeforeValidator(_decimal)]
Integer = Annotated[str, BeforeValidator(_integer)]
Id = Annotated[str, BeforeValidator(_matching(_ID, "an id of 1 to 64 letters, digits, - and ."))]
Code = Annotated[str, BeforeValidator(_matching(_CODE, "a code without stray blanks"))]
Uri = Annotated[str, BeforeValidator(_matching(_URI, "a URI without blanks"))]
Date = Annotated[str, BeforeValidator(_time(_DATE, "a date of the calendar (YYYY, YYYY-MM or YYYY-MM-DD)"))]
DateTime = Annotated[
    str,
    BeforeValidator(_time(_DATE_TIME, "a dateTime of the calendar, with an offset if it has a clock time")),
]
Instant = Annotated[str, BeforeValidator(_time(_INSTANT, "an instant with seconds and offset"))]
Boolean = StrictBool


class Element(BaseModel):
    """What every element may carry. An extension of a primitive (`_status`) is allowed and not read."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False)

    id: String | None = None
    extension: Unread = None

    # Elements of which R4 takes one type only, by the name before the type.
    choices: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_type_each(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        for choice in cls.choices:
            given = [name for name in value if name.startswith(choice) and name[len(choice) :][:1].isupper()]
            if len(given) > 1:
                raise ValueError(f"structure|expected one {choice}[x], got more than one")
        if any(name[:1] == "_" for name in value):
            return {name: one for name, one in value.items() if not cls._is_beside_primitive(name, one)}
        return value

    @classmethod
    def _is_beside_primitive(cls, name: str, value: object) -> bool:
        known = {field.alias or plain for plain, field in cls.model_fields.items()}
        return name[:1] == "_" and name[1:] in known and isinstance(value, dict | list)


class Backbone(Element):
    """An element that may be turned into its opposite: `worker.intake.fhir_checks` refuses that."""

    modifier_extension: Unread = None


class Period(Element):
    """From when to when; either may be open."""

    start: DateTime | None = None
    end: DateTime | None = None


class Coding(Element):
    """One code of one system."""

    system: Uri | None = None
    version: String | None = None
    code: Code | None = None
    display: String | None = None
    user_selected: Boolean | None = None


class CodeableConcept(Element):
    """The same thing in several systems, and in words."""

    coding: tuple[Coding, ...] = ()
    text: String | None = None


class Identifier(Element):
    """A business identifier."""

    use: Literal["usual", "official", "temp", "secondary", "old"] | None = None
    type: CodeableConcept | None = None
    system: Uri | None = None
    value: String | None = None
    period: Period | None = None
    assigner: Unread = None

    @property
    def token(self) -> str | None:
        """`system|value`, as FHIR searches write it; None without a value."""
        return f"{self.system or ''}|{self.value.strip()}" if self.value else None


class Reference(Element):
    """A reference by address (`reference`) or by identifier (logical)."""

    reference: String | None = None
    type: Uri | None = None
    identifier: Identifier | None = None
    display: String | None = None


class Quantity(Element):
    """A measured amount; `value` as written. R5's comparator `ad` is not R4's."""

    value: Decimal | None = None
    comparator: Literal["<", "<=", ">=", ">"] | None = None
    unit: String | None = None
    system: Uri | None = None
    code: Code | None = None


class Range(Element):
    """Between two amounts."""

    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Element):
    """One amount for another: a titer 1:80."""

    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Annotation(Element):
    """A remark."""

    author_reference: Unread = None
    author_string: Unread = None
    time: DateTime | None = None
    text: String


class HumanName(Element):
    """A name in parts or as text."""

    use: Code | None = None
    text: String | None = None
    family: String | None = None
    given: tuple[String | None, ...] = ()
    prefix: Unread = None
    suffix: Unread = None
    period: Period | None = None


class Meta(Element):
    """About the resource, not its subject."""

    version_id: Id | None = None
    last_updated: Instant | None = None
    source: Uri | None = None
    profile: tuple[Uri, ...] = ()
    security: tuple[Coding, ...] = ()
    tag: tuple[Coding, ...] = ()


class Timing(Backbone):
    """When; only plain moments are read."""

    event: tuple[DateTime, ...] = ()
    repeat: Unread = Field(default=None)
    code: CodeableConcept | None = None
