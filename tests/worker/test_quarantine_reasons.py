"""The reasons of quarantine are one closed set, each with what to do; the lists are written from it."""

import ast
from pathlib import Path

import pytest

from rules.facts import Unusable
from worker.hl7_page import hl7_page
from worker.intake.unreadable import Reason
from worker.quarantine_reasons import REMEDIES, QuarantineReason
from worker.unused import _OF_MARK, _OF_PROBLEM

USED_IN = ("worker", "alerts", "rules")


@pytest.mark.parametrize("reason", sorted(QuarantineReason))
def test_each_reason_says_what_to_do_and_stands_in_the_specification(reason: QuarantineReason) -> None:
    assert len(reason.remedy.split()) > 2
    assert f"| `{reason.value}` | {reason.remedy} |" in hl7_page()


def test_every_reason_of_every_door_is_in_the_set() -> None:
    known = {reason.value for reason in QuarantineReason}
    assert {reason.value for reason in Reason} <= known
    assert {mark.value for mark in _OF_MARK} <= known
    assert {problem.value for problem in _OF_PROBLEM} <= known
    assert set(REMEDIES) == set(QuarantineReason)
    assert isinstance(next(iter(_OF_PROBLEM)), Unusable)


def test_nobody_sets_aside_for_a_reason_in_plain_text() -> None:
    """`Aside` is made of the set, never of a string: what a string says no list would know."""
    plain = []
    for path in (file for top in USED_IN for file in Path(top).rglob("*.py")):
        calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        plain += [f"{path}:{call.lineno}" for call in calls if _is_aside(call) and _is_text(call.args[0])]
    assert plain == []


def _is_aside(call: ast.Call) -> bool:
    return bool(call.args) and ast.unparse(call.func) in ("Aside", "Aside.of")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr)
