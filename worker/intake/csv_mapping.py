"""The mapping of a CSV file: which column is which field of an event, and how numbers and times are written.

Read from a YAML file, once; a mapping that names no field of ours, or one twice, is refused whole. Reading
rows by it is `worker.intake.csv_rows`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from alerts.zones import zone_named
from worker.intake.event import EncounterItem, PatientItem, PersonItem, ResultItem
from worker.intake.unreadable import Reason, Unreadable

PARTS: dict[str, type[BaseModel]] = {
    "patient": PatientItem,
    "result": ResultItem,
    "orderer": PersonItem,
    "encounter": EncounterItem,
}
RANGE = ("result.reference_range.low", "result.reference_range.high", "result.reference_range.text")
NOT_FROM_A_CELL = {"marks", "reference_range", "attending", "specimen_notes"}


def _fields() -> frozenset[str]:
    names = {
        f"{part}.{field.alias or name}"
        for part, model in PARTS.items()
        for name, field in model.model_fields.items()
        if name not in NOT_FROM_A_CELL
    }
    return frozenset({*names, *RANGE, "result.specimen_notes", "event.id", "event.time", "order_id"})


FIELDS = _fields()
"""Every field that a column may fill."""

TIMES = frozenset({"result.effective_at", "result.issued_at", "event.time", "patient.deceased_at"})
DATES = frozenset({"patient.birth_date"})
NUMBERS = frozenset({"result.value", *RANGE[:2]})


def _zone(text: object) -> object:
    return zone_named(text) if isinstance(text, str) else text


class CsvMapping(BaseModel):
    """How one kind of CSV file is read: one row is one result."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    source: str = Field(min_length=1, max_length=400, description="The event's source: who sends.")
    columns: dict[str, str] = Field(description="Field of the event → heading of the column.")
    constants: dict[str, str] = Field(default={}, description="Field of the event → the same for every row.")
    words: dict[str, dict[str, str]] = Field(
        default={}, description="Field → {word of the file: word of the event}; other words stay as they are."
    )
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', min_length=1, max_length=1)
    encoding: Literal["utf-8", "cp1252", "latin-1", "cp865"] = "utf-8"
    decimal: Literal[".", ","] = Field(".", description="What stands before the decimals.")
    zone: Annotated[ZoneInfo | None, BeforeValidator(_zone)] = Field(
        None, description="Zone of times without offset; default: the source's, else DEFAULT_ZONE."
    )
    times: str | None = Field(
        None, description="strptime format of times, such as %d.%m.%Y %H:%M; default ISO."
    )
    dates: str | None = Field(None, description="strptime format of dates; default ISO.")

    @field_validator("columns", "constants", "words")
    @classmethod
    def _known_fields(cls, value: dict[str, object]) -> dict[str, object]:
        if unknown := sorted(value.keys() - FIELDS):
            raise ValueError(f"no field {unknown[0]}; fields are {', '.join(sorted(FIELDS))}")
        return value

    @field_validator("columns")
    @classmethod
    def _enough(cls, value: dict[str, str]) -> dict[str, str]:
        for needed in ("patient.id", "result.value"):
            if needed not in value:
                raise ValueError(f"expected a column for {needed}")
        return value


def load_mapping(path: Path) -> CsvMapping:
    """The mapping in a YAML file; raises `Unreadable` naming the file and the key."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(Reason.FILE, str(path), f"cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise Unreadable(Reason.FILE, str(path), "expected YAML in UTF-8") from None
    try:
        return CsvMapping.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join([str(path), *map(str, fault["loc"])])
        raise Unreadable(Reason.FILE, place, fault["msg"].removeprefix("Value error, ")) from None
