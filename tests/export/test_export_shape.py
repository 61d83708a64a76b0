"""What the export leaves out, and the shape of what it writes; no engine is asked."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rules.concepts import CONCEPTS
from rules.export_conditions import leaf
from rules.export_cql import export
from rules.export_facts import why_not
from rules.export_fhir import BASE, resources
from rules.export_text import NotExportable, decimal, quoted, worded
from rules.load import load_ruleset
from rules.ruleset import Ruleset
from rules.syntax import parse_leaf
from tests.rules.rule_files import write_rule
from worker.cli import app
from worker.failures import USAGE, Failure

LIBRARY = load_ruleset()
COVERING = "b12-high-iron-deficient-supplement"


def _with_a_span_that_cql_cannot_count() -> Ruleset:
    odd = replace(LIBRARY.rules[COVERING], when=parse_leaf("ferritin < 30 ug/L within 0.01 d"))
    return replace(LIBRARY, rules={**LIBRARY.rules, COVERING: odd})


def test_what_cannot_be_said_is_named_with_its_reason() -> None:
    refused = export(_with_a_span_that_cql_cannot_count()).refused
    assert "no whole number of hours" in refused[COVERING]


def test_a_rule_that_yields_to_a_lost_one_is_lost_too() -> None:
    lost = export(_with_a_span_that_cql_cannot_count())
    yielding = {r.id for r in LIBRARY.rules.values() if COVERING in r.yields_to}
    assert yielding
    assert yielding <= lost.refused.keys()
    assert set(lost.rules) == set(LIBRARY.rules) - lost.refused.keys()


def test_a_rule_that_reaches_a_lost_definition_is_lost_too() -> None:
    words = LIBRARY.vocabulary
    odd = {**words.definitions, "anemia": parse_leaf("hemoglobin < 120 g/L within 0.01 d")}
    refused = export(replace(LIBRARY, vocabulary=replace(words, definitions=odd))).refused
    assert refused["pregnancy-anemia-or-iron-deficiency"].startswith("definition anemia: ")
    assert refused["iron-deficiency-anemia-no-gi-evaluation"].startswith("definition ")


def test_a_difference_without_a_factor_is_refused() -> None:
    with pytest.raises(NotExportable, match="no factor from fL"):
        leaf(parse_leaf("hemoglobin falls 20 fL within 30 d"))


def test_an_order_of_an_analyte_without_a_name_of_its_own_is_known_by_its_codes_alone(tmp_path: Path) -> None:
    write_rule(tmp_path, "ordered mcv", more="hold: {any: [ordered ferritin]}\n")
    facts = export(load_ruleset(tmp_path)).libraries["FerruleFacts"]
    mcv, ferritin = (_definition(facts, f"{name} ordered") for name in ("mcv", "ferritin"))
    assert "787-2" in mcv
    assert "R.name" not in mcv
    assert "Matches(R.name, " in ferritin


def _definition(library: str, name: str) -> str:
    return library.split(f'define "{name}":')[1].split("define ")[0]


def test_lists_that_words_do_not_tell_apart_are_refused_by_name(tmp_path: Path) -> None:
    """In CQL a list is called by its words: two lists of one name would take each other's place."""
    early = "known(crp within 3 d of ({}))"
    one, other = early.format("hemoglobin"), early.format("hemoglobin (also preliminary)")
    assert list(export(load_ruleset(write_rule(tmp_path / "told", one))).rules) == ["made-up-rule"]
    lost = export(load_ruleset(write_rule(tmp_path / "lost", f"{one}\n        - {other}")))
    assert lost.rules == {}
    assert lost.refused == {"made-up-rule": "two lists of results have one name in words"}


def test_every_concept_can_be_said() -> None:
    assert {name: why for name, concept in CONCEPTS.items() if (why := why_not(concept))} == {}


def test_the_same_rules_give_the_same_text() -> None:
    assert export(LIBRARY) == export(load_ruleset())


def test_quotes_and_backslashes_are_escaped() -> None:
    assert quoted("Crohn's \\d") == "'Crohn\\'s \\\\d'"


