"""Running the cases that stand in the rule files: each expectation against the reference evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from rules.case_facts import BadCase, case_facts
from rules.expectations import standing_differs, words_differ
from rules.explain import tree_lines
from rules.findings import RuleJudgment
from rules.history import View
from rules.load import resting_on
from rules.nodes import Ref
from rules.rule import Case, DefinitionCase, Rule
from rules.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that came out otherwise: where it stands, what was expected and what came, and the tree.

    `moved` is a case of the library that a site's own change concerns: said, and no failure.
    """

    rule: str
    case: str
    where: str
    said: str
    tree: tuple[str, ...] = ()
    moved: bool = False


def run_cases(ruleset: Ruleset) -> Iterator[Failure | None]:
    """One answer for each case of each rule and definition, and of the site: None where it held."""
    changed = {change.place for change in ruleset.site_changes if change.meaning}
    vocabulary = ruleset.vocabulary
    for rule in ruleset.rules.values():
        concerned = bool(changed & ({rule.id} | resting_on(rule.conditions, vocabulary)))
        for case in rule.cases:
            yield _marked(_run(ruleset, rule, case, rule.file), concerned)
    for example in ruleset.definition_cases:
        meant = (vocabulary.definitions[example.definition],)
        concerned = bool(changed & ({example.definition} | resting_on(meant, vocabulary)))
        yield _marked(_run_definition(ruleset, example), concerned)
    for own in ruleset.site_cases:
        yield _run(ruleset, ruleset.rules[own.rule], own.case, own.file)


def _marked(failure: Failure | None, moved: bool) -> Failure | None:
    return failure if failure is None or not moved else replace(failure, moved=True)


def _run(ruleset: Ruleset, rule: Rule, case: Case, file: str) -> Failure | None:
    where = f"{file}:{case.line}"
    try:
        history, as_of = case_facts(case.given, ruleset.vocabulary.concepts)
    except BadCase as error:
        return Failure(rule.id, case.name, where, str(error))
    judged = ruleset.explain(rule.id, history, as_of)
    wrong = "; ".join(_differences(case, judged, rule, as_of))
    if not wrong:
        return None
    tree = (*tree_lines(judged.tree), *_left_out(ruleset.view(history, as_of)))
    return Failure(rule.id, case.name, where, wrong, tree)


def _run_definition(ruleset: Ruleset, case: DefinitionCase) -> Failure | None:
    where = f"{case.file}:{case.line}"
    try:
        history, as_of = case_facts(case.given, ruleset.vocabulary.concepts)
    except BadCase as error:
        return Failure(case.definition, case.name, where, str(error))
    evaluator = ruleset.evaluator(history, as_of)
    answer = evaluator.answer(Ref(case.definition, case.definition))
    if answer.truth.value == case.expect:
        return None
    said = f"expected {case.expect}, came {answer.truth.value}"
    tree = (*tree_lines(answer.tree), *_left_out(evaluator.view))
    return Failure(case.definition, case.name, where, said, tree)


def _left_out(view: View) -> Iterator[str]:
    """The results of a case that no condition saw: a forgotten unit is not what was meant to be tried."""
    for left in view.not_used:
        yield f"not used: {left.analyte}: {left.reason}, {left.detail}"


def case_count(ruleset: Ruleset) -> int:
    """How many cases the rules, the definitions and the site have together."""
    in_rules = sum(len(r.cases) for r in ruleset.rules.values())
    return in_rules + len(ruleset.definition_cases) + len(ruleset.site_cases)


def _differences(case: Case, judged: RuleJudgment, rule: Rule, as_of: datetime) -> Iterator[str]:
    yield from standing_differs(case, judged)
    yield from words_differ(case, judged, rule, as_of)
    if case.missing is not None and judged.missing != case.missing:
        yield f"expected missing {', '.join(case.missing)}; came {', '.join(judged.missing) or 'nothing'}"
