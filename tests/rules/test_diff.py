"""What changed in meaning, in words."""

from __future__ import annotations

from pathlib import Path

from rules.diff import differences
from rules.load import load_ruleset
from tests.rules.rule_files import write_rule


def _said(old: Path, new: Path) -> list[str]:
    return list(differences(load_ruleset(old), load_ruleset(new)))


def test_the_same_rules_differ_in_nothing(tmp_path: Path) -> None:
    assert _said(write_rule(tmp_path / "a"), write_rule(tmp_path / "b")) == []


def test_a_changed_limit_is_said_in_words_with_both_numbers(tmp_path: Path) -> None:
    said = _said(write_rule(tmp_path / "a"), write_rule(tmp_path / "b", "ferritin < 35 ug/L"))
    assert said[0] == "rule made-up-rule"
    assert any(line.strip().startswith("- ") and "below 30 ug/L" in line for line in said)
    assert any(line.strip().startswith("+ ") and "below 35 ug/L" in line for line in said)


def test_a_comment_or_another_order_of_keys_changes_no_meaning(tmp_path: Path) -> None:
    old, new = write_rule(tmp_path / "a"), write_rule(tmp_path / "b")
    path = new / "made-up.yaml"
    path.write_text(
        "# signed\n"
        + path.read_text().replace(
            "    version: 1\n    status: active\n", "    status: active\n    version: 1\n"
        )
    )
    assert _said(old, new) == []


def test_a_changed_definition_names_the_rules_it_concerns(tmp_path: Path) -> None:
    for folder, limit in (("a", 30), ("b", 31)):
        write_rule(tmp_path / folder, "low")
        (tmp_path / folder / "definitions.yaml").write_text(
            f"definitions:\n  low: {{says: Low, when: ferritin < {limit} ug/L}}\n"
        )
    said = _said(tmp_path / "a", tmp_path / "b")
    assert said[0] == "definition low"
    assert said[-1] == "  concerns made-up-rule"


def test_a_rule_that_is_gone_or_new_is_named(tmp_path: Path) -> None:
    old = write_rule(tmp_path / "a")
    new = write_rule(tmp_path / "b")
    path = new / "made-up.yaml"
    path.write_text(path.read_text().replace("made-up-rule", "another-rule"))
    assert _said(old, new) == ["rule another-rule", "  new", "rule made-up-rule", "  gone"]


def test_a_changed_head_is_said_with_what_it_was(tmp_path: Path) -> None:
    old, new = write_rule(tmp_path / "a"), write_rule(tmp_path / "b")
    path = new / "made-up.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 2"))
    assert _said(old, new) == ["rule made-up-rule", "  version: 1 → 2"]
