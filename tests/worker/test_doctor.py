"""What `ferrule doctor` says of intake: the unit watch, the quarantine's age, the sources file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.checkup import Finding, Health, examine
from worker.database import writing
from worker.pipeline import judge
from worker.settings import read_settings
from worker.tables import QUARANTINE_ITEM


def asked(engine: Engine, **settings: str) -> dict[str, Finding]:
    """Each part's finding on this database."""
    given = {"database_url": engine.url.render_as_string(hide_password=False), **settings}
    read = read_settings({f"FERRULE_{name.upper()}": value for name, value in given.items()})
    return {finding.part: finding for finding in examine(read)}


def test_the_doctor_names_a_source_whose_values_look_like_another_unit(engine: Engine) -> None:
    deps = deps_on(engine)
    assert asked(engine)["unit watch"].health is Health.WELL
    tenth = ["0.4", "0.3", "0.5", "0.2", "0.8"]
    events = [event(f"M{n}", [result(f"R{n}", "crp", tenth[n % 5])], patient=f"P{n % 7}") for n in range(40)]
    judge(deps, [receipt.message for receipt in accept(engine, [inbound(one) for one in events])])
    found = asked(engine)["unit watch"]
    assert found.health is Health.WARNING
    assert "urn:lab:north: crp in mg/L looks like mg/dL" in found.said


def test_the_doctor_counts_the_quarantine_and_says_for_how_long(engine: Engine) -> None:
    assert "quarantine" not in asked(engine)
    odd = {**result("R1", "ferritin", "9"), "unit": "ug/Liter"}
    judge(deps_on(engine), [r.message for r in accept(engine, [inbound(event("M1", [odd]))])])
    with writing(engine) as connection:
        ago = datetime.now(UTC) - timedelta(days=3, hours=1)
        connection.execute(QUARANTINE_ITEM.update().values(created_at=ago))
    assert asked(engine)["quarantine"].said.startswith("1 wait, the oldest for 3 d")


@pytest.mark.parametrize(
    ("text", "health", "said"),
    [
        (
            "sources:\n  - name: north\n    recognized_by: {events: ['urn:lab:north']}\n",
            Health.WELL,
            "1 source",
        ),
        ("sources:\n  - name: north\n    zone: Mars/Olympus\n", Health.ILL, "sources.yaml:"),
        ("\x00\xff", Health.ILL, "sources.yaml"),
    ],
    ids=["good", "wrong", "no-yaml"],
)
def test_the_doctor_reads_the_sources_file(
    sqlite_url: str, tmp_path: Path, text: str, health: Health, said: str
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(text, encoding="latin-1")
    given = {"FERRULE_DATABASE_URL": sqlite_url, "FERRULE_SOURCES_FILE": str(file)}
    found = {finding.part: finding for finding in examine(read_settings(given))}["sources file"]
    assert found.health is health
    assert said in found.said
