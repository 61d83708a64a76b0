"""From rule files to a `Ruleset`, or one line for each thing that is wrong with them.

A directory of rules holds `definitions*.yaml` (one or, by theme, several), `sources.yaml` and rule files.
Shape is checked by pydantic, meaning by `rules.building`; then cycles, precedence, sources, and that no rule
fires on a patient of whom nothing is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rules import nodes
from rules.building import Builder, Known, leaves
from rules.evaluate import Evaluator, Vocabulary
from rules.facts import History, Patient
from rules.findings import RuleStatus
from rules.history import View
from rules.rule import DefinitionCase, Rule
from rules.ruleset import Citation, Ruleset
from rules.shape import DefinitionFileShape, RuleFileShape, SiteFileShape, SourceFileShape
from rules.truth import Truth
from rules.yaml_source import BadFile, Source, read_yaml

DEFINITIONS = "definitions*.yaml"
SOURCES = "sources.yaml"
_NOBODY = History(Patient("urn:ferrule:nobody", "nobody"))
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)

Shape = TypeVar("Shape", bound=BaseModel)


def load_ruleset(directory: Path | None = None, site: Path | None = None) -> Ruleset:
    """The rules of a directory (the built-in library unless given), with a site's statuses on top.

    Raises:
        BadFile: the first thing wrong, as `file:line: what; what to do`.
    """
    if directory is None:
        with as_file(files("rules") / "library" / "questions") as library:
            return load_ruleset(library, site)
    paths = sorted(directory.glob("*.yaml")) if directory.is_dir() else []
    if not paths:
        raise BadFile(f"{directory}: no rule files (*.yaml) here; give --rules a directory of rules")
    sources = {path.name: read_yaml(path) for path in paths}
    citations = _citations(_shared(sources, SOURCES)[0])
    shared = _shared(sources, DEFINITIONS)
    vocabulary, known = _vocabulary(shared)
    rules: dict[str, Rule] = {}
    for name, source in sources.items():
        if not fnmatch(name, DEFINITIONS) and name != SOURCES:
            _add(rules, _rules_of(source, known))
    _check_precedence(rules)
    _check_sources(rules, citations)
    _check_silence(rules, vocabulary)
    signed = _with_site(rules, site) if site else rules
    return Ruleset(
        signed,
        vocabulary,
        citations,
        _fingerprint(paths, site),
        files=tuple(sources),
        definition_cases=tuple(_definition_cases(shared)),
    )


def _shared(sources: Mapping[str, Source], pattern: str) -> list[Source]:
    """The shared files of the directory, else the built-in library's."""
    if own := [source for name, source in sources.items() if fnmatch(name, pattern)]:
        return own
    with as_file(files("rules") / "library" / "questions") as library:
        return [read_yaml(path) for path in sorted(library.glob(pattern))]


def shaped(source: Source, shape: type[Shape]) -> Shape:
    """The file's data in its shape.

    Raises:
        BadFile: pointing at the first key that does not fit.
    """
    try:
        return shape.model_validate(source.data)
    except ValidationError as error:
        worst = max(error.errors(include_url=False), key=lambda e: _fitting(e["loc"]))
        where = tuple(p for p in worst["loc"] if not (isinstance(p, str) and "Shape" in p))
        said = ".".join(str(p) for p in where) or "the file"
        raise source.error(where, f"{said}: {worst['msg']}") from None


def _fitting(loc: tuple[str | int, ...]) -> int:
    """Prefer the deepest error: of a union's branches, the one that came furthest is what was meant."""
    return len(loc)


def _citations(source: Source) -> dict[str, Citation]:
    shapes = shaped(source, SourceFileShape).sources
    return {name: Citation(name, s.citation, s.checked, s.where or "") for name, s in shapes.items()}


def _vocabulary(sources: Sequence[Source]) -> tuple[Vocabulary, Known]:
    shapes = [(source, shaped(source, DefinitionFileShape)) for source in sources]
    for section in ("definitions", "selections", "tables"):
        _check_once(shapes, section)
    known = Known(
        frozenset(name for _, shape in shapes for name in shape.definitions),
        _selections(shapes),
        frozenset(name for _, shape in shapes for name in shape.tables),
    )
    definitions, tables, says = {}, {}, {}
    for source, shape in shapes:
        build = Builder(source, known)
        for name, definition in shape.definitions.items():
            definitions[name] = build.condition(definition.when, ("definitions", name, "when"))
            says[name] = definition.says
        for name, table in shape.tables.items():
            tables[name] = build.table(name, table, ("tables", name))
    _check_cycles(sources, definitions)
    return Vocabulary(definitions, tables, says), known


