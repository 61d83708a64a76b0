"""No small wrong turn of a rule goes unnoticed by the cases that stand beside it."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from pathlib import Path

import pytest

from rules import nodes
from rules.load import load_ruleset
from rules.mutants import OWN_CHANGES, changes
from rules.mutate import Jury, Verdict, mutants
from rules.rule_mutants import Part
from rules.ruleset import Ruleset
from rules.syntax import parse_leaf
from tests.rules.rule_files import write_rule

BELOW = "2026-03-01  ferritin 29 ug/L"
AT = "2026-03-01  ferritin 30 ug/L"
LAST_DAY = "-90d  ferritin 9 ug/L"
TOO_OLD = "-91d  ferritin 9 ug/L"


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    """Every mutant of the library, put to the library's cases once."""
    library = load_ruleset()
    jury = Jury(library)
    return [jury.verdict(mutant) for mutant in mutants(library)]


@pytest.mark.whole_library
def test_no_mutant_of_the_library_survives_its_cases(verdicts: list[Verdict]) -> None:
    assert [v.mutant for v in verdicts if v.survived] == []


@pytest.mark.whole_library
def test_every_mutant_has_a_name_of_its_own(verdicts: list[Verdict]) -> None:
    assert len({v.mutant for v in verdicts}) == len(verdicts)


@pytest.mark.whole_library
def test_every_excuse_of_the_library_is_needed(verdicts: list[Verdict]) -> None:
    jury = Jury(load_ruleset())
    assert jury.stale(verdicts) == []
    excused = sorted(v.mutant for v in verdicts if v.equivalent)
    assert jury.stale([]) == excused != []


def test_an_excuse_is_stale_once_a_case_notices_or_the_mutant_is_no_more(tmp_path: Path) -> None:
    jury = Jury(_one_rule(tmp_path, [BELOW], {}))
    one, other, *more = jury.stale([])
    found = [Verdict(one, killed=False, equivalent="as written"), Verdict(other, killed=True, equivalent="")]
    assert jury.stale(found) == [other, *more]


def test_every_node_is_changed_itself_or_has_nothing_but_parts_and_names() -> None:
    only_parts_and_names = {
        nodes.CensoredWithin,
        nodes.Measured,
        nodes.Noted,
        nodes.Ordered,
        nodes.Preceded,
        nodes.Pregnant,
        nodes.Ref,
        nodes.Unsettled,
    }
    every = {c for c in vars(nodes).values() if isinstance(c, type) and is_dataclass(c)}
    assert every - OWN_CHANGES.keys() == only_parts_and_names


@pytest.mark.whole_library
def test_every_rule_definition_and_table_has_mutants(verdicts: list[Verdict]) -> None:
    library = load_ruleset()
    owners = {v.mutant.split(": ")[0] for v in verdicts}
    words = library.vocabulary
    tables, definitions = {f"table {t}" for t in words.tables}, {f"definition {d}" for d in words.definitions}
    assert owners == {*library.rules, *tables, *definitions}


def _one_rule(folder: Path, fires: list[str], others: dict[str, str]) -> Ruleset:
    """A rule on ferritin below 30 within 90 d, with these cases and no others."""
    loaded = load_ruleset(write_rule(folder, "ferritin < 30 ug/L within 90 d"))
    rule = loaded.rules["made-up-rule"]
    plain = rule.cases[0]
    cases = [replace(plain, given=given, expect="fires") for given in fires]
    cases += [replace(plain, given=given, expect=expect) for given, expect in others.items()]
    return replace(loaded, rules={rule.id: replace(rule, cases=tuple(cases))})


def _survivors(ruleset: Ruleset) -> list[str]:
    """Of the changes of what fires it; those of what it says are in test_rule_mutants."""
    jury = Jury(ruleset)
    judged = (jury.verdict(m) for m in mutants(ruleset) if m.part is Part.PATTERN)
    return [v.mutant.rpartition(": ")[2] for v in judged if v.survived]


def test_cases_on_both_sides_of_limit_and_window_leave_no_survivor(tmp_path: Path) -> None:
    ruleset = _one_rule(tmp_path, [BELOW, LAST_DAY], {AT: "silent", TOO_OLD: "unknown"})
    assert _survivors(ruleset) == []


@pytest.mark.parametrize(
    ("missing", "survivors"),
    [
        (BELOW, ["30 → 29 ug/L"]),
        (AT, ["< → <=", "30 → 31 ug/L"]),
        (LAST_DAY, ["within 90 d → 89 d"]),
        (TOO_OLD, ["within 90 d → 91 d"]),
    ],
)
def test_without_one_of_the_cases_just_what_it_pinned_survives(
    tmp_path: Path, missing: str, survivors: list[str]
) -> None:
    fires = [given for given in (BELOW, LAST_DAY) if given != missing]
    others = {given: said for given, said in {AT: "silent", TOO_OLD: "unknown"}.items() if given != missing}
    assert _survivors(_one_rule(tmp_path, fires, others)) == survivors


def test_without_its_cases_a_definition_is_pinned_by_rules_alone_and_mutants_survive() -> None:
    library = load_ruleset()
    bare = replace(library, definition_cases=())
    jury = Jury(bare)
    of_one = [m for m in mutants(bare) if m.name.startswith("definition b12_low_total_in_pregnancy: ")]
    assert any(jury.verdict(m).survived for m in of_one)


def test_a_case_that_fails_as_it_is_notices_nothing_and_is_named(tmp_path: Path) -> None:
    ruleset = _one_rule(tmp_path, [AT], {})
    assert "30 → 29 ug/L" in _survivors(ruleset)
    (name,) = Jury(ruleset).not_asked
    assert name.startswith("made-up.yaml:")
    assert "made-up-rule: fires" in name


def test_every_case_of_the_library_is_asked() -> None:
    assert Jury(load_ruleset()).not_asked == []


def test_a_definition_s_case_that_fails_as_it_is_is_named_too(tmp_path: Path) -> None:
    write_rule(tmp_path, "low")
    (tmp_path / "definitions.yaml").write_text(
        "definitions:\n  low:\n    says: Low\n    when: ferritin < 30 ug/L\n"
        "    cases:\n      - {given: now ferritin 90 ug/L, expect: 'true'}\n"
    )
    assert [name.split(": ")[:2] for name in Jury(load_ruleset(tmp_path)).not_asked] == [
        ["definitions.yaml:6", "low"]
    ]


def test_a_change_that_would_mean_nothing_is_not_made() -> None:
    """No result at all is never asked for, and of a condition only its newest date is known."""
    once = parse_leaf("ferritin < 30 ug/L within 90 d on 1 results")
    assert "on 1 → 2 results" in {c.what for c in changes(once)}
    assert "on 1 → 0 results" not in {c.what for c in changes(once)}
    of_condition = parse_leaf("crp > 5 mg/L within 3 d of condition celiac")
    of_course = parse_leaf("crp > 5 mg/L within 3 d of medication oral_iron")
    assert "start → last" in {c.what for c in changes(of_course)}
    assert "start → last" not in {c.what for c in changes(of_condition)}
