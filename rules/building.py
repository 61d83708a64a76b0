"""Shapes to nodes: conditions parsed, every name checked, each error with its file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from rules import nodes
from rules.analytes import CATALOGUE
from rules.concepts import CONCEPTS, NOTE, Concept
from rules.expectations import unmeant
from rules.facts import Sex
from rules.findings import RuleStatus, Severity
from rules.limits import Row, Table
from rules.naming import NamedWithWindowError, in_place
from rules.nearest import nearest
from rules.rule import Case, Cased, Expected, Rule
from rules.shape import (
    AtLeastShape,
    BlockShape,
    CaseShape,
    ConditionShape,
    RowShape,
    RuleFileShape,
    RuleShape,
    SayShape,
    SeverityShape,
    TableShape,
)
from rules.syntax import BadExpression, limit, parse_leaf, parse_selection
from rules.yaml_source import Path_, Refused, Source

MAX_DEPTH = 8
MAX_LEAVES = 200
_TRIMESTER = {"first": 1, "second": 2, "third": 3, "weeks unknown": 0, "any": None, None: None}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """The names an expression may use besides analytes and concepts."""

    definitions: frozenset[str]
    selections: Mapping[str, nodes.Selection]
    tables: frozenset[str]
    concepts: Mapping[str, Concept] = field(default_factory=lambda: CONCEPTS)
    citations: frozenset[str] = frozenset()


class Builder:
    """Builds the parts of one file; raises `BadFile` pointing at the line that is wrong."""

    def __init__(self, source: Source, known: Known) -> None:
        self.source = source
        self.known = known

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────

    def condition(self, shape: ConditionShape, path: Path_, depth: int = 0) -> nodes.Condition:
        """The condition a shape means.

        Raises:
            BadFile: an expression outside the language, an unknown name, or nesting deeper than 8.
        """
        if depth > MAX_DEPTH:
            raise self.source.error(
                path, f"conditions nest deeper than {MAX_DEPTH}; name a part as a definition"
            )
        if isinstance(shape, str):
            return self.leaf(shape, path)
        parts = [*self._block(shape, path, depth)]
        if not parts:
            raise self.source.error(path, "an empty condition; give all, any, none or at_least")
        return parts[0] if len(parts) == 1 else nodes.All(tuple(parts))

    def _block(self, shape: BlockShape, path: Path_, depth: int) -> Iterator[nodes.Condition]:
        """What the keys of a block ask for: `all` adds its parts, each other key one condition."""
        refused = Refused()
        with refused.gathered():
            yield from self._parts(shape.all or (), (*path, "all"), depth)
        with refused.gathered():
            if shape.any is not None:
                yield nodes.Any(self._parts(shape.any, (*path, "any"), depth))
        with refused.gathered():
            if shape.none is not None:
                yield nodes.NoneOf(self._parts(shape.none, (*path, "none"), depth))
        with refused.gathered():
            if shape.at_least is not None:
                yield self._at_least(shape.at_least, (*path, "at_least"), depth)
        refused.check()

    def _at_least(self, shape: AtLeastShape, path: Path_, depth: int) -> nodes.AtLeast:
        parts = self._parts(shape.of, (*path, "of"), depth)
        if shape.n > len(parts):
            raise self.source.error(path, f"asks for {shape.n} of {len(parts)}")
        return nodes.AtLeast(shape.n, parts)

    def _parts(
        self, shapes: Sequence[ConditionShape], path: Path_, depth: int
    ) -> tuple[nodes.Condition, ...]:
        refused, parts = Refused(), []
        for i, shape in enumerate(shapes):
            with refused.gathered():
                parts.append(self.condition(shape, (*path, i), depth + 1))
        refused.check()
        return tuple(parts)

    def leaf(self, text: str, path: Path_) -> nodes.Leaf:
        """The leaf an expression means, its names checked."""
        leaf = self._parsed(parse_leaf, text, path)
        for problem in unknown_names(leaf, self.known):
            raise self.source.error(path, problem)
        return leaf

    def selection(self, text: str, path: Path_) -> nodes.Selection:
        """The selection an expression means."""
        return self._parsed(parse_selection, text, path)

    def _parsed(self, parse: Callable[[str], T], text: str, path: Path_) -> T:
        try:
            return in_place(parse(text), self.known.selections)
        except NamedWithWindowError as error:
            raise self.source.error(path, f"'{error}' has its window already; use its bare name") from None
        except BadExpression as error:
            raise self.source.error(path, str(error)) from None

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────

    def table(self, name: str, shape: TableShape, path: Path_) -> Table:
        """A limit table."""
        rows = tuple(self._row(row, (*path, "rows", i)) for i, row in enumerate(shape.rows))
        return Table(name, shape.analyte, rows)

    def _row(self, shape: RowShape, path: Path_) -> Row:
        try:
            limits = tuple(limit(*part.split()) for part in shape.limit.split(" | "))
        except (BadExpression, TypeError) as error:
            raise self.source.error(path, f"limit '{shape.limit}' is not 'NUMBER UNIT': {error}") from None
        return Row(
            limits,
            Sex(shape.sex) if shape.sex else None,
            _months(shape.from_),
            _months(shape.below),
            _TRIMESTER[shape.pregnant],
            shape.pregnant == "any",
            shape.source,
        )

    # ── rules ────────────────────────────────────────────────────────────────────────────────────────

    def rule(self, file: RuleFileShape, shape: RuleShape, path: Path_) -> Rule:
        """One rule of a file; its cases ask for nothing that it cannot give."""
        rule = self._rule(file, shape, path)
        for i, case in enumerate(rule.cases):
            for where, problem in unmeant(case, rule):
                raise self.source.error((*path, "cases", i, *where), problem)
        return rule

    def _rule(self, file: RuleFileShape, shape: RuleShape, path: Path_) -> Rule:
        return Rule(
            id=shape.id,
            version=shape.version,
            status=RuleStatus(shape.status),
            topic=file.topic,
            owner=file.owner,
            review_by=file.review_by,
            rationale=shape.rationale or "",
            severities=self._severities(shape.severity, (*path, "severity")),
            headlines=self._said(shape.headline, (*path, "headline")),
            texts=self._said(shape.text, (*path, "text")),
            when=self._bounded(self.condition(shape.when, (*path, "when")), (*path, "when")),
            hold=None if shape.hold is None else self.condition(shape.hold, (*path, "hold")),
            hold_because=shape.hold_because or "held by the rule",
            yields_to=tuple(shape.yields_to),
            annotates=tuple(shape.annotates),
            rearm_after=_days(shape.rearm.after),
            rearm_on_later=shape.rearm.or_.endswith("a later result"),
            actions=self._actions(shape, (*path, "actions")),
            follow_up=self._follow_up(shape, (*path, "follow_up")),
            sources=self._sources(shape.sources, (*path, "sources")),
            cases=tuple(
                built_case(c, self.source.line((*path, "cases", i))) for i, c in enumerate(shape.cases)
            ),
            file=self.source.file,
            line=self.source.line(path),
        )

    def _bounded(self, condition: nodes.Condition, path: Path_) -> nodes.Condition:
        if sum(1 for _ in leaves(condition)) > MAX_LEAVES:
            raise self.source.error(path, f"more than {MAX_LEAVES} conditions; split the rule")
        return condition

    def _when(self, shape: ConditionShape | None, path: Path_) -> nodes.Condition | None:
        return None if shape is None else self.condition(shape, (*path, "when"))

    def _severities(self, shape: str | list[SeverityShape], path: Path_) -> tuple[Cased[Severity], ...]:
        if isinstance(shape, str):
            return (Cased(Severity(shape)),)
        cased = [Cased(Severity(s.severity), self._when(s.when, (*path, i))) for i, s in enumerate(shape)]
        return self._closed(cased, path, "severity")

    def _said(self, shape: str | list[SayShape], path: Path_) -> tuple[Cased[str], ...]:
        if isinstance(shape, str):
            return (Cased(shape),)
        return self._closed(
            [Cased(s.say, self._when(s.when, (*path, i))) for i, s in enumerate(shape)], path, "say"
        )

    def _closed(self, cased: list[Cased[T]], path: Path_, what: str) -> tuple[Cased[T], ...]:
        """Only the last case may be, and must be, without a `when`."""
        if cased[-1].when is not None or any(c.when is None for c in cased[:-1]):
            raise self.source.error(path, f"the last {what}, and only it, must be without a 'when'")
        return tuple(cased)

    def _actions(self, shape: RuleShape, path: Path_) -> tuple[Cased[str], ...]:
        return tuple(
            Cased(a) if isinstance(a, str) else Cased(a.do, self._when(a.when, (*path, i)))
            for i, a in enumerate(shape.actions)
        )

    def _follow_up(self, shape: RuleShape, path: Path_) -> tuple[Expected, ...]:
        return tuple(
            Expected(f.expect, _days(f.within), self._when(f.when, (*path, i)))
            for i, f in enumerate(shape.follow_up)
        )

    def _sources(self, names: Sequence[str], path: Path_) -> tuple[str, ...]:
        for i, name in enumerate(names):
            if name not in self.known.citations:
                near = nearest(name, self.known.citations)
                raise self.source.error((*path, i), f"unknown source '{name}'; {near}add it to sources.yaml")
        return tuple(names)


def built_case(shape: CaseShape, line: int) -> Case:
    """A case of a rule or a site's file."""
    expects = shape.expects
    return Case(
        name=shape.name,
        given=shape.given,
        expect=shape.expect,
        line=line,
        severity=shape.severity,
        headline=shape.headline,
        missing=None if shape.missing is None else tuple(shape.missing),
        do=tuple(shape.do or ()),
        do_not=tuple(shape.do_not or ()),
        says=shape.says,
        expects=None if expects is None else tuple((n, _days(d).days) for n, d in expects.items()),
        quiet=shape.quiet,
        beside=None if shape.beside is None else tuple(shape.beside),
    )


