"""Running the cases that stand in the rule files: each expectation against the reference evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.case_facts import BadCase, case_facts
from rules.evaluate import Evaluator
from rules.explain import tree_lines
from rules.findings import RuleJudgment
from rules.history import View
from rules.nodes import Ref
from rules.rule import Case, DefinitionCase, Rule
from rules.ruleset import Ruleset
from rules.truth import Truth


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that came out otherwise: where it stands, what was expected and what came, and the tree."""

    rule: str
    case: str
    where: str
    said: str
    tree: tuple[str, ...] = ()


def run_cases(ruleset: Ruleset) -> Iterator[Failure | None]:
    """One answer for each case of each rule and definition: None where it held."""
    for rule in ruleset.rules.values():
        for case in rule.cases:
            yield _run(ruleset, rule, case)
    for example in ruleset.definition_cases:
        yield _run_definition(ruleset, example)


def _run(ruleset: Ruleset, rule: Rule, case: Case) -> Failure | None:
    where = f"{rule.file}:{case.line}"
    try:
        history, as_of = case_facts(case.given)
    except BadCase as error:
        return Failure(rule.id, case.name, where, str(error))
    judged = ruleset.explain(rule.id, history, as_of)
    wrong = "; ".join(_differences(case, judged))
    if not wrong:
        return None
    return Failure(rule.id, case.name, where, wrong, tuple(tree_lines(judged.tree)))


def _run_definition(ruleset: Ruleset, case: DefinitionCase) -> Failure | None:
    where = f"{case.file}:{case.line}"
    try:
        history, as_of = case_facts(case.given)
    except BadCase as error:
        return Failure(case.definition, case.name, where, str(error))
    evaluator = Evaluator(View(history, as_of), ruleset.vocabulary)
    answer = evaluator.answer(Ref(case.definition, case.definition))
    if answer.truth.value == case.expect:
        return None
    said = f"expected {case.expect}, came {answer.truth.value}"
    return Failure(case.definition, case.name, where, said, tuple(tree_lines(answer.tree)))


def case_count(ruleset: Ruleset) -> int:
    """How many cases the rules and definitions have together."""
    return sum(len(r.cases) for r in ruleset.rules.values()) + len(ruleset.definition_cases)


def outcome(judged: RuleJudgment) -> str:
    """The word a case expects: fires, held, covered, unknown or silent."""
    if judged.pattern is Truth.UNKNOWN:
        return "unknown"
    if judged.pattern is Truth.FALSE:
        return "silent"
    if judged.held is not None:
        return "held"
    return "fires" if judged.covered_by is None else "covered"


def _differences(case: Case, judged: RuleJudgment) -> Iterator[str]:
    came = outcome(judged)
    if came != case.expect:
        by = f" by {judged.covered_by}" if judged.covered_by else ""
        yield f"expected {case.expect}, came {came}{by}"
    if case.severity is not None and came == "fires" and judged.severity != case.severity:
        yield f"expected severity {case.severity}, came {judged.severity}"
    if case.headline is not None and judged.headline != case.headline:
        yield f"expected headline '{case.headline}', came '{judged.headline}'"
    if case.missing is not None and judged.missing != case.missing:
        yield f"expected missing {', '.join(case.missing)}; came {', '.join(judged.missing) or 'nothing'}"
