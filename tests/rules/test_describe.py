"""A rule in words and its judgment as a tree: nothing that decides it is left unsaid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rules.building import leaves
from rules.case_facts import case_facts
from rules.describe import rule_lines
from rules.explain import tree_json, tree_lines
from rules.load import load_ruleset, reached
from rules.syntax import parse_leaf
from rules.words import leaf_words
from tests.rules.rule_files import write_rule

LIBRARY = load_ruleset()


@pytest.mark.parametrize("rule", sorted(LIBRARY.rules))
def test_every_condition_wording_and_source_of_a_rule_is_shown(rule: str) -> None:
    shown, meant = LIBRARY.rules[rule], "\n".join(rule_lines(LIBRARY.rules[rule], LIBRARY))
    for case in (*shown.headlines, *shown.texts, *shown.actions):
        assert case.value in meant
    for condition in shown.conditions:
        for leaf in leaves(condition):
            said = LIBRARY.vocabulary.says.get(leaf.text) or LIBRARY.vocabulary.words[leaf.text]
            assert said in meant
    for name in reached((shown.when,), LIBRARY.vocabulary.definitions):
        assert LIBRARY.vocabulary.says[name] in meant
    assert all(LIBRARY.sources[source].citation in meant for source in shown.sources)
    assert all(f"expects {f.expect} within {f.within.days} d" in meant for f in shown.follow_up)


def test_the_tree_says_at_each_leaf_what_was_seen_and_is_the_same_as_data() -> None:
    given = (
        "2026-03-01 ferritin 9 ug/L; 2026-03-01 b12 >1450 pg/mL range 180..914; 2025-01-01 condition celiac"
    )
    judged = LIBRARY.explain("b12-high-iron-deficient-unexplained", *case_facts(given))
    lines = list(tree_lines(judged.tree))
    assert any("✓" in line and "ferritin 9 ug/L, 2026-03-01" in line for line in lines)
    assert any("b12 >1450 pg/mL, 2026-03-01" in line for line in lines)
    assert any("✗" in line and "no b12_supplement on record since 2025-12-01" in line for line in lines)
    text = json.dumps(tree_json(judged.tree))
    assert '"effective_at": "2026-03-01T08:00:00Z"' in text
    assert '"absent": "b12_supplement", "since": "2025-12-01T08:00:00Z"' in text
    assert text.count('"truth"') >= len(lines)


def test_a_record_is_named_with_its_start() -> None:
    given = "2026-03-01 ferritin 9 ug/L; 2026-03-01 ttg_iga positive; 2025-01-01 condition celiac"
    judged = LIBRARY.explain("codeficiency-known-malabsorption", *case_facts(given))
    assert any("on record since 2025-01-01" in line for line in tree_lines(judged.tree))
    assert '"concept": "celiac"' in json.dumps(tree_json(judged.tree))


def test_a_rule_without_a_rationale_is_shown_without_one(tmp_path: Path) -> None:
    ruleset = load_ruleset(write_rule(tmp_path))
    bare = replace(ruleset.rules["made-up-rule"], rationale="")
    said = "Made up, so that the loader has something to read."
    assert said in list(rule_lines(ruleset.rules["made-up-rule"], ruleset))
    assert said not in list(rule_lines(bare, ruleset))


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        ("ferritin < 30 ug/L within 36 h", "in the last 36 hours"),
        ("crp > 5 mg/L within 3 d of condition celiac", "the newest "),
        ("crp > 5 mg/L within 14 d of (lowest ferritin within 30 d)", "lowest Ferritin"),
        ("ferritin < 30 ug/L within 90 d on 2 results", "2 results of Ferritin below 30 ug/L, in the last"),
        ("ferritin < 30 ug/L within 90 d on 2 results 7..90 d apart", "ug/L, 7 days to 90 days apart, in"),
    ],
)
def test_a_condition_reads_as_a_sentence(leaf: str, words: str) -> None:
    assert words in leaf_words(parse_leaf(leaf))