def leaves(condition: nodes.Condition) -> Iterator[nodes.Leaf]:
    """Every leaf of a condition, definitions not entered."""
    match condition:
        case nodes.All(parts=parts) | nodes.Any(parts=parts) | nodes.NoneOf(parts=parts):
            for part in parts:
                yield from leaves(part)
        case nodes.AtLeast(parts=parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield condition


def selections_of(leaf: nodes.Leaf) -> Iterator[nodes.Selection]:
    """The selections a leaf looks at, its anchors' included."""
    match leaf:
        case nodes.Difference():
            tops = [leaf.minuend, leaf.subtrahend]
        case nodes.Measured() | nodes.Counted() | nodes.Preceded() | nodes.Known():
            tops = [leaf.selection]
        case _:
            tops = []
    for top in tops:
        yield top
        yield from _anchored(top.window)
    if isinstance(leaf, nodes.OnRecord):
        yield from _anchored(leaf.window)


def _anchored(window: nodes.Window) -> Iterator[nodes.Selection]:
    for anchor in window.anchors:
        if isinstance(anchor.point, nodes.Selection):
            yield anchor.point
            yield from _anchored(anchor.point.window)


def points_of(leaf: nodes.Leaf) -> Iterator[nodes.Selection | nodes.RecordPoint]:
    """Everything a leaf's windows are anchored to."""
    if isinstance(leaf, nodes.OnRecord):
        yield from (a.point for a in leaf.window.anchors)
    for selection in selections_of(leaf):
        yield from (a.point for a in selection.window.anchors)


def concepts_of(leaf: nodes.Leaf) -> Iterator[str]:
    """The concepts a leaf names: what is on record, what its windows are anchored to, a result's remark."""
    match leaf:
        case nodes.OnRecord(concept=name) | nodes.Measured(test=nodes.Noted(concept=name)):
            yield name
    yield from (point.concept for point in points_of(leaf) if isinstance(point, nodes.RecordPoint))


def unknown_names(leaf: nodes.Leaf, known: Known) -> Iterator[str]:
    """One line for each name in the leaf that nothing defines."""
    for selection in selections_of(leaf):
        if selection.analyte not in CATALOGUE:
            yield _unknown_analyte(selection.analyte)
    for point in points_of(leaf):
        if isinstance(point, nodes.RecordPoint) and point.concept not in known.concepts:
            yield _unknown_concept(point.concept, point.kind, known)
    match leaf:
        case nodes.OnRecord(kind=kind, concept=name):
            if name not in known.concepts:
                yield _unknown_concept(name, kind, known)
            elif known.concepts[name].kind != kind:
                yield f"'{name}' is a {known.concepts[name].kind} concept, not a {kind}"
        case nodes.Ref(name=name) | nodes.Unsettled(definition=name) if name not in known.definitions:
            near = nearest(name, known.definitions)
            yield f"unknown definition '{name}'; {near}definitions live in definitions*.yaml"
        case nodes.Ordered(analyte=name) if name not in CATALOGUE:
            yield _unknown_analyte(name)
        case nodes.Measured(test=nodes.BeyondTable(table=name)) if name not in known.tables:
            yield f"unknown limit table '{name}'; there are {', '.join(sorted(known.tables)) or 'none'}"
        case nodes.Measured(test=nodes.Noted(concept=name)) if name not in known.concepts:
            yield _unknown_concept(name, NOTE, known)


def _unknown_analyte(name: str) -> str:
    return f"unknown analyte '{name}'; {nearest(name, CATALOGUE)}`ferrule rules analytes` lists them"


def _unknown_concept(name: str, kind: str, known: Known) -> str:
    near = nearest(name, (n for n, concept in known.concepts.items() if concept.kind == kind))
    return f"unknown {kind} concept '{name}'; {near}`ferrule rules concepts` lists them"


def _months(age: str | None) -> int | None:
    if age is None:
        return None
    number, unit = age.split()
    return int(number) * (12 if unit == "y" else 1)


def _days(text: str) -> timedelta:
    return timedelta(days=int(text.split()[0]))
