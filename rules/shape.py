"""The shape of a rule file, as pydantic models; `ferrule rules schema` prints their JSON Schema for editors.

Only shape: what expressions mean and whether names exist is checked by `rules.load`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Code = Annotated[str, Field(min_length=1, max_length=40)]
Expression = Annotated[str, Field(min_length=1, max_length=300)]
Phrase = Annotated[str, Field(min_length=3, max_length=300)]
NAMED = r"\S"
Name = Annotated[str, Field(pattern=NAMED, max_length=200)]
"""Who signs, and for which house: an empty name signs nothing."""
DAYS = r"^\d+ d$"
QUIET = r"^\d+ d( or a later result)?$"
Days = Annotated[str, Field(pattern=DAYS, description="A whole number of days, such as `42 d`.")]
SeverityWord = Literal["critical", "high", "moderate", "low"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AtLeastShape(_Shape):
    """At least `n` of the conditions."""

    n: Annotated[int, Field(ge=1, le=20)]
    of: Annotated[list[ConditionShape], Field(min_length=2, max_length=40)]


class BlockShape(_Shape):
    """Conditions joined: every key that is given must hold."""

    all: Annotated[list[ConditionShape], Field(min_length=1, max_length=40)] | None = None
    any: Annotated[list[ConditionShape], Field(min_length=1, max_length=40)] | None = None
    none: Annotated[list[ConditionShape], Field(min_length=1, max_length=60)] | None = None
    at_least: AtLeastShape | None = None


ConditionShape = Expression | BlockShape


class SayShape(_Shape):
    """Words for a case; the first whose `when` is true is said, one without `when` always is."""

    say: Annotated[str, Field(min_length=1, max_length=1200)]
    when: ConditionShape | None = None


class SeverityShape(_Shape):
    """A severity for a case; the first whose `when` is true counts."""

    severity: SeverityWord
    when: ConditionShape | None = None


class ActionShape(_Shape):
    """Something to do, guarded."""

    do: Annotated[str, Field(min_length=1, max_length=300)]
    when: ConditionShape | None = None


class FollowUpShape(_Shape):
    """What should arrive, and how soon."""

    expect: Word
    within: Days
    when: ConditionShape | None = None


class RearmShape(_Shape):
    """When an answered alert may be raised again."""

    after: Days = "90 d"
    or_: Annotated[Literal["severity rises", "severity rises or a later result"], Field(alias="or")] = (
        "severity rises"
    )


class CaseShape(_Shape):
    """An example that the rule is judged by; `given` is one fact a line (rules/LANGUAGE.md, "Cases")."""

    name: Annotated[str, Field(max_length=160)]
    given: str
    expect: Literal["fires", "silent", "held", "unknown", "covered"]
    severity: SeverityWord | None = None
    headline: str | None = None
    missing: list[Word] | None = None
    do: Annotated[
        list[Phrase] | None, Field(description="Words of an action, enough to name one, that is asked for.")
    ] = None
    do_not: Annotated[
        list[Phrase] | None, Field(description="Words of an action that must not be asked for here.")
    ] = None
    says: Annotated[Phrase | None, Field(description="Words that the text says.")] = None
    expects: Annotated[
        dict[Word, Days] | None,
        Field(description="All that is to follow, such as `{b12: 42 d}`; `{}` is nothing."),
    ] = None
    quiet: Annotated[
        Annotated[str, Field(pattern=QUIET)] | None,
        Field(description="How long it is quiet after an answer, such as `90 d` or `1 d or a later result`."),
    ] = None
    beside: Annotated[
        list[Slug] | None, Field(description="The rules it stands beside in one message; `[]` is none.")
    ] = None


class RuleShape(_Shape):
    """One rule."""

    id: Slug
    version: Annotated[int, Field(ge=1)]
    status: Literal["draft", "silent", "pilot", "active", "retired"]
    rationale: Annotated[str, Field(min_length=20, max_length=2000)] | None = None
    severity: SeverityWord | Annotated[list[SeverityShape], Field(min_length=1)]
    headline: Annotated[str, Field(max_length=140)] | Annotated[list[SayShape], Field(min_length=1)]
    when: BlockShape
    hold: BlockShape | None = None
    hold_because: Annotated[str, Field(max_length=200)] | None = None
    yields_to: list[Slug] = []
    annotates: list[Slug] = []
    rearm: RearmShape = RearmShape()
    text: Annotated[str, Field(max_length=1200)] | Annotated[list[SayShape], Field(min_length=1)]
    actions: Annotated[list[str | ActionShape], Field(min_length=1, max_length=20)]
    follow_up: list[FollowUpShape] = []
    sources: Annotated[list[Slug], Field(min_length=1)]
    cases: Annotated[list[CaseShape], Field(min_length=1)]


class RuleFileShape(_Shape):
    """One clinical question."""

    topic: Annotated[str, Field(max_length=120)]
    owner: str
    review_by: date
    rules: Annotated[list[RuleShape], Field(min_length=1, max_length=10)]


class DefinitionCaseShape(_Shape):
    """An example that a definition is judged by."""

    given: str
    expect: Literal["true", "false", "unknown"]
    name: Annotated[str, Field(max_length=160)] | None = None


class DefinitionShape(_Shape):
    """A condition with a name, said in words, with where it comes from and cases that pin it."""

    says: Annotated[str, Field(max_length=200)]
    when: ConditionShape
    sources: list[Slug] = []
    cases: list[DefinitionCaseShape] = []


class SelectionShape(_Shape):
    """Some results with a name."""

    says: Annotated[str, Field(max_length=200)]
    select: Expression


class RowShape(_Shape):
    """One line of a limit table; ages such as `24 mo` or `15 y`."""

    limit: str
    source: Slug
    sex: Literal["female", "male"] | None = None
    from_: Annotated[str | None, Field(alias="from", pattern=r"^\d+ (mo|y)$")] = None
    below: Annotated[str | None, Field(pattern=r"^\d+ (mo|y)$")] = None
    pregnant: Literal["first", "second", "third", "weeks unknown", "any"] | None = None


class TableShape(_Shape):
    """A limit that depends on who the patient is; the first row that fits counts."""

    analyte: Word
    says: Annotated[str, Field(max_length=200)]
    rows: Annotated[list[RowShape], Field(min_length=1)]


class DefinitionFileShape(_Shape):
    """Shared definitions."""

    definitions: dict[Word, DefinitionShape] = {}
    selections: dict[Word, SelectionShape] = {}
    tables: dict[Word, TableShape] = {}


class SourceShape(_Shape):
    """A publication, and how far each number was checked against it."""

    citation: str
    checked: Literal["primary", "secondary", "no"]
    where: str | None = None


class SourceFileShape(_Shape):
    """The library's sources, by the name rules use."""

    sources: dict[Slug, SourceShape]


