"""What a case asks of a rule beside its outcome: words, what to do, what follows, what it stands beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import indent

import pytest

from rules.cases import run_cases
from rules.load import load_ruleset
from rules.ruleset import Ruleset
from rules.yaml_source import BadFile
from tests.rules.rule_files import write_rule

MORE = """\
follow_up:
  - {expect: ferritin, within: 90 d}
  - {expect: tsat, within: 14 d, when: pregnant}
annotates: [other-rule]
"""
ACTIONS = """\
    actions:
      - Start oral iron
      - do: Test the partner now
        when: pregnant
      - Ask about blood loss and iron tablets
"""


def _file(folder: Path, asked: str, expect: str = "fires") -> Path:
    """The made-up rule with a guarded action and follow-up; `asked` stands in its first case."""
    other = write_rule(folder, name="other.yaml") / "other.yaml"
    other.write_text(other.read_text().replace("id: made-up-rule", "id: other-rule"))
    path = write_rule(folder, more=MORE) / "made-up.yaml"
    text = path.read_text().replace("    actions:\n      - Do nothing\n", ACTIONS)
    lines = f"expect: {expect}\n{indent(asked, ' ' * 8)}\n"
    path.write_text(text.replace(f"expect: {expect}\n", lines, 1))
    return folder


def _said(ruleset: Ruleset) -> list[str]:
    """What the cases of the made-up rules, or of the one of the library, say; not those of definitions."""
    rules = {n: r for n, r in ruleset.rules.items() if n in ("made-up-rule", "other-rule", "folate-low")}
    ruleset = replace(ruleset, rules=rules, definition_cases=())
    return [failure.said for failure in run_cases(ruleset) if failure is not None]


@pytest.mark.parametrize(
    "asked",
    [
        "do: [Start oral iron, blood loss]",
        "do_not: [Test the partner]",
        "says: Ferritin 9 ng/mL",
        "expects: {ferritin: 90 d}",
        "quiet: 90 d",
        "beside: [other-rule]",
    ],
)
def test_what_comes_as_expected_holds(tmp_path: Path, asked: str) -> None:
    assert _said(load_ruleset(_file(tmp_path, asked))) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "do: [Test the partner]",
            "expected to do 'Test the partner'; came: Start oral iron; Ask about blood loss and iron tablets",
        ),
        ("do_not: [Start oral iron]", "expected not to do 'Start oral iron', and it is asked for"),
        (
            "says: B12 1450 pg/mL",
            "expected the text to say 'B12 1450 pg/mL', came 'Ferritin 9 ng/mL (2026-03-01).'",
        ),
        (
            "expects: {ferritin: 90 d, tsat: 14 d}",
            "expected to follow: ferritin within 90 d, tsat within 14 d; came ferritin within 90 d",
        ),
        ("expects: {}", "expected to follow: nothing; came ferritin within 90 d"),
        ("quiet: 30 d", "expected quiet for 30 d after an answer, came 90 d"),
        (
            "quiet: 90 d or a later result",
            "expected quiet for 90 d or a later result after an answer, came 90 d",
        ),
        ("beside: []", "expected beside nothing; came other-rule"),
    ],
)
def test_what_came_otherwise_is_said_beside_what_was_expected(tmp_path: Path, asked: str, said: str) -> None:
    assert _said(load_ruleset(_file(tmp_path, asked))) == [said]


MISTAKES = [
    (
        "do: [Strat oral iron]",
        "made-up.yaml:31: no action says 'Strat oral iron'; did you mean 'Start oral iron'? words of an",
    ),
    (
        "do_not: [oral potassium]",
        "made-up.yaml:31: no action says 'oral potassium'; words of an action are given as they stand",
    ),
    ("do: Start oral iron", "made-up.yaml:31: rules.0.cases.0.do: a list, such as [Start oral iron]"),
    ("expects: [ferritin]", "rules.0.cases.0.expects: keys with their values, such as {key: value}; rules/"),
    ("expects: {ferritin: 6 weeks}", "a whole number of days such as '42 d', not '6 weeks'"),
    ("quiet: a while", "a whole number of days such as '42 d', not 'a while'"),
    ("do_no: [Start oral iron]", "unknown key 'do_no'; did you mean 'do_not'?"),
    ("do: [iron]", "made-up.yaml:31: 'iron' stands in 2 actions; give more of the words of one"),
    (
        "expects: {feritin: 90 d}",
        "'feritin' does not stand under 'follow_up'; did you mean 'ferritin'? there stands ferritin, tsat",
    ),
    (
        "beside: [othr-rule]",
        "'othr-rule' does not stand under 'annotates'; did you mean 'other-rule'? there stands other-rule",
    ),
]


@pytest.mark.parametrize(("asked", "said"), MISTAKES)
def test_what_the_rule_cannot_give_is_refused_with_its_line_and_remedy(
    tmp_path: Path, asked: str, said: str
) -> None:
    with pytest.raises(BadFile) as refused:
        load_ruleset(_file(tmp_path, asked))
    assert said in str(refused.value)


@pytest.mark.parametrize("key", ["do: [Start oral iron]", "says: Ferritin", "expects: {}", "quiet: 90 d"])
def test_a_case_that_is_silent_cannot_ask_for_words(tmp_path: Path, key: str) -> None:
    name = key.split(":")[0]
    with pytest.raises(BadFile, match=f"a case that is silent says nothing to do; drop '{name}'"):
        load_ruleset(_file(tmp_path, key, expect="silent"))


def _site(folder: Path, more: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(f"site: North\nsigned_by: Dr. Made Up\nsigned_on: 2026-11-01\n{more}")
    return path


SITE_CASE = "cases:\n  - {rule: folate-low, name: own, given: now folate 2 ng/mL, expect: fires, do: [%s]}\n"


def test_a_site_s_own_case_is_held_to_the_same(tmp_path: Path) -> None:
    assert _said(load_ruleset(site=_site(tmp_path, SITE_CASE % "Check B12 before treating"))) == []
    with pytest.raises(
        BadFile, match=r"site\.yaml:5: no action says 'Check B13 before treating'; did you mean"
    ):
        load_ruleset(site=_site(tmp_path, SITE_CASE % "Check B13 before treating"))


def test_where_a_site_has_other_actions_the_library_s_cases_do_not_ask_for_theirs(tmp_path: Path) -> None:
    wording = "wording:\n  folate-low: {actions: [Phone the folate clinic]}\n"
    ruleset = load_ruleset(site=_site(tmp_path, wording))
    assert all(case.do == case.do_not == () for case in ruleset.rules["folate-low"].cases)
    assert _said(ruleset) == []
