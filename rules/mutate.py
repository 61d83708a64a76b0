"""Do the cases notice? Each mutant of the rules and their definitions is put to the cases that could tell.

A mutant survives when every case comes out as it should. One that means the same as the original is listed in
`equivalent_mutants.yaml`, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rules.building import leaves
from rules.case_facts import case_facts
from rules.evaluate import Evaluator, Vocabulary
from rules.history import View
from rules.judging import judge_rule
from rules.library_files import read_library
from rules.limits import Row, Table
from rules.load import names_used
from rules.mutants import changes
from rules.nodes import BeyondTable, Condition, Ref
from rules.rule import Case, DefinitionCase, Rule
from rules.ruleset import Ruleset
from rules.truth import Truth

EQUIVALENT = "equivalent_mutants.yaml"
_AS_FIRING = {"covered": "fires"}
_PATTERN = {Truth.TRUE: "fires", Truth.FALSE: "silent", Truth.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change, by a name that stays when the library grows; `rules` and `definitions` could notice it."""

    name: str
    rules: tuple[Rule, ...]
    vocabulary: Vocabulary
    definitions: frozenset[str] = frozenset()


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
    using = _users(ruleset)
    for name, condition in ruleset.vocabulary.definitions.items():
        for change in changes(condition):
            definitions = {**ruleset.vocabulary.definitions, name: change.node}
            vocabulary = replace(ruleset.vocabulary, definitions=definitions)
            label = f"definition {name}: {change.where}: {change.what}"
            yield Mutant(label, using[name], vocabulary, frozenset({name}))
    for table in ruleset.vocabulary.tables.values():
        yield from _of_table(table, ruleset)


def _of_rule(rule: Rule, vocabulary: Vocabulary) -> Iterator[Mutant]:
    for change in changes(rule.when):
        mutated = replace(rule, when=change.node)
        yield Mutant(f"{rule.id}: {change.where}: {change.what}", (mutated,), vocabulary)
    if rule.hold is not None:
        for change in changes(rule.hold):
            mutated = replace(rule, hold=change.node)
            yield Mutant(f"{rule.id}: hold: {change.where}: {change.what}", (mutated,), vocabulary)
    for index, cased in enumerate(rule.severities):
        if cased.when is not None:
            for change in changes(cased.when):
                severities = list(rule.severities)
                severities[index] = replace(cased, when=change.node)
                mutated = replace(rule, severities=tuple(severities))
                yield Mutant(f"{rule.id}: severity: {change.where}: {change.what}", (mutated,), vocabulary)


def _of_table(table: Table, ruleset: Ruleset) -> Iterator[Mutant]:
    definitions = ruleset.vocabulary.definitions
    direct = frozenset(n for n, c in definitions.items() if table.name in _tables_used(c))
    concerned = tuple(
        rule
        for rule in ruleset.rules.values()
        if direct & _reached(rule.conditions, definitions)
        or any(table.name in _tables_used(c) for c in rule.conditions)
    )
    for rows, what in _rows_changed(table.rows):
        tables = {**ruleset.vocabulary.tables, table.name: replace(table, rows=rows)}
        vocabulary = replace(ruleset.vocabulary, tables=tables)
        yield Mutant(f"table {table.name}: {what}", concerned, vocabulary, direct)


def _rows_changed(rows: tuple[Row, ...]) -> Iterator[tuple[tuple[Row, ...], str]]:
    for index, row in enumerate(rows):
        yield (*rows[:index], *rows[index + 1 :]), f"row {index + 1} dropped"
        for change in changes(row):
            yield (*rows[:index], change.node, *rows[index + 1 :]), f"row {index + 1}: {change.what}"


def _tables_used(condition: Condition) -> set[str]:
    """The tables that a condition names itself, not through a definition."""
    tests = (getattr(leaf, "test", None) for leaf in leaves(condition))
    return {test.table for test in tests if isinstance(test, BeyondTable)}


def _users(ruleset: Ruleset) -> Mapping[str, tuple[Rule, ...]]:
    """The rules that name each definition, directly or through another."""
    definitions = ruleset.vocabulary.definitions
    return {
        name: tuple(r for r in ruleset.rules.values() if name in _reached(r.conditions, definitions))
        for name in definitions
    }


def _reached(conditions: tuple[Condition, ...], definitions: Mapping[str, Condition]) -> set[str]:
    found: set[str] = set()
    waiting = list(conditions)
    while waiting:
        for name in names_used(waiting.pop()) - found:
            found.add(name)
            waiting.append(definitions[name])
    return found


class Jury:
    """The cases of a ruleset, their histories read once, ready to be put to any mutant."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._of_rule = {
            rule.id: [(case, View(*case_facts(case.given))) for case in rule.cases]
            for rule in ruleset.rules.values()
        }
        self._of_definition = [(case, View(*case_facts(case.given))) for case in ruleset.definition_cases]
        excused = read_library(EQUIVALENT) or {}
        self._equivalent: dict[str, str] = {str(k): str(v) for k, v in excused.items()}

    def verdict(self, mutant: Mutant) -> Verdict:
        """Whether any case of the definitions or rules concerned comes out otherwise than expected."""
        killed = any(
            _definition_notices(case, view, mutant.vocabulary)
            for case, view in self._of_definition
            if case.definition in mutant.definitions
        ) or any(
            _rule_notices(case, view, rule, mutant.vocabulary)
            for rule in mutant.rules
            for case, view in self._of_rule[rule.id]
        )
        return Verdict(mutant.name, killed, "" if killed else self._equivalent.get(mutant.name, ""))

    def stale(self, verdicts: Iterable[Verdict]) -> list[str]:
        """Excuses for mutants that are killed or no longer made."""
        needed = {v.mutant for v in verdicts if v.equivalent}
        return sorted(set(self._equivalent) - needed)


def _definition_notices(case: DefinitionCase, view: View, vocabulary: Vocabulary) -> bool:
    answer = Evaluator(view, vocabulary).answer(Ref(case.definition, case.definition))
    return answer.truth.value != case.expect


def _rule_notices(case: Case, view: View, rule: Rule, vocabulary: Vocabulary) -> bool:
    """Judges the rule alone: precedence is no part of a mutant, so `covered` is as good as `fires`."""
    evaluator = Evaluator(view, vocabulary)
    answer = evaluator.answer(rule.when)
    came = _PATTERN[answer.truth]
    if came == "fires" and rule.hold and evaluator.answer(rule.hold).truth is Truth.TRUE:
        came = "held"
    if came != _AS_FIRING.get(case.expect, case.expect):
        return True
    if came == "fires" and case.severity is not None:
        return judge_rule(rule, evaluator).severity != case.severity
    return case.missing is not None and tuple(sorted(answer.settles or ())) != case.missing
