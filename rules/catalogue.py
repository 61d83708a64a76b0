"""The library as one page to read and sign: each rule with its conditions in words, its limits and sources.

Generated, as HTML and as Markdown; the same data in two templates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from rules import nodes
from rules.analytes import CATALOGUE
from rules.building import leaves, selections_of
from rules.concept_rows import concept_codes, concepts_used
from rules.load import reached
from rules.rule import Case, DefinitionCase, Rule
from rules.ruleset import Citation, Ruleset
from rules.words import analyte_words, concept_words, leaf_words

FORMATS = {"html": "catalogue.html.j2", "md": "catalogue.md.j2"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a condition: its depth, its words, and the definition it leads to, if it is one."""

    depth: int
    words: str
    definition: str = ""


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit of a rule: what it is of, and how it stands in the file."""

    analyte: str
    expression: str
    definition: str = ""


def condition_lines(condition: nodes.Condition, ruleset: Ruleset, depth: int = 0) -> Iterator[Line]:
    """The condition as lines; a definition is named, not opened (the page has it once).

    Where only one thing is joined, it stands alone.
    """
    match condition:
        case nodes.All(parts=(one,)) | nodes.Any(parts=(one,)):
            yield from condition_lines(one, ruleset, depth)
            return
        case nodes.All(parts=parts):
            word = "all of"
        case nodes.Any(parts=parts):
            word = "any of"
        case nodes.NoneOf(parts=parts):
            word = "none of"
        case nodes.AtLeast(n=n, parts=parts):
            word = f"at least {n} of"
        case nodes.Ref(name=name):
            yield Line(depth, ruleset.vocabulary.says.get(name, name), name)
            return
        case _:
            yield Line(depth, leaf_words(condition))
            return
    yield Line(depth, word)
    for part in parts:
        yield from condition_lines(part, ruleset, depth + 1)


def limit_lines(rule: Rule, ruleset: Ruleset) -> list[LimitLine]:
    """Every limit that can decide the rule, its definitions' included, each once."""
    found: dict[str, LimitLine] = {}
    definitions = ruleset.vocabulary.definitions
    places = [("", c) for c in rule.conditions]
    places += [(name, definitions[name]) for name in reached(rule.conditions, definitions)]
    for name, condition in places:
        for leaf in leaves(condition):
            if isinstance(leaf, nodes.Measured | nodes.Counted | nodes.Preceded | nodes.Difference):
                analyte = next((s.analyte for s in selections_of(leaf)), "")
                found.setdefault(leaf.text, LimitLine(analyte, leaf.text, name))
    return sorted(found.values(), key=lambda x: (x.analyte, x.expression))


def render(ruleset: Ruleset, format: str) -> str:
    """The page, `html` or `md`.

    Raises:
        KeyError: another format.
    """
    environment = Environment(
        loader=PackageLoader("rules", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(FORMATS[format]).render(
        ruleset=ruleset,
        topics=_by_topic(ruleset),
        lines=lambda condition: list(condition_lines(condition, ruleset)),
        limits=lambda rule: limit_lines(rule, ruleset),
        concepts=concepts_used(ruleset),
        codes=concept_codes,
        expected=_expected_words,
        shown=case_words,
        definition_cases=_by_definition(ruleset),
        sources=lambda names: _cited(names, ruleset),
        case_count=sum(len(r.cases) for r in ruleset.rules.values()) + len(ruleset.definition_cases),
    )


def case_words(case: Case, rule: Rule) -> list[str]:
    """What a case of the rule shows: its outcome, then what is said, to do and awaited, actions in full."""
    shown = [case.expect if case.severity is None else f"{case.expect}, {case.severity}"]
    if case.missing is not None:
        shown.append(f"would be settled by {_all(map(analyte_words, case.missing))}")
    if case.headline is not None:
        shown.append(f"headline: {case.headline}")
    if case.says is not None:
        shown.append(f"says: … {case.says} …")
    for said, phrases in (("to do", case.do), ("not to do", case.do_not)):
        shown += [f"{said}: {a.value}" for phrase in phrases for a in rule.actions if phrase in a.value]
    if case.expects is not None:
        shown.append(f"awaits {_all(f'{_expected_words(n)} within {d} d' for n, d in case.expects)}")
    if case.quiet is not None:
        shown.append(f"then quiet for {case.quiet}")
    if case.beside is not None:
        shown.append(f"told beside {_all(case.beside)}")
    return shown


def _all(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _expected_words(name: str) -> str:
    """What a rule waits for: an analyte or a concept, as people call it."""
    return analyte_words(name) if name in CATALOGUE else concept_words(name)


def _by_definition(ruleset: Ruleset) -> Mapping[str, list[DefinitionCase]]:
    found: dict[str, list[DefinitionCase]] = defaultdict(list)
    for case in ruleset.definition_cases:
        found[case.definition].append(case)
    return found


def _by_topic(ruleset: Ruleset) -> dict[str, list[Rule]]:
    topics: dict[str, list[Rule]] = {}
    for rule in ruleset.rules.values():
        topics.setdefault(rule.topic, []).append(rule)
    return topics


def _cited(names: tuple[str, ...], ruleset: Ruleset) -> list[Citation]:
    return [ruleset.sources[name] for name in names]
