"""The shape of the sources file and of a mapping file, as pydantic models; `ferrule codes schema` prints
them.

Only shape: whether analytes, units and codes exist is checked by `worker.mappings` and `worker.sources`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Short name; a metric label. Not `other`.")
]
Words = Annotated[str, Field(min_length=1, max_length=300)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hl7SenderShape(_Shape):
    """MSH-4 (facility) and MSH-3 (application), first component; one that is left out may be anything."""

    facility: str | None = None
    application: str | None = None


class RecognizedByShape(_Shape):
    """How messages of this source are known: each way given is enough alone."""

    events: list[Words] = Field(default=[], description="The `source` of its CloudEvents.")
    hl7: list[Hl7SenderShape] = Field(default=[], description="MSH-4 and MSH-3 of its HL7 messages.")
    certificates: list[Words] = Field(
        default=[], description="Names (SAN or CN) of the client certificates it may show over MLLP."
    )


class SourceShape(_Shape):
    """One sender."""

    name: Name
    recognized_by: RecognizedByShape
    zone: str | None = Field(default=None, description="Zone of its times without offset: Europe/Oslo.")
    decimal: Literal["point", "comma"] = Field(default="point", description="Its decimal mark.")
    authority: Words | None = Field(
        default=None, description="Assigning authority (URI) of its patient identifiers that name none."
    )
    authorities: list[Words] = Field(
        default=[], description="Authorities (URIs) whose patients it may speak of; none listed: any."
    )
    mapping: Words | None = Field(default=None, description="Its mapping file, beside this one.")
    silent_after_minutes: int | None = Field(
        default=None, ge=1, le=100_000, description="Silence after which operations is told; else a day."
    )


class SourcesFileShape(_Shape):
    """The sources file: who sends to us."""

    sources: list[SourceShape]


class CodeShape(_Shape):
    """What one local code means: `loinc`, `analyte`, or `ignore` with the reason why it is none of ours."""

    code: Words | None = Field(default=None, description="As sent; without it the labels are matched.")
    loinc: Words | None = None
    analyte: Words | None = Field(default=None, description="A name of `ferrule rules analytes`.")
    ignore: Words | None = Field(default=None, description="What it is: known, and none of ours.")
    unit: Words | None = Field(
        default=None, description="Unit of results sent without one, declared by the laboratory."
    )
    labels: list[Words] = Field(default=[], description="Names under which it is sent.")


class MappingFileShape(_Shape):
    """A mapping file: what the codes and unit spellings of one laboratory mean."""

    laboratory: Words
    checked_by: Words | None = Field(default=None, description="Who confirmed it with the laboratory, when.")
    system: str | None = Field(
        default=None, description="Coding system of these codes, as sent; left out: whatever it is."
    )
    units: dict[str, Words] = Field(default={}, description="Its own spellings: as sent → UCUM.")
    codes: list[CodeShape]


SCHEMAS: dict[str, type[BaseModel]] = {"sources": SourcesFileShape, "mapping": MappingFileShape}
"""The kinds of file, by the name of their schema."""

LISTED = "`ferrule codes schema` lists the keys; a text with a comma stands in quotes"
"""What a person is told whose file has a key that is none of ours."""
