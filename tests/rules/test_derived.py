"""Computed saturation and Mentzer index."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.analytes import CATALOGUE
from rules.derived import derived
from rules.facts import Comparator, Result, Status
from rules.reading import read

MORNING = datetime(2025, 6, 1, 8, tzinfo=UTC)


def result(name, value, unit, at=MORNING, key=None):
    reading = read(CATALOGUE[name], value=value, unit=unit)
    key = key or f"lab|{name}"
    return Result(
        key,
        key,
        "lab",
        name,
        Status.FINAL,
        at,
        at,
        at,
        1,
        reading.quantity,
        reading.coded,
        reported_value=value,
    )


def saturation(*results):
    (found,) = [r for r in derived(results) if r.analyte == "tsat"]
    return found.quantity


@pytest.mark.parametrize(
    ("results", "percent"),
    [
        ([("iron", "8", "umol/L"), ("tibc", "40", "umol/L")], "20"),
        ([("iron", "50", "ug/dL"), ("tibc", "250", "ug/dL")], "20"),
        ([("iron", "8", "umol/L"), ("uibc", "32", "umol/L")], "20"),
        ([("iron", "50", "ug/dL"), ("uibc", "200", "ug/dL")], "20"),
        ([("iron", "10", "umol/L"), ("transferrin", "2", "g/L")], "19.9"),
        ([("iron", "10", "umol/L"), ("transferrin", "200", "mg/dL")], "19.9"),
        ([("iron", "100", "ug/dL"), ("tibc", "53.721", "umol/L")], None),
    ],
)
def test_saturation_is_computed_from_what_is_there(results, percent):
    quantity = saturation(*(result(*r) for r in results))
    expected = Decimal(percent) if percent else 100 * Decimal("17.907") / Decimal("53.721")
    assert (quantity.value, quantity.base, quantity.unit) == (expected, expected / 100, "%")
    assert quantity.dimension == "fraction"


def test_tibc_is_preferred_to_transferrin():
    quantity = saturation(
        result("iron", "8", "umol/L"), result("tibc", "40", "umol/L"), result("transferrin", "3", "g/L")
    )
    assert quantity.value == 20


def test_a_reported_saturation_of_the_same_time_wins():
    reported = result("tsat", "31", "%")
    assert derived([reported, result("iron", "8", "umol/L"), result("tibc", "40", "umol/L")]) == ()


def test_a_reported_saturation_of_another_time_does_not():
    reported = result("tsat", "31", "%", at=MORNING - timedelta(days=1))
    found = derived([reported, result("iron", "8", "umol/L"), result("tibc", "40", "umol/L")])
    assert [r.analyte for r in found] == ["tsat"]


def test_iron_and_capacity_of_different_times_give_nothing():
    later = MORNING + timedelta(minutes=1)
    assert derived([result("iron", "8", "umol/L"), result("tibc", "40", "umol/L", at=later)]) == ()


def test_iron_above_its_capacity_is_no_saturation():
    assert derived([result("iron", "60", "umol/L"), result("tibc", "40", "umol/L")]) == ()


@pytest.mark.parametrize(
    ("iron", "tibc", "comparator"),
    [("<8", "40", "<"), ("8", "<40", ">"), ("8", ">=40", "<="), (">8", "40", ">"), ("8", "40", "=")],
)
def test_a_censored_part_makes_a_censored_saturation(iron, tibc, comparator):
    assert saturation(result("iron", iron, "umol/L"), result("tibc", tibc, "umol/L")).comparator == comparator


def test_two_censored_parts_give_nothing():
    assert derived([result("iron", "<8", "umol/L"), result("tibc", ">40", "umol/L")]) == ()


@pytest.mark.parametrize(
    ("mcv", "rbc", "index"),
    [(("66", "fL"), ("6.6", "10*12/L"), "10"), (("65", "um3"), ("5", "M/uL"), "13")],
)
def test_the_mentzer_index_is_mcv_per_red_cells(mcv, rbc, index):
    (found,) = derived([result("mcv", *mcv), result("rbc", *rbc)])
    assert (found.analyte, found.quantity.value) == ("mentzer_index", Decimal(index))


def test_a_computed_result_names_its_parts_and_is_known_when_the_last_part_is():
    late = MORNING + timedelta(hours=5)
    iron, tibc = result("iron", "8", "umol/L", key="lab|R1"), result("tibc", "40", "umol/L", key="lab|R2")
    tibc = Result(tibc.key, tibc.id, "lab", "tibc", Status.FINAL, MORNING, late, late, 7, tibc.quantity)
    (found,) = derived([iron, tibc])
    assert found.key == "derived:tsat:lab|R1+lab|R2"
    assert (found.known_at, found.issued_at, found.arrival, found.effective_at) == (late, late, 7, MORNING)
    assert (found.reported_value, found.reported_unit) == ("20.00", "%")


def test_each_of_two_irons_of_one_time_gives_its_own():
    two = [result("iron", "8", "umol/L", key="a"), result("iron", "10", "umol/L", key="b")]
    found = derived([*two, result("tibc", "40", "umol/L")])
    assert sorted(r.quantity.value for r in found) == [20, 25]


@given(
    iron=st.integers(3, 600),
    tibc=st.integers(601, 830),
    order=st.permutations([0, 1]),
)
def test_saturation_is_the_same_in_any_order_and_equal_unit(iron, tibc, order):
    in_dl = [result("iron", f"{iron}", "ug/dL"), result("tibc", f"{tibc}", "ug/dL")]
    in_l = [result("iron", f"{iron * 10}", "ug/L"), result("tibc", f"{tibc * 10}", "ng/mL")]
    one = saturation(*(in_dl[i] for i in order))
    assert one == saturation(*in_l)
    assert one.comparator is Comparator.EQ
    assert (one.value < 20) == (iron * 5 < tibc)
