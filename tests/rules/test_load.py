"""What a rule file may not say, and that the error names file, line and remedy (rows B100 and B101)."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load import load_ruleset
from rules.yaml_source import BadFile
from tests.rules.rule_files import RULE, write_rule


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        ("ferritin < 30", "a unit such as ug/L"),
        ("ferritin < 30 furlong", "unknown unit 'furlong'"),
        ("feritin < 30 ug/L", "unknown analyte 'feritin'; did you mean 'ferritin'?"),
        ("medication no_such_concept within 90 d", "unknown medication concept 'no_such_concept'"),
        ("medication celiac within 90 d", "'celiac' is a condition concept"),
        ("no_such_definition", "unknown definition 'no_such_definition'"),
        ("hemoglobin < table no_such_table", "unknown limit table 'no_such_table'"),
        ("ferritin < 30 ug/L within 90 days", "cannot read"),
        ("crp >= 5 mg/L within 14 d of feritin", "'feritin'"),
        ("ordered feritin", "unknown analyte 'feritin'"),
        ("crp > 5 mg/L within 3 d of condition celeriac", "unknown condition concept 'celeriac'"),
        ("ferritin noted no_such_remark", "unknown note concept 'no_such_remark'"),
        ("ferritin < 30 ug/L at most 3 d after crp", "write '0..N d after'"),
        ("{at_least: {n: 3, of: [pregnant, b12 < 180 pg/mL]}}", "asks for 3 of 2"),
        ("{}", "an empty condition"),
    ],
)
def test_b100_an_expression_that_means_nothing_is_refused_with_its_line(
    tmp_path: Path, leaf: str, says: str
) -> None:
    with pytest.raises(BadFile) as refused:
        load_ruleset(write_rule(tmp_path, leaf))
    message = str(refused.value)
    assert message.startswith("made-up.yaml:13: ")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("    status: active\n", "    status: maybe\n", 7, "'retired', got 'maybe'"),
        ("    severity: high\n", "", 5, "'severity' is missing"),
        ("    version: 1\n", "    version: 1\n    colour: red\n", 7, "unknown key 'colour'"),
        ("        - ferritin < 30 ug/L\n", "        []\n", 12, "at least 1"),
        ("    sources: [seed]\n", "    sources: [sead]\n", 17, "unknown source 'sead'; did you mean 'seed'?"),
        ("    headline: A made-up headline\n", f"    headline: {'x' * 141}\n", 10, "140"),
        (
            "    sources:",
            "    follow_up: [{expect: b12, within: 3 days}]\n    sources:",
            17,
            "such as '42 d'",
        ),
        (
            "    headline: A made-up headline\n",
            "    headline: [{say: A, when: pregnant}, {say: B, when: pregnant}]\n",
            10,
            "the last say, and only it, must be without a 'when'",
        ),
    ],
)
def test_b100_a_shape_that_does_not_fit_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    text = RULE.format(leaf="ferritin < 30 ug/L", more="")
    assert old in text
    (tmp_path / "made-up.yaml").write_text(text.replace(old, new))
    with pytest.raises(BadFile) as refused:
        load_ruleset(tmp_path)
    assert str(refused.value).startswith(f"made-up.yaml:{line}: ")
    assert says in str(refused.value)


def test_the_folder_above_the_rule_files_is_named_as_such(tmp_path: Path) -> None:
    write_rule(tmp_path / "questions")
    with pytest.raises(BadFile, match="one folder below"):
        load_ruleset(tmp_path)


def test_b100_definitions_in_a_circle_are_refused(tmp_path: Path) -> None:
    write_rule(tmp_path, "one")
    (tmp_path / "definitions.yaml").write_text(
        "definitions:\n  one: {says: One, when: two}\n  two: {says: Two, when: one}\n"
    )
    with pytest.raises(BadFile, match="circle"):
        load_ruleset(tmp_path)


def test_b100_definitions_in_a_circle_through_two_files_are_refused_by_one_of_them(tmp_path: Path) -> None:
    write_rule(tmp_path, "one")
    (tmp_path / "definitions.yaml").write_text("definitions:\n  one: {says: One, when: two}\n")
    (tmp_path / "definitions-more.yaml").write_text("definitions:\n  two: {says: Two, when: one}\n")
    with pytest.raises(BadFile, match=r"definitions(-more)?\.yaml:2: .*circle"):
        load_ruleset(tmp_path)


def test_definitions_may_stand_in_several_files_and_name_each_other(tmp_path: Path) -> None:
    write_rule(tmp_path, "one")
    (tmp_path / "definitions.yaml").write_text("definitions:\n  one: {says: One, when: two}\n")
    (tmp_path / "definitions-more.yaml").write_text(
        "definitions:\n  two:\n    says: Two\n    when: ferritin < 30 ug/L\n"
        "    cases:\n      - {given: now ferritin 9 ug/L, expect: 'true'}\n"
    )
    loaded = load_ruleset(tmp_path)
    assert set(loaded.vocabulary.definitions) == {"one", "two"}
    assert [(c.definition, c.file, c.line) for c in loaded.definition_cases] == [
        ("two", "definitions-more.yaml", 6)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "definitions:\n  one: {says: One, when: pregnant}\n",
        "selections:\n  one: {says: One, select: b12}\n",
        "tables:\n  one: {analyte: b12, says: One, rows: [{limit: 5 ug/L, source: seed}]}\n",
    ],
)
def test_a_name_stands_in_one_definitions_file(tmp_path: Path, text: str) -> None:
    write_rule(tmp_path)
    (tmp_path / "definitions.yaml").write_text(text)
    (tmp_path / "definitions-more.yaml").write_text(text)
    with pytest.raises(BadFile, match=r"definitions\.yaml:2: 'one' stands already in definitions-more\.yaml"):
        load_ruleset(tmp_path)


def test_b100_rules_that_yield_in_a_circle_are_refused(tmp_path: Path) -> None:
    write_rule(tmp_path, more="yields_to: [made-up-rule]\n")
    with pytest.raises(BadFile, match=r"\.yaml:\d+: .*circle.*take one"):
        load_ruleset(tmp_path)


def test_a_rule_that_fires_on_a_patient_of_whom_nothing_is_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="nothing is known"):
        load_ruleset(write_rule(tmp_path, "no ferritin within 30 d"))


def test_a_rule_id_may_stand_once(tmp_path: Path) -> None:
    write_rule(tmp_path)
    write_rule(tmp_path, name="second.yaml")
    with pytest.raises(BadFile, match=r"stands already in made-up\.yaml:5"):
        load_ruleset(tmp_path)


def test_a_key_may_stand_once(tmp_path: Path) -> None:
    text = RULE.format(leaf="ferritin < 30 ug/L", more="")
    (tmp_path / "made-up.yaml").write_text(text + "owner: somebody\n")
    with pytest.raises(BadFile, match=r"made-up\.yaml:29: the key 'owner' stands twice"):
        load_ruleset(tmp_path)


def test_yaml_tags_run_nothing(tmp_path: Path) -> None:
    (tmp_path / "made-up.yaml").write_text("topic: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(BadFile):
        load_ruleset(tmp_path)


def test_b101_nesting_and_size_are_limited(tmp_path: Path) -> None:
    deep = "ferritin < 30 ug/L"
    for _ in range(12):
        deep = f"{{all: [{deep}]}}"
    with pytest.raises(BadFile, match=r"made-up\.yaml:13: conditions nest deeper than 8"):
        load_ruleset(write_rule(tmp_path / "deep", deep))
    wide = f"{{any: [{', '.join(['ferritin < 30 ug/L'] * 41)}]}}"
    with pytest.raises(BadFile, match=r"made-up\.yaml:13: .*40"):
        load_ruleset(write_rule(tmp_path / "wide", wide))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("#" * 1_000_001, r"made-up\.yaml:1: file is larger than 1000000 bytes"),
        ("topic:\n  [" + "a," * 499_000 + "]", r"made-up\.yaml:2: the file has more than 100000 nodes"),
        ("topic: " + "[" * 400_000 + "]" * 400_000, r"made-up\.yaml:1: the file nests deeper than 40"),
        ("topic:\n" + "- " * 400_000 + "a", r"made-up\.yaml:2: the file nests deeper than 40"),
        ("topic: " + "{a: " * 100_000, r"made-up\.yaml:1: the file nests deeper than 40"),
        ("topic: &a [x]\nowner: *a\n", r"made-up\.yaml:2: aliases"),
    ],
)
def test_b101_a_file_too_large_to_read_is_refused_before_it_is_read(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "made-up.yaml").write_text(text)
    with pytest.raises(BadFile, match=says):
        load_ruleset(tmp_path)


def _chained(folder: Path, length: int, named: int) -> Path:
    """A rule on the last of so many definitions, each of which names the one before it so many times."""
    write_rule(folder, f"d{length}")
    lines = ["definitions:", "  d0: {says: zero, when: ferritin < 30 ug/L}"]
    for i in range(length):
        before = ", ".join([f"d{i}"] * named)
        lines += [f"  d{i + 1}: {{says: one, when: {{any: [{before}]}}}}"]
    (folder / "definitions.yaml").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(("length", "named"), [(12, 2), (19, 30), (20, 1), (2_000, 1)])
def test_b101_definitions_that_open_without_end_are_refused(tmp_path: Path, length: int, named: int) -> None:
    with pytest.raises(BadFile, match=r"made-up\.yaml:5: 'made-up-rule' has \d+ conditions .* simplify it"):
        load_ruleset(_chained(tmp_path, length, named))


def test_definitions_may_rest_on_each_other_twenty_deep(tmp_path: Path) -> None:
    assert "made-up-rule" in load_ruleset(_chained(tmp_path, 19, 1)).rules


def test_everything_wrong_is_said_at_once_each_with_its_line(tmp_path: Path) -> None:
    write_rule(tmp_path, "feritin < 30 ug/L\n        - b12 < 180")
    write_rule(tmp_path, "ferritin < 30 furlong", name="second.yaml")
    with pytest.raises(BadFile) as refused:
        load_ruleset(tmp_path)
    assert [problem.split(": ")[0] for problem in refused.value.problems] == [
        "made-up.yaml:13",
        "made-up.yaml:14",
        "second.yaml:13",
    ]
    assert str(refused.value).endswith("(and 2 more; `ferrule rules lint` lists them)")


def test_every_key_that_does_not_fit_is_said_and_each_once(tmp_path: Path) -> None:
    text = RULE.format(leaf="{ny: [ferritin < 30 ug/L]}", more="    colour: red\n")
    (tmp_path / "made-up.yaml").write_text(text.replace("    version: 1\n", ""))
    with pytest.raises(BadFile) as refused:
        load_ruleset(tmp_path)
    lines = sorted(problem.split("; ")[0] for problem in refused.value.problems)
    assert lines == [
        "made-up.yaml:12: unknown key 'ny'",
        "made-up.yaml:13: unknown key 'colour'",
        "made-up.yaml:5: 'version' is missing (rules.0.version)",
    ]


def test_an_empty_or_missing_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no rule files"):
        load_ruleset(tmp_path)
    with pytest.raises(BadFile, match="no rule files"):
        load_ruleset(tmp_path / "nowhere")


def test_the_same_files_have_the_same_fingerprint_and_a_changed_limit_another(tmp_path: Path) -> None:
    first = load_ruleset(write_rule(tmp_path / "a")).fingerprint
    assert load_ruleset(write_rule(tmp_path / "b")).fingerprint == first
    assert load_ruleset(write_rule(tmp_path / "c", "ferritin < 31 ug/L")).fingerprint != first


def test_a_site_may_change_a_status_and_signs_for_it(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: Made-up Hospital\nsigned_by: Dr. Made Up\nsigned_on: 2026-01-01\n"
        "statuses:\n  ferritin-equivocal: silent\n"
    )
    plain, signed = load_ruleset(), load_ruleset(site=site)
    assert plain.rules["ferritin-equivocal"].status == "active"
    assert signed.rules["ferritin-equivocal"].status == "silent"
    assert signed.fingerprint != plain.fingerprint
    site.write_text(site.read_text().replace("ferritin-equivocal", "no-such-rule"))
    with pytest.raises(BadFile, match=r"site\.yaml:5: unknown rule 'no-such-rule'"):
        load_ruleset(site=site)


def test_a_named_selection_takes_no_window_of_its_own(tmp_path: Path) -> None:
    selections = "selections:\n  last_b12: {says: The last B12, select: b12 within 30 d}\n"
    write_rule(tmp_path, "last_b12 < 180 pg/mL")
    (tmp_path / "definitions.yaml").write_text(selections)
    assert "made-up-rule" in load_ruleset(tmp_path).rules
    write_rule(tmp_path, "last_b12 < 180 pg/mL within 9 d")
    with pytest.raises(BadFile, match=r"made-up\.yaml:13: 'last_b12' has its window already"):
        load_ruleset(tmp_path)


def test_a_limit_of_a_table_is_a_number_and_a_unit(tmp_path: Path) -> None:
    write_rule(tmp_path)
    (tmp_path / "definitions.yaml").write_text(
        "tables:\n  one: {analyte: b12, says: One, rows: [{limit: low, source: seed}]}\n"
    )
    with pytest.raises(BadFile, match=r"definitions\.yaml:2: limit 'low' is not 'NUMBER UNIT'"):
        load_ruleset(tmp_path)


def test_a_rule_of_too_many_conditions_is_refused(tmp_path: Path) -> None:
    wide = f"{{any: [{', '.join(['ferritin < 30 ug/L'] * 40)}]}}"
    with pytest.raises(BadFile, match=r"made-up\.yaml:11: more than 200 conditions; split the rule"):
        load_ruleset(write_rule(tmp_path, "\n        - ".join([wide] * 6)))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"topic: \xff\n", r"made-up\.yaml:1: not UTF-8"),
        (b"topic: \x00\n", r"made-up\.yaml:1: not YAML: a character that may not stand in a file"),
        (b"", r"made-up\.yaml:1: "),
    ],
)
def test_a_file_that_holds_no_text_to_read_is_refused(tmp_path: Path, raw: bytes, says: str) -> None:
    (tmp_path / "made-up.yaml").write_bytes(raw)
    with pytest.raises(BadFile, match=says):
        load_ruleset(tmp_path)