def _selections(shapes: Sequence[tuple[Source, DefinitionFileShape]]) -> dict[str, nodes.Selection]:
    """The named selections; a later one may rest on an earlier one."""
    selections: dict[str, nodes.Selection] = {}
    for source, shape in shapes:
        build = Builder(source, Known(frozenset(), selections, frozenset()))
        for name, selection in shape.selections.items():
            selections[name] = build.selection(selection.select, ("selections", name, "select"))
    return selections


def _check_once(shapes: Sequence[tuple[Source, DefinitionFileShape]], section: str) -> None:
    first: dict[str, str] = {}
    for source, shape in shapes:
        for name in getattr(shape, section):
            if name in first:
                raise source.error((section, name), f"'{name}' stands already in {first[name]}; drop one")
            first[name] = source.file


def _definition_cases(sources: Sequence[Source]) -> Iterator[DefinitionCase]:
    for source in sources:
        for name, definition in shaped(source, DefinitionFileShape).definitions.items():
            for i, case in enumerate(definition.cases):
                line = source.line(("definitions", name, "cases", i))
                said = case.name or " · ".join(case.given.split("\n")).strip(" ·")
                yield DefinitionCase(name, said, case.given, case.expect, source.file, line)


def names_used(condition: nodes.Condition) -> set[str]:
    """The definitions a condition names."""
    used = set()
    for leaf in leaves(condition):
        if isinstance(leaf, nodes.Ref):
            used.add(leaf.name)
        if isinstance(leaf, nodes.Unsettled):
            used.add(leaf.definition)
    return used


def reached(conditions: Iterable[nodes.Condition], definitions: Mapping[str, nodes.Condition]) -> list[str]:
    """The definitions that conditions name, directly or through another, nearest first."""
    found: dict[str, None] = {}
    waiting = list(conditions)
    while waiting:
        for name in sorted(names_used(waiting.pop(0)) - found.keys()):
            found[name] = None
            waiting.append(definitions[name])
    return list(found)


def _check_cycles(sources: Sequence[Source], definitions: Mapping[str, nodes.Condition]) -> None:
    try:
        tuple(TopologicalSorter({n: names_used(c) for n, c in definitions.items()}).static_order())
    except CycleError as error:
        cycle = error.args[1]
        where = ("definitions", cycle[0])
        holder = next(source for source in sources if where in source.lines)
        raise holder.error(where, f"definitions go in a circle: {' → '.join(cycle)}") from None


def _rules_of(source: Source, known: Known) -> Iterable[Rule]:
    shape = shaped(source, RuleFileShape)
    build = Builder(source, known)
    return [build.rule(shape, rule, ("rules", i)) for i, rule in enumerate(shape.rules)]


def _add(rules: dict[str, Rule], more: Iterable[Rule]) -> None:
    for rule in more:
        if rule.id in rules:
            first = rules[rule.id]
            raise BadFile(
                f"{rule.file}:{rule.line}: rule '{rule.id}' stands already in {first.file}:{first.line}"
            )
        rules[rule.id] = rule


def _check_precedence(rules: Mapping[str, Rule]) -> None:
    """No circle. A rule that is named but not here is lint's business: a directory may hold one file."""
    try:
        tuple(TopologicalSorter({r.id: r.yields_to for r in rules.values()}).static_order())
    except CycleError as error:
        raise BadFile(f"rules yield to each other in a circle: {' → '.join(error.args[1])}") from None


def _with_site(rules: Mapping[str, Rule], path: Path) -> dict[str, Rule]:
    source = read_yaml(path)
    shape = shaped(source, SiteFileShape)
    for name in shape.statuses:
        if name not in rules:
            raise source.error(("statuses", name), f"unknown rule '{name}'; `ferrule rules list` shows them")
    return {n: replace(r, status=RuleStatus(shape.statuses.get(n, r.status))) for n, r in rules.items()}


def _check_sources(rules: Mapping[str, Rule], citations: Mapping[str, Citation]) -> None:
    for rule in rules.values():
        for source in rule.sources:
            if source not in citations:
                raise BadFile(f"{rule.file}:{rule.line}: unknown source '{source}'; add it to {SOURCES}")


def _check_silence(rules: Mapping[str, Rule], vocabulary: Vocabulary) -> None:
    evaluator = Evaluator(View(_NOBODY, _ANY_DAY), vocabulary)
    for rule in rules.values():
        if evaluator.answer(rule.when).truth is Truth.TRUE:
            raise BadFile(
                f"{rule.file}:{rule.line}: '{rule.id}' fires on a patient of whom nothing is known; "
                "ask for at least one result or record under 'all' or 'any'"
            )


def _fingerprint(paths: Iterable[Path], site: Path | None) -> str:
    digest = hashlib.sha256()
    for path in [*paths, *([site] if site else [])]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"
