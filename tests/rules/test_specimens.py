"""Which results a bad specimen takes out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rules.analytes import CATALOGUE
from rules.facts import Result, Status
from rules.reading import read
from rules.specimens import BLOOD_COUNT, invalidated

MORNING = datetime(2025, 6, 1, 8, tzinfo=UTC)


def result(name, value="1", unit=None, *, notes=(), at=MORNING, source="lab", status=Status.FINAL):
    quantity = read(CATALOGUE[name], value=value, unit=unit).quantity if unit else None
    key = f"{source}|{name}|{at}"
    return Result(key, name, source, name, status, at, at, MORNING, 1, quantity, notes=notes)


def out(*results):
    by_key = {r.key: r for r in results}
    return {by_key[key].analyte for key in invalidated(results)}


@pytest.mark.parametrize(
    ("note", "analytes"),
    [
        ("hemolyzed", {"folate", "iron", "tsat", "ldh", "haptoglobin"}),
        ("lipemic", {"hemoglobin", "mch", "mchc"}),
        ("clotted", BLOOD_COUNT),
        ("contaminated", set(CATALOGUE)),
        ("diluted", set(CATALOGUE)),
        ("wrong-blood", set(CATALOGUE)),
        ("drip-arm", set(CATALOGUE)),
        ("icteric", set()),
        ("insufficient", set()),
        ("slightly hemolyzed, not affecting results", set()),
        ("", set()),
    ],
)
def test_a_note_spoils_its_analytes_and_no_others(note, analytes):
    assert out(*(result(name, notes=(note,)) for name in CATALOGUE)) == analytes


def test_the_blood_count_is_the_blood_count():
    assert {
        "hemoglobin",
        "hematocrit",
        "mcv",
        "rdw",
        "platelets",
        "wbc",
        "eosinophils",
        "reticulocytes",
    } <= BLOOD_COUNT
    assert not BLOOD_COUNT & {"ferritin", "b12", "crp", "iron", "creatinine"}


@pytest.mark.parametrize("note", ["contaminated", "diluted", "wrong-blood", "drip-arm"])
def test_a_note_on_one_result_goes_for_its_whole_specimen(note):
    assert out(result("crp", notes=(note,)), result("hemoglobin"), result("ferritin")) == {
        "crp",
        "hemoglobin",
        "ferritin",
    }


def test_another_time_or_source_is_another_specimen():
    assert out(
        result("crp", notes=("wrong-blood",)),
        result("hemoglobin", at=MORNING + timedelta(minutes=1)),
        result("ferritin", source="other"),
    ) == {"crp"}


def test_a_clot_in_one_count_goes_for_the_whole_count_only():
    assert out(result("platelets", notes=("clotted",)), result("hemoglobin"), result("ferritin")) == {
        "platelets",
        "hemoglobin",
    }


def test_lipemia_noted_on_another_tube_does_not_hide_a_hemoglobin():
    assert out(result("crp", notes=("lipemic",)), result("hemoglobin")) == set()


def test_notes_of_a_result_entered_in_error_do_not_spread():
    wrong = result("crp", notes=("contaminated",), status=Status.ENTERED_IN_ERROR)
    assert out(wrong, result("hemoglobin")) == set()


@pytest.mark.parametrize(
    ("value", "unit", "spoils"),
    [
        ("381", "g/L", True),
        ("38.1", "g/dL", True),
        ("380", "g/L", False),
        (">380", "g/L", True),
        (">=380", "g/L", False),
        ("<390", "g/L", False),
        ("23.6", "mmol/L", True),
        ("23.5", "mmol/L", False),
        ("340", "g/L", False),
    ],
)
def test_an_impossible_cell_concentration_spoils_the_indices_but_never_hemoglobin(value, unit, spoils):
    count = [result(name) for name in ("mcv", "mch", "rbc", "rdw", "hemoglobin", "platelets", "hematocrit")]
    spoiled = out(result("mchc", value, unit), *count)
    assert spoiled == ({"mcv", "mch", "rbc", "rdw"} if spoils else set())


def test_a_spoiled_or_refused_cell_concentration_spoils_nothing_else():
    lipemic = result("mchc", "390", "g/L", notes=("lipemic",))
    assert out(lipemic, result("mcv")) == {"mchc"}
    assert out(replace(result("mchc", "390", "g/L"), status=Status.CANCELLED), result("mcv")) == set()


def test_the_reason_is_said_in_words():
    reasons = invalidated([result("iron", notes=("hemolyzed",))])
    assert list(reasons.values()) == ["specimen hemolyzed"]


def test_results_without_a_time_are_no_common_specimen():
    one, other = (
        replace(result(n), effective_at=None, notes=("drip-arm",) if n == "crp" else ())
        for n in ("crp", "b12")
    )
    assert out(one, other) == {"crp"}
