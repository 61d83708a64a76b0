"""What is wrong, or soon will be, with a set of rule files: one line each, with file, line and remedy.

What keeps a rule file from loading at all is found by `rules.load`; here is what loads and yet should not
stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatch
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path

from rules import nodes
from rules.analytes import CATALOGUE, Analyte
from rules.building import leaves, selections_of
from rules.load import DEFINITIONS, load_ruleset, names_used
from rules.measuring import to_canonical
from rules.nearest import nearest
from rules.pinned import unpinned
from rules.rule import Rule
from rules.ruleset import Ruleset
from rules.site_concepts import overlaps
from rules.wording import placeholders
from rules.yaml_source import BadFile, Source, read_yaml


class Level(StrEnum):
    """An error fails the lint; a warning is only said."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Lint:
    """One thing found. `file` is a file's name and `line` its 1-based line (0: the whole set)."""

    level: Level
    code: str
    file: str
    line: int
    rule: str
    message: str

    def text(self) -> str:
        """`file:line: level: message [code]`."""
        return f"{self.file}:{self.line}: {self.level}: {self.message} [{self.code}]"

    def json(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def lint(directory: Path | None, site: Path | None, today: date | None) -> list[Lint]:
    """Everything found in a directory of rules (the library unless given); `today` dates the review."""
    try:
        ruleset = load_ruleset(directory, site)
    except BadFile as error:
        return [_unloadable(problem) for problem in error.problems]
    known = {*ruleset.rules, *(_library_rules() if directory else ())}
    places = Places(directory, site)
    each = (lint_rule(rule, ruleset, known, today, places) for rule in ruleset.rules.values())
    found = list(dict.fromkeys(lint for lints in each for lint in lints))  # a definition's once, not by rule
    found += _unused(ruleset) if directory is None else []
    found += _overlapping(site) if site else []
    return sorted(found, key=lambda x: (x.file, x.line, x.code))


def _unloadable(said: str) -> Lint:
    file, _, rest = said.partition(":")
    line, _, message = rest.partition(":")
    if not line.strip().isdigit():
        return Lint(Level.ERROR, "unloadable", file, 0, "", rest.strip() or said)
    return Lint(Level.ERROR, "unloadable", file, int(line), "", message.strip())


def _library_rules() -> Iterable[str]:
    return load_ruleset().rules


class Places:
    """Where a text stands in the rule files; they are read again, and only when something was found."""

    def __init__(self, directory: Path | None, site: Path | None) -> None:
        self._directory, self._site = directory, site

    @cached_property
    def _all(self) -> list[tuple[str, str, int]]:
        """Text, file and line of every scalar but those of cases; the site's own file first."""
        with ExitStack() as stack:
            folder = self._directory or stack.enter_context(as_file(files("rules") / "library" / "questions"))
            paths = [*([self._site] if self._site else []), *sorted(folder.glob("*.yaml"))]
            return [place for path in paths for place in _texts(read_yaml(path))]

    def of(self, text: str, rule: Rule) -> tuple[str, int]:
        """The first place from the rule's line on, else in the definitions or the site's file, else the
        rule."""
        flat = " ".join(text.split())
        found = [(file, line) for said, file, line in self._all if said == flat]
        site = self._site.name if self._site else None
        inside = [(f, n) for f, n in found if f == rule.file and n >= rule.line]
        shared = [(f, n) for f, n in found if fnmatch(f, DEFINITIONS) or f == site]
        return next(iter((*inside, *shared)), (rule.file, rule.line))


def _texts(source: Source) -> Iterator[tuple[str, str, int]]:
    for path, line in source.lines.items():
        if "cases" not in path:
            held = source.data
            for key in path:
                held = held[key]
            if isinstance(held, str):
                yield " ".join(held.split()), source.file, line


def lint_rule(
    rule: Rule, ruleset: Ruleset, known: set[str], today: date | None, places: Places
) -> Iterator[Lint]:
    """What is found in one rule."""

    def error(code: str, message: str, text: str = "") -> Lint:
        file, line = places.of(text, rule) if text else (rule.file, rule.line)
        if file != rule.file:
            return Lint(Level.ERROR, code, file, line, "", message)
        return Lint(Level.ERROR, code, file, line, rule.id, f"{rule.id}: {message}")

    for other in (*rule.yields_to, *rule.annotates):
        if other not in known:
            near = nearest(other, known)
            yield error(
                "unknown-rule", f"names the unknown rule '{other}'; {near}`ferrule rules list` shows them"
            )
    for leaf in _every_leaf(rule, ruleset):
        for code, message in leaf_problems(leaf):
            yield error(code, message, leaf.text)
    for text in (t.value for t in (*rule.headlines, *rule.texts, *rule.actions)):
        for name in sorted(placeholders(text) - CATALOGUE.keys()):
            near = nearest(name, CATALOGUE)
            said = f"text names the unknown analyte '{{{name}}}'; {near}`ferrule rules analytes` lists them"
            yield error("unknown-placeholder", said, text)
    for headline in rule.headlines:
        if placeholders(headline.value):
            yield error(
                "headline-carries-value",
                "headlines travel by e-mail; put values into the text",
                headline.value,
            )
    concepts = ruleset.vocabulary.concepts
    for expected in rule.follow_up:
        if expected.expect not in CATALOGUE and expected.expect not in concepts:
            near = nearest(expected.expect, [*CATALOGUE, *concepts])
            said = f"expects '{expected.expect}', neither an analyte nor a concept; {near}".rstrip("; ")
            yield error("unknown-follow-up", said, expected.expect)
    outcomes = {case.expect for case in rule.cases}
    if not ({"fires", "covered", "held"} & outcomes and {"silent", "unknown"} & outcomes):
        yield error("one-sided-cases", "needs a case that fires and one that does not")
    yield from _warnings(rule, today)
    for text, message in unpinned(rule):
        file, line = places.of(text, rule)
        yield Lint(Level.WARNING, "unpinned-words", file, line, rule.id, f"{rule.id}: {message}")


def _warnings(rule: Rule, today: date | None) -> Iterator[Lint]:
    def warning(code: str, message: str) -> Lint:
        return Lint(Level.WARNING, code, rule.file, rule.line, rule.id, f"{rule.id}: {message}")

    if not rule.rationale:
        yield warning(
            "no-rationale", "has no rationale; say in two sentences why it is worth a reader's time"
        )
    if today is not None and rule.review_by < today:
        yield warning("review-overdue", f"was to be reviewed by {rule.review_by}; ask {rule.owner}")


def _every_leaf(rule: Rule, ruleset: Ruleset) -> Iterator[nodes.Leaf]:
    """The leaves of every condition of the rule, and of the definitions these name."""
    names = set().union(*(names_used(c) for c in rule.conditions))
    for condition in (*rule.conditions, *(ruleset.vocabulary.definitions[n] for n in sorted(names))):
        yield from leaves(condition)


def leaf_problems(leaf: nodes.Leaf) -> Iterator[tuple[str, str]]:
    """Code and message for each limit that cannot be met by any believed result."""
    analyte = next((s.analyte for s in selections_of(leaf)), None)
    if analyte is None or analyte not in CATALOGUE:
        return
    for test in _tests(leaf):
        for limit in _limits(test):
            yield from _limit_problems(analyte, limit, leaf.text)
        if isinstance(test, nodes.Between):
            for low, high in zip(test.lows, test.highs, strict=True):
                if low.base > high.base:
                    yield "empty-range", f"'{leaf.text}': {low.value} is above {high.value}; swap them"


def _tests(leaf: nodes.Leaf) -> Iterator[nodes.Test]:
    match leaf:
        case nodes.Measured(test=test) | nodes.Counted(test=test):
            yield test
        case nodes.Preceded(test=test, earlier=earlier):
            yield test
            yield earlier
        case _:
            return


def _limits(test: nodes.Test) -> tuple[nodes.Limit, ...]:
    match test:
        case nodes.Compare(limits=limits):
            return limits
        case nodes.Between(lows=lows, highs=highs):
            return (*lows, *highs)
        case nodes.CensoredWithin(between=inner):
            return (*inner.lows, *inner.highs)
        case nodes.BeyondRange(otherwise=otherwise, also=also):
            return (*(otherwise.limits if otherwise else ()), *(also.limits if also else ()))
        case _:
            return ()


def _limit_problems(analyte: str, limit: nodes.Limit, text: str) -> Iterator[tuple[str, str]]:
    entry = CATALOGUE[analyte]
    value = to_canonical(analyte, limit.dimension, limit.base)
    if value is None:
        fit = ", ".join(sorted(entry.crossings)) or "no unit"
        yield (
            "unit-misfit",
            f"'{text}': {analyte} is not measured in {limit.unit}; it takes {fit} ({entry.canonical_unit})",
        )
    elif not _believable(entry, value):
        span = f"{entry.hard_low} to {entry.hard_high} {entry.canonical_unit}"
        yield (
            "limit-implausible",
            f"'{text}': {limit.value} {limit.unit} is outside what is believed ({span}); check the unit",
        )


def _believable(entry: Analyte, value: Decimal) -> bool:
    if entry.hard_low is None or entry.hard_high is None:
        return True
    return entry.hard_low <= value <= entry.hard_high


def _overlapping(site: Path) -> Iterator[Lint]:
    """Codes of the site's concepts that mean something already."""
    for _, line, message in overlaps(read_yaml(site)):
        yield Lint(Level.WARNING, "overlapping-code", site.name, line, "", message)


def _unused(ruleset: Ruleset) -> list[Lint]:
    """Definitions of the library that nothing names."""
    used: set[str] = set()
    for rule in ruleset.rules.values():
        used |= set().union(*(names_used(c) for c in rule.conditions))
    for condition in ruleset.vocabulary.definitions.values():
        used |= names_used(condition)
    return [
        Lint(Level.WARNING, "unused-definition", DEFINITIONS, 0, "", f"nothing names '{name}'; drop it")
        for name in sorted(set(ruleset.vocabulary.definitions) - used)
    ]
