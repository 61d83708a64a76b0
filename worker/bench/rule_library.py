"""`ferrule bench rules`: the whole library on histories of fifty results, beside one rule written by hand.

The figure is the compiled evaluator, which the worker runs; the reference evaluator stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rules.facts import History
from rules.findings import ResultEvidence
from rules.load import load_ruleset
from rules.ruleset import Ruleset
from worker import clock
from worker.bench.by_hand import unexplained_high_b12
from worker.bench.figures import Comparison, Figure, in_turns
from worker.bench.histories import NOW, RESULTS, histories

RULE = "b12-high-iron-deficient-unexplained"
HISTORIES = 40
UNIT = "histories/s"


class NotEqual(Exception):
    """The two sides of a bench do not answer alike: what they cost cannot be compared."""


def measure(runs: int, seconds: float) -> Comparison:
    """All in turns; raises NotEqual where the evaluators differ, or the hand-written rule does."""
    ruleset, people = load_ruleset(), histories(HISTORIES)
    check_equal(ruleset, people)
    compiled, reference, yards = in_turns(
        lambda: _per_second(ruleset.judge, people, seconds),
        lambda: _per_second(ruleset.judge_by_reference, people, seconds),
        lambda: _per_second(unexplained_high_b12, people, seconds),
        runs=runs,
    )
    about = {
        "figure": f"the compiled evaluator, {len(ruleset.rules)} rules, {RESULTS} results a history",
        "reference": "the reference evaluator, with the whole tree of every rule; same rules, same histories",
        "yardstick": f"{RULE} in plain Python, same histories",
        "ruleset": ruleset.fingerprint,
    }
    beside = {"reference": Figure(UNIT, reference)}
    return Comparison("rules", Figure(UNIT, compiled), Figure(UNIT, yards), about, beside)


def check_equal(ruleset: Ruleset, people: Sequence[History]) -> None:
    """Whether all find the same patients by the same results."""
    for history in people:
        compiled = ruleset.judge(history, NOW)
        if compiled.findings != ruleset.judge_by_reference(history, NOW).findings:
            raise NotEqual("the compiled and the reference evaluator differ")
        found = {rule.rule: rule for rule in compiled.findings}
        library = found[RULE].evidence if RULE in found else ()
        rests_on = {one.key for one in library if isinstance(one, ResultEvidence)}
        by_hand = {one.key for one in unexplained_high_b12(history, NOW) or ()}
        if bool(by_hand) != (RULE in found) or not by_hand <= rests_on:
            raise NotEqual(f"{RULE}: the hand-written rule and the library differ")


def _per_second(
    judge: Callable[[History, datetime], object], people: Sequence[History], seconds: float
) -> float:
    judged, begin = 0, clock.monotonic_seconds()
    while (passed := clock.monotonic_seconds() - begin) < seconds:
        for history in people:
            judge(history, NOW)
        judged += len(people)
    return judged / passed
