"""Who sends to us, how each is recognized, and what a file that is wrong does."""

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from rules.yaml_source import BadFile
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.composition import sources_of
from worker.database import reading
from worker.intake.dialect import DecimalMark
from worker.pipeline import judge
from worker.settings import read_settings
from worker.sources import LOOK_SECONDS, NO_SOURCES, Sources, Watched, load_sources
from worker.tables import RESULT

NORTH = """\
sources:
  - name: north
    recognized_by:
      events: [urn:lab:north]
      hl7:
        - {facility: NORTH, application: LIS}
        - {facility: "NORTH & SONS"}
      certificates: [lis.north.example]
    zone: Europe/Oslo
    decimal: comma
    authority: urn:mrn:north
    authorities: [urn:mrn:county]
    mapping: north.yaml
  - name: anyone-else
    recognized_by:
      hl7: [{application: LIS}]
"""
MAPPING = """\
laboratory: North (made up)
system: urn:north:codes
codes:
  - {code: FERR, loinc: 2276-4, unit: ug/L}
"""


def written(folder: Path, sources: str = NORTH, mapping: str = MAPPING) -> Path:
    (folder / "north.yaml").write_text(mapping, encoding="utf-8")
    path = folder / "sources.yaml"
    path.write_text(sources, encoding="utf-8")
    return path


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return load_sources(written(tmp_path))


def test_an_event_is_recognized_by_its_source(sources: Sources) -> None:
    assert sources.label("urn:lab:north") == "north"
    assert sources.label("urn:lab:south") == "other"


def test_an_hl7_message_is_recognized_by_the_sender_that_names_most_of_its_header(sources: Sources) -> None:
    assert sources.label("urn:hl7v2:NORTH:LIS") == "north"
    assert sources.label("urn:hl7v2:NORTH%20%26%20SONS:anything") == "north"
    assert sources.label("urn:hl7v2:SOUTH:LIS") == "anyone-else"
    assert sources.label("urn:hl7v2:SOUTH:other") == "other"
    assert getattr(sources.by_header("NORTH", "LIS"), "name", None) == "north"


def test_a_client_certificate_names_its_sender(sources: Sources) -> None:
    assert getattr(sources.by_certificate(["LIS.north.example"]), "name", None) == "north"
    assert sources.by_certificate(["lis.south.example"]) is None


def test_a_sender_may_speak_of_the_authorities_listed_and_its_own_alone(sources: Sources) -> None:
    north, other = sources.senders
    assert [north.may_speak_of(a) for a in ("urn:mrn:north", "urn:mrn:county", "urn:mrn:south")] == [
        True,
        True,
        False,
    ]
    assert other.may_speak_of("urn:mrn:south")


def test_how_a_sender_writes_comes_with_it(sources: Sources) -> None:
    dialect = sources.dialect("urn:lab:north")
    assert (str(dialect.zone), dialect.decimal, dialect.authority) == (
        "Europe/Oslo",
        DecimalMark.COMMA,
        "urn:mrn:north",
    )
    assert getattr(dialect.meaning("urn:north:codes", "FERR", ""), "loinc", None) == "2276-4"
    assert dialect.meaning("urn:south:codes", "FERR", "") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("zone: Europe/Oslo", "zone: Mars/Olympus", "sources.yaml:9: 'Mars/Olympus' is no time zone"),
        ("decimal: comma", "decimal: dot", "sources.yaml:10: "),
        ("zone:", "zome:", "sources.yaml:9: unknown key 'zome'; did you mean 'zone'? `ferrule codes schema`"),
        ("mapping: north.yaml", "mapping: south.yaml", "sources.yaml:13: south.yaml cannot be read"),
        ("mapping: north.yaml", "mapping: ../north.yaml", "sources.yaml:13: a mapping file lies beside"),
        ("name: anyone-else", "name: north", "sources.yaml:14: name of 'north' is that of 'north' too"),
        ("name: anyone-else", "name: other", "sources.yaml:14: 'other' names what is not configured"),
        ("{application: LIS}]", "{facility: NORTH, application: LIS}]", "sources.yaml:14: hl7 of"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line_and_a_remedy(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(BadFile) as refused:
        load_sources(written(tmp_path, NORTH.replace(old, new)))
    assert str(refused.value).startswith(said)


def test_a_wrong_mapping_is_refused_with_its_own_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"^north.yaml:4: the check digit of 2276-5 is wrong"):
        load_sources(written(tmp_path, mapping=MAPPING.replace("2276-4", "2276-5")))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        load_sources(tmp_path / "absent.yaml")
    assert load_sources(None) is NO_SOURCES


def test_a_changed_file_is_read_again_and_a_wrong_one_leaves_the_old_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = written(tmp_path), []
    monkeypatch.setattr("worker.sources.LOOK_SECONDS", 0)
    watched = Watched(path, told.append)
    assert watched().dialect("urn:lab:north").decimal is DecimalMark.COMMA
    path.write_text(NORTH.replace("comma", "dot"))
    assert watched().dialect("urn:lab:north").decimal is DecimalMark.COMMA
    assert watched() is watched()
    path.write_text(NORTH.replace("decimal: comma", "decimal: point"))
    assert watched().dialect("urn:lab:north").decimal is DecimalMark.POINT
    assert told == [True, False]


def test_a_changed_mapping_is_read_again_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.sources.LOOK_SECONDS", 0)
    watched = Watched(written(tmp_path))
    (tmp_path / "north.yaml").write_text(MAPPING + "  - {code: B12, loinc: 2132-9}\n")
    assert watched().dialect("urn:lab:north").meaning("urn:north:codes", "B12", "") is not None


def test_the_disk_is_not_asked_for_every_message(tmp_path: Path) -> None:
    path = written(tmp_path)
    watched = Watched(path)
    watched()
    os.utime(path, (1, 1))
    assert LOOK_SECONDS >= 1
    assert watched() is watched()


def test_times_without_offset_are_read_in_the_zone_of_their_source(engine: Engine, tmp_path: Path) -> None:
    path = written(tmp_path, NORTH.replace("decimal: comma", "decimal: point"))
    at_noon = {**result("R1", "ferritin", "9"), "effective_at": "2026-03-01T12:00:00"}
    judge(
        deps_on(engine, sources_file=str(path)),
        [receipt.message for receipt in accept(engine, [inbound(event("M1", [at_noon]))])],
    )
    with reading(engine) as connection:
        assert connection.execute(select(RESULT.c.effective_at)).scalar_one().hour == 11


def test_a_wrong_file_stops_the_start(tmp_path: Path) -> None:
    path = written(tmp_path, NORTH.replace("comma", "dot"))
    with pytest.raises(BadFile):
        sources_of(read_settings({"FERRULE_SOURCES_FILE": str(path)}))
