"""A laboratory with codes of its own: unmapped, found among the gaps, mapped, read again, judged."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from alerts.people import Actor
from alerts.tables import AUDIT
from rules.history import View
from tests.worker.intake.examples import hl7
from tests.worker.made_up import deps_on
from worker.accepting import Inbound, accept
from worker.code_gaps import gaps, magnitude_of, unmapped
from worker.composition import Deps
from worker.database import reading, writing
from worker.intake.hl7v2 import read_header
from worker.pipeline import judge
from worker.quarantine import NotInQuarantine, Only, heaps, release, waiting
from worker.records import load
from worker.releasing import messages_understood_now, read_all_again, release_all, sources_named
from worker.tables import EVALUATION, MESSAGE, RESULT

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
SOMEBODY = Actor("urn:ferrule:self", "operator:somebody")
HEADER = r"MSH|^~\&|LABOR|MUSTERSTADT|FERRULE|KH|20260301081200||ORU^R01^ORU_R01|{id}|P|2.5|||||DEU|8859/1"
PATIENT = "PID|1||4711^^^^MR||Muster^Erika||19800203|F"
ORDER = "OBR|1|A1|F1|BB^Blutbild|||20260301073000"
PANEL = (
    "OBX|1|NM|FERR^Ferritin i.S.||8,5||13 - 150|L|||F",
    "OBX|2|NM|B12^Vitamin-B12||1450|pg/ml|197 - 771|H|||F",
    "OBX|3|NM|HB^Hämoglobin||10,8|g/dl|12,0 - 16,0|L|||F",
    "OBX|4|NM|TFS^Transferrinsättigung||9||16 - 45|L|||F",
    "OBX|5|NM|THRO^Thrombozyten||310|Tsd./µl|150 - 370|N|||F",
    "OBX|6|NM|HBA1C^HbA1c||5,4|%|||||F",
    "OBX|7|NM|FERR^Folsäure||8,5|µg/l|||||F",
)


def message(id: str, *observations: str) -> Inbound:
    raw = hl7(HEADER.format(id=id), PATIENT, ORDER, *(observations or PANEL), codec="latin-1")
    return Inbound(read_header(raw).source, id, "hl7", raw)


def judged(deps: Deps, *messages: Inbound) -> None:
    judge(deps, [receipt.message for receipt in accept(deps.engine, messages)])


def believed(engine: Engine) -> dict[str, str]:
    """Code and name → the value and unit as believed."""
    with reading(engine) as connection:
        rows = connection.execute(select(RESULT).where(RESULT.c.problem.is_(None)).order_by(RESULT.c.id))
        return {f"{row.code} {row.code_name}": f"{row.value} {row.unit} {row.analyte}" for row in rows}


@pytest.fixture
def mapped(engine: Engine) -> Deps:
    return deps_on(engine, sources_file=str(EXAMPLES / "sources.yaml"), default_zone="UTC")


def test_a_german_laboratory_is_understood_by_its_mapping(mapped: Deps) -> None:
    judged(mapped, message("1"))
    assert believed(mapped.engine) == {
        "FERR Ferritin i.S.": "8.5 ug/L ferritin",
        "B12 Vitamin-B12": "1450 pg/mL b12",
        "HB Hämoglobin": "10.8 g/dL hemoglobin",
        "TFS Transferrinsättigung": "9 % tsat",
        "THRO Thrombozyten": "310 10*3/uL platelets",
    }
    with reading(mapped.engine) as connection:
        hemoglobin = connection.execute(select(RESULT).where(RESULT.c.code == "HB")).one()
        assert (hemoglobin.range_low, hemoglobin.range_high) == ("12.0", "16.0")
        assert (hemoglobin.reported_value, hemoglobin.reported_unit) == ("10,8", "g/dl")
        assert hemoglobin.effective_at.hour == 6
        assert connection.execute(select(func.count()).select_from(EVALUATION)).scalar_one() == 1


def test_a_code_whose_name_is_another_analytes_is_not_used_and_waits_for_a_person(mapped: Deps) -> None:
    judged(mapped, message("1"))
    with reading(mapped.engine) as connection:
        (item,) = waiting(connection)
    assert (item["reason"], item["place"]) == ("name-contradicts", "OBX[7]-3")


def test_gaps_list_what_is_unmapped_with_a_proposal_and_no_value(engine: Engine) -> None:
    deps = deps_on(engine, default_zone="UTC")
    judged(deps, message("1"))
    with reading(engine) as connection:
        found = {f"{gap.code} {gap.name}": gap for gap in gaps(connection, deps.sources())}
    assert {name: gap.proposal for name, gap in found.items()} == {
        "FERR Ferritin i.S.": "analyte: ferritin",
        "B12 Vitamin-B12": "loinc: 2132-9 (Vitamin B12)",
        "HB Hämoglobin": "loinc: 718-7 (Hemoglobin)",
        "TFS Transferrinsättigung": "analyte: tsat",
        "THRO Thrombozyten": "loinc: 777-3 (Platelets)",
        "HBA1C HbA1c": "ignore: glycated hemoglobin",
        "FERR Folsäure": "ask which: folate or rbc_folate",
    }
    ferritin = found["B12 Vitamin-B12"]
    assert (ferritin.count, ferritin.unit, ferritin.magnitude, ferritin.problem) == (
        1,
        "pg/ml",
        "1000 to 10000",
        "code-unknown",
    )
    assert "1450" not in json.dumps([str(gap) for gap in found.values()])


def test_after_a_mapping_is_added_what_waits_is_read_again_and_judged(engine: Engine, tmp_path: Path) -> None:
    for name in ("sources.yaml", "labor-musterstadt.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    mapping = tmp_path / "labor-musterstadt.yaml"
    whole = mapping.read_text()
    mapping.write_text("laboratory: nothing yet\ncodes: []\n")
    before = deps_on(engine, sources_file=str(tmp_path / "sources.yaml"))
    judged(before, message("1"), message("2", PANEL[1].replace("1450", "1500")))
    assert believed(engine) == {}
    mapping.write_text(whole)
    after = deps_on(engine, sources_file=str(tmp_path / "sources.yaml"))
    with reading(engine) as connection:
        assert all(gap.mapped for gap in gaps(connection, after.sources()))
        found = list(messages_understood_now(connection, after.sources(), "code-unknown", "musterstadt"))
    assert read_all_again(engine, found, SOMEBODY, "mapped").messages == 2
    judge(after, found)
    assert believed(engine)["FERR Ferritin i.S."] == "8.5 ug/L ferritin"
    with reading(engine) as connection:
        assert gaps(connection, after.sources()) == []
        assert list(messages_understood_now(connection, after.sources(), None, None)) == []
        steps = connection.execute(select(AUDIT.c.action, AUDIT.c.actor_ident)).all()
    assert [tuple(step) for step in steps] == [("read-again", "operator:somebody")] * 2


def test_a_mapping_put_right_twice_has_its_last_word(engine: Engine, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "sources.yaml", tmp_path)
    mapping = tmp_path / "labor-musterstadt.yaml"
    found: list[list[str]] = []
    for analyte, unit in (("ferritin", "ug/L"), ("transferrin", "g/L"), ("ferritin", "ug/L")):
        mapping.write_text(
            f"laboratory: x\ncodes:\n  - {{code: FERR, analyte: {analyte}, labels: [F], unit: {unit}}}\n"
        )
        deps = deps_on(engine, sources_file=str(tmp_path / "sources.yaml"))
        if found:
            read_all_again(engine, [1], SOMEBODY, "another mapping")
            judge(deps, [1])
        else:
            judged(deps, message("1", "OBX|1|NM|FERR^F||3||||||F"))
        found.append(_current(engine))
    assert found == [["ferritin"], ["transferrin"], ["ferritin"]]


def _current(engine: Engine) -> list[str]:
    """The analyte of each result as it counts now."""
    with reading(engine) as connection:
        history = load(connection, [1])[1].history
    view = View(history, max(r.known_at for r in history.results))
    return [a for a in ("ferritin", "transferrin") for _ in view.results(a)]


def test_released_twice_at_once_it_is_read_again_once(engine: Engine) -> None:
    deps = deps_on(engine)
    judged(deps, message("1", PANEL[1]))
    with reading(engine) as connection:
        before = len(waiting(connection))
    assert before == 0
    local = message("2", "OBX|1|NM|2276-4^Ferritin^LN||8|ug/Liter|||||F")
    judged(deps, local)
    with reading(engine) as connection:
        (item,) = waiting(connection)

    def once(_: int) -> bool:
        try:
            with writing(engine) as connection:
                release(connection, item["id"], SOMEBODY)
        except NotInQuarantine:
            return False
        return True

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(once, range(2))) == [False, True]
    with reading(engine) as connection:
        assert connection.execute(select(MESSAGE.c.reading).order_by(MESSAGE.c.id)).scalars().all() == [0, 1]
    judge(deps, [item["message_id"]])
    with reading(engine) as connection:
        assert len(waiting(connection)) == 1  # still not understood: on the list again
        rows = select(func.count()).select_from(RESULT).where(RESULT.c.code == "2276-4")
        assert connection.execute(rows).scalar_one() == 1  # and said nothing new


def test_everything_of_one_reason_and_source_is_released_together(engine: Engine) -> None:
    deps = deps_on(engine, sources_file=str(EXAMPLES / "sources.yaml"))
    bad = [message(str(n), f"OBX|1|NM|B12^Vitamin-B12||{n}00|pg/Liter|||||F") for n in range(1, 6)]
    judged(deps, *bad)
    with reading(engine) as connection:
        (heap,) = heaps(connection)
        assert (heap["reason"], heap["count"]) == ("unit-unknown", 5)
        only = Only("unit-unknown", sources_named(connection, deps.sources(), "musterstadt"))
    told: list[int] = []
    assert release_all(engine, only, SOMEBODY, told.append).messages == 5
    assert sum(told) == 5
    assert release_all(engine, only, SOMEBODY).messages == 0
    with reading(engine) as connection:
        assert waiting(connection) == []


def test_gaps_are_counted_by_source_and_whether_they_look_like_ours(mapped: Deps) -> None:
    judged(
        mapped,
        message("1", "OBX|1|NM|XFER^Ferritine||8|ug/L|||||F", "OBX|2|NM|NA^Natrium||140|mmol/L|||||F"),
    )
    with reading(mapped.engine) as connection:
        assert unmapped(connection, mapped.sources()) == {
            ("musterstadt", True): 1,
            ("musterstadt", False): 1,
        }


@pytest.mark.parametrize(
    ("values", "said"),
    [(["9", "12", "150"], "1 to 1000"), (["5,3"], "1 to 10"), (["0.04"], "0.01 to 0.1"), (["positive"], "")],
)
def test_of_values_only_the_magnitude_is_told(values: list[str], said: str) -> None:
    assert magnitude_of(values) == said
