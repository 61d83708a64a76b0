"""A rule, ready to be judged: frozen conditions, words, and what is expected to follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, TypeVar

from rules.findings import RuleStatus, Severity
from rules.nodes import Condition

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Cased(Generic[T]):
    """A value for a case: the first whose condition is true (None: always) is meant."""

    value: T
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """A result or record that should arrive within a time of the finding."""

    expect: str
    within: timedelta
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """An example with its expected answer; `given` is one fact a line.

    `do` and `do_not` are words of one action each, `says` words of the text; `expects` is all that follows,
    each with its days; `quiet` how long after an answer; `beside` the rules told with it. None: not asked.
    """

    name: str
    given: str
    expect: str
    line: int
    severity: str | None = None
    headline: str | None = None
    missing: tuple[str, ...] | None = None
    do: tuple[str, ...] = ()
    do_not: tuple[str, ...] = ()
    says: str | None = None
    expects: tuple[tuple[str, int], ...] | None = None
    quiet: str | None = None
    beside: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DefinitionCase:
    """An example of a definition with its expected truth: true, false or unknown."""

    definition: str
    name: str
    given: str
    expect: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class SiteChange:
    """What reads otherwise at a site: `place` is a rule, definition or table; signed by name and date.

    `meaning` is false of a status: it decides who is told, not what is true.
    """

    place: str
    was: str
    now: str
    because: str
    signed: str
    meaning: bool = True


@dataclass(frozen=True, slots=True)
class SiteCase:
    """A case of the site's own, for the rule it names."""

    rule: str
    file: str
    case: Case


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the library. `file` and `line` say where it stands."""

    id: str
    version: int
    status: RuleStatus
    topic: str
    owner: str
    review_by: date
    rationale: str
    severities: tuple[Cased[Severity], ...]
    headlines: tuple[Cased[str], ...]
    texts: tuple[Cased[str], ...]
    when: Condition
    hold: Condition | None
    hold_because: str
    yields_to: tuple[str, ...]
    annotates: tuple[str, ...]
    rearm_after: timedelta
    rearm_on_later: bool
    actions: tuple[Cased[str], ...]
    follow_up: tuple[Expected, ...]
    sources: tuple[str, ...]
    cases: tuple[Case, ...]
    file: str
    line: int

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of the rule: what fires it, what holds it, and what its cases ask."""
        whens = (
            *(s.when for s in self.severities),
            *(c.when for c in (*self.headlines, *self.texts, *self.actions)),
            *(f.when for f in self.follow_up),
        )
        return tuple(c for c in (self.when, self.hold, *whens) if c is not None)

    @property
    def severity(self) -> Severity:
        """The highest severity the rule can have."""
        return min((c.value for c in self.severities), key=lambda s: s.rank)

    @property
    def headline(self) -> str:
        """The headline of its plain case."""
        return self.headlines[-1].value

    @property
    def rearm_days(self) -> int:
        """Quiet days after a person's answer."""
        return self.rearm_after.days

    @property
    def quiet(self) -> str:
        """How long it is quiet after an answer, as a case says it; a rising severity ends it always."""
        return f"{self.rearm_days} d" + (" or a later result" if self.rearm_on_later else "")
