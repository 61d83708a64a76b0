"""A site's own concepts, and codes added to the library's: in force, signed, shown, refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.cases import run_cases
from rules.catalogue import render
from rules.concept_rows import concept_rows
from rules.describe import change_lines
from rules.export_cql import export
from rules.lint import Level, lint
from rules.load import load_ruleset
from rules.yaml_source import BadFile
from tests.rules.rule_files import write_rule

SIGNED = "site: Made-up Hospital\nsigned_by: Dr. Made Up\nsigned_on: 2026-11-01\n"
IRON_DRINK = """\
concepts:
  oral_iron:
    codes:
      "urn:north:pharmacy": [FE-1*]
    names: [ferro drink]
    because: the pharmacy's own list
"""
OWN = """\
concepts:
  ferro_drink:
    kind: medication
    codes: {"urn:north:pharmacy": [FE-100]}
    because: the pharmacy's own list
"""
GIVEN = "2026-03-01 ferritin 9 ug/L; 2026-03-01 b12 400 pg/mL; 2026-02-20 medication {} oral"


def _site(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(SIGNED + text)
    return path


def _case(rule: str, fact: str, expect: str) -> str:
    return f"cases:\n  - rule: {rule}\n    name: own\n    given: {GIVEN.format(fact)}\n    expect: {expect}\n"


def _failures(folder: Path, text: str) -> list[str]:
    """What the site's own cases say of a directory that holds one rule."""
    ruleset = load_ruleset(folder / "rules", _site(folder, text))
    return [f.said for f in run_cases(ruleset) if f and f.where.startswith("site.yaml")]


def test_a_code_or_name_added_to_a_concept_of_the_library_means_it_at_this_site(tmp_path: Path) -> None:
    write_rule(tmp_path / "rules", "medication oral_iron within 90 d")
    for fact in ("urn:north:pharmacy|FE-100", "other|X named Ferro  Drink 50 mL"):
        case = _case("made-up-rule", fact, "fires")
        assert _failures(tmp_path, IRON_DRINK + case) == []
        assert _failures(tmp_path, case) == ["expected fires, came silent"]


def test_a_concept_of_the_site_s_own_can_be_asked_for_and_stands_in_cases_by_its_name(tmp_path: Path) -> None:
    write_rule(tmp_path / "rules", "medication ferro_drink within 90 d")
    assert _failures(tmp_path, OWN + _case("made-up-rule", "ferro_drink", "fires")) == []
    with pytest.raises(BadFile, match=r"unknown medication concept 'ferro_drink'; "):
        load_ruleset(tmp_path / "rules")


def test_a_site_s_own_concept_means_what_the_parts_it_includes_mean(tmp_path: Path) -> None:
    own = OWN.replace("    because", "    includes: [oral_iron]\n    because")
    write_rule(tmp_path / "rules", "medication ferro_drink within 90 d")
    for fact, expected in (("oral_iron", "fires"), ("ferro_drink", "fires"), ("b12_supplement", "silent")):
        assert _failures(tmp_path, own + _case("made-up-rule", fact, expected)) == []
    assert _failures(tmp_path, OWN + _case("made-up-rule", "oral_iron", "silent")) == []


def test_what_was_added_is_signed_and_shown_with_the_rules_that_rest_on_it(tmp_path: Path) -> None:
    plain, ruleset = load_ruleset(), load_ruleset(site=_site(tmp_path, IRON_DRINK))
    said = "\n".join(change_lines(ruleset, "oral-iron-no-response"))
    assert "oral_iron: concept of the library → with urn:north:pharmacy FE-1*; names ferro drink" in said
    assert "the pharmacy's own list (Dr. Made Up, Made-up Hospital, 2026-11-01)" in said
    assert "changes nothing here" in "\n".join(change_lines(ruleset, "hemoglobin-critical"))
    assert "urn:north:pharmacy: FE-1*" in render(ruleset, "md")
    assert ruleset.fingerprint != plain.fingerprint
    (row,) = [row for row in concept_rows(ruleset) if row["concept"] == "oral_iron"]
    assert "urn:north:pharmacy: FE-1*" in row["codes"]
    assert "oral-iron-no-response" in row["rules"]


