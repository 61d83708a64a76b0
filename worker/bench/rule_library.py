"""`ferrule bench rules`: the whole library on histories of fifty results, beside one rule written by hand."""

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
    """Both sides in turns; raises NotEqual where the hand-written rule differs from the library's."""
    ruleset, people = load_ruleset(), histories(HISTORIES)
    check_equal(ruleset, people)
    figures, yards = in_turns(
        lambda: _per_second(ruleset.judge, people, seconds),
        lambda: _per_second(unexplained_high_b12, people, seconds),
        runs,
    )
    about = {
        "figure": f"the compiled evaluator, {len(ruleset.rules)} rules, {RESULTS} results a history",
        "yardstick": f"{RULE} in plain Python, same histories",
        "ruleset": ruleset.fingerprint,
    }
    return Comparison("rules", Figure(UNIT, figures), Figure(UNIT, yards), about)


def check_equal(ruleset: Ruleset, people: Sequence[History]) -> None:
    """Whether both find the same patients by the same results."""
    for history in people:
        found = {rule.rule: rule for rule in ruleset.judge(history, NOW).findings}
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
