"""The CloudEvent that every intake format becomes: pydantic models, and the JSON Schema made from them.

Strict about the envelope (specversion, type, source, id, the patient's id), lenient about each item: one
result or record that cannot be read never loses the others. Judges nothing: what a code, unit or time means
is `worker.intake.normalize`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from worker.intake.json_text import loads
from worker.intake.unreadable import Reason, Unreadable

REPORT = "org.ferrule.report.v1"
RECORD = "org.ferrule.record.v1"
MERGE = "org.ferrule.merge.v1"
EventType = Literal["org.ferrule.report.v1", "org.ferrule.record.v1", "org.ferrule.merge.v1"]

UNREADABLE_TEXT = (
    "\ufffd"  # stands where a list or object came for a text: matches nothing, so it is never believed
)

# C0 and C1 control characters but tab and line feed, and lone surrogates: no database takes them.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` fit to be shown and stored: line ends as LF, no control characters, broken characters marked."""
    if text.isascii() and text.isprintable():
        return str(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", _SURROGATE.sub(UNREADABLE_TEXT, lines))


def as_written(value: object) -> object:
    """The text of a JSON scalar, numbers as written; a list or object becomes `UNREADABLE_TEXT`."""
    if value is None or isinstance(value, str):
        return None if value is None else clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict | tuple):
        return UNREADABLE_TEXT
    return str(value)


def _identity(value: object) -> object:
    """Text of an identifier, trimmed; characters that cannot be meant are refused, not dropped."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    text = str(value).strip()
    if _CONTROL.search(text) or _SURROGATE.search(text) or UNREADABLE_TEXT in text or "\n" in text:
        raise ValueError("identity-unreadable")
    return text


def _boolean(value: object) -> object:
    words = {"true": True, "false": False}
    return words.get(value.lower()) if isinstance(value, str) else value if isinstance(value, bool) else None


def _texts(value: object) -> object:
    if value is None:
        return ()
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(text for text in map(as_written, items) if text not in (None, ""))


_TEXT_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]}
Text = Annotated[str | None, BeforeValidator(as_written), WithJsonSchema(_TEXT_SCHEMA)]
Word = Annotated[
    str | None, BeforeValidator(as_written), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})
]
Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
]
Marks = Annotated[Texts, Field(description="What a reader of another format noticed; senders leave it out.")]
Identity = Annotated[str, BeforeValidator(_identity), Field(min_length=1, max_length=400)]
Said = Annotated[bool | None, BeforeValidator(_boolean)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Identifier(_Model):
    """An identifier and the authority that gave it; no authority is `urn:ferrule:no-authority`."""

    system: Word = None
    id: Identity


def _identifiers(value: object) -> object:
    items = value if isinstance(value, list | tuple) else ()
    return tuple(_item_or_none(Identifier, item) for item in items)


class PatientItem(_Model):
    """The patient of a report or record. Only the id is needed."""

    system: Word = None
    id: Identity
    identifiers: Annotated[tuple[Identifier | None, ...], BeforeValidator(_identifiers)] = Field(
        default=(), description="Other identifiers of the patient; they must not be somebody else's."
    )
    birth_date: Word = None
    sex: Word = None
    name: Word = None
    family: Word = Field(default=None, description="The family names alone; else they are read from `name`.")
    pregnant: Said = None
    gestational_weeks: Text = None
    deceased: Said = Field(default=None, description="false takes a death back; null says nothing.")
    deceased_at: Word = None
    restricted: Said = Field(
        default=None,
        description="true marks the patient as sensitive; nothing sent takes the mark away.",
    )


class PersonItem(_Model):
    """A clinician who ordered, attends or is copied in."""

    system: Word = None
    id: Text = None
    name: Word = None


class EncounterItem(_Model):
    """Where the patient was when the order was given."""

    class_: Word = Field(default=None, alias="class")
    location: Word = None
    attending: PersonItem | None = None

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    @field_validator("attending", mode="before")
    @classmethod
    def _lenient(cls, value: object) -> object:
        return _item_or_none(PersonItem, value)


class RangeItem(_Model):
    """The laboratory's own limits, in the unit of the result; `text` when they came unparsed."""

    low: Text = None
    high: Text = None
    text: Word = None


