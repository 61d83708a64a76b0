"""Every small wrong turn of a whole rule: its conditions, and what it says, asks for, awaits and yields to.

Pure: takes a rule, gives changed ones with the change said in words and the part it was made in. What a
condition can become is `rules.mutants`; whether a case notices is `rules.mutate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any, TypeVar

from rules.findings import Severity
from rules.mutants import changes
from rules.nodes import Condition
from rules.rule import Cased, Expected, Rule

T = TypeVar("T")
Guarded = TypeVar("Guarded", Cased[Any], Expected)
_DAY = timedelta(days=1)
_NAMED_BY = 60  # characters of an action, a headline or a text that name it in a mutant's name


class Part(Enum):
    """The part of a rule a change was made in: it decides which cases can notice."""

    PATTERN = auto()
    SEVERITY = auto()
    HEADLINE = auto()
    TEXT = auto()
    ACTION = auto()
    FOLLOW_UP = auto()
    QUIET = auto()
    STANDING = auto()


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A changed rule; `what` says where and how."""

    rule: Rule
    what: str
    part: Part


def rule_changes(rule: Rule) -> Iterator[RuleChange]:
    """Every change of the rule, one at a time."""
    for what, changed in (*_pattern(rule), *_hold(rule)):
        yield RuleChange(replace(rule, **changed), what, Part.PATTERN)
    for severities, what in (*_first_of(rule.severities, _severity), *_other_severities(rule)):
        yield RuleChange(replace(rule, severities=severities), what, Part.SEVERITY)
    for headlines, what in _first_of(rule.headlines, _words("headline")):
        yield RuleChange(replace(rule, headlines=headlines), what, Part.HEADLINE)
    for texts, what in _first_of(rule.texts, _words("text")):
        yield RuleChange(replace(rule, texts=texts), what, Part.TEXT)
    for actions, what in _each_of(rule.actions, _words("action")):
        yield RuleChange(replace(rule, actions=actions), what, Part.ACTION)
    for follow_up, what in (*_each_of(rule.follow_up, _awaited), *_other_days(rule)):
        yield RuleChange(replace(rule, follow_up=follow_up), what, Part.FOLLOW_UP)
    for after, what in _a_day_off(rule.rearm_after):
        yield RuleChange(replace(rule, rearm_after=after), f"quiet: {what}", Part.QUIET)
    other = replace(rule, rearm_on_later=not rule.rearm_on_later)
    yield RuleChange(other, f"quiet: {rule.quiet} → {other.quiet}", Part.QUIET)
    for what, changed in _standing(rule):
        yield RuleChange(replace(rule, **changed), what, Part.STANDING)


# ── what fires it, what holds it, what it stands under and beside ────────────────────────────────────────


def _pattern(rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    for change in changes(rule.when):
        yield f"{change.where}: {change.what}", {"when": change.node}


def _hold(rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    if rule.hold is not None:
        for change in changes(rule.hold):
            yield f"hold: {change.where}: {change.what}", {"hold": change.node}
        yield "hold: dropped", {"hold": None}


def _standing(rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, said in (("yields_to", "yields to"), ("annotates", "stands beside")):
        names: tuple[str, ...] = getattr(rule, key)
        for i, name in enumerate(names):
            yield f"{said} {name}: dropped", {key: _without(names, i)}


# ── what is chosen, what is listed, and when ─────────────────────────────────────────────────────────────


def _first_of(
    cases: tuple[Cased[Any], ...], named: Callable[[Cased[Any]], str]
) -> Iterator[tuple[tuple[Cased[Any], ...], str]]:
    """Of values the first that fits is taken: one without its condition or left out, two the other way
    round."""
    for i, case in enumerate(cases[:-1]):
        yield from _guarded(cases, i, named(case))
        yield _without(cases, i), f"{named(case)}: dropped"
        if i + 2 < len(cases):
            yield (*cases[:i], cases[i + 1], case, *cases[i + 2 :]), f"{named(case)}: after the next"


def _each_of(
    values: tuple[Guarded, ...], named: Callable[[Guarded], str]
) -> Iterator[tuple[tuple[Guarded, ...], str]]:
    """Of a list every value that fits is taken: one without its condition, or left out."""
    for i, value in enumerate(values):
        yield from _guarded(values, i, named(value))
        yield _without(values, i), f"{named(value)}: dropped"


def _guarded(values: tuple[Guarded, ...], i: int, name: str) -> Iterator[tuple[tuple[Guarded, ...], str]]:
    """The changes of one value's own condition, if it has one."""
    when: Condition | None = values[i].when
    if when is not None:
        for change in changes(when):
            guarded = replace(values[i], when=change.node)
            yield _put(values, i, guarded), f"{name}: {change.where}: {change.what}"
        yield _put(values, i, replace(values[i], when=None)), f"{name}: without its condition"


def _other_severities(rule: Rule) -> Iterator[tuple[tuple[Cased[Severity], ...], str]]:
    for i, case in enumerate(rule.severities):
        for other in Severity:
            if abs(other.rank - case.value.rank) == 1:
                changed = _put(rule.severities, i, replace(case, value=other))
                yield changed, f"{_severity(case)}: {case.value} → {other}"


def _other_days(rule: Rule) -> Iterator[tuple[tuple[Expected, ...], str]]:
    for i, expected in enumerate(rule.follow_up):
        for within, what in _a_day_off(expected.within):
            changed = _put(rule.follow_up, i, replace(expected, within=within))
            yield changed, f"{_awaited(expected)}: {what}"


def _a_day_off(days: timedelta) -> Iterator[tuple[timedelta, str]]:
    for step in (-_DAY, _DAY):
        yield days + step, f"{days.days} d → {(days + step).days} d"


# ── a mutant's name ──────────────────────────────────────────────────────────────────────────────────────


def _severity(case: Cased[Any]) -> str:
    return f"severity {case.value}"


def _words(what: str) -> Callable[[Cased[Any]], str]:
    def named(case: Cased[Any]) -> str:
        said = str(case.value)
        return f"{what} '{said if len(said) <= _NAMED_BY else said[: _NAMED_BY - 1] + '…'}'"

    return named


def _awaited(expected: Expected) -> str:
    return f"follow-up {expected.expect}"


def _put(values: tuple[T, ...], i: int, value: T) -> tuple[T, ...]:
    return (*values[:i], value, *values[i + 1 :])


def _without(values: tuple[T, ...], i: int) -> tuple[T, ...]:
    return (*values[:i], *values[i + 1 :])
