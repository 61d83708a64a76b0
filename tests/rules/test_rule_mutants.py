"""What a rule says, asks for, awaits and yields to is pinned by its cases as firmly as what fires it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rules.cases import run_cases
from rules.load import load_ruleset
from rules.mutate import Jury, mutants
from rules.rule import Cased, Rule
from rules.rule_mutants import Part, rule_changes
from rules.ruleset import Ruleset
from tests.rules.rule_files import write_rule

GUARDED = """\
topic: A made-up question with words for each case
owner: tests
review_by: 2030-01-01
rules:
  - id: guarded-rule
    version: 1
    status: active
    rationale: Made up, so that every part of a rule has a small wrong turn to take.
    severity:
      - {severity: low, when: pregnant}
      - {severity: moderate, when: condition celiac}
      - severity: high
    headline:
      - {say: With celiac disease, when: condition celiac}
      - say: Without it
    text:
      - {say: "Ferritin {ferritin}, celiac disease on record.", when: condition celiac}
      - say: "Ferritin {ferritin}."
    when:
      all: [ferritin < 30 ug/L within 90 d]
    yields_to: [made-up-rule]
    annotates: [other-rule]
    rearm: {after: 60 d, or: severity rises}
    actions:
      - Start oral iron
      - {do: Ask about the diet, when: condition celiac}
    follow_up:
      - {expect: ferritin, within: 90 d}
      - {expect: iga, within: 14 d, when: condition celiac}
    sources: [seed]
    cases:
      - name: plain
        given: now ferritin 9 ug/L
        expect: fires
        severity: high
        headline: Without it
        says: Ferritin 9 ug/L (2026-06-01).
        do: [Start oral iron]
        do_not: [Ask about the diet]
        expects: {ferritin: 90 d}
        quiet: 60 d
        beside: [other-rule]
      - name: celiac
        given: now ferritin 9 ug/L; -9d condition celiac
        expect: fires
        severity: moderate
        headline: With celiac disease
        says: celiac disease on record
        do: [Ask about the diet]
        expects: {ferritin: 90 d, iga: 14 d}
      - name: pregnant, with celiac disease
        given: now ferritin 9 ug/L; -9d condition celiac; now pregnant 20 wk
        expect: fires
        severity: low
      - name: with a high B12
        given: now ferritin 9 ug/L; now b12 1450 pg/mL
        expect: covered
      - {name: one digit below, given: now ferritin 29 ug/L, expect: fires}
      - {name: at the limit, given: now ferritin 30 ug/L, expect: silent}
      - {name: on the last day, given: -90d ferritin 9 ug/L, expect: fires}
      - {name: a day later, given: -91d ferritin 9 ug/L, expect: unknown}
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    """A rule with a guard at everything it says, one that it yields to and one that it stands beside."""
    folder = write_rule(tmp_path_factory.mktemp("rules"), leaf="b12 > 1000 pg/mL")
    other = write_rule(folder, name="other.yaml") / "other.yaml"
    other.write_text(other.read_text().replace("made-up-rule", "other-rule"))
    (folder / "guarded.yaml").write_text(GUARDED)
    return load_ruleset(folder)


def _survivors(ruleset: Ruleset) -> list[str]:
    jury = Jury(ruleset)
    of_it = (m for m in mutants(ruleset) if m.name.startswith("guarded-rule: "))
    return [v.mutant.removeprefix("guarded-rule: ") for v in map(jury.verdict, of_it) if v.survived]


def _with(ruleset: Ruleset, rule: Rule) -> Ruleset:
    return replace(ruleset, rules={**ruleset.rules, rule.id: rule})


def test_cases_that_ask_for_every_part_leave_no_survivor(guarded: Ruleset) -> None:
    assert [found for found in run_cases(guarded) if found is not None] == []
    assert _survivors(guarded) == []


def test_every_part_of_a_rule_is_changed(guarded: Ruleset) -> None:
    parts = [change.part for change in rule_changes(guarded.rules["guarded-rule"])]
    assert set(parts) == set(Part)