class ResultItem(_Model):
    """One result as sent. Every field may be missing: what is missing decides how far it can be used."""

    id: Text = None
    code: Text = None
    system: Word = None
    name: Word = None
    value: Text = None
    comparator: Word = None
    unit: Text = None
    status: Word = None
    effective_at: Word = None
    issued_at: Word = None
    reference_range: RangeItem | None = None
    interpretation: Word = None
    method: Word = None
    specimen_notes: Texts = ()
    marks: Texts = Field(
        default=(), description="What a reader of another format noticed; senders leave it out."
    )
    place: Word = Field(
        default=None, description="Where it stood in a message of another format; senders leave it out."
    )

    @field_validator("reference_range", mode="before")
    @classmethod
    def _lenient_range(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else _item_or_none(RangeItem, value)


class RecordItem(_Model):
    """One entry of a medication, condition, procedure or order list; a code or a name is needed."""

    id: Text = None
    system: Word = None
    code: Text = None
    name: Word = None
    status: Word = None
    start: Word = None
    end: Word = None
    route: Word = None


ItemT = TypeVar("ItemT", bound=_Model)


def _item_or_none(model: type[ItemT], value: object) -> ItemT | None:
    """The item, or None when it is not one: for parts without which the rest still means what it says."""
    if isinstance(value, model):
        return value
    try:
        return model.model_validate(value) if isinstance(value, dict) else None
    except ValidationError:
        return None


def _items(model: type[ItemT]) -> Callable[[object], tuple[ItemT | None, ...]]:
    """A reader of a list in which an unreadable item becomes None and keeps its place."""

    def read(value: object) -> tuple[ItemT | None, ...]:
        if value is None:
            return ()
        items = value if isinstance(value, list | tuple) else (value,)
        return tuple(_item_or_none(model, item) for item in items)

    return read


Results = Annotated[tuple[ResultItem | None, ...], BeforeValidator(_items(ResultItem))]
Records = Annotated[tuple[RecordItem | None, ...], BeforeValidator(_items(RecordItem))]
People = Annotated[tuple[PersonItem | None, ...], BeforeValidator(_items(PersonItem))]


class ReportData(_Model):
    """What a report or a record event says. A list that is absent or empty says nothing."""

    patient: PatientItem
    orderer: PersonItem | None = None
    copy_to: People = ()
    order_id: Text = None
    registration: Said = Field(
        default=None, description="Whether a registration says so (ADT), who may correct who somebody is."
    )
    encounter: EncounterItem | None = None
    results: Results = ()
    medications: Records = ()
    conditions: Records = ()
    procedures: Records = ()
    orders: Records = ()
    marks: Texts = Field(
        default=(), description="What a reader of another format noticed; senders leave it out."
    )

    @field_validator("orderer", mode="before")
    @classmethod
    def _lenient_orderer(cls, value: object) -> object:
        return _item_or_none(PersonItem, value)

    @field_validator("encounter", mode="before")
    @classmethod
    def _lenient_encounter(cls, value: object) -> object:
        return _item_or_none(EncounterItem, value)


class MergeData(_Model):
    """Two identifiers are one patient from now on; `undone` says that they are not, after all."""

    survivor: Identifier
    retired: Identifier
    undone: Said = None


class Event(_Model):
    """A CloudEvents 1.0 event in structured JSON; `source` and `id` together name it for good."""

    specversion: Literal["1.0"]
    type: EventType
    source: Identity
    id: Identity
    time: Word = None
    datacontenttype: Word = None
    data: ReportData | MergeData

    @field_validator("data", mode="wrap")
    @classmethod
    def _data_of_its_type(cls, value: object, _: Any, info: ValidationInfo) -> ReportData | MergeData:
        model = MergeData if info.data.get("type") == MERGE else ReportData
        return value if isinstance(value, model) else model.model_validate(value)

    @property
    def report(self) -> ReportData:
        """The data of a report or record event; a merge has none and raises TypeError."""
        if isinstance(self.data, MergeData):
            raise TypeError("a merge event has no report")
        return self.data


def parse_event(raw: bytes) -> Event:
    """The event in `raw` JSON; raises `Unreadable` naming the field, what was expected and what kind came."""
    return event_of(loads(raw))


def event_of(value: object) -> Event:
    """The event in an already read JSON value; raises `Unreadable`."""
    if isinstance(value, dict) and "resourceType" in value and "specversion" not in value:
        raise Unreadable(Reason.FORMAT_LATER, "", "this is FHIR: send it to /fhir, or as a file")
    try:
        return Event.model_validate(value)
    except ValidationError as error:
        raise _unreadable(error) from None


def event_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of an event, as published in deploy/schemas/event.schema.json."""
    schema = Event.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Ferrule event"}


def event_schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(event_schema(), indent=2, ensure_ascii=False) + "\n"


_EXPECTED = {
    "specversion": '"1.0"',
    "type": f'"{REPORT}", "{RECORD}" or "{MERGE}"',
    "source": "text of 1 to 400 characters",
    "id": "text of 1 to 400 characters",
    "system": "text",
    "data": "an object",
    "patient": "an object with the patient's id",
    "survivor": "an object with system and id",
    "retired": "an object with system and id",
}


def _unreadable(error: ValidationError) -> Unreadable:
    """One line about the first thing wrong: place, expected, kind that came; never the value."""
    first = error.errors(include_url=False, include_context=False)[0]
    steps = [str(step) for step in first["loc"]]
    place = ".".join(steps) or "event"
    expected = _EXPECTED.get(steps[-1], "another kind of value") if steps else "a JSON object"
    got = "nothing" if first["type"] == "missing" else _kind(first["input"])
    return Unreadable(_reason(steps, first["msg"]), place, f"expected {expected}, got {got}")


def _reason(steps: list[str], message: str) -> Reason:
    if "identity-unreadable" in message:
        return Reason.IDENTITY_UNREADABLE
    if steps[:2] == ["data", "patient"]:
        return Reason.NO_PATIENT
    if "survivor" in steps or "retired" in steps:
        return Reason.MERGE_INCOMPLETE
    return Reason.NOT_AN_EVENT


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "other text" if value.strip() else "empty text"
    kinds = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