def test_a_decimal_has_a_point_and_no_exponent() -> None:
    assert [decimal(Decimal(x)) for x in ("1e6", "0.445", "30")] == ["1000000.0", "0.445", "30.0"]


def test_a_text_without_a_patient_names_what_it_would_show() -> None:
    assert worded("Ferritin {ferritin}, low") == "Ferritin [Ferritin], low"


# ── FHIR ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_library_resource_holds_its_cql() -> None:
    exported = export(LIBRARY)
    for name, text in exported.libraries.items():
        content = resources(LIBRARY, exported)[f"Library-{name}"]["content"]
        assert [b64decode(c["data"]).decode() for c in content if c["contentType"] == "text/cql"] == [text]


def test_every_canonical_address_is_that_of_a_resource_exported_with_it() -> None:
    found = resources(LIBRARY, export(LIBRARY))
    there = {f"{r['url']}|{r['version']}" for r in found.values()}
    wanted = {a["resource"] for r in found.values() for a in r.get("relatedArtifact", ()) if "resource" in a}
    wanted |= {address for r in found.values() for address in r.get("library", ())}
    assert wanted <= there
    assert all(address.startswith(BASE) for address in there)


def test_every_expression_of_a_plan_is_defined_in_its_library() -> None:
    exported = export(LIBRARY)
    found = resources(LIBRARY, exported)
    for rule, library in exported.rules.items():
        plan = found[f"PlanDefinition-{rule}"]
        actions = [*plan["action"], *(step for a in plan["action"] for step in a.get("action", ()))]
        named = {c["expression"]["expression"] for a in actions for c in a.get("condition", ())}
        assert named
        assert all(f'define "{name}":' in exported.libraries[library] for name in named)


def _with_a_pattern_of_python_s_own() -> Ruleset:
    words = LIBRARY.vocabulary
    odd = replace(words.concepts["celiac"], name_pattern=re.compile(r"(?<!x)celiac"))
    return replace(LIBRARY, vocabulary=replace(words, concepts={**words.concepts, "celiac": odd}))


def test_a_concept_that_cql_cannot_say_is_left_out_with_all_that_name_it() -> None:
    exported = export(_with_a_pattern_of_python_s_own())
    assert exported.refused["codeficiency-known-malabsorption"].count("celiac")
    assert "// celiac is left out: the pattern" in exported.libraries["FerruleFacts"]


def test_one_rule_that_cannot_be_said_is_exported_as_its_reason() -> None:
    lost = export(_with_a_span_that_cql_cannot_count())
    assert lost.only(COVERING).refused == {COVERING: lost.refused[COVERING]}
    assert lost.only(COVERING).libraries == {}


def test_a_definition_may_not_be_called_as_a_condition_reads() -> None:
    words = LIBRARY.vocabulary
    clash = {**words.definitions, "pregnant": parse_leaf("pregnant")}
    with pytest.raises(NotExportable, match="definition and condition of one name: pregnant"):
        export(replace(LIBRARY, vocabulary=replace(words, definitions=clash)))


# ── the verb ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_verb_writes_one_rule_and_what_it_includes(tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["rules", "export", "--format", "cql", "--rule", "folate-low", "--out", str(tmp_path)]
    )
    assert told.exit_code == 0, told.output
    assert {p.name for p in tmp_path.iterdir()} == {
        "FerruleCommon.cql",
        "FerruleFacts.cql",
        "FerruleDefinitions.cql",
        "FerruleFolateLow.cql",
    }


def test_the_verb_writes_fhir(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["rules", "export", "--format", "fhir", "--out", str(tmp_path)])
    assert told.exit_code == 0, told.output
    found = [json.loads(p.read_text()) for p in tmp_path.glob("*.json")]
    assert {r["resourceType"] for r in found} == {"Library", "PlanDefinition"}
    assert len(found) == 2 * len(LIBRARY.rules) + 3


def test_the_verb_refuses_an_unknown_rule_and_an_unknown_format(tmp_path: Path) -> None:
    for wrong in (["--rule", "no-such-rule"], ["--format", "xml"]):
        told = CliRunner().invoke(app, ["rules", "export", *wrong, "--out", str(tmp_path)])
        assert isinstance(told.exception, Failure)
        assert told.exception.code == USAGE