@pytest.mark.parametrize(
    ("forget", "survivors"),
    [
        (
            {"do": (), "do_not": ()},
            [
                "action 'Start oral iron': dropped",
                "action 'Ask about the diet': without its condition",
                "action 'Ask about the diet': dropped",
            ],
        ),
        (
            {"says": None},
            [
                "text 'Ferritin {ferritin}, celiac disease on record.': without its condition",
                "text 'Ferritin {ferritin}, celiac disease on record.': dropped",
            ],
        ),
        (
            {"headline": None},
            [
                "headline 'With celiac disease': without its condition",
                "headline 'With celiac disease': dropped",
            ],
        ),
        (
            {"expects": None},
            [
                "follow-up ferritin: dropped",
                "follow-up iga: without its condition",
                "follow-up iga: dropped",
                "follow-up ferritin: 90 d → 89 d",
                "follow-up ferritin: 90 d → 91 d",
                "follow-up iga: 14 d → 13 d",
                "follow-up iga: 14 d → 15 d",
            ],
        ),
        (
            {"quiet": None},
            ["quiet: 60 d → 59 d", "quiet: 60 d → 61 d", "quiet: 60 d → 60 d or a later result"],
        ),
        ({"beside": None}, ["stands beside other-rule: dropped"]),
        (
            {"severity": None},
            [
                "severity low: without its condition",
                "severity low: dropped",
                "severity low: after the next",
                "severity moderate: without its condition",
                "severity moderate: dropped",
                "severity low: low → moderate",
                "severity moderate: moderate → high",
                "severity moderate: moderate → low",
                "severity high: high → critical",
                "severity high: high → moderate",
            ],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_no_case_asks_for_is_what_survives(
    guarded: Ruleset, forget: dict[str, Any], survivors: list[str]
) -> None:
    rule = guarded.rules["guarded-rule"]
    cases = tuple(replace(case, **forget) for case in rule.cases)
    assert _survivors(_with(guarded, replace(rule, cases=cases))) == survivors


def test_without_a_case_that_is_covered_precedence_is_not_pinned(guarded: Ruleset) -> None:
    rule = guarded.rules["guarded-rule"]
    cases = tuple(case for case in rule.cases if case.expect != "covered")
    assert _survivors(_with(guarded, replace(rule, cases=cases))) == ["yields to made-up-rule: dropped"]


def test_a_case_that_stands_otherwise_than_it_says_pins_no_precedence(guarded: Ruleset) -> None:
    """It would differ for every mutant; what is wrong with it is told by `rules test`."""
    rule = guarded.rules["guarded-rule"]
    cases = tuple(replace(c, given="now ferritin 9 ug/L") if c.expect == "covered" else c for c in rule.cases)
    assert _survivors(_with(guarded, replace(rule, cases=cases))) == ["yields to made-up-rule: dropped"]


def test_a_case_whose_words_fail_as_it_is_is_not_asked(guarded: Ruleset) -> None:
    rule = guarded.rules["guarded-rule"]
    cases = tuple(replace(c, do=("Ask about the diet",)) if c.name == "plain" else c for c in rule.cases)
    (name,) = Jury(_with(guarded, replace(rule, cases=cases))).not_asked
    assert name.endswith(": guarded-rule: plain")


def _without_guard(rule: Rule, words: str) -> Rule:
    actions = tuple(Cased(a.value) if words in a.value else a for a in rule.actions)
    assert actions != rule.actions
    return replace(rule, actions=actions)


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        (
            "iron-deficiency-anemia-no-gi-evaluation",
            lambda r: _without_guard(r, "Start oral iron"),
        ),
        (
            "b12-high-iron-deficient-supplement",
            lambda r: _without_guard(r, "Consider stopping or reducing B12"),
        ),
        ("folate-low", lambda r: _without_guard(r, "Folic acid")),
        ("hemoglobin-critical", lambda r: replace(r, follow_up=())),
        ("iron-overload-on-therapy", lambda r: replace(r, actions=r.actions[1:])),
    ],
    ids=["iron in hemochromatosis", "stop B12 injections", "folic acid alone", "no recheck", "iron goes on"],
)
def test_a_broken_guard_of_the_library_fails_its_cases(rule: str, broken: Callable[[Rule], Rule]) -> None:
    library = load_ruleset()
    ill = broken(library.rules[rule])
    alone = replace(library, rules={**library.rules, rule: ill}, definition_cases=())
    only_its = {n: replace(r, cases=r.cases if n == rule else ()) for n, r in alone.rules.items()}
    said = [found.said for found in run_cases(replace(alone, rules=only_its)) if found is not None]
    assert said != []
    assert all("expected" in one for one in said)


def test_a_long_text_names_its_mutant_by_its_beginning() -> None:
    library = load_ruleset()
    changed = rule_changes(library.rules["b12-high-iron-deficient-supplement"])
    names = [c.what for c in changed if c.part is Part.TEXT]
    assert names[0].startswith(
        "text 'B12 {b12} under B12 injections on record, and ferritin {fer…': medication"
    )


def test_the_library_s_words_are_changed_too() -> None:
    kinds = dict.fromkeys(Part, 0)
    for rule in load_ruleset().rules.values():
        for change in rule_changes(rule):
            kinds[change.part] += 1
    assert min(kinds.values()) > 10