def test_a_code_taken_out_no_longer_means_the_concept(tmp_path: Path) -> None:
    text = (
        "concepts:\n  celiac:\n    except: {icd10: [K90.0]}\n    because: K90.0 means something else here\n"
    )
    celiac = load_ruleset(site=_site(tmp_path, text)).vocabulary.concepts["celiac"]
    assert "not icd10: K90.0" in next(
        row["codes"]
        for row in concept_rows(load_ruleset(site=tmp_path / "site.yaml"))
        if row["concept"] == "celiac"
    )
    assert celiac.exceptions[-1].fits("icd10", "K900")


def test_a_concept_that_holds_another_holds_its_new_codes_too(tmp_path: Path) -> None:
    holding = next(c for c in load_ruleset().vocabulary.concepts.values() if c.parts)
    part = holding.parts[0].name
    text = (
        f"concepts:\n  {part}:\n    codes: {{snomed: ['990099']}}\n    because: as our problem list has it\n"
    )
    ruleset = load_ruleset(site=_site(tmp_path, text))
    (row,) = [row for row in concept_rows(ruleset) if row["concept"] == holding.name]
    assert "snomed: 990099" in row["codes"]


def test_a_site_s_codes_are_exported_as_well(tmp_path: Path) -> None:
    rules = write_rule(tmp_path / "rules", "medication ferro_drink within 90 d")
    facts = export(load_ruleset(rules, _site(tmp_path, OWN))).libraries["FerruleFacts"]
    assert '"is ferro_drink"' in facts
    assert "urn:north:pharmacy" in facts


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        (
            "  oral_iron:\n    codes: {rxnorn: ['1']}\n",
            6,
            "unknown code system 'rxnorn'; did you mean 'rxnorm'?",
        ),
        (
            "  oral_iron:\n    kind: medication\n    codes: {atc: [B03A]}\n",
            6,
            "of the library; leave 'kind' out",
        ),
        (
            "  oral_irn:\n    codes: {atc: [B03A]}\n",
            5,
            "did you mean 'oral_iron'? a new one needs its 'kind'",
        ),
        ("  ferritin:\n    kind: order\n    codes: {cpt: ['82728']}\n", 5, "'ferritin' is an analyte"),
        ("  ours:\n    kind: order\n", 5, "gives no codes and no names"),
        ("  ours:\n    kind: order\n    codes: {cpt: ['*']}\n", 7, "would take every code"),
        ("  ours:\n    kind: order\n    codes: {cpt: []}\n", 7, "at least 1"),
        (
            "  ours:\n    kind: order\n    includes: [celiak]\n",
            7,
            "unknown concept 'celiak'; did you mean 'celiac'",
        ),
        (
            "  ours:\n    kind: order\n    includes: [celiac]\n",
            7,
            "'celiac' is a condition concept, not a order",
        ),
        ("  ours:\n    kind: order\n    includes: [ours]\n", 7, "only the library's can be parts"),
        ("  ours:\n    kind: order\n    names: ['(a+)+$']\n", 7, "names"),
    ],
)
def test_b100_a_concept_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, body: str, line: int, says: str
) -> None:
    text = f"concepts:\n{body}    because: as our own list has it\n"
    with pytest.raises(BadFile) as refused:
        load_ruleset(site=_site(tmp_path, text))
    assert str(refused.value).startswith(f"site.yaml:{line}: ")
    assert says in str(refused.value)


def test_a_code_that_means_something_already_is_a_warning_with_its_line(tmp_path: Path) -> None:
    text = (
        "concepts:\n  oral_iron:\n    because: as our own list has it\n    codes:\n      atc:\n"
        "        - B03AA07\n        - B03BA01\n"
    )
    found = [f for f in lint(None, _site(tmp_path, text), None) if f.code == "overlapping-code"]
    assert {f.level for f in found} == {Level.WARNING}
    assert (found[0].line, found[0].message) == (9, "B03AA07 is one of its codes already")
    assert any(f.line == 10 and "means 'b12_supplement'" in f.message for f in found)