class SiteChangeShape(_Shape):
    """One expression of a rule or definition, or one limit of a table, that reads otherwise at this site."""

    in_: Annotated[str, Field(alias="in", description="A rule, a definition or a table.")]
    from_: Annotated[Expression, Field(alias="from", description="As it stands in the library.")]
    to: Expression
    because: Annotated[str, Field(min_length=10, max_length=300)]
    row: dict[str, str] | None = None
    says: Annotated[
        str | None, Field(max_length=200, description="A definition's words, where they held the limit.")
    ] = None


class SiteWordingShape(_Shape):
    """What a rule says at this site."""

    headline: Annotated[str, Field(max_length=140)] | None = None
    text: Annotated[str, Field(max_length=1200)] | None = None
    actions: Annotated[list[str], Field(min_length=1, max_length=20)] | None = None


class SiteCaseShape(CaseShape):
    """A case of the site's own, for one rule."""

    rule: Slug


class SiteConceptShape(_Shape):
    """Codes and names that a concept of the library takes besides its own, or a concept of the site's own."""

    kind: Annotated[
        Literal["medication", "condition", "procedure", "order", "note"] | None,
        Field(description="Of a new concept; left out where the library's is added to."),
    ] = None
    codes: Annotated[
        dict[str, Annotated[list[Code], Field(min_length=1, max_length=500)]],
        Field(
            description="By code system: icd10, snomed, rxnorm, atc, cpt, …, or the URI your messages carry."
        ),
    ] = {}
    names: Annotated[
        list[Annotated[str, Field(pattern=r"^\w.*\w$", max_length=80)]],
        Field(
            max_length=100, description="Whole words in a record's name, or in a result's note; no pattern."
        ),
    ] = []
    includes: Annotated[
        list[Word], Field(description="Concepts of the library that belong to it whole.")
    ] = []
    without: Annotated[dict[str, list[Code]], Field(alias="except")] = {}
    because: Annotated[str, Field(min_length=10, max_length=300)]


class SiteFileShape(_Shape):
    """A site's own file: who signed it, what reads otherwise, which rules run how, and rules of its own."""

    site: Name
    signed_by: Name
    signed_on: date
    statuses: dict[Slug, Literal["draft", "silent", "pilot", "active", "retired"]] = {}
    changes: list[SiteChangeShape] = []
    wording: dict[Slug, SiteWordingShape] = {}
    rule_files: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+\.yaml$")]] = []
    concepts: dict[Word, SiteConceptShape] = {}
    cases: list[SiteCaseShape] = []
