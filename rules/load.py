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

from rules import nodes
from rules.building import Builder, Known, concepts_of, leaves
from rules.concepts import CONCEPTS, Concept, with_parts
from rules.evaluate import Evaluator, Vocabulary
from rules.facts import History, Patient
from rules.findings import RuleStatus
from rules.history import View
from rules.library_files import library_digest
from rules.rule import DefinitionCase, Rule, SiteChange
from rules.ruleset import Citation, Ruleset
from rules.shape import DefinitionFileShape, RuleFileShape, SiteFileShape, SourceFileShape
from rules.shaping import shaped
from rules.site import changed_by_site, site_cases, status_changes
from rules.site_concepts import concept_changes, concepts_at
from rules.truth import Truth
from rules.words import leaf_words
from rules.yaml_source import BadFile, Refused, Source, read_yaml

DEFINITIONS = "definitions*.yaml"
SOURCES = "sources.yaml"
MAX_OPENED = 2_000  # the largest rule of the library has 195
MAX_CHAIN = 20
_NOBODY = History(Patient("urn:ferrule:nobody", "nobody"))
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def load_ruleset(directory: Path | None = None, site: Path | None = None) -> Ruleset:
    """The rules of a directory (the built-in library unless given), with a site's statuses on top.

    Raises:
        BadFile: what is wrong, each as `file:line: what; what to do`.
    """
    if directory is None:
        with as_file(files("rules") / "library" / "questions") as library:
            return load_ruleset(library, site)
    paths = sorted(directory.glob("*.yaml")) if directory.is_dir() else []
    if (directory / "questions").is_dir():
        raise BadFile(f"{directory}: the rule files are one folder below; give {directory}/questions")
    if not paths:
        raise BadFile(f"{directory}: no rule files (*.yaml) here; give --rules a directory of rules")
    sources = _read(paths)
    own = read_yaml(site) if site else None
    changes: tuple[SiteChange, ...] = ()
    if own is not None and site is not None:
        sources, changes = changed_by_site(sources, own, site.parent)
    citations = _citations(_shared(sources, SOURCES)[0])
    shared = _shared(sources, DEFINITIONS)
    concepts = concepts_at(own) if own else CONCEPTS
    vocabulary, known = _vocabulary(shared, concepts)
    known = replace(known, citations=frozenset(citations))
    rules = _rules([s for n, s in sources.items() if not fnmatch(n, DEFINITIONS) and n != SOURCES], known)
    refused = Refused()
    with refused.gathered():
        _check_size(rules, vocabulary.definitions)
    refused.check()
    with refused.gathered():
        _check_precedence(rules)
    with refused.gathered():
        _check_silence(rules, vocabulary)
    refused.check()
    return Ruleset(
        _with_statuses(rules, own) if own else rules,
        replace(vocabulary, words=_words(rules, vocabulary)),
        citations,
        _fingerprint([*sources.values(), *(s for s in shared if s.file not in sources)], own),
        files=tuple(sources),
        definition_cases=tuple(_definition_cases(shared)),
        site_changes=(*changes, *((*concept_changes(own), *status_changes(own, rules)) if own else ())),
        site_cases=site_cases(own, rules) if own else (),
    )


def _read(paths: Iterable[Path]) -> dict[str, Source]:
    refused, sources = Refused(), {}
    for path in paths:
        with refused.gathered():
            sources[path.name] = read_yaml(path)
    refused.check()
    return sources


def _shared(sources: Mapping[str, Source], pattern: str) -> list[Source]:
    """The shared files of the directory, else the built-in library's."""
    if own := [source for name, source in sources.items() if fnmatch(name, pattern)]:
        return own
    with as_file(files("rules") / "library" / "questions") as library:
        return [read_yaml(path) for path in sorted(library.glob(pattern))]


def _citations(source: Source) -> dict[str, Citation]:
    shapes = shaped(source, SourceFileShape).sources
    return {name: Citation(name, s.citation, s.checked, s.where or "") for name, s in shapes.items()}


def _vocabulary(sources: Sequence[Source], concepts: Mapping[str, Concept]) -> tuple[Vocabulary, Known]:
    shapes = [(source, shaped(source, DefinitionFileShape)) for source in sources]
    for section in ("definitions", "selections", "tables"):
        _check_once(shapes, section)
    known = Known(
        frozenset(name for _, shape in shapes for name in shape.definitions),
        _selections(shapes, concepts),
        frozenset(name for _, shape in shapes for name in shape.tables),
        concepts,
    )
    refused, definitions, tables, says = Refused(), {}, {}, {}
    for source, shape in shapes:
        build = Builder(source, known)
        for name, definition in shape.definitions.items():
            with refused.gathered():
                definitions[name] = build.condition(definition.when, ("definitions", name, "when"))
            says[name] = definition.says
        for name, table in shape.tables.items():
            with refused.gathered():
                tables[name] = build.table(name, table, ("tables", name))
    refused.check()
    _check_cycles(sources, definitions)
    return Vocabulary(definitions, tables, says, concepts=concepts), known


def _selections(
    shapes: Sequence[tuple[Source, DefinitionFileShape]], concepts: Mapping[str, Concept]
) -> dict[str, nodes.Selection]:
    """The named selections; a later one may rest on an earlier one."""
    selections: dict[str, nodes.Selection] = {}
    for source, shape in shapes:
        build = Builder(source, Known(frozenset(), selections, frozenset(), concepts))
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


def tables_used(condition: nodes.Condition) -> set[str]:
    """The tables that a condition names itself, not through a definition."""
    tests = (getattr(leaf, "test", None) for leaf in leaves(condition))
    return {test.table for test in tests if isinstance(test, nodes.BeyondTable)}


