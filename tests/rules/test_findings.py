"""What is told, what is kept silent, and what one more test would settle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rules.case_facts import case_facts
from rules.load import load_ruleset
from rules.rule import RuleStatus
from tests.rules.rule_files import write_rule


def test_a_silent_rule_is_counted_and_not_told(tmp_path: Path) -> None:
    loud = load_ruleset(write_rule(tmp_path))
    rule = replace(loud.rules["made-up-rule"], status=RuleStatus.SILENT)
    facts = case_facts("now ferritin 9 ug/L")
    told, kept = loud.judge(*facts), replace(loud, rules={rule.id: rule}).judge(*facts)
    assert [len(told.findings), len(told.silent)] == [1, 0]
    assert [len(kept.findings), len(kept.silent)] == [0, 1]


def test_a_rule_that_lacks_one_test_names_it(tmp_path: Path) -> None:
    ruleset = load_ruleset(write_rule(tmp_path))
    (open_rule,) = ruleset.judge(*case_facts("now crp 5 mg/L")).undetermined
    assert open_rule.missing == ("ferritin",)
    assert ruleset.judge(*case_facts("now ferritin 90 ug/L")).undetermined == ()
