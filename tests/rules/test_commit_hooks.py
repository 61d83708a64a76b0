"""What a commit is held to: the commands of the pre-commit files, run as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.rules.rule_files import write_rule

ROOT = Path(__file__).parents[2]
LOCAL = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
SITES = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
BROKEN_SITE = "site: North\nsigned_by: Dr. Made Up\nsigned_on: 2026-11-01\nstatuses: {folate-lw: silent}\n"


def _ran(entry: str, *arguments: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The hook's command with what pre-commit would append; programs are those beside this Python."""
    program, *words = shlex.split(entry)
    command = [str(Path(sys.executable).with_name(Path(program).name)), *words, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def _entry(hooks: list[dict[str, str]], name: str) -> str:
    return next(hook["entry"] for hook in hooks if hook["id"] == name)


def test_a_broken_rule_does_not_pass_and_its_line_and_remedy_are_said(tmp_path: Path) -> None:
    ran = _ran(_entry(LOCAL, "rules-lint"), "--rules", write_rule(tmp_path, "feritin < 30 ug/L"))
    assert ran.returncode == 1
    assert ran.stdout.startswith(
        "made-up.yaml:13: error: unknown analyte 'feritin'; did you mean 'ferritin'?"
    )


def test_a_case_that_fails_does_not_pass_and_says_what_each_condition_saw(tmp_path: Path) -> None:
    ran = _ran(_entry(LOCAL, "rules-test"), "--rules", write_rule(tmp_path, "ferritin < 5 ug/L"))
    assert ran.returncode == 1
    assert "made-up.yaml:" in ran.stdout
    assert "expected fires, came silent" in ran.stdout
    assert "ferritin 9 ng/mL, 2026-03-01" in ran.stdout


@pytest.mark.parametrize("name", ["ruff", "ruff-format"])
def test_python_is_held_to_the_house_s_form(tmp_path: Path, name: str) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import os\nx = {  'a':1 }\n")
    assert _ran(_entry(LOCAL, name), bad).returncode == 1


def test_the_rule_hooks_run_for_every_file_of_the_library_and_only_these() -> None:
    for hook in LOCAL:
        if hook["id"].startswith("rules-"):
            of_library = (ROOT / "rules" / "library").rglob("*.yaml")
            assert all(re.search(hook["files"], str(f.relative_to(ROOT))) for f in of_library)
            assert not re.search(hook["files"], "tests/rules/clinical_cases.yaml")


def test_a_site_s_hooks_run_for_every_file_that_its_own_may_name_and_for_each_of_them_once() -> None:
    """A rule file that changed is handed on to no program that asks for the site's file."""
    assert [(hook["types"], hook["pass_filenames"]) for hook in SITES] == [(["yaml"], False)] * 2


@pytest.mark.parametrize("name", ["ferrule-site-lint", "ferrule-site-test"])
def test_a_site_s_own_repository_can_use_the_hook_for_its_file(tmp_path: Path, name: str) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(BROKEN_SITE)
    (hook,) = [hook for hook in SITES if hook["id"] == name]
    ran = _ran(hook["entry"], *hook["args"], folder=tmp_path)
    assert ran.returncode != 0
    assert "unknown rule 'folate-lw'; did you mean 'folate-low'?" in ran.stdout + ran.stderr
    assert "site.yaml:4" in ran.stdout + ran.stderr
