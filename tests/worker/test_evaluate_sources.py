"""`ferrule evaluate` and `explain` read what a laboratory sends under codes and units of its own."""

import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from worker.verbs.evaluate import app as evaluating
from worker.verbs.explain import app as explaining

SOURCES = Path("deploy/examples/sources.yaml")
MESSAGE = "\r".join(
    (
        "MSH|^~\\&|LABOR|MUSTERSTADT|FER|HOSP|202603010800||ORU^R01|1|P|2.5",
        "PID|1||77",
        "OBR|1||F1|BB|||202603010730",
        "OBX|1|NM|HB^Hämoglobin^L||6,1|g/dl|12,0-16,0|LL|||F",
        "",
    )
)


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "day.hl7"
    path.write_bytes(MESSAGE.encode())
    return path


def run(app: Typer, *asked: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(one) for one in asked])
    return done.exit_code, done.output


def found(said: str) -> set[str]:
    line = next(line for line in said.splitlines() if line.startswith("{"))
    return {one["rule"] for one in json.loads(line)["findings"]} & {"hemoglobin-critical"}


def test_local_codes_decimals_and_zone_of_a_source_are_read_with_its_file(message: Path) -> None:
    code, said = run(evaluating, message, "--json", "--sources", SOURCES)
    assert code == 0
    assert found(said) == {"hemoglobin-critical"}
    assert "urn:mrn:klinikum-musterstadt" in said
    assert "2026-03-01T06:30:00Z" in said


def test_without_the_file_the_same_is_not_used_and_says_so(message: Path) -> None:
    code, said = run(evaluating, message, "--json")
    assert code == 0
    assert found(said) == set()
    assert '"reason": "code-unknown"' in said


def test_explain_reads_the_same_file(message: Path) -> None:
    rule = ("--rule", "hemoglobin-critical")
    assert "fires" in run(explaining, message, *rule, "--sources", SOURCES)[1].splitlines()[1]
    assert "fires" not in run(explaining, message, *rule)[1].splitlines()[1]


@pytest.mark.parametrize("app", [evaluating, explaining], ids=["evaluate", "explain"])
def test_a_sources_file_that_is_wrong_is_refused_by_file_and_line(
    message: Path, tmp_path: Path, app: Typer
) -> None:
    wrong = tmp_path / "sources.yaml"
    wrong.write_text("sources:\n  - {name: x, zone: Mars/Base}\n")
    more = ("--rule", "hemoglobin-critical") if app is explaining else ()
    done = CliRunner().invoke(app, [str(message), *more, "--sources", str(wrong)])
    assert done.exit_code != 0
    assert "sources.yaml:2" in f"{done.output} {done.exception}"