def reached(conditions: Iterable[nodes.Condition], definitions: Mapping[str, nodes.Condition]) -> list[str]:
    """The definitions that conditions name, directly or through another, nearest first."""
    found: dict[str, None] = {}
    waiting = list(conditions)
    while waiting:
        for name in sorted(names_used(waiting.pop(0)) - found.keys()):
            found[name] = None
            waiting.append(definitions[name])
    return list(found)


def resting_on(conditions: Sequence[nodes.Condition], vocabulary: Vocabulary) -> set[str]:
    """The definitions, tables and concepts that conditions rest on, directly or through another."""
    names = reached(conditions, vocabulary.definitions)
    every = (*conditions, *(vocabulary.definitions[n] for n in names))
    tables = (t for c in every for t in tables_used(c))
    concepts = {name for c in every for leaf in leaves(c) for name in concepts_of(leaf)}
    return {*names, *tables, *with_parts(concepts, vocabulary.concepts)}


def _words(rules: Mapping[str, Rule], vocabulary: Vocabulary) -> dict[str, str]:
    """Every leaf's expression in words, for explanations."""
    conditions = [c for rule in rules.values() for c in rule.conditions]
    conditions += vocabulary.definitions.values()
    return {leaf.text: leaf_words(leaf) for c in conditions for leaf in leaves(c)}


def _check_cycles(sources: Sequence[Source], definitions: Mapping[str, nodes.Condition]) -> None:
    try:
        tuple(TopologicalSorter({n: names_used(c) for n, c in definitions.items()}).static_order())
    except CycleError as error:
        cycle = error.args[1]
        where = ("definitions", cycle[0])
        holder = next(source for source in sources if where in source.lines)
        raise holder.error(where, f"definitions go in a circle: {' → '.join(cycle)}") from None


def _rules(sources: Iterable[Source], known: Known) -> dict[str, Rule]:
    refused, rules = Refused(), dict[str, Rule]()
    for source in sources:
        with refused.gathered():
            shape = shaped(source, RuleFileShape)
            build = Builder(source, known)
            for i, one in enumerate(shape.rules):
                with refused.gathered():
                    _add(rules, build.rule(shape, one, ("rules", i)))
    refused.check()
    return rules


def _add(rules: dict[str, Rule], rule: Rule) -> None:
    if (first := rules.get(rule.id)) is not None:
        said = f"rule '{rule.id}' stands already in {first.file}:{first.line}"
        raise BadFile(f"{rule.file}:{rule.line}: {said}; rename one")
    rules[rule.id] = rule


def _check_size(rules: Mapping[str, Rule], definitions: Mapping[str, nodes.Condition]) -> None:
    """An explanation opens every definition each time it is named: that must stay readable, and finite."""
    opened: dict[str, int] = {}
    below: dict[str, int] = {}

    def size(condition: nodes.Condition) -> int:
        return sum(opened[x.name] if isinstance(x, nodes.Ref) else 1 for x in leaves(condition))

    for name in TopologicalSorter({n: names_used(c) for n, c in definitions.items()}).static_order():
        opened[name] = size(definitions[name])
        below[name] = 1 + max((below[n] for n in names_used(definitions[name])), default=0)
    found = []
    for rule in rules.values():
        total = sum(size(c) for c in rule.conditions)
        chain = max((below[n] for c in rule.conditions for n in names_used(c)), default=0)
        if total > MAX_OPENED or chain > MAX_CHAIN:
            limits = f"at most {MAX_OPENED} and {MAX_CHAIN}"
            said = (
                f"{total} conditions with its definitions opened, these {chain} deep; {limits}: simplify it"
            )
            found.append(f"{rule.file}:{rule.line}: '{rule.id}' has {said}")
    if found:
        raise BadFile(*found)


def _check_precedence(rules: Mapping[str, Rule]) -> None:
    """No circle. A rule that is named but not here is lint's business: a directory may hold one file."""
    try:
        tuple(TopologicalSorter({r.id: r.yields_to for r in rules.values()}).static_order())
    except CycleError as error:
        circle = error.args[1]
        first = rules[circle[0]]
        said = f"rules yield to each other in a circle: {' → '.join(circle)}; take one 'yields_to' away"
        raise BadFile(f"{first.file}:{first.line}: {said}") from None


def _with_statuses(rules: Mapping[str, Rule], site: Source) -> dict[str, Rule]:
    statuses = shaped(site, SiteFileShape).statuses
    return {n: replace(r, status=RuleStatus(statuses.get(n, r.status))) for n, r in rules.items()}


def _check_silence(rules: Mapping[str, Rule], vocabulary: Vocabulary) -> None:
    evaluator = Evaluator(View(_NOBODY, _ANY_DAY, concepts=vocabulary.concepts), vocabulary)
    found = [
        f"{rule.file}:{rule.line}: '{rule.id}' fires on a patient of whom nothing is known; "
        "ask for at least one result or record under 'all' or 'any'"
        for rule in rules.values()
        if evaluator.answer(rule.when).truth is Truth.TRUE
    ]
    if found:
        raise BadFile(*found)


def _fingerprint(sources: Iterable[Source], site: Source | None) -> str:
    """A hash over all that was read, by the names of the files: another byte, another fingerprint.

    The analytes, units, answers and concepts that came with this program count as well: they decide too.
    """
    digest = hashlib.sha256(library_digest())
    for source in [*sources, *([site] if site else [])]:
        digest.update(source.file.encode() + b"\0" + source.sha256 + b"\0")
    return f"sha256:{digest.hexdigest()}"
