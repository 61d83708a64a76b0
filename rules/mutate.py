"""Do the cases notice? Each mutant of the rules and their definitions is put to the cases that could tell.

A mutant survives when every case comes out as it should. One that means the same as the original is listed in
`equivalent_mutants.yaml`, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rules.case_facts import case_facts
from rules.evaluate import Evaluator, Vocabulary
from rules.expectations import SPOKEN, standing_differs, words_differ
from rules.judging import judge_rule, with_precedence
from rules.library_files import read_library
from rules.limits import Row, Table
from rules.load import names_used, tables_used
from rules.mutants import changes
from rules.nodes import Condition, Ref
from rules.rule import Case, DefinitionCase, Rule
from rules.rule_mutants import Part, rule_changes
from rules.ruleset import Ruleset
from rules.truth import Truth

EQUIVALENT = "equivalent_mutants.yaml"
ASKS_FOR: Mapping[Part, Callable[[Case], bool]] = {
    Part.SEVERITY: lambda case: case.severity is not None,
    Part.HEADLINE: lambda case: case.headline is not None,
    Part.TEXT: lambda case: case.says is not None,
    Part.ACTION: lambda case: bool(case.do or case.do_not),
    Part.FOLLOW_UP: lambda case: case.expects is not None,
    Part.QUIET: lambda case: case.quiet is not None,
    Part.STANDING: lambda case: case.expect == "covered" or case.beside is not None,
}
"""Whether a case can notice a change of a part beside the pattern."""
_AS_FIRING = {"covered": "fires"}
_PATTERN = {Truth.TRUE: "fires", Truth.FALSE: "silent", Truth.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change, by a name that stays when the library grows.

    The cases of `rules` and `definitions` are asked whether they notice; `changed` are the definitions that
    may mean something else now, directly or through another. A change of one `part` of a rule is put only to
    the cases that ask for this part; one of a definition or table (None) may show in any.
    """

    name: str
    rules: tuple[Rule, ...]
    vocabulary: Vocabulary
    definitions: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a case noticed, or why none could."""

    mutant: str
    killed: bool
    equivalent: str = ""

    @property
    def survived(self) -> bool:
        """Neither noticed nor explained."""
        return not self.killed and not self.equivalent


def mutants(ruleset: Ruleset) -> Iterator[Mutant]:
    """Every mutant of every rule, definition and table row; those of one name are told apart by a number."""
    seen: Counter[str] = Counter()
    for mutant in _mutants(ruleset):
        seen[mutant.name] += 1
        again = seen[mutant.name]
        yield mutant if again == 1 else replace(mutant, name=f"{mutant.name} ({again})")


def _mutants(ruleset: Ruleset) -> Iterator[Mutant]:
    for rule in ruleset.rules.values():
        yield from _of_rule(rule, ruleset.vocabulary)
    for name in ruleset.vocabulary.definitions:
        yield from _of_definition(name, ruleset)
    for table in ruleset.vocabulary.tables.values():
        yield from _of_table(table, ruleset)


def _of_rule(rule: Rule, vocabulary: Vocabulary) -> Iterator[Mutant]:
    for change in rule_changes(rule):
        yield Mutant(f"{rule.id}: {change.what}", (change.rule,), vocabulary, part=change.part)


def _of_definition(name: str, ruleset: Ruleset) -> Iterator[Mutant]:
    vocabulary = ruleset.vocabulary
    changed = _changed_with(frozenset({name}), vocabulary.definitions)
    using = tuple(r for r in ruleset.rules.values() if changed & _named(r))
    for change in changes(vocabulary.definitions[name]):
        mutated = replace(vocabulary, definitions={**vocabulary.definitions, name: change.node})
        label = f"definition {name}: {change.where}: {change.what}"
        yield Mutant(label, using, mutated, frozenset({name}), changed)


def _of_table(table: Table, ruleset: Ruleset) -> Iterator[Mutant]:
    vocabulary = ruleset.vocabulary
    direct = frozenset(n for n, c in vocabulary.definitions.items() if table.name in tables_used(c))
    changed = _changed_with(direct, vocabulary.definitions)
    using = tuple(
        rule
        for rule in ruleset.rules.values()
        if changed & _named(rule) or any(table.name in tables_used(c) for c in rule.conditions)
    )
    for rows, what in _rows_changed(table.rows):
        mutated = replace(vocabulary, tables={**vocabulary.tables, table.name: replace(table, rows=rows)})
        yield Mutant(f"table {table.name}: {what}", using, mutated, direct, changed)


def _rows_changed(rows: tuple[Row, ...]) -> Iterator[tuple[tuple[Row, ...], str]]:
    for index, row in enumerate(rows):
        yield (*rows[:index], *rows[index + 1 :]), f"row {index + 1} dropped"
        for change in changes(row):
            yield (*rows[:index], change.node, *rows[index + 1 :]), f"row {index + 1}: {change.what}"


def _changed_with(names: frozenset[str], definitions: Mapping[str, Condition]) -> frozenset[str]:
    """The definitions named, and all that name one of them, directly or through another."""
    found = set(names)
    while more := {n for n, c in definitions.items() if n not in found and found & names_used(c)}:
        found |= more
    return frozenset(found)


def _named(rule: Rule) -> set[str]:
    """The definitions a rule names itself."""
    return set().union(*(names_used(c) for c in rule.conditions))


class Jury:
    """The cases of a ruleset, their histories read once, ready to be put to any mutant.

    A case that fails as it is would notice every mutant; it is not asked, and stands in `not_asked`.

    Raises:
        BadCase: a case that says no fact.
    """

    def __init__(self, ruleset: Ruleset) -> None:
        def reader(given: str) -> Evaluator:
            return ruleset.evaluator(*case_facts(given, ruleset.vocabulary.concepts))

        self._rules = ruleset.rules
        self.not_asked: list[str] = []
        self._of_rule = {rule.id: list(self._asked(rule, reader)) for rule in ruleset.rules.values()}
        self._of_definition = []
        for case in ruleset.definition_cases:
            read = reader(case.given)  # answering below, it learns the definitions that this one names
            if _definition_notices(case, read):
                self.not_asked.append(f"{case.file}:{case.line}: {case.definition}: {case.name}")
            else:
                self._of_definition.append((case, read))
        excused = read_library(EQUIVALENT) or {}
        self._equivalent: dict[str, str] = {str(k): str(v) for k, v in excused.items()}

    def _asked(self, rule: Rule, reader: Callable[[str], Evaluator]) -> Iterator[tuple[Case, Evaluator]]:
        for case in rule.cases:
            read = reader(case.given)
            if _pattern_notices(case, rule, read) or _words_notice(case, rule, read):
                self.not_asked.append(f"{rule.file}:{case.line}: {rule.id}: {case.name}")
            else:
                yield case, read

    def verdict(self, mutant: Mutant) -> Verdict:
        """Whether any case of the definitions or rules concerned comes out otherwise than expected."""
        killed = any(
            _definition_notices(case, _reading(reader, mutant))
            for case, reader in self._of_definition
            if case.definition in mutant.definitions
        ) or any(self._notice(rule, mutant) for rule in mutant.rules)
        return Verdict(mutant.name, killed, "" if killed else self._equivalent.get(mutant.name, ""))

    def _notice(self, rule: Rule, mutant: Mutant) -> bool:
        """The quick question first: most mutants are noticed by what fires, and few by what is said."""
        cases = [(case, _reading(reader, mutant)) for case, reader in self._of_rule[rule.id]]
        match mutant.part:
            case None:
                return any(_pattern_notices(case, rule, reader) for case, reader in cases) or any(
                    _words_notice(case, rule, reader) for case, reader in cases
                )
            case Part.PATTERN:
                return any(_pattern_notices(case, rule, reader) for case, reader in cases)
            case part:
                notices = self._standing_notices if part is Part.STANDING else _words_notice
                return any(notices(case, rule, reader) for case, reader in cases if ASKS_FOR[part](case))

    def _standing_notices(self, case: Case, rule: Rule, reader: Evaluator) -> bool:
        """Whether the rule stands otherwise among those it names, and stood as expected before."""
        now, before = ({**self._rules, rule.id: r} for r in (rule, self._rules[rule.id]))
        return _standing_differs(case, rule.id, now, reader) and not _standing_differs(
            case, rule.id, before, reader
        )

    def stale(self, verdicts: Iterable[Verdict]) -> list[str]:
        """Excuses for mutants that are killed or no longer made."""
        needed = {v.mutant for v in verdicts if v.equivalent}
        return sorted(set(self._equivalent) - needed)


def _reading(reader: Evaluator, mutant: Mutant) -> Evaluator:
    """The case read in the mutant's words; a rule's own mutant leaves the words as they are."""
    if mutant.vocabulary is reader.vocabulary:
        return reader
    return reader.with_words(mutant.vocabulary, mutant.changed)


def _definition_notices(case: DefinitionCase, evaluator: Evaluator) -> bool:
    return evaluator.answer(Ref(case.definition, case.definition)).truth.value != case.expect


def _pattern_notices(case: Case, rule: Rule, evaluator: Evaluator) -> bool:
    """Judges the rule alone: precedence is a part of its own, so `covered` is as good as `fires`."""
    answer = evaluator.answer(rule.when)
    came = _PATTERN[answer.truth]
    if came == "fires" and rule.hold and evaluator.answer(rule.hold).truth is Truth.TRUE:
        came = "held"
    if came != _AS_FIRING.get(case.expect, case.expect):
        return True
    return case.missing is not None and tuple(sorted(answer.settles or ())) != case.missing


def _words_notice(case: Case, rule: Rule, evaluator: Evaluator) -> bool:
    """What is said of a true pattern; whether it is true is asked elsewhere."""
    if case.expect not in SPOKEN or not any(asks(case) for asks in ASKS_FOR.values()):
        return False
    return any(words_differ(case, judge_rule(rule, evaluator), rule, evaluator.view.as_of))


def _standing_differs(case: Case, rule: str, rules: Mapping[str, Rule], evaluator: Evaluator) -> bool:
    judged = [judge_rule(rules[name], evaluator) for name in _concerned(rule, rules)]
    own = next(j for j in with_precedence(judged, rules) if j.rule == rule)
    return any(standing_differs(case, own))


def _concerned(rule: str, rules: Mapping[str, Rule]) -> list[str]:
    """The rule and those that decide how it stands: what it yields to and stands beside, and so on."""
    found = [rule]
    for name in found:
        found += [
            n for n in (*rules[name].yields_to, *rules[name].annotates) if n in rules and n not in found
        ]
    return found
